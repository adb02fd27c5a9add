// f16 and bf16 conversions against arithmetic in double, over all 16-bit patterns and all ties between neighbours.
#include "quant/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace mainspring::inline v0 {
namespace {

/// The value of a finite f16, from the definition.
double f16_value(uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 0x3ff;
  const double magnitude = exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  return h & 0x8000 ? -magnitude : magnitude;
}

TEST(QuantHalf, F16ToF32IsExactForAllBits) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float x = f16_to_f32(static_cast<uint16_t>(h));
    ASSERT_EQ(std::signbit(x), h >> 15 != 0) << h;
    if ((h & 0x7c00) == 0x7c00) {
      if (h & 0x3ff) ASSERT_EQ(std::bit_cast<uint32_t>(x) & 0x7fffffff, 0x7fc00000u | (h & 0x3ff) << 13) << h;  // quiet, payload kept
      else ASSERT_TRUE(std::isinf(x)) << h;
      continue;
    }
    ASSERT_EQ(static_cast<double>(x), f16_value(static_cast<uint16_t>(h))) << h;
  }
}

TEST(QuantHalf, F16RoundTripsAllBits) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const bool nan = (h & 0x7c00) == 0x7c00 && (h & 0x3ff);
    ASSERT_EQ(f32_to_f16(f16_to_f32(static_cast<uint16_t>(h))), nan ? (h | 0x200) : h);
    ASSERT_EQ(f32_to_bf16(bf16_to_f32(static_cast<uint16_t>(h))), (h & 0x7f80) == 0x7f80 && (h & 0x7f) ? (h | 0x40) : h);
    ASSERT_EQ(std::bit_cast<uint32_t>(bf16_to_f32(static_cast<uint16_t>(h))), h << 16);
  }
}

TEST(QuantHalf, F32ToF16RoundsToNearestEven) {
  for (uint32_t h = 0; h < 0x7bff; ++h) {
    const uint16_t low = static_cast<uint16_t>(h), high = static_cast<uint16_t>(h + 1);
    const float tie = static_cast<float>((f16_value(low) + f16_value(high)) / 2);  // exact in f32
    for (float sign : {1.0f, -1.0f}) {
      const uint16_t bit = sign < 0 ? 0x8000 : 0;
      ASSERT_EQ(f32_to_f16(sign * tie), (h % 2 ? high : low) | bit) << h;
      ASSERT_EQ(f32_to_f16(sign * std::nextafter(tie, 0.0f)), low | bit) << h;
      ASSERT_EQ(f32_to_f16(sign * std::nextafter(tie, 1e9f)), high | bit) << h;
    }
  }
}

TEST(QuantHalf, F32ToF16Edges) {
  EXPECT_EQ(f32_to_f16(65504.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-std::numeric_limits<float>::max()), 0xfc00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
  EXPECT_EQ(f32_to_f16(std::bit_cast<float>(0x7f800001u)), 0x7e00);  // a NaN never becomes infinity
  EXPECT_EQ(f32_to_f16(std::bit_cast<float>(0xffffffffu)), 0xffff);
}

TEST(QuantHalf, F32ToBf16RoundsToNearestEven) {
  for (uint32_t h = 0; h < 0x7f80; ++h) {
    const uint32_t tie = h << 16 | 0x8000;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(tie)), h + h % 2);
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(tie - 1)), h);
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(tie + 1)), h + 1);
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(tie | 0x80000000u)), (h + h % 2) | 0x8000);
  }
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x7f800001u)), 0x7fc0);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0xffffffffu)), 0xffff);
}

TEST(QuantHalf, UsableInConstantExpressions) {
  static_assert(f16_to_f32(uint16_t{0x3c00}) == 1.0f && f32_to_f16(-2.0f) == 0xc000 && f32_to_bf16(1.0f) == 0x3f80 && bf16_to_f32(0xc000) == -2.0f);
  static_assert(bits_of(le16_of(0xabcd)) == 0xabcd && le16_of(0xabcd).byte[0] == 0xcd);
}

}  // namespace
}  // namespace mainspring::inline v0
