// Prefill and decode of a GGUF file through the public interface, in one table: pp512 is a prompt of 512, tg64 are 64 tokens generated one by
// one, tg64@2048 the same with 2048 tokens in the context, b16 with 16 sequences at once.
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "bench/machine.h"
#include "bench/table.h"
#include "mainspring/mainspring.h"

namespace {

using namespace mainspring;
using bench::must;

struct Work {
  int prompt = 0, generate = 0, depth = 0, parallel = 1;
  int tokens() const { return (prompt + generate) * parallel; }
  std::string name(int threads) const {
    return fmt::format("{}{}{}{}/{}", prompt ? "pp" : "tg", prompt ? prompt : generate, depth ? fmt::format("@{}", depth) : "", parallel > 1 ? fmt::format(" b{}", parallel) : "",
                       threads);
  }
};

/// Seconds of one repetition: the context is filled unmeasured.
double run(Session& session, const Work& w, std::span<const int32_t> ids) {
  std::vector<StepItem> items;
  for (int s = 0; s < w.parallel; ++s) {
    must(session.truncate(s, 0));
    items.push_back({s, ids.first(static_cast<size_t>(std::max(w.depth, 1))), Logits::none});
  }
  if (w.depth > 0) must(session.step(items));
  std::vector<int32_t> next(static_cast<size_t>(w.parallel), ids[0]);
  for (int s = 0; s < w.parallel; ++s) {
    const auto i = static_cast<size_t>(s);
    items[i] = {s, w.prompt ? ids.first(static_cast<size_t>(w.prompt)) : std::span<const int32_t>(next).subspan(i, 1), Logits::last};
  }
  const auto begin = bench::Clock::now();
  for (int n = w.prompt ? 1 : w.generate; n > 0; --n) {
    const StepResult r = must(session.step(items));
    for (int s = 0; s < w.parallel; ++s) next[static_cast<size_t>(s)] = argmax(r.row(s));
  }
  return bench::seconds_since(begin);
}

double share_of_roof(const Session& session, const Work& w, double seconds, const roof::Roof& roof) {
  if (!w.prompt) return w.generate * static_cast<double>(session.bytes_per_token()) / seconds / roof.read_bytes_per_s;
  const double ops = w.tokens() * static_cast<double>(session.ops_per_token()) + w.parallel * static_cast<double>(session.ops_per_output_row());
  return ops / seconds / roof.int8_ops_per_s;
}

}  // namespace

int main(int count, char** values) {
  bench::Arguments a(count, values, "bench_llm MODEL.gguf [--threads 1,2] [--prompt 512] [--generate 64] [--depth 0,2048] [--parallel 1,16] [--repeat 7] [--json FILE]");
  const std::vector<int> threads = a.numbers("--threads", bench::threads() > 1 ? std::vector<int>{1, bench::threads()} : std::vector<int>{1});
  const std::vector<int> prompts = a.numbers("--prompt", {512}), generates = a.numbers("--generate", {64}), depths = a.numbers("--depth", {0, 2048}), parallels = a.numbers("--parallel", {1, 16});
  const int repeat = std::max(a.number("--repeat", 7), 1);
  const std::string json = a.text("--json");
  a.done();
  std::vector<Work> work;
  for (const int p : prompts)
    if (p) work.push_back({.prompt = p});
  for (const int g : generates)
    for (const int d : depths)
      if (g) work.push_back({.generate = g, .depth = d});
  for (const int g : generates)
    for (const int b : parallels)
      if (g && b > 1) work.push_back({.generate = g, .depth = 64, .parallel = b});

  const Model model = must(Model::open(a.operand()));
  std::vector<int32_t> ids;  // no two neighbours alike
  const int64_t vocabulary = std::max<int64_t>(model.vocabulary_size(), 1);
  std::vector<bench::Timing> timings;
  fmt::print("{}, commit {}\n{}\n{:>14} {:>7} {:>12} {:>12} {:>7} {:>7}\n", bench::machine_line(), bench::commit(), a.operand(), "work", "threads", "median t/s", "best t/s", "spread", "share");
  for (const int t : threads) {
    const roof::Roof roof = roof::measure(t, 1, name_of(bench::newest_isa()));
    for (const Work& w : work) {
      for (int64_t i = static_cast<int64_t>(ids.size()); i < std::max({w.prompt, w.depth, 1}); ++i) ids.push_back(static_cast<int32_t>((i * 7919 + 17) % vocabulary));
      Session session = must(Session::create(model, {.max_context = w.depth + w.prompt + w.generate, .max_sequences = w.parallel, .threads = t}));
      run(session, w, ids);  // warm-up: packs, touches
      bench::Timing timing{w.name(t), {}};
      for (int r = 0; r < repeat; ++r) timing.seconds.push_back(run(session, w, ids));
      const double mid = bench::median(timing.seconds), best = *std::min_element(timing.seconds.begin(), timing.seconds.end());
      const double worst = *std::max_element(timing.seconds.begin(), timing.seconds.end());
      const std::string name = timing.name.substr(0, timing.name.find('/'));
      fmt::print("{:>14} {:7} {:12.1f} {:12.1f} {:6.1f}% {:6.0f}%\n", name, t, w.tokens() / mid, w.tokens() / best, (worst - best) / mid * 100, share_of_roof(session, w, mid, roof) * 100);
      std::fflush(stdout);
      timings.push_back(std::move(timing));
    }
  }
  if (!json.empty()) bench::write_json(json, timings);
}
