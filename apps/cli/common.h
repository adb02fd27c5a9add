// What every verb shares: how a model is opened, how an error ends the process, how long work shows progress, how Ctrl-C stops it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "mainspring/mainspring.h"

namespace cli {

namespace ms = mainspring;
using Json = nlohmann::ordered_json;

enum Exit { kOk = 0, kFailed = 1, kUsage = 2, kUnsupported = 3 };

inline constexpr int64_t kMostPositions = int64_t{1} << 24;  ///< that an option may ask for

/// Ends a verb: caught in main, printed as one line on stderr.
struct Stop {
  int code;
  std::string message;
};
[[noreturn]] void fail(const ms::Error& error);
[[noreturn]] void fail(std::string message);

/// The value, or the end of the verb.
template <class T>
T must(ms::Result<T> result) {
  if (!result) fail(result.error());
  return *std::move(result);
}
inline void must(ms::Result<void> result) {
  if (!result) fail(result.error());
}

/// Options that every verb has.
struct Common {
  std::string model, cache, cpus;
  uint64_t cache_limit = ms::ContextOptions().cache_folder_limit;
  int threads = 0;
  bool json = false;
  void add(CLI::App& verb, bool with_model = true);
  ms::Context context() const;
  ms::Model open(bool vocabulary_only = false) const;
};

/// The arithmetic of a session.
struct Numbers {
  bool exact = false;
  std::optional<ms::DType> kv;
  void add(CLI::App& verb);
  /// `options` with it.
  ms::SessionOptions of(ms::SessionOptions options) const;
};

/// Becomes true at the first Ctrl-C (or SIGTERM); the second ends the process at once.
const std::atomic<bool>& interrupted();
void clear_interrupt();

/// A bar on stderr while it is a terminal, nothing elsewhere. `total` counts `unit`s.
class Progress {
 public:
  Progress(std::string title, std::string unit);
  ~Progress() { clear(); }
  void update(int64_t done, int64_t total);
  void clear();
  /// For StepOptions::progress and GenerateOptions::prompt_progress.
  static void step(void* progress, int64_t done, int64_t total) { static_cast<Progress*>(progress)->update(done, total); }

 private:
  std::string title_, unit_;
  bool terminal_, shown_ = false;
  int last_ = -1;
};

/// One document on stdout; broken UTF-8 as U+FFFD.
void print(const Json& document);
std::string read_file(const std::string& path);
/// "1,2,3" → ids. Fails naming the piece that is no id.
std::vector<int32_t> parse_ids(const std::string& list);
double median(std::vector<double> values);

// One function a file: adds its verbs to the command.
void add_generate(CLI::App& app);
void add_chat(CLI::App& app);
void add_text(CLI::App& app);
void add_logits(CLI::App& app);
void add_perplexity(CLI::App& app);
void add_bench(CLI::App& app);
void add_info(CLI::App& app);

}  // namespace cli
