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

/// One line a benchmark: median and best of its repetitions, rates and share of the median.
class Lines final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    fmt::print("{}, commit {}\nroof of one thread: read {:.1f} GB/s", machine_line(), commit(), read_bytes_per_s() / 1e9);
    for (int i = 0; i < mainspring::kIsas; ++i) {
      const auto isa = static_cast<mainspring::Isa>(i);
      if (mainspring::detect_isa().has(isa)) fmt::print(", {} {:.0f} int8 {:.0f} f32 GOP/s", name_of(isa), peaks(isa).int8_ops_per_s / 1e9, peaks(isa).f32_ops_per_s / 1e9);
    }
    fmt::print("\n\n{:58} {:>11} {:>11} {:>6} {:>7} {:>8} {:>6}  {}\n", "benchmark", "median", "best", "cv", "GB/s", "GOP/s", "share", "roof");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    double best = 0, variation = 0;
    const Run* median = nullptr;
    for (const Run& r : runs) {
      if (r.error_occurred) {
        fmt::print("{:58} {}\n", r.benchmark_name(), r.error_message);
        return;
      }
      const bool one = r.run_type == Run::RT_Iteration;
      if (one && (best == 0 || r.GetAdjustedRealTime() < best)) best = r.GetAdjustedRealTime();
      if (r.aggregate_name == "median" || (one && runs.size() == 1)) median = &r;
      if (r.aggregate_name == "cv") variation = r.real_accumulated_time;
    }
    if (!median) return;
    const auto counter = [&](const char* name) { return static_cast<double>(median->counters.at(name)); };
    fmt::print("{:58} {:8.2f} us {:8.2f} us {:5.1f}% {:7.1f} {:8.1f} {:5.0f}%  {}\n", median->run_name.str(), median->GetAdjustedRealTime() / 1e3, best / 1e3,
               variation * 100, counter("bytes_per_second") / 1e9, counter("ops_per_second") / 1e9, counter("share_of_roof") * 100, median->report_label);
    std::fflush(stdout);
  }
};

}  // namespace
}  // namespace bench

int main(int count, char** arguments) {
  // Seven repetitions, at random order against drift, unless the caller says otherwise: later options win.
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
  bench::register_attention();
  bench::register_rows();
  bench::register_scan();
  bench::Lines lines;
  benchmark::RunSpecifiedBenchmarks(&lines);
  benchmark::Shutdown();
}
