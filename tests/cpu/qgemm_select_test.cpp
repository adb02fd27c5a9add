// The kernel table, the choice from it, and the q8_rows quantisers.
#include <gtest/gtest.h>

#include "tests/cpu/qgemm_fixture.h"

namespace {

using namespace mainspring;
using namespace qgemm_test;

TEST(QgemmSelect, PicksTheBestTheMachineHas) {
  const QgemmKernel* k = select_qgemm(DType::q4_1, 576, IsaSet{}.with(Isa::avx2), nullptr);
  ASSERT_NE(k, nullptr);
  EXPECT_EQ(k->isa, Isa::avx2);
  std::string why;
  k = select_qgemm(DType::q4_1, 576, IsaSet{}, &why);
  ASSERT_NE(k, nullptr);
  EXPECT_EQ(k->isa, Isa::scalar);
  EXPECT_NE(why.find("avx2 q4_1: not on this machine"), std::string::npos) << why;
}

TEST(QgemmSelect, TellsWhyNot) {
  std::string why;
  EXPECT_EQ(select_qgemm(DType::q4_k, 576, IsaSet{}.with(Isa::avx2), &why), nullptr);
  EXPECT_NE(why.find("avx2 q4_k: k = 576, needs a multiple of 256"), std::string::npos) << why;
  why.clear();
  EXPECT_EQ(select_qgemm(DType::f16, 256, IsaSet{}.with(Isa::avx2), &why), nullptr);
  EXPECT_EQ(why, "qgemm: no kernel for weights in f16");
  EXPECT_EQ(select_qgemm(DType::q4_0, 0, IsaSet{}, nullptr), nullptr);
}

TEST(QgemmSelect, EveryBlockFormatHasAKernel) {
  for (int i = static_cast<int>(DType::q4_0); i < static_cast<int>(DType::q8_rows); ++i) {
    const auto t = static_cast<DType>(i);
    const QgemmKernel* k = select_qgemm(t, info_of(t).block, IsaSet{}, nullptr);
    ASSERT_NE(k, nullptr) << name_of(t);
    EXPECT_EQ(k->codes, code_format_of(t)) << name_of(t);
    EXPECT_EQ(k->pack == nullptr, k->codes != nullptr) << name_of(t);
  }
}

TEST(QgemmSelect, BestFirstAndScalarForEveryFormat) {
  for (const QgemmKernel& k : qgemm_kernels()) {
    const QgemmKernel* scalar = select_qgemm(k.weight, k.k_multiple, IsaSet{}, nullptr);
    ASSERT_NE(scalar, nullptr) << k.name;
    EXPECT_GE(k.isa, scalar->isa);
    EXPECT_EQ(k.k_multiple, scalar->k_multiple);
    EXPECT_EQ(k.k_multiple, info_of(k.weight).block);
  }
}

TEST(QgemmSelect, PeersAreOfOneClass) {
  const auto names = [](DType weight, IsaSet isa) {
    std::string out;
    for (const QgemmKernel* k : qgemm_peers(*select_qgemm(weight, 256, isa, nullptr), 256, isa)) out += std::string(out.empty() ? "" : " ") + name_of(k->isa);
    return out;
  };
  const IsaSet all{(1u << kIsas) - 1}, no_tiles = all.without(Isa::amx), avx2 = IsaSet{}.with(Isa::avx2);
  EXPECT_EQ(names(DType::q4_k, all), "amx avx512vnni avxvnni avx2");
  EXPECT_EQ(names(DType::q8_0, all), "amx avx512vnni avxvnni") << "avx2 adds no offset to signed codes";
  EXPECT_EQ(names(DType::iq4_xs, no_tiles), "avx512vnni avxvnni");
  EXPECT_EQ(names(DType::q8_0, avx2.with(Isa::avxvnni)), "avxvnni");
  EXPECT_EQ(names(DType::q4_0, avx2), "avx2");
  EXPECT_EQ(names(DType::q4_0, IsaSet{}), "scalar");
}

// Rows that meet every rule of q8_rows.h: ties, zero blocks, tiny and huge values, infinities, NaN anywhere.
std::vector<float> awkward_rows(int64_t rows, int64_t k) {
  std::mt19937 rng(11);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(rows * k));
  for (float& v : x) v = normal(rng);
  const auto block = [&](size_t i) { return x.begin() + static_cast<int64_t>(i % (x.size() / 32)) * 32; };
  std::fill_n(block(0), 32, 0.0f);
  std::fill_n(block(1), 32, -0.0f);
  block(2)[31] = std::nanf("");
  block(3)[0] = -INFINITY;
  for (int i = 0; i < 32; ++i) {
    block(4)[i] = static_cast<float>(i) - 15.5f;  // with 127 below: exact ties
    block(5)[i] = 0x1p-120f * static_cast<float>(i);
    block(6)[i] = 0x1p-118f * static_cast<float>(i) / 31;
    block(7)[i] = 0x1p127f / static_cast<float>(i + 1);
    block(8)[i] = 0x1p-140f;
    block(10)[i] = static_cast<float>(256 * i - 128);  // with 32512 below: low bytes of -128, which are not kept
    block(11)[i] = 0x1p-110f * static_cast<float>(i) / 31;
    block(9)[i] = (i % 2 ? -3.0e38f : 3.0e38f);
  }
  block(4)[7] = 127;
  block(10)[5] = 32512;
  block(6)[3] = 0x1p-118f;
  return x;
}

TEST(QgemmQuantize, EveryKernelWritesTheReferenceBits) {
  for (const DType rows : {DType::q8_rows, DType::q16_rows, DType::bf16}) {
    std::vector<QuantizeRow> kernels = {select_quantize(rows, IsaSet{})};
    for (Isa isa : {Isa::avx2, Isa::avx512}) {
#if defined(MAINSPRING_EMULATE_ISA)
      kernels.push_back(select_quantize(rows, IsaSet{}.with(Isa::avx2).with(isa)));
#else
      if (detect_isa().has(isa)) kernels.push_back(select_quantize(rows, IsaSet{}.with(Isa::avx2).with(isa)));
#endif
    }
    for (const int64_t k : {32, 64, 576, 2048}) {
      const std::vector<float> x = awkward_rows(3, k);
      const auto stride = static_cast<size_t>(lowered_row_bytes(rows, k));
      const size_t used = rows == DType::bf16 ? stride : static_cast<size_t>((rows == DType::q16_rows ? 2 * k : k) + k / 8 + k / 4);
      for (int64_t r = 0; r < 3; ++r) {
        Aligned want(stride);
        quantise_row(rows, x.data() + r * k, k, want.data());
        for (QuantizeRow fn : kernels) for (const bool parts : {false, true}) {
          Aligned got(stride + 64);
          if (parts) {  // the last third of the blocks, the first, the one between
            const int64_t blocks = k / 32, third = blocks / 3;
            for (const auto& [first, last] : {std::pair{blocks - third, blocks}, std::pair{int64_t{0}, third}, std::pair{third, blocks - third}})
              fn.blocks(x.data() + r * k + 32 * first, k, first, last - first, got.data());
          } else {
            fn(x.data() + r * k, k, got.data());
          }
          EXPECT_EQ(std::memcmp(got.data(), want.data(), used), 0) << name_of(rows) << ' ' << k;
          for (size_t i = used; i < stride + 64; ++i) ASSERT_EQ(got.data()[i], std::byte{0xa5}) << i;
        }
      }
    }
  }
}

TEST(CpuIsa, CapKeepsWhatIsBelow) {
  const IsaSet all{(1u << kIsas) - 1};
  Result<IsaSet> capped = cap(all, "avx2");
  ASSERT_TRUE(capped);
  EXPECT_TRUE(capped->has(Isa::avx2));
  EXPECT_FALSE(cap(all, "avx2").value().has(Isa::avxvnni));
  EXPECT_FALSE(cap(all, "avx2").value().has(Isa::amx));
  EXPECT_EQ(cap(all, "scalar").value(), IsaSet{});
  EXPECT_EQ(cap(all, "amx").value(), all);
  EXPECT_EQ(cap(IsaSet{}, "amx").value(), IsaSet{});
  Result<IsaSet> wrong = cap(all, "sse9");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::invalid_argument);
  EXPECT_NE(wrong.error().message.find("'sse9'"), std::string::npos);
}

TEST(CpuIsa, DetectionAgreesWithTheCompilersRuntime) {
  const IsaSet isa = detect_isa();
  EXPECT_TRUE(isa.has(Isa::scalar));
#if defined(__x86_64__)
  EXPECT_EQ(isa.has(Isa::avx2), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_TRUE(!isa.has(Isa::avx512) || (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")));
#endif
}

TEST(CpuIsa, RequestForTilesGivesNothingElse) {
  const IsaSet before = detect_isa();
  request_tiles();
  const IsaSet after = detect_isa();
  EXPECT_EQ(after.without(Isa::amx), before.without(Isa::amx));
  EXPECT_TRUE(!after.has(Isa::amx) || after.has(Isa::avx512vnni));
  EXPECT_TRUE(!before.has(Isa::amx) || after.has(Isa::amx));
  request_tiles();
  EXPECT_EQ(detect_isa(), after);
}

}  // namespace
