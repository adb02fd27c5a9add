// Bit positions of the k-quants (layouts: k_quants.h), each with its inverse. In: raw bytes and an index. Out: small integers.
// Prepacking kernels use these too, so that a position is written down once.
#pragma once

#include <cstdint>

namespace mainspring::inline v0 {

/// Element i (0..255) of the two-bit order of q2_k, q3_k and q6_k.
constexpr int two_bits(const uint8_t* qs, int i) { return qs[32 * (i / 128) + i % 32] >> 2 * (i / 32 % 4) & 3; }
/// Sets it; the bytes must be zero before.
constexpr void put_two_bits(uint8_t* qs, int i, int q) {
  uint8_t& byte = qs[32 * (i / 128) + i % 32];
  byte = static_cast<uint8_t>(byte | (q & 3) << 2 * (i / 32 % 4));
}

/// Scale j (0..15) of q3_k, 0..63.
constexpr int q3_scale(const uint8_t* scales, int j) {
  return (scales[j % 8] >> 4 * (j / 8) & 15) | (scales[8 + j % 4] >> 2 * (j / 4) & 3) << 4;
}
constexpr void put_q3_scale(uint8_t* scales, int j, int s) {
  scales[j % 8] = static_cast<uint8_t>(scales[j % 8] | (s & 15) << 4 * (j / 8));
  scales[8 + j % 4] = static_cast<uint8_t>(scales[8 + j % 4] | (s >> 4 & 3) << 2 * (j / 4));
}

struct ScaleMin {
  int scale, min;
};
/// Scale and min j (0..7) of q4_k and q5_k, each 0..63.
constexpr ScaleMin q4_scale_min(const uint8_t* scales, int j) {
  if (j < 4) return {scales[j] & 63, scales[4 + j] & 63};
  return {(scales[4 + j] & 15) | (scales[j - 4] >> 6) << 4, scales[4 + j] >> 4 | (scales[j] >> 6) << 4};
}
constexpr void put_q4_scale_min(uint8_t* scales, int j, ScaleMin v) {
  auto merge = [](uint8_t& byte, int bits) { byte = static_cast<uint8_t>(byte | bits); };
  if (j < 4) {
    merge(scales[j], v.scale & 63);
    merge(scales[4 + j], v.min & 63);
    return;
  }
  merge(scales[4 + j], (v.scale & 15) | (v.min & 15) << 4);
  merge(scales[j - 4], (v.scale >> 4 & 3) << 6);
  merge(scales[j], (v.min >> 4 & 3) << 6);
}

}  // namespace mainspring::inline v0
