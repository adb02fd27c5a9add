// AVX-VNNI: the AVX2 vectors with vpdpbusd.
#pragma once

#include "cpu/kernels/qgemm/vector256.h"

namespace mainspring::inline v0 {
namespace {

MAINSPRING_INLINE Int dot_4(Int sum, Int codes, Int activations) {
#if defined(MAINSPRING_EMULATE_ISA)
  return _mm256_dpbusd_epi32(sum, codes, activations);  // SIMDe knows the EVEX form of the same instruction
#else
  return _mm256_dpbusd_avx_epi32(sum, codes, activations);
#endif
}

}  // namespace
}  // namespace mainspring::inline v0
