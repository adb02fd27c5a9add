#include "common.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace cli {
namespace {

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void on_signal(int signal) {
  if (stop_asked.exchange(true)) {  // asked twice: do not wait for a clean end
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

void fail(const ms::Error& error) { throw Stop{error.code == ms::Errc::unsupported ? kUnsupported : kFailed, error.message}; }
void fail(std::string message) { throw Stop{kFailed, std::move(message)}; }

void Common::add(CLI::App& verb, bool with_model) {
  if (with_model) {
    verb.add_option("MODEL", model, "a GGUF or ONNX file")->required();
    verb.add_option("--cache", cache, "an existing folder that keeps packed weights, and which kernels measured fastest, for the next start")->check(CLI::ExistingDirectory);
    verb.add_option("--cache-limit", cache_limit, "bytes that our files may take there (suffixes such as GB): the longest unused go")->transform(CLI::AsSizeValue(false))->capture_default_str();
  }
  verb.add_option("--threads", threads, "workers (default: one for each physical core)")->check(CLI::Range(0, 1024));
  verb.add_option("--cpus", cpus, "the CPUs they run on, such as 0-3,8 (default: chosen by the machine's kinds of cores)");
  verb.add_flag("--json", json, "print one JSON document and nothing else");
}

ms::Context Common::context() const {
  const ms::Context context({.threads = threads, .cpus = cpus, .cache_folder = cache, .cache_folder_limit = cache_limit});
  context.bind_caller();  // refused: it runs where the system likes, as the pool's threads do
  return context;
}

ms::Model Common::open(bool vocabulary_only) const {
  const ms::Context host = context();
  return must(ms::Model::open(model, {.context = &host, .vocabulary_only = vocabulary_only}));
}

void Numbers::add(CLI::App& verb) {
  verb.add_flag("--exact", exact, "f32 activations and KV: the reference arithmetic");
  verb.add_option_function<std::string>(
          "--kv", [this](const std::string& name) { kv = name == "f32" ? ms::DType::f32 : name == "f16" ? ms::DType::f16 : ms::DType::q8_0; },
          "what keys and values are kept in: f16, q8_0 (56 % of its bytes) or f32 (default: f16, with --exact f32)")
      ->check(CLI::IsMember({"f16", "q8_0", "f32"}));
}

ms::SessionOptions Numbers::of(ms::SessionOptions options) const {
  options.exact = exact;
  options.kv_dtype = kv;
  return options;
}

const std::atomic<bool>& interrupted() {
  static const bool installed = [] {
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    return true;
  }();
  (void)installed;
  return stop_asked;
}
void clear_interrupt() { stop_asked = false; }

Progress::Progress(std::string title, std::string unit) : title_(std::move(title)), unit_(std::move(unit)), terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::update(int64_t done, int64_t total) {
  constexpr int kWidth = 30;
  const int permille = total > 0 ? static_cast<int>(done * 1000 / total) : 0;
  if (!terminal_ || permille == last_) return;
  last_ = permille;
  shown_ = true;
  const int filled = permille * kWidth / 1000;
  std::fprintf(stderr, "\r\033[K%s [%.*s%*s] %lld of %lld %s", title_.c_str(), filled, "##############################", kWidth - filled, "", static_cast<long long>(done),
               static_cast<long long>(total), unit_.c_str());
  std::fflush(stderr);
}

void Progress::clear() {
  if (shown_) std::fputs("\r\033[K", stderr), std::fflush(stderr);
  shown_ = false;
}

void print(const Json& document) {
  std::puts(document.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path + ": cannot be opened");
  std::string out{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) fail(path + ": cannot be read");
  return out;
}

std::vector<int32_t> parse_ids(const std::string& list) {
  std::vector<int32_t> ids;
  for (const char *p = list.data(), *end = p + list.size(); p < end;) {
    if (*p == ',' || *p == ' ' || *p == '\n') {
      ++p;
      continue;
    }
    int32_t id = 0;
    const auto [next, error] = std::from_chars(p, end, id);
    if (error != std::errc{} || (next < end && *next != ',' && *next != ' ' && *next != '\n'))
      throw Stop{kUsage, "'" + std::string(p, std::find(p, end, ',')) + "' is not a token id, expected a list such as 1,2,3"};
    ids.push_back(id);
    p = next;
  }
  return ids;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

}  // namespace cli
