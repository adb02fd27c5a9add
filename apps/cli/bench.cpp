// bench: load, prefill and decode of one model, each after an unmeasured warm-up, beside what the machine could do.
#if defined(__linux__)
#include <link.h>
#endif
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>

#include "common.h"
#include "graph.h"
#include "sequences.h"

namespace cli {
namespace {

struct Options {
  Common common;
  int64_t prompt = 512, generate = 128, depth = 0;
  Numbers numbers;
  int parallel = 1, repeat = 3;
  GraphInputs inputs;
};

Json spread(const std::vector<double>& v) {
  if (v.empty()) return nullptr;
  return {{"median", median(v)}, {"min", *std::min_element(v.begin(), v.end())}, {"max", *std::max_element(v.begin(), v.end())}};
}

}  // namespace

int64_t peak_rss_bytes() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return int64_t{use.ru_maxrss} * 1024;
}

namespace {

/// What `strip` leaves of this command: the file up to the end of the last loaded segment. 0 where the system does not tell.
size_t stripped_bytes() {
#if defined(__linux__)
  std::ifstream file("/proc/self/exe", std::ios::binary);
  ElfW(Ehdr) head;
  size_t end = 0;
  if (!file.read(reinterpret_cast<char*>(&head), sizeof head) || !file.seekg(static_cast<std::streamoff>(head.e_phoff))) return 0;
  ElfW(Phdr) segment;
  for (int i = 0; i < head.e_phnum && file.read(reinterpret_cast<char*>(&segment), sizeof segment); ++i)
    if (segment.p_type == PT_LOAD) end = std::max(end, static_cast<size_t>(segment.p_offset + segment.p_filesz));
  return end;
#else
  return 0;
#endif
}

void bench(const Options& o) {
  const auto begin = Clock::now();
  const ms::Model model = o.common.open();
  if (model.is_graph()) return bench_graph(model, o.common, o.inputs, o.repeat, seconds_since(begin), o.numbers.exact);
  const int64_t context = o.depth + o.prompt + o.generate + 1;
  ms::Session session = must(ms::Session::create(model, o.numbers.of({.max_context = context, .max_sequences = o.parallel})));
  const double load = seconds_since(begin);
  Sequences work(session, o.parallel, std::max({o.prompt, o.depth, int64_t{1}}));
  Progress progress("bench", "runs");
  progress.update(0, o.repeat + 1);
  work.feed(std::max<int64_t>(o.prompt, 1), ms::Logits::last);  // warm-up
  const double first_token = seconds_since(begin);
  work.decode(std::min<int64_t>(o.generate, 4));
  std::vector<double> prefill, decode;
  for (int r = 0; r < o.repeat; ++r) {
    progress.update(r + 1, o.repeat + 1);
    work.clear();
    work.feed(o.depth, ms::Logits::none);
    const double p = work.feed(o.prompt, ms::Logits::last);
    if (o.prompt > 0) prefill.push_back(static_cast<double>(o.prompt * o.parallel) / p);
    const double d = work.decode(o.generate);
    if (o.generate > 0) decode.push_back(static_cast<double>(o.generate * o.parallel) / d);
  }
  progress.clear();
  const int64_t rss = peak_rss_bytes();  // before the roof's own buffers
  const int threads = session.options().threads;
  const mainspring::roof::Roof roof = roof_of_kernels(threads);
  const double decode_share = median(decode) / o.parallel * static_cast<double>(session.bytes_per_token()) / roof.read_bytes_per_s;
  const double ops_per_prompt_token = static_cast<double>(session.ops_per_token()) + static_cast<double>(session.ops_per_output_row()) / static_cast<double>(std::max<int64_t>(o.prompt, 1));
  const double prefill_share = median(prefill) * ops_per_prompt_token / roof.int8_ops_per_s;
  if (o.common.json)
    return print({{"model", o.common.model},
                  {"threads", threads},
                  {"load_ms", load * 1e3},
                  {"first_token_ms", first_token * 1e3},
                  {"prefill_tokens_per_s", spread(prefill)},
                  {"decode_tokens_per_s", spread(decode)},
                  {"peak_rss_bytes", rss},
                  {"command_bytes", stripped_bytes()},
                  {"roof",
                   {{"decode", decode.empty() ? Json() : Json(decode_share)},
                    {"prefill", prefill.empty() ? Json() : Json(prefill_share)},
                    {"read_bytes_per_s", roof.read_bytes_per_s},
                    {"int8_ops_per_s", roof.int8_ops_per_s},
                    {"bytes_per_token", session.bytes_per_token()},
                    {"ops_per_token", session.ops_per_token()},
                    {"ops_per_output_row", session.ops_per_output_row()}}}});
  std::printf("load          %10.1f ms\nfirst token   %10.1f ms (after %lld prompt tokens)\n", load * 1e3, first_token * 1e3, static_cast<long long>(std::max<int64_t>(o.prompt, 1)));
  const auto line = [](const char* name, const std::vector<double>& v, double share, const char* of) {
    if (!v.empty())
      std::printf("%-13s %10.1f tokens/s (%.1f to %.1f), %.0f %% of the %s\n", name, median(v), *std::min_element(v.begin(), v.end()), *std::max_element(v.begin(), v.end()), share * 100, of);
  };
  line("prefill", prefill, prefill_share, "int8 peak");
  line("decode", decode, decode_share, "read bandwidth");
  std::printf("peak memory   %10.1f MB\nthreads       %10d\nthis command  %10.1f MB stripped\n", static_cast<double>(rss) / 1e6, threads, static_cast<double>(stripped_bytes()) / 1e6);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("bench", "load, prefill and decode speed");
  o->common.add(*verb);
  verb->add_option("--prompt", o->prompt, "tokens of the prefill")->capture_default_str()->check(CLI::Range(0, 1 << 24));
  verb->add_option("--generate", o->generate, "tokens to decode")->capture_default_str()->check(CLI::Range(0, 1 << 24));
  verb->add_option("--depth", o->depth, "tokens already in the context, unmeasured")->capture_default_str()->check(CLI::Range(0, 1 << 24));
  verb->add_option("--parallel", o->parallel, "sequences at once")->capture_default_str()->check(CLI::Range(1, 4096));
  verb->add_option("--repeat", o->repeat, "measured runs")->capture_default_str()->check(CLI::Range(1, 10000));
  o->numbers.add(*verb);
  o->inputs.add(*verb);
  verb->callback([=] { bench(*o); });
}

}  // namespace cli
