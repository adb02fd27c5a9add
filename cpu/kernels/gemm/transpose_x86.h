// 16 decoded rows to [k][16], by 8×8 blocks in AVX2 registers: 24 shuffles for 64 floats. Included by the x86 ISA files only.
#pragma once

#include "cpu/kernels/gemm/gemm_args.h"
#include "cpu/simd/intrinsics.h"

namespace mainspring::inline v0 {
namespace {

// 8×8: pairs, quadruples, halves.
inline void transpose8(const float* in, int64_t stride, float* out) {
  __m256 r[8], t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(in + i * stride);
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + i * kGemmWidth, _mm256_permute2f128_ps(r[i], r[4 + i], 0x20));
    _mm256_storeu_ps(out + (i + 4) * kGemmWidth, _mm256_permute2f128_ps(r[i], r[4 + i], 0x31));
  }
}

void transpose(const float* rows, int64_t stride, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i += 8)
    for (int half = 0; half < 2; ++half) transpose8(rows + half * 8 * stride + i, stride, out + i * kGemmWidth + half * 8);
}

}  // namespace
}  // namespace mainspring::inline v0
