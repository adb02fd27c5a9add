// AVX-512 VNNI: the 512-bit vectors with vpdpbusd.
#pragma once

#include "cpu/kernels/qgemm/vector512.h"

namespace mainspring::inline v0 {
namespace {

MAINSPRING_INLINE Int dot_4(Int sum, Int codes, Int activations) { return _mm512_dpbusd_epi32(sum, codes, activations); }

}  // namespace
}  // namespace mainspring::inline v0
