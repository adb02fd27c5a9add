// What a transposing kernel is given. PODs only: the ISA files include this.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// to[i * to_stride + j] = from[j * from_stride + i] for i < ni (at most 16), j < nj: words of four bytes.
using TransposeFn = void (*)(const float* from, int64_t from_stride, float* to, int64_t to_stride, int ni, int64_t nj);

}  // namespace mainspring::inline v0
