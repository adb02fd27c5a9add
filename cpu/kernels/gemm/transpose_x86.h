// 16 decoded rows to [k][16], by 8×8 blocks in AVX2 registers: 24 shuffles for 64 floats. Included by the x86 ISA files only.
#pragma once

#include "cpu/kernels/gemm/gemm_args.h"
#include "cpu/simd/transpose_x86.h"

namespace mainspring::inline v0 {
namespace {

void transpose(const float* rows, int64_t stride, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i += 8)
    for (int half = 0; half < 2; ++half) transpose8(rows + half * 8 * stride + i, stride, out + i * kGemmWidth + half * 8, kGemmWidth);
}

}  // namespace
}  // namespace mainspring::inline v0
