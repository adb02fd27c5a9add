#include "bench/machine.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "bench_commit.h"

namespace bench {

using mainspring::Isa;

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

const char* commit() { return MAINSPRING_BENCH_COMMIT; }
int threads() { return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u)); }

Isa newest_isa() {
  mainspring::request_tiles();
  mainspring::IsaSet set = mainspring::detect_isa();
  if (const char* most = std::getenv("MAINSPRING_CPU_ISA"))
    if (const auto capped = cap(set, most)) set = *capped;
  int i = mainspring::kIsas - 1;
  while (!set.has(static_cast<Isa>(i))) --i;
  return static_cast<Isa>(i);
}

std::string machine_line() { return fmt::format("{}, {}, {} threads", processor(), name_of(newest_isa()), threads()); }

double read_bytes_per_s() {
  static const double rate = mainspring::roof::measure(1, 1).read_bytes_per_s;
  return rate;
}

const mainspring::roof::Peaks& peaks(Isa isa) {
  static std::array<std::optional<mainspring::roof::Peaks>, mainspring::kIsas> known;
  auto& p = known[static_cast<size_t>(isa)];
  if (!p) p = mainspring::roof::measure_peaks(1, name_of(isa), 0.3);
  return *p;
}

size_t beyond_caches() {
  size_t cache = 0;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  cache = static_cast<size_t>(std::max(sysconf(_SC_LEVEL3_CACHE_SIZE), 0L));
#endif
  return std::max(4 * cache, size_t{256} << 20);
}

}  // namespace bench
