// Internal to lib/quant: least-squares choice of scales for the encoders. In: finite floats. Out: scales in f32, not yet rounded to f16.
// The method throughout: try a few spacings of the levels, round to them, solve for the best scale given those integers, keep the
// spacing that leaves the least squared error. Sums are in double.
#pragma once

#include <bit>
#include <cstdint>

#include "quant/half.h"

namespace mainspring::inline v0 {

/// Integer levels lo..hi.
struct Levels {
  int lo, hi;
};

/// round_even(x * inverse) held to the levels, which are below 2^22; lo where the product is NaN (an infinite inverse).
inline int level_of(float x, float inverse, Levels levels) {
  float v = x * inverse;
  v = v > static_cast<float>(levels.lo) ? v : static_cast<float>(levels.lo);
  v = v < static_cast<float>(levels.hi) ? v : static_cast<float>(levels.hi);
  // 1.5 2^23 leaves no fraction bits. Unlike nearbyint this is no call on plain x86-64, and it vectorises: the encoders run about three times as fast.
  return std::bit_cast<int32_t>(v + 12582912.0f) - 0x4b400000;
}

/// 1 / d, and 0 for d = 0 (a block whose scale vanished decodes to zeros whatever its integers are).
inline float inverse_of(float d) { return d != 0 ? 1.0f / d : 0.0f; }

/// Rounds to f16; false when that overflows (or x is not finite).
inline bool store_f16(float x, Le16& out) {
  const uint16_t bits = f32_to_f16(x);
  out = le16_of(bits);
  return (bits & 0x7c00) != 0x7c00;
}

/// d of either sign that keeps the sum of (x - d q)^2 small over q in levels, -lo >= hi > 0, n <= 32; 0 when all x are 0.
float fit_scale(const float* x, int n, Levels levels);

/// scale >= 0 and offset that keep the sum of (x - scale q - offset)^2 small over q in 0..top.
struct ScaleOffset {
  float scale, offset;
};
/// offset_max_zero: offset must not be positive (the k-quants store its negative without a sign).
ScaleOffset fit_scale_offset(const float* x, int n, int top, bool offset_max_zero);

}  // namespace mainspring::inline v0
