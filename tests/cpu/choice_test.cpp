// What the CPU asks the planner to measure, and that whatever it answers the bits stay.
#include <gtest/gtest.h>

#include <map>

#include "cpu/bind/linear.h"
#include "cpu/linear_harness.h"
#include "cpu/qgemm_fixture.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

/// Answers what a test wants, and runs each kernel at each load in memory with watched surroundings.
struct Told final : Choices {
  std::map<std::string, int> by_format;  ///< "q4_k": 1
  int kernel = 0;                        ///< of the others; the last one where there are fewer
  std::vector<std::string> keys;
  bool intact = true;

  Choice choose(const Question& q) override {
    keys.push_back(q.key);
    Guarded memory(q.memory);
    std::fill_n(memory.data(), q.memory, q.fill);
    for (int i = 0; i < q.kernels; ++i)
      for (int load = 0; load < q.loads; ++load) q.run(q.user, i, load, memory.data());
    intact &= memory.intact();
    int wanted = kernel;
    for (const auto& [format, i] : by_format)
      if (q.key.find(format) != std::string::npos) wanted = i;
    wanted = std::min(wanted, q.kernels - 1);
    Choice choice{wanted, std::vector<int64_t>(static_cast<size_t>(q.kernels * q.loads), 200)};
    for (int load = 0; load < q.loads; ++load) choice.ns[static_cast<size_t>(wanted * q.loads + load)] = load == 0 ? 100 : 160;
    return choice;
  }
};

/// Blocks of random codes: some formats have no encoder.
Tensor coded(DType t, int64_t m, int64_t k, uint32_t seed) {
  Tensor w;
  w.dtype = t;
  w.dims = {m, k};
  w.weight = true;
  w.allocate();
  const auto bytes = qgemm_test::random_weights(t, m, k, seed);
  std::memcpy(w.memory->data(), bytes.data(), bytes.size());
  return w;
}

constexpr DType kFormats[] = {DType::q4_0, DType::q4_1, DType::q5_0,   DType::q5_1, DType::q8_0, DType::iq4_nl, DType::mxfp4,
                              DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_xs};

TEST(MeasuredLinear, AnyAnswerGivesTheSameBits) {
  for (const IsaSet isa : isa_sets())
    for (const DType t : kFormats)
      for (const DType rows : {DType::q8_rows, DType::q16_rows})
        for (const auto& extents : {std::pair<int64_t, int64_t>{75, 512}, {700, 256}}) {
          const int64_t m = extents.first, k = extents.second;
          SCOPED_TRACE(fmt::format("isa {:#x} {} {} {}x{}", isa.bits, name_of(t), name_of(rows), m, k));
          const Tensor x = quantised(floats({33, k}, 3), 0, rows), w = coded(t, m, k, 5);
          const auto bind = [&](Choices* choices) {
            Bound b(cpu::bind_linear, "linear", {}, {x, w}, {output({33, m})}, isa, false, 2, choices);
            EXPECT_TRUE(b.ok()) << b.error();
            b.run(33);
            return b;
          };
          const Bound plain = bind(nullptr);
          EXPECT_EQ(plain.binding().why.find("measured"), std::string::npos);
          const auto peers = qgemm_peers(*select_qgemm(t, k, isa, nullptr), k, isa);
          for (int i = 0; i < static_cast<int>(peers.size()); ++i) {
            Told told;
            told.kernel = i;
            const Bound b = bind(&told);
            ASSERT_EQ(told.keys.size(), peers.size() > 1 ? 1u : 0u);
            EXPECT_TRUE(told.intact) << "a trial writes in its memory only";
            const std::string name = peers[static_cast<size_t>(i)]->name;
            EXPECT_EQ(b.binding().packings[0].layout, "qgemm " + name);
            EXPECT_NE(b.binding().kernel.find(name), std::string::npos);
            if (peers.size() > 1) {
              const std::string measured = fmt::format("measured: {} 2.00x {} with 1 row, 1.25x", name_of(peers[static_cast<size_t>(i)]->isa), name_of(peers[i == 0 ? 1 : 0]->isa));
              EXPECT_NE(b.binding().why.find(measured), std::string::npos) << b.binding().why;
            }
            for (int64_t r = 0; r < 33; ++r) ASSERT_EQ(0, std::memcmp(b.out().row(r), plain.out().row(r), static_cast<size_t>(m) * 4)) << name << " row " << r;
          }
        }
}

TEST(MeasuredLinear, QuestionsDifferWhereTimesMay) {
  const IsaSet isa = machine();
  Told told;
  const auto ask = [&](DType t, std::vector<int64_t> dims, bool exact = false) {
    const int64_t m = dims[dims.size() - 2], k = dims.back();
    const Tensor x = exact ? floats({1, k}, 3) : quantised(floats({1, k}, 3));
    const size_t before = told.keys.size();
    Bound b(cpu::bind_linear, "linear", {}, {x, weights(t, std::move(dims), 5)}, {output({1, m})}, isa, exact, 2, &told);
    EXPECT_TRUE(b.ok()) << b.error();
    return told.keys.size() > before ? told.keys.back() : std::string();
  };
  if (qgemm_peers(*select_qgemm(DType::q4_0, 512, isa, nullptr), 512, isa).size() < 2) GTEST_SKIP() << "one kernel: nothing to ask";
  const std::string key = ask(DType::q4_0, {64, 512});
  EXPECT_FALSE(key.empty());
  EXPECT_EQ(ask(DType::q4_0, {64, 512}), key);
  EXPECT_EQ(ask(DType::q4_0, {63, 512}), key) << "as many panels";
  EXPECT_NE(ask(DType::q4_1, {64, 512}), key);
  EXPECT_NE(ask(DType::q4_0, {64, 256}), key);
  EXPECT_NE(ask(DType::q4_0, {32, 512}), key);
  EXPECT_EQ(ask(DType::q4_0, {4096, 512}), ask(DType::q4_0, {8192, 512})) << "more than is measured of either";
  EXPECT_EQ(ask(DType::q4_0, {64, 512}, true), "") << "f32 activations";
  EXPECT_EQ(ask(DType::f16, {64, 512}, true), "");
}

TEST(MeasuredLinear, ATiedTableAndItsHeadAskTheSame) {
  for (const IsaSet isa : isa_sets())
    for (const DType t : {DType::q4_0, DType::q8_0, DType::q6_k})
      for (const DType rows : {DType::q8_rows, DType::q16_rows}) {
        Told told;
        told.kernel = 1;
        Tensor table = weights(t, {53, 256}, 5);
        table.also_linear = true;
        Bound embed(cpu::bind_embed, "embed", {}, {table, ints({3}, {52, 0, 17})}, {output({3, 256})}, isa, false, 2, &told);
        Bound head(cpu::bind_linear, "linear", {}, {quantised(floats({1, 256}, 3), 0, rows), table}, {output({1, 53})}, isa, false, 2, &told);
        ASSERT_TRUE(embed.ok() && head.ok()) << embed.error() << head.error();
        EXPECT_EQ(embed.binding().packings[0].layout, head.binding().packings[0].layout);
        if (!told.keys.empty()) {
          EXPECT_EQ(told.keys, std::vector<std::string>(2, told.keys[0]));
        }
        embed.run(3, 1);
        for (int64_t r = 0; r < 3; ++r) EXPECT_EQ(0, std::memcmp(embed.out().row(r), table.decoded(embed.in()[1].at<int32_t>(0)[r]).data(), 1024));
      }
}

TEST(MeasuredLinear, GateAndUpStayOneNode) {
  for (const IsaSet isa : isa_sets()) {
    if (!isa.has(Isa::avx2)) continue;  // refused there
    const Tensor x = quantised(floats({7, 256}, 3)), wg = weights(DType::q4_k, {352, 256}, 5), wu = weights(DType::q6_k, {352, 256}, 6);
    const auto bind = [&](Choices* choices) {
      Bound b(cpu::bind_glu_linear_quant, "glu_linear_quant", {{"act", std::string("silu")}}, {x, wg, wu, absent(), absent()}, {output({7, 352}, DType::q8_rows)}, isa, false, 2, choices);
      EXPECT_TRUE(b.ok()) << b.error();
      b.run(7, 1);
      return b;
    };
    const Bound plain = bind(nullptr);
    for (const auto& [gate, up] : {std::pair{0, 0}, std::pair{1, 1}, std::pair{0, 1}, std::pair{1, 0}, std::pair{2, 0}}) {
      SCOPED_TRACE(fmt::format("isa {:#x} gate {} up {}", isa.bits, gate, up));
      Told told;
      told.by_format = {{"q4_k", gate}, {"q6_k", up}};
      const Bound b = bind(&told);
      if (gate == up && !told.keys.empty()) {
        EXPECT_NE(b.binding().why.find("measured"), std::string::npos);
      }
      for (int64_t r = 0; r < 7; ++r) ASSERT_EQ(0, std::memcmp(b.out().row(r), plain.out().row(r), 352 + 352 / 8 + 352 / 4)) << "row " << r;
    }
  }
}

}  // namespace
