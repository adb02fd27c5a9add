// Floats of a byte and less: FP8 (Micikevicius et al. 2022, arXiv:2209.05433; the "fnuz" forms of Noune et al. 2022, arXiv:2206.02915), E8M0 scales and
// FP4 of the OCP microscaling formats. In and out: one element in the low bits of a byte. The truth that Cast and QuantizeLinear are tested against.
#pragma once

#include <cstdint>

#include "mainspring/types.h"

namespace mainspring::inline v0 {

constexpr bool is_small_float(DType t) { return t >= DType::f8e4m3fn && t <= DType::f4e2m1; }
/// Exact. NaN codes give NaN, infinities of f8e5m2 give infinities.
float decode_small_float(DType t, uint8_t code);
/// To the nearest value, ties to the even code. Beyond the largest value: it where `saturate`, else what the format has for it (infinity or NaN;
/// f4e2m1 always saturates). NaN gives NaN, which f4e2m1 has not: -0, as in ONNX's own tests.
uint8_t encode_small_float(DType t, float value, bool saturate = true);

}  // namespace mainspring::inline v0
