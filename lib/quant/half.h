// 16-bit floats, one value at a time. In: bits or an f32. Out: the other. Every bit pattern has a defined result; no tables, no intrinsics.
// f32 -> 16 bits rounds to nearest, ties to even, overflows to infinity and keeps subnormals. A NaN keeps its sign and the upper bits of its
// payload and comes out quiet (f16 both ways, f32 -> bf16), which is what F16C and AArch64 do, so that vector kernels agree to the bit.
// bf16 -> f32 only moves bits.
#pragma once

#include <bit>
#include <cstdint>

namespace mainspring::inline v0 {

/// A little-endian 16-bit word at any address: what a block format's f16 scale is in a file. Has alignment 1 and no member functions,
/// so that blocks may lie anywhere in a mapped file and that ISA-specific sources may include block layouts without shared inline code.
struct Le16 {
  uint8_t byte[2];
};
static_assert(sizeof(Le16) == 2 && alignof(Le16) == 1);

constexpr uint16_t bits_of(Le16 w) { return static_cast<uint16_t>(w.byte[0] | w.byte[1] << 8); }
constexpr Le16 le16_of(uint16_t bits) { return {{static_cast<uint8_t>(bits & 0xff), static_cast<uint8_t>(bits >> 8)}}; }

constexpr float f16_to_f32(uint16_t h) {
  const uint32_t sign = (h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 31;
  const uint32_t mantissa = h & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13 | (mantissa ? 0x400000u : 0u));
  if (exponent) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  // Subnormal or zero: mantissa units of 2^-24, exact in f32.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
}
constexpr float f16_to_f32(Le16 w) { return f16_to_f32(bits_of(w)); }

constexpr uint16_t f32_to_f16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t a = bits & 0x7fffffffu;
  if (a > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00 | (a >> 13 & 0x3ff));
  if (a >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00);  // 65520 is half-way to 2^16, and the tie goes up
  if (a >= 0x38800000u) {                                             // at least 2^-14: normal
    const uint32_t odd = a >> 13 & 1;
    return static_cast<uint16_t>(sign | ((a - 0x38000000u + 0xfff + odd) >> 13));
  }
  if (a <= 0x33000000u) return sign;  // up to 2^-25, half of the least subnormal: the tie goes to zero
  // Subnormal: the 24-bit significand shifted down to units of 2^-24. a > 2^-25 makes the shift 14 to 24.
  const uint32_t shift = 126 - (a >> 23);
  const uint32_t significand = (a & 0x7fffffu) | 0x800000u;
  const uint32_t odd = significand >> shift & 1;
  return static_cast<uint16_t>(sign | ((significand + (1u << (shift - 1)) - 1 + odd) >> shift));
}

constexpr float bf16_to_f32(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

constexpr uint16_t f32_to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace mainspring::inline v0
