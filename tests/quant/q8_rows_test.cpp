// The activation format against its definition, to the bit, and its corners.
#include "quant/q8_rows.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace mainspring::inline v0 {
namespace {

/// One quantised row, its planes by name.
struct Row {
  explicit Row(const std::vector<float>& x) : k(static_cast<int64_t>(x.size())), bytes(q8_rows_stride(k) / 64) {
    quantise_q8_rows(x.data(), k, 1, k, bytes.data());
  }
  struct alignas(64) Line {
    uint8_t byte[64] = {};
  };
  const uint8_t* at(size_t offset) const { return reinterpret_cast<const uint8_t*>(bytes.data()) + offset; }
  int q(int64_t i) const { return static_cast<int8_t>(*at(static_cast<size_t>(i))); }
  float d(int64_t b) const { return load(q8_rows_d(k) + 4 * static_cast<size_t>(b)); }
  float s(int64_t h) const { return load(q8_rows_s(k) + 4 * static_cast<size_t>(h)); }
  float load(size_t offset) const {
    float v;
    std::memcpy(&v, at(offset), 4);
    return v;
  }
  int64_t k;
  std::vector<Line> bytes;
};

uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }

std::vector<float> noise(size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> x(n);
  for (float& v : x) v = normal(random);
  return x;
}

TEST(Q8Rows, Layout) {
  EXPECT_EQ(q8_rows_stride(32), 64u);
  EXPECT_EQ(q8_rows_stride(64), 128u);
  EXPECT_EQ(q8_rows_stride(512), 704u);
  EXPECT_EQ(q8_rows_stride(4096), 5632u);
  EXPECT_EQ(q8_rows_d(96), 96u);
  EXPECT_EQ(q8_rows_s(96), 108u);
  for (int64_t k = 32; k < 4096; k += 32) {
    EXPECT_LE(q8_rows_s(k) + static_cast<size_t>(k) / 16 * 4, q8_rows_stride(k));
    EXPECT_EQ(q8_rows_stride(k) % 64, 0u);
  }
}

TEST(Q8Rows, FollowsItsDefinition) {
  const std::vector<float> x = noise(32 * 300, 1);
  const Row row(x);
  for (int64_t b = 0; b < 300; ++b) {
    float amax = 0;
    for (int64_t i = 32 * b; i < 32 * b + 32; ++i) amax = std::fmax(amax, std::fabs(x[static_cast<size_t>(i)]));
    ASSERT_EQ(bits(row.d(b)), bits(amax / 127.0f));
    volatile float inverse = 127.0f / amax;
    int sum[2] = {};
    for (int64_t i = 32 * b; i < 32 * b + 32; ++i) {
      volatile float v = x[static_cast<size_t>(i)] * inverse;
      ASSERT_EQ(row.q(i), static_cast<int>(std::lrint(v)));
      sum[i / 16 % 2] += row.q(i);
    }
    for (int h = 0; h < 2; ++h) ASSERT_EQ(bits(row.s(2 * b + h)), bits(row.d(b) * static_cast<float>(sum[h])));
  }
}

TEST(Q8Rows, TiesGoToEven) {
  std::vector<float> x(32);
  x[0] = -127.0f;  // d = 1
  const float ties[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f, -126.5f};
  const int want[] = {0, 2, 2, 0, -2, -2, 126, -126};
  std::copy(std::begin(ties), std::end(ties), x.begin() + 1);
  const Row row(x);
  EXPECT_EQ(row.q(0), -127);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(row.q(i + 1), want[i]) << ties[i];
}

TEST(Q8Rows, ErrorIsHalfAStep) {
  const std::vector<float> x = noise(4096, 2);
  const Row row(x);
  std::vector<float> y(x.size());
  decode_q8_row(row.at(0), row.k, y.data());
  for (size_t i = 0; i < x.size(); ++i) ASSERT_LE(std::fabs(x[i] - y[i]), 0.5001f * row.d(static_cast<int64_t>(i) / 32));
}

TEST(Q8Rows, NonFiniteInputPoisonsItsBlockOnly) {
  const float inf = std::numeric_limits<float>::infinity();
  for (float bad : {inf, -inf, std::bit_cast<float>(0x7f800001u), std::bit_cast<float>(0xffc12345u)}) {
    for (size_t at : {32u, 47u, 48u, 63u}) {
      std::vector<float> x = noise(96, 3);
      x[at] = bad;
      const Row row(x);
      EXPECT_EQ(bits(row.d(1)), kQ8RowsNanBits);
      EXPECT_EQ(bits(row.s(2)), kQ8RowsNanBits);
      EXPECT_EQ(bits(row.s(3)), kQ8RowsNanBits);
      for (int64_t i = 32; i < 64; ++i) EXPECT_EQ(row.q(i), 0);
      for (int64_t b : {0, 2}) EXPECT_TRUE(std::isfinite(row.d(b)) && row.d(b) > 0);
    }
  }
}

TEST(Q8Rows, ZeroTinyAndHuge) {
  const float least = std::bit_cast<float>(kQ8RowsLeastBits);
  EXPECT_EQ(least, 0x1p-118f);
  for (float v : {0.0f, -0.0f, 1e-45f, std::nextafter(least, 0.0f), -std::nextafter(least, 0.0f)}) {
    const Row row(std::vector<float>(32, v));
    EXPECT_EQ(bits(row.d(0)), 0u);
    EXPECT_EQ(bits(row.s(1)), 0u);
    for (int64_t i = 0; i < 32; ++i) EXPECT_EQ(row.q(i), 0);
  }
  for (float v : {least, -least, 1e-30f, 1e30f, std::numeric_limits<float>::max(), -std::numeric_limits<float>::max()}) {
    const Row row(std::vector<float>(32, v));
    EXPECT_TRUE(std::isnormal(row.d(0)) && row.d(0) > 0) << v;
    for (int64_t i = 0; i < 32; ++i) EXPECT_EQ(row.q(i), v < 0 ? -127 : 127) << v;
  }
}

TEST(Q16Rows, HoldsSixteenBits) {
  const std::vector<float> x = noise(4096, 5);
  std::vector<Row::Line> row(quantised_row_bytes(DType::q16_rows, 4096) / 64);
  quantise_row(DType::q16_rows, x.data(), 4096, row.data());
  const auto* planes = reinterpret_cast<const int8_t*>(row.data());
  const auto* d = reinterpret_cast<const float*>(planes + 2 * 4096);
  std::vector<float> y(x.size());
  decode_quantised_row(DType::q16_rows, row.data(), 4096, y.data());
  for (size_t b = 0; b < 128; ++b) {
    float amax = 0;
    int sum[2] = {};
    for (size_t i = 32 * b; i < 32 * b + 32; ++i) {
      const int v = 256 * planes[i] + planes[4096 + i];
      amax = std::fmax(amax, std::fabs(x[i]));
      sum[i / 16 % 2] += v;
      ASSERT_GE(planes[4096 + i], -127);
      ASSERT_LE(std::fabs(x[i] - y[i]), (planes[4096 + i] == -127 ? 1.5f : 0.51f) * d[b]) << "half a step, and one more where a low byte would be -128";
    }
    ASSERT_EQ(bits(d[b]), bits(amax / 32512.0f));
    for (size_t h = 0; h < 2; ++h) ASSERT_EQ(bits(d[128 + 2 * b + h]), bits(d[b] * static_cast<float>(sum[h])));
  }
}

TEST(Q8Rows, RowsStandAlone) {
  const int64_t k = 96, stride = 100;
  const std::vector<float> x = noise(static_cast<size_t>(stride) * 5, 4);
  std::vector<Row::Line> all(q8_rows_stride(k) / 64 * 5);
  quantise_q8_rows(x.data(), stride, 5, k, all.data());
  for (int64_t r = 0; r < 5; ++r) {
    const Row one(std::vector<float>(x.begin() + r * stride, x.begin() + r * stride + k));
    const uint8_t* got = reinterpret_cast<const uint8_t*>(all.data()) + static_cast<size_t>(r) * q8_rows_stride(k);
    EXPECT_EQ(std::memcmp(got, one.at(0), q8_rows_s(k) + static_cast<size_t>(k) / 4), 0) << r;
  }
}

}  // namespace
}  // namespace mainspring::inline v0
