#include "quant/small_float.h"

#include <cmath>
#include <limits>

namespace mainspring::inline v0 {
namespace {

struct Format {
  int exponent_bits, mantissa_bits, bias;
  bool unsigned_zero;  ///< "fnuz": no infinity, no negative zero, whose code is NaN
  bool infinity;       ///< as IEEE 754
};
Format format_of(DType t) {
  switch (t) {
    case DType::f8e4m3fn: return {4, 3, 7, false, false};
    case DType::f8e4m3fnuz: return {4, 3, 8, true, false};
    case DType::f8e5m2: return {5, 2, 15, false, true};
    case DType::f8e5m2fnuz: return {5, 2, 16, true, false};
    default: return {2, 1, 1, false, false};
  }
}

}  // namespace

float decode_small_float(DType t, uint8_t code) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  if (t == DType::f8e8m0) return code == 255 ? kNan : std::ldexp(1.0f, code - 127);
  const Format f = format_of(t);
  const int bits = f.exponent_bits + f.mantissa_bits;
  const bool negative = code >> bits & 1;
  const int magnitude = code & ((1 << bits) - 1);
  if (f.unsigned_zero && negative && magnitude == 0) return kNan;
  if (t == DType::f8e4m3fn && magnitude == 0x7f) return kNan;
  const int exponent = magnitude >> f.mantissa_bits, mantissa = magnitude & ((1 << f.mantissa_bits) - 1);
  float value;
  if (f.infinity && exponent == (1 << f.exponent_bits) - 1) value = mantissa ? kNan : std::numeric_limits<float>::infinity();
  else if (exponent == 0) value = std::ldexp(static_cast<float>(mantissa), 1 - f.bias - f.mantissa_bits);
  else value = std::ldexp(static_cast<float>(mantissa + (1 << f.mantissa_bits)), exponent - f.bias - f.mantissa_bits);
  return negative ? -value : value;
}

uint8_t encode_small_float(DType t, float value, bool saturate) {
  if (t == DType::f8e8m0) {
    if (std::isnan(value)) return 255;
    if (std::isinf(value) || value > std::ldexp(1.0f, 127)) return saturate ? 254 : 255;
    int best = 0;  // scales are positive: the sign is dropped
    for (int c = 1; c < 255; ++c)
      if (std::fabs(std::fabs(value) - decode_small_float(t, static_cast<uint8_t>(c))) < std::fabs(std::fabs(value) - decode_small_float(t, static_cast<uint8_t>(best)))) best = c;
    return static_cast<uint8_t>(best);
  }
  const Format f = format_of(t);
  const int bits = f.exponent_bits + f.mantissa_bits;
  const uint8_t sign = static_cast<uint8_t>(std::signbit(value) ? 1 << bits : 0);
  const uint8_t nan = f.unsigned_zero ? static_cast<uint8_t>(1 << bits) : t == DType::f4e2m1 ? 8 : static_cast<uint8_t>(sign | ((1 << bits) - 1));
  if (std::isnan(value)) return nan;
  int largest = (1 << bits) - 1;
  while (!std::isfinite(decode_small_float(t, static_cast<uint8_t>(largest)))) --largest;
  const auto overflow = [&] {
    if (saturate || t == DType::f4e2m1) return static_cast<uint8_t>(sign | largest);
    return f.infinity ? static_cast<uint8_t>(sign | (largest + 1)) : nan;
  };
  const double magnitude = std::fabs(static_cast<double>(value));
  // Codes of one sign rise with their values; what lies above the half step beyond the largest rounds to something that is not there.
  const double top = decode_small_float(t, static_cast<uint8_t>(largest)), below = decode_small_float(t, static_cast<uint8_t>(largest - 1));
  const double half = top + (top - below) / 2;
  if (magnitude > half || (magnitude == half && largest % 2 == 1)) return overflow();
  int low = 0;
  while (low < largest && decode_small_float(t, static_cast<uint8_t>(low + 1)) <= magnitude) ++low;
  int best = low;
  if (low < largest) {
    const double down = magnitude - decode_small_float(t, static_cast<uint8_t>(low)), up = decode_small_float(t, static_cast<uint8_t>(low + 1)) - magnitude;
    if (up < down || (up == down && low % 2 == 1)) best = low + 1;
  }
  if (best == 0 && f.unsigned_zero) return 0;
  return static_cast<uint8_t>(sign | best);
}

}  // namespace mainspring::inline v0
