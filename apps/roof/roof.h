// What this machine can do at most: read bandwidth and arithmetic peaks, measured. For benchmarks that tell a share of it.
#pragma once

#include <string_view>

namespace mainspring::roof {

/// For `threads` threads together. An op is a multiply or an add: a multiply-add counts two. So did the 156 GOP/s of one Zen 3 core in the
/// project's design: 64 ops of maddubs + madd + add a cycle at 2.45 GHz, of which llama.cpp's 106 tokens/s * 106 M weights * 2 ops are 14 %.
struct Roof {
  double read_bytes_per_s;
  double int8_ops_per_s;
  double f32_ops_per_s;
};

/// Runs about `seconds` in all, on threads of its own, which share 256 MiB or four times the last-level cache. read_bytes_per_s is 0 where
/// there is not so much memory. `isa`: whose peaks, as below.
Roof measure(int threads, double seconds = 0.3, std::string_view isa = {});

struct Peaks {
  double int8_ops_per_s;
  double f32_ops_per_s;
};

/// The arithmetic peaks alone, with the instructions of `isa` ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx", as the library names
/// them) or, where the machine lacks them, of the next older set that it has. An unknown name means the newest.
Peaks measure_peaks(int threads, std::string_view isa, double seconds = 0.1);

}  // namespace mainspring::roof
