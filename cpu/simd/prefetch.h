// Panels stream from memory: each line is asked for 2 KB before it is needed. The processor's own prefetch stops at pages, stays behind several streams
// and where each line is much work. What it gained stands with the kernels (qgemm/tile.h, gemm/generic.h). A prefetch beyond the last panel touches
// nothing.
#pragma once

namespace mainspring::inline v0 {
namespace {

constexpr int kAhead = 2048;

/// Asks for the lines that are kAhead bytes behind `bytes` bytes at p.
template <int bytes>
inline __attribute__((always_inline)) void prefetch_ahead(const void* p) {
#if defined(__clang__)
#pragma unroll
#else
#pragma GCC unroll 16
#endif
  for (int i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(p) + kAhead + i, 0, 3);
}

}  // namespace
}  // namespace mainspring::inline v0
