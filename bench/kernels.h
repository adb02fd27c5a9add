// What the kernel benchmarks share: registration of each family, memory that no cache holds, and the counters of a result.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <span>
#include <string>

#include "bench/machine.h"

namespace bench {

// One function a family: registers family/isa/format/shape for every line of its kernels.inc that this machine can run.
void register_attention();
void register_conv();
void register_gemm();
void register_graph();  // matmul, attend
void register_qgemm();
void register_rows();  // norm, rope, elementwise, quantising of activations
void register_scan();
void register_graphs();  // rnn, igemm

/// The work of one iteration. The roof says how long it takes at least: bytes at the read bandwidth, or ops at the peak of the kernel's own
/// instruction set, whichever is longer.
struct Work {
  double bytes = 0;             ///< read from memory (rows: read and written, in the nearest caches)
  double ops = 0;               ///< a multiply-add counts two
  bool int8 = false;            ///< which peak
};
/// Sets the counters bytes_per_second, ops_per_second and share_of_roof (of one thread), and names in the label what bounds the roof.
void report(benchmark::State& state, mainspring::Isa isa, const Work& work);

/// beyond_caches() bytes, at a multiple of 64, shared by all benchmarks: whoever fills it calls it `owner`'s, and fills it again when it was not.
struct Pool {
  std::span<std::byte> memory;
  bool mine;
};
Pool pool(const std::string& owner);

/// Floats in [-1, 1], the same for the same seed.
void fill(std::span<float> x, uint32_t seed);

}  // namespace bench
