// Every kernel of cpu/kernels on one thread, beside what the machine could do. See README.md; takes Google Benchmark's options.
#include "bench/kernels.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/buffer.h"

namespace bench {

void report(benchmark::State& state, mainspring::Isa isa, const Work& w) {
  using benchmark::Counter;
  const mainspring::roof::Peaks& peak = peaks(isa);
  const double reading = w.bytes / read_bytes_per_s(), computing = w.ops / (w.int8 ? peak.int8_ops_per_s : peak.f32_ops_per_s);
  state.counters["bytes_per_second"] = Counter(w.bytes, Counter::kIsIterationInvariantRate);
  state.counters["ops_per_second"] = Counter(w.ops, Counter::kIsIterationInvariantRate);
  state.counters["share_of_roof"] = Counter(std::max(reading, computing), Counter::kIsIterationInvariantRate);
  state.SetLabel(reading >= computing ? "read" : w.int8 ? "int8" : "f32");
}

Pool pool(const std::string& owner) {
  static mainspring::Buffer memory = mainspring::Buffer::create(mainspring::system_allocator(), beyond_caches(), "benchmark").value();
  static std::string last;
  const bool mine = last == owner;
  last = owner;
  return {memory.bytes(), mine};
}

void fill(std::span<float> x, uint32_t seed) {
  std::mt19937 random(seed);
  for (float& f : x) f = static_cast<float>(random() >> 8) * 0x1p-23f - 1;
}

namespace {

/// One line a benchmark: median and best of its repetitions (processor time: one thread, and other programs' time is not ours), how far the
/// slowest is from the fastest, rates and share of the median.
class Lines final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    fmt::print("{}, commit {}\nroof of one thread: read {:.1f} GB/s", machine_line(), commit(), read_bytes_per_s() / 1e9);
    for (int i = 0; i < mainspring::kIsas; ++i) {
      const auto isa = static_cast<mainspring::Isa>(i);
      if (mainspring::detect_isa().has(isa)) fmt::print(", {} {:.0f} int8 {:.0f} f32 GOP/s", name_of(isa), peaks(isa).int8_ops_per_s / 1e9, peaks(isa).f32_ops_per_s / 1e9);
    }
    fmt::print("\n\n{:48} {:>11} {:>11} {:>8} {:>7} {:>8} {:>6}  {}\n", "benchmark", "median us", "best us", "spread", "GB/s", "GOP/s", "share", "roof");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<const Run*> all;
    for (const Run& r : runs) {
      if (r.error_occurred) return fmt::print("{:48} {}\n", r.run_name.str(), r.error_message);
      if (r.run_type == Run::RT_Iteration) all.push_back(&r);
    }
    if (all.empty()) return;  // the library's own aggregates come in a call of their own
    const auto time = [](const Run* r) { return r->GetAdjustedCPUTime() / 1e3; };
    std::sort(all.begin(), all.end(), [&](const Run* x, const Run* y) { return time(x) < time(y); });
    const Run& median = *all[all.size() / 2];
    const auto counter = [&](const char* name) { return static_cast<double>(median.counters.at(name)); };
    fmt::print("{:48} {:11.3f} {:11.3f} {:7.1f}% {:7.1f} {:8.1f} {:5.0f}%  {}\n", median.run_name.str(), time(&median), time(all.front()),
               (time(all.back()) - time(all.front())) / time(&median) * 100, counter("bytes_per_second") / 1e9, counter("ops_per_second") / 1e9,
               counter("share_of_roof") * 100, median.report_label);
    std::fflush(stdout);
  }
};

}  // namespace
}  // namespace bench

int main(int count, char** arguments) {
  mainspring::request_tiles();  // before kernels are asked for by what the machine has
  // Seven repetitions, unless the caller says otherwise: later options win.
  std::vector<char*> options{arguments[0]};
  static char defaults[][48] = {"--benchmark_repetitions=7", "--benchmark_min_time=0.03"};
  for (char* d : defaults) options.push_back(d);
  options.insert(options.end(), arguments + 1, arguments + count);
  int n = static_cast<int>(options.size());
  options.push_back(nullptr);
  benchmark::Initialize(&n, options.data());
  if (benchmark::ReportUnrecognizedArguments(n, options.data())) return 2;
  benchmark::AddCustomContext("machine", bench::machine_line());
  benchmark::AddCustomContext("commit", bench::commit());
  benchmark::AddCustomContext("read_bytes_per_s", fmt::format("{:.0f}", bench::read_bytes_per_s()));
  bench::register_qgemm();
  bench::register_gemm();
  bench::register_graph();
  bench::register_conv();
  bench::register_attention();
  bench::register_rows();
  bench::register_scan();
  bench::register_graphs();
  bench::Lines lines;
  benchmark::RunSpecifiedBenchmarks(&lines);
  benchmark::Shutdown();
}
