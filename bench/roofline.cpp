// What this machine can do at most: one line of processor, then read bandwidth and arithmetic peaks of one thread and of all.
//   bench_roofline [--json]
#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include "bench/machine.h"

int main(int count, char** arguments) {
  const bool json = count == 2 && std::string_view(arguments[1]) == "--json";
  if (count > 1 && !json) {
    std::fputs("usage: bench_roofline [--json]\n", stderr);
    return 2;
  }
  const int all = bench::threads();
  std::string rows;
  if (!json) fmt::print("{}\n{:>7} {:>11} {:>12} {:>12}\n", bench::machine_line(), "threads", "read GB/s", "int8 GOP/s", "f32 GOP/s");
  for (int threads = 1;; threads = all) {
    const mainspring::roof::Roof r = mainspring::roof::measure(threads, 1, name_of(bench::newest_isa()));
    if (json)
      rows += fmt::format("{}{{\"threads\": {}, \"read_bytes_per_s\": {:.0f}, \"int8_ops_per_s\": {:.0f}, \"f32_ops_per_s\": {:.0f}}}", rows.empty() ? "" : ", ",
                          threads, r.read_bytes_per_s, r.int8_ops_per_s, r.f32_ops_per_s);
    else
      fmt::print("{:7} {:11.1f} {:12.1f} {:12.1f}\n", threads, r.read_bytes_per_s / 1e9, r.int8_ops_per_s / 1e9, r.f32_ops_per_s / 1e9);
    if (threads == all) break;
  }
  if (json) fmt::print("{{\"processor\": \"{}\", \"isa\": \"{}\", \"roof\": [{}]}}\n", bench::processor(), name_of(bench::newest_isa()), rows);
}
