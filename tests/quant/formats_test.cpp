// Decoders against values of Python's gguf package, the table's facts, and arbitrary bytes. Run under ASan and UBSan, the last is a small fuzzer.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "quant/codes.h"
#include "quant/quant.h"

namespace mainspring::inline v0 {
namespace {

struct Golden {
  DType dtype;
  std::string_view hex;
  uint64_t hash;
  uint32_t first, middle, last;
};
constexpr Golden kGoldens[] = {
#define QUANT_GOLDEN(dtype, hex, hash, first, middle, last) {DType::dtype, hex, hash, first, middle, last},
#include "../golden/quant_blocks.inc"
#undef QUANT_GOLDEN
};

std::vector<uint8_t> bytes_of(std::string_view hex) {
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes.push_back(static_cast<uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  return bytes;
}

uint64_t fnv(const std::vector<float>& values) {
  uint64_t h = 0xcbf29ce484222325u;
  for (float v : values) h = (h ^ std::bit_cast<uint32_t>(v)) * 0x100000001b3u;
  return h;
}

std::vector<DType> formats() {
  std::vector<DType> all = {DType::f32, DType::f16, DType::bf16};
  for (int i = static_cast<int>(DType::q4_0); i < static_cast<int>(DType::q8_rows); ++i) all.push_back(static_cast<DType>(i));
  return all;
}

TEST(QuantFormats, DecodeGivesTheGoldenBits) {
  for (const Golden& g : kGoldens) {
    const BlockFormat* f = format_of(g.dtype);
    ASSERT_NE(f, nullptr);
    const std::vector<uint8_t> block = bytes_of(g.hex);
    ASSERT_EQ(block.size(), static_cast<size_t>(f->bytes)) << f->name;
    std::vector<float> out(static_cast<size_t>(f->block));
    f->decode(block.data(), f->block, out.data());
    EXPECT_EQ(std::bit_cast<uint32_t>(out.front()), g.first) << f->name;
    EXPECT_EQ(std::bit_cast<uint32_t>(out[out.size() / 2]), g.middle) << f->name;
    EXPECT_EQ(std::bit_cast<uint32_t>(out.back()), g.last) << f->name;
    EXPECT_EQ(fnv(out), g.hash) << f->name;
  }
}

TEST(QuantFormats, EveryBlockFormatHasGoldens) {
  for (DType t : formats()) {
    int n = 0;
    for (const Golden& g : kGoldens) n += g.dtype == t;
    EXPECT_EQ(n, is_block_format(t) ? 4 : 0) << name_of(t);
  }
}

TEST(QuantFormats, TableAgreesWithTypes) {
  for (DType t : formats()) {
    const BlockFormat* f = format_of(t);
    ASSERT_NE(f, nullptr) << name_of(t);
    EXPECT_EQ(f->dtype, t);
    EXPECT_STREQ(f->name, name_of(t));
    EXPECT_EQ(f->block, info_of(t).block);
    EXPECT_EQ(f->bytes, info_of(t).bytes);
    EXPECT_EQ(dtype_of_gguf(static_cast<uint32_t>(f->gguf_type)), t);
  }
  for (DType t : {DType::f64, DType::i8, DType::u8, DType::i32, DType::boolean, DType::q8_rows}) EXPECT_EQ(format_of(t), nullptr) << name_of(t);
}

TEST(QuantFormats, GgufNumbers) {
  const std::pair<uint32_t, DType> known[] = {{0, DType::f32}, {1, DType::f16}, {2, DType::q4_0}, {3, DType::q4_1}, {6, DType::q5_0}, {7, DType::q5_1}, {8, DType::q8_0},
      {10, DType::q2_k}, {11, DType::q3_k}, {12, DType::q4_k}, {13, DType::q5_k}, {14, DType::q6_k}, {16, DType::iq2_xxs}, {17, DType::iq2_xs},
      {18, DType::iq3_xxs}, {19, DType::iq1_s}, {20, DType::iq4_nl}, {21, DType::iq3_s}, {22, DType::iq2_s}, {23, DType::iq4_xs}, {24, DType::i8},
      {25, DType::i16}, {26, DType::i32}, {27, DType::i64}, {28, DType::f64}, {29, DType::iq1_m}, {30, DType::bf16}, {34, DType::tq1_0},
      {35, DType::tq2_0}, {39, DType::mxfp4}, {41, DType::q1_0}};
  uint32_t i = 0;
  for (auto [number, dtype] : known) {
    for (; i < number; ++i) EXPECT_FALSE(dtype_of_gguf(i)) << i;
    EXPECT_EQ(dtype_of_gguf(i++), dtype) << number;
  }
  for (; i < 300; ++i) EXPECT_FALSE(dtype_of_gguf(i)) << i;
  EXPECT_FALSE(dtype_of_gguf(UINT32_MAX));
  EXPECT_FALSE(dtype_of_gguf(0x80000002u));
}

/// Decodes `bytes` from an exact heap buffer at an odd address into an exact heap buffer, twice; the bits must agree.
void decode_anywhere(const BlockFormat& f, const std::vector<uint8_t>& bytes) {
  const size_t n = bytes.size() / static_cast<size_t>(f.bytes) * static_cast<size_t>(f.block);
  std::unique_ptr<uint8_t[]> odd(new uint8_t[bytes.size() + 1]);
  std::memcpy(odd.get() + 1, bytes.data(), bytes.size());
  std::unique_ptr<float[]> a(new float[n]), b(new float[n]);
  f.decode(bytes.data(), static_cast<int64_t>(n), a.get());
  f.decode(odd.get() + 1, static_cast<int64_t>(n), b.get());
  EXPECT_EQ(std::memcmp(a.get(), b.get(), n * sizeof(float)), 0) << f.name;
}

TEST(QuantFormats, AnyBytesDecode) {
  std::mt19937 random(7);
  for (DType t : formats()) {
    const BlockFormat& f = *format_of(t);
    for (int fill : {-1, 0, 0xff, 0x55, 0xaa, 0x80, 0x7f}) {
      std::vector<uint8_t> bytes(static_cast<size_t>(f.bytes) * (fill < 0 ? 200 : 2));
      for (uint8_t& b : bytes) b = static_cast<uint8_t>(fill < 0 ? random() : static_cast<unsigned>(fill));
      decode_anywhere(f, bytes);
    }
  }
}

// Integer kernels are proven against overflow by these bounds.
TEST(QuantCodes, AnyBytesSplitIntoCodesWithinTheirBounds) {
  std::mt19937 random(8);
  for (const CodeFormat& f : kCodeFormats) {
    const DTypeInfo info = info_of(f.dtype);
    ASSERT_TRUE(f.span == 16 || f.span == 32) << name_of(f.dtype);
    ASSERT_LE(f.most, 127);
    ASSERT_LE(f.offset, f.most);
    int least = 255, most = 0;
    for (int i = 0; i < 500; ++i) {
      std::vector<uint8_t> block(static_cast<size_t>(info.bytes)), codes(static_cast<size_t>(info.block) + 1, 0xee);
      std::vector<float> scales(static_cast<size_t>(info.block / f.span) + 1, 99.0f);
      for (uint8_t& b : block) b = static_cast<uint8_t>(random());
      f.split(block.data(), codes.data(), scales.data());
      EXPECT_EQ(codes.back(), 0xee);
      EXPECT_EQ(scales.back(), 99.0f);
      codes.pop_back();
      least = std::min<int>(least, *std::min_element(codes.begin(), codes.end()));
      most = std::max<int>(most, *std::max_element(codes.begin(), codes.end()));
    }
    EXPECT_LT(least, f.offset) << name_of(f.dtype);
    EXPECT_EQ(most, f.most) << name_of(f.dtype);
  }
}

TEST(QuantFormats, DecodeWritesWholeBlocksOnly) {
  for (DType t : formats()) {
    const BlockFormat& f = *format_of(t);
    std::vector<uint8_t> bytes(static_cast<size_t>(f.bytes) * 3, 0x31);
    std::vector<float> out(static_cast<size_t>(f.block) * 3, 99.0f);
    f.decode(bytes.data(), 0, out.data());
    EXPECT_EQ(out[0], 99.0f) << f.name;
    f.decode(bytes.data(), 2 * f.block, out.data());
    EXPECT_NE(out[static_cast<size_t>(2 * f.block) - 1], 99.0f) << f.name;
    EXPECT_EQ(out[static_cast<size_t>(2 * f.block)], 99.0f) << f.name;
  }
}

}  // namespace
}  // namespace mainspring::inline v0
