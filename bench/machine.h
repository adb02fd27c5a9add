// What every benchmark prints beside its numbers. In: cpuid, /proc, the roof's measurements. Out: the machine in one line, and its roof.
#pragma once

#include <cstddef>
#include <string>

#include "cpu/isa.h"
#include "roof/roof.h"

namespace bench {

/// "AMD EPYC 9B45, avx512vnni, 2 threads": the newest instruction set that the kernels may use (MAINSPRING_CPU_ISA caps it) and the threads
/// that the process may use.
std::string machine_line();
std::string processor();
/// Of the checkout that was built, "-dirty" where it was changed.
const char* commit();
int threads();
mainspring::Isa newest_isa();

/// Of one thread: measured at the first call, the same for the rest of the process.
double read_bytes_per_s();
const mainspring::roof::Peaks& peaks(mainspring::Isa isa);

/// What surely is in no cache: four times the last level, at least 256 MiB.
size_t beyond_caches();

}  // namespace bench
