// logits: f32 [tokens, vocabulary] of given ids as a NumPy file. perplexity: how well a model foretells a text.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "common.h"

namespace cli {
namespace {

constexpr int kRows = 64;  // rows of logits held at once; the bits do not depend on it

/// Feeds `tokens` to sequence 0 and gives each row of logits from row `first` on.
template <class F>
void each_row(ms::Session& session, std::span<const int32_t> tokens, size_t first, const ms::StepOptions& step, F&& row) {
  if (first > 0) {
    const ms::StepItem item{0, tokens.first(first), ms::Logits::none};
    must(session.step(std::span(&item, 1), step));
  }
  for (size_t at = first; at < tokens.size();) {
    const size_t n = std::min<size_t>(kRows, tokens.size() - at);
    const ms::StepItem item{0, tokens.subspan(at, n), ms::Logits::all};
    const ms::StepResult r = must(session.step(std::span(&item, 1), step));
    for (size_t i = 0; i < n; ++i) row(at + i, r.row(static_cast<int64_t>(i)));
    at += n;
  }
}

/// Writes an array of f32 row by row; the file is removed unless it was finished. Format: numpy.lib.format 1.0.
class NpyFile {
 public:
  NpyFile(const std::string& path, size_t rows, size_t columns) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
    if (file_ == nullptr) fail(path + ": cannot be written");
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " + std::to_string(columns) + "), }";
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    const unsigned char start[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<unsigned char>(header.size() & 255), static_cast<unsigned char>(header.size() >> 8)};
    write(start, sizeof start);
    write(header.data(), header.size());
  }
  ~NpyFile() {
    if (file_ == nullptr) return;
    std::fclose(file_);
    discard();
  }
  void write(const void* data, size_t bytes) {
    if (std::fwrite(data, 1, bytes, file_) != bytes) fail(path_ + ": cannot be written (is the disk full?)");
  }
  void finish() {
    std::FILE* file = std::exchange(file_, nullptr);
    if (std::fclose(file) == 0) return;
    discard();
    fail(path_ + ": cannot be written (is the disk full?)");
  }

 private:
  /// A file, that is: never a device or a pipe.
  void discard() {
    std::error_code none;
    if (std::filesystem::is_regular_file(path_, none)) std::filesystem::remove(path_, none);
  }
  std::string path_;
  std::FILE* file_;
};

struct Options {
  Common common;
  std::string tokens, output, text;
  int64_t context = 512;
  Numbers numbers;
};

void logits(const Options& o) {
  const auto& cancel = interrupted();
  const std::vector<int32_t> tokens = parse_ids(o.tokens);
  if (tokens.empty()) throw Stop{kUsage, "--tokens has no ids, expected a list such as 1,2,3"};
  const ms::Model model = o.common.open();
  const int rows = static_cast<int>(std::min<size_t>(kRows, tokens.size()));
  ms::Session session = must(ms::Session::create(model, o.numbers.of({.max_context = static_cast<int64_t>(tokens.size()), .max_output_rows = rows})));
  NpyFile file(o.output, tokens.size(), static_cast<size_t>(model.vocabulary_size()));
  Progress progress("logits", "tokens");
  each_row(session, tokens, 0, {.cancel = &cancel}, [&](size_t i, std::span<const float> row) {
    file.write(row.data(), row.size_bytes());
    progress.update(static_cast<int64_t>(i) + 1, static_cast<int64_t>(tokens.size()));
  });
  file.finish();
  progress.clear();
  if (o.common.json) print({{"output", o.output}, {"shape", {tokens.size(), model.vocabulary_size()}}});
}

/// -log of the probability of `id`.
double nll(std::span<const float> row, int32_t id) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x) - top);
  return std::log(sum) + top - static_cast<double>(row[static_cast<size_t>(id)]);
}

void perplexity(const Options& o) {
  const auto& cancel = interrupted();
  const ms::Model model = o.common.open();
  const ms::TokenInfo info = must(ms::token_info(model));
  std::vector<int32_t> tokens = must(ms::tokenize(model, read_file(o.text)));
  const auto context = static_cast<size_t>(o.context);
  const size_t windows = tokens.size() / context;
  if (windows == 0) fail(o.text + ": has " + std::to_string(tokens.size()) + " tokens, expected at least --context " + std::to_string(context));
  ms::Session session = must(ms::Session::create(model, o.numbers.of({.max_context = o.context, .max_output_rows = static_cast<int>(std::min<size_t>(kRows, context))})));
  Progress progress("perplexity", "windows");
  double sum = 0, squares = 0;
  int64_t n = 0;
  for (size_t w = 0; w < windows; ++w) {
    const std::span<int32_t> window = std::span(tokens).subspan(w * context, context);
    if (info.add_bos && info.bos >= 0) window[0] = info.bos;
    must(session.truncate(0, 0));
    each_row(session, window.first(context - 1), context / 2, {.cancel = &cancel}, [&](size_t i, std::span<const float> row) {
      const double x = nll(row, window[i + 1]);
      sum += x;
      squares += x * x;
      ++n;
    });
    progress.update(static_cast<int64_t>(w) + 1, static_cast<int64_t>(windows));
  }
  progress.clear();
  const double mean = sum / static_cast<double>(n), error = std::sqrt(std::max(0.0, squares / static_cast<double>(n) - mean * mean) / static_cast<double>(std::max<int64_t>(1, n - 1)));
  if (o.common.json) return print({{"perplexity", std::exp(mean)}, {"nll", mean}, {"nll_error", error}, {"tokens", n}, {"windows", windows}});
  std::printf("perplexity %.4f +- %.4f (nll %.5f, %lld tokens, %zu windows of %zu)\n", std::exp(mean), std::exp(mean) * error, mean, static_cast<long long>(n), windows, context);
}

}  // namespace

void add_logits(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("logits", "logits of given ids as a NumPy file");
  o->common.add(*verb);
  verb->add_option("--tokens", o->tokens, "token ids: 1,2,3 (nothing is added)")->required();
  verb->add_option("--output", o->output, "FILE.npy: f32 [tokens, vocabulary]")->required();
  o->numbers.add(*verb);
  verb->callback([=] { logits(*o); });
}

void add_perplexity(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("perplexity", "perplexity of a text, second half of each window scored");
  o->common.add(*verb);
  verb->add_option("FILE", o->text, "a text file")->required();
  verb->add_option("--context", o->context, "tokens of a window")->capture_default_str()->check(CLI::Range(4, 1 << 24));
  o->numbers.add(*verb);
  verb->callback([=] { perplexity(*o); });
}

}  // namespace cli
