// linear, head_linear, moe_linear, embed through their binders: against sums in double over decoded operands, and the rule of company to the bit.
#include "cpu/bind/linear.h"

#include <gtest/gtest.h>

#include "cpu/linear_harness.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

constexpr DType kLowered[] = {DType::q4_0, DType::q4_1, DType::q5_0, DType::q8_0, DType::q2_k, DType::q4_k, DType::q5_k, DType::q6_k, DType::mxfp4, DType::tq1_0, DType::q1_0, DType::bf16};

/// Output row `row` of `b` (m values) against x row `xr` times rows of w from `first`.
void check_row(const float* y, const std::vector<float>& x, const Tensor& w, int64_t first, int64_t m, const float* bias) {
  double total = 0;
  for (float v : x) total += std::fabs(static_cast<double>(v));
  for (int64_t o = 0; o < m; ++o) {
    const std::vector<float> row = w.decoded(first + o);
    double sum = bias ? static_cast<double>(bias[o]) : 0, top = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      sum += static_cast<double>(x[i]) * static_cast<double>(row[i]);
      top = std::max(top, std::fabs(static_cast<double>(row[i])));
    }
    // Block formats multiply scales and offsets apart, so the terms are as large as the block's range: |x| * twice the greatest weight.
    const double roundings = 2 * std::sqrt(static_cast<double>(x.size())) + 8;
    ASSERT_NEAR(static_cast<double>(y[o]), sum, 0x1p-24 * roundings * (2 * total * top + std::fabs(sum))) << "output " << o;
  }
}

void check_linear(const Bound& b) {
  const Tensor &x = b.in()[0], &w = b.in()[1];
  const float* bias = b.in().size() > 2 && b.in()[2].present ? b.in()[2].at<float>(0) : nullptr;
  for (int64_t r = 0; r < x.rows(); ++r) check_row(b.out().at<float>(r), x.decoded(r), w, 0, w.dims[0], bias);
}

/// Shuffled tiles, and each index of the first extent alone, give the same bits as `whole` (which has run).
void check_company(cpu::Binder binder, const char* op, const Attrs& attrs, Bound& whole, IsaSet isa, bool exact = false) {
  const std::vector<std::byte> want = whole.bytes();
  const int64_t n = whole.out().dims[0];
  for (uint32_t seed : {1u, 2u}) {
    std::memset(whole.out().memory->data(), 0xff, whole.out().memory->size());
    whole.run(n, seed);
    EXPECT_TRUE(whole.bytes() == want) << op << ": the order of tiles changes bits";
  }
  for (int64_t r = 0; r < n; ++r) {
    std::vector<Tensor> in;
    for (const Tensor& t : whole.in()) in.push_back(part_of(t, r, 1));
    Tensor out = whole.out();
    out.dims[0] = 1;
    Bound one(binder, op, attrs, in, {out}, isa, exact, 3);
    ASSERT_TRUE(one.ok()) << one.error();
    one.run(1);
    EXPECT_TRUE(one.bytes() == whole.bytes(0, r, r + 1)) << op << ": row " << r << " alone differs";
  }
}

TEST(LinearBind, float_activations_and_every_weight_format) {
  for (const IsaSet isa : isa_sets())
    for (const bool exact : {false, true})
      for (const DType t : {DType::f32, DType::f16, DType::bf16, DType::q4_1, DType::q6_k, DType::tq2_0}) {
        SCOPED_TRACE(fmt::format("isa {:#x} exact {} {}", isa.bits, exact, name_of(t)));
        Bound b(cpu::bind_linear, "linear", {}, {floats({9, 512}, 3, 1, true, 4), weights(t, {83, 512}, 5), vector_of({83}, 6)},
                {output({9, 83}, DType::f32, 2)}, isa, exact);
        ASSERT_TRUE(b.ok()) << b.error();
        EXPECT_EQ(b.binding().packings.size(), gemm_packs(t) ? 1u : 0u);
        b.run(9);
        check_linear(b);
        check_company(cpu::bind_linear, "linear", {}, b, isa, exact);
      }
}

TEST(LinearBind, lowered_activations) {
  for (const IsaSet isa : isa_sets())
    for (const DType t : kLowered) {
      if (!cpu::takes_lowered(t, 512, isa)) continue;
      SCOPED_TRACE(fmt::format("isa {:#x} {}", isa.bits, name_of(t)));
      Bound b(cpu::bind_linear, "linear", {}, {lowered(t, floats({11, 512}, 3), 1), weights(t, {75, 512}, 5), vector_of({75}, 6)},
              {output({11, 75}, DType::f32, 3)}, isa);
      ASSERT_TRUE(b.ok()) << b.error();
      EXPECT_EQ(b.binding().packings.empty(), code_format_of(t) != nullptr) << "formats of codes stay as they are";
      b.run(11);
      check_linear(b);
      check_company(cpu::bind_linear, "linear", {}, b, isa);
    }
}

/// Two linear nodes and a glu_quant after them, to the bit: formats of one width, each activation format, with and without biases, few rows and many.
TEST(LinearBind, gate_and_up_as_one_are_two_and_a_glu_afterwards) {
  for (const IsaSet isa : isa_sets())
    for (const auto& [gate, up] : {std::pair{DType::q4_0, DType::q4_0}, std::pair{DType::q5_0, DType::q8_0}, std::pair{DType::q4_k, DType::q6_k}, std::pair{DType::tq2_0, DType::q4_0}, std::pair{DType::tq1_0, DType::q1_0}})
      for (const DType rows : {DType::q8_rows, DType::q16_rows})
        for (const int64_t n : {1, 7, 70}) {
          SCOPED_TRACE(fmt::format("isa {:#x} {} {} {} rows {}", isa.bits, name_of(gate), name_of(up), name_of(rows), n));
          const Attrs attrs = {{"act", std::string(n == 7 ? "gelu" : "silu")}, {"rows", std::string(name_of(rows))}};
          const Tensor x = quantised(floats({n, 256}, 3), 1), wg = weights(gate, {352, 256}, 5), wu = weights(up, {352, 256}, 6);
          const Tensor bg = n == 7 ? vector_of({352}, 7) : absent(), bu = n == 7 ? absent() : vector_of({352}, 8);
          Bound g(cpu::bind_linear, "linear", {}, {x, wg, bg, absent()}, {output({n, 352})}, isa), u(cpu::bind_linear, "linear", {}, {x, wu, bu, absent()}, {output({n, 352})}, isa);
          Bound fused(cpu::bind_glu_linear_quant, "glu_linear_quant", attrs, {x, wg, wu, bg, bu}, {output({n, 352}, rows, 1)}, isa);
          ASSERT_TRUE(g.ok() && u.ok()) << g.error() << u.error();
          if (!isa.has(Isa::avx2)) {  // the scalar kernel would hold a tile for too long
            ASSERT_FALSE(fused.ok());
            continue;
          }
          ASSERT_TRUE(fused.ok()) << fused.error();
          g.run(n);
          u.run(n);
          Bound glu(cpu::bind_glu_quant, "glu_quant", attrs, {g.out(), u.out()}, {output({n, 352}, rows, 1)}, isa);
          ASSERT_TRUE(glu.ok()) << glu.error();
          glu.run(n);
          fused.run(n, 1);
          const size_t used = static_cast<size_t>(352 * (rows == DType::q16_rows ? 2 : 1) + 352 / 8 + 352 / 4);
          for (int64_t r = 0; r < n; ++r) ASSERT_EQ(0, std::memcmp(glu.out().row(r), fused.out().row(r), used)) << "row " << r;
          EXPECT_TRUE(fused.out().memory->intact());
        }
}

TEST(LinearBind, gate_and_up_as_one_say_why_not) {
  const IsaSet isa = machine();
  const auto why = [&](const Tensor& x, const Tensor& wg, const Tensor& wu) {
    const int64_t m = wg.dims[0];
    Bound b(cpu::bind_glu_linear_quant, "glu_linear_quant", {}, {x, wg, wu, absent(), absent()}, {output({3, m}, DType::q8_rows)}, isa);
    EXPECT_FALSE(b.ok());
    return b.ok() ? std::string() : b.error();
  };
  const Tensor x = quantised(floats({3, 256}, 3));
  EXPECT_NE(why(x, weights(DType::q4_0, {33, 256}, 5), weights(DType::q4_0, {33, 256}, 6)).find("33 outputs"), std::string::npos);
  EXPECT_NE(why(floats({3, 256}, 3), weights(DType::f16, {64, 256}, 5), weights(DType::f16, {64, 256}, 6)).find("quantised weights"), std::string::npos);
  EXPECT_NE(why(quantised(floats({3, 65536}, 3)), weights(DType::q4_0, {32, 65536}, 5), weights(DType::q4_0, {32, 65536}, 6)).find("too long"), std::string::npos);
}

TEST(LinearBind, rows_in_groups_with_and_without_gaps) {
  const IsaSet isa = machine();
  for (const int64_t gap : {0, 1}) {
    for (const DType t : {DType::f16, DType::q8_0, DType::bf16}) {
      const bool low = cpu::takes_lowered(t, 64, isa);
      Tensor x = floats({5, 3, 64}, 3, 1, true, low ? 0 : 7 * gap);
      if (low) x = lowered(t, x, gap);
      Bound b(cpu::bind_linear, "linear", {}, {x, weights(t, {21, 64}, 5)}, {output({5, 3, 21}, DType::f32, 3 * gap)}, isa);
      ASSERT_TRUE(b.ok()) << b.error();
      b.run(5);
      check_linear(b);
      check_company(cpu::bind_linear, "linear", {}, b, isa);
    }
  }
}

/// The node and an add after it, to the bit: with rows dense and a stride apart, one tile and many, each kind of matrix.
TEST(LinearBind, a_residual_is_an_add_afterwards) {
  for (const IsaSet isa : isa_sets())
    for (const DType t : {DType::f16, DType::q8_0, DType::bf16, DType::tq2_0})  // float panels, qgemm panels, bgemm panels where there are, source rows
      for (const int64_t group : {1, 3})
        for (const int64_t gap : {0, 5}) {
          SCOPED_TRACE(fmt::format("isa {:#x} {} group {} gap {}", isa.bits, name_of(t), group, gap));
          const bool low = cpu::takes_lowered(t, 256, isa);
          const auto shape = [&](int64_t n) { return group == 1 ? std::vector<int64_t>{9, n} : std::vector<int64_t>{9, group, n}; };
          Tensor x = floats(shape(256), 3, 1, true, low ? 0 : gap);
          if (low) x = lowered(t, x, gap);
          const Tensor w = weights(t, {83, 256}, 5), bias = vector_of({83}, 6), residual = floats(shape(83), 7, 3, true, gap);
          Bound plain(cpu::bind_linear, "linear", {}, {x, w, bias, absent()}, {output(shape(83), DType::f32, 2)}, isa);
          ASSERT_TRUE(plain.ok()) << plain.error();
          plain.run(9);
          Bound sum(cpu::bind_binary, "add", {}, {residual, plain.out()}, {output(shape(83))}, isa);
          ASSERT_TRUE(sum.ok()) << sum.error();
          sum.run(9);
          for (const int64_t out_gap : {0, 2}) {
            Bound b(cpu::bind_linear, "linear", {}, {x, w, bias, residual}, {output(shape(83), DType::f32, out_gap)}, isa);
            ASSERT_TRUE(b.ok()) << b.error();
            b.run(9, 1);
            EXPECT_TRUE(b.bytes() == sum.bytes());
            check_company(cpu::bind_linear, "linear", {}, b, isa);
          }
        }
}

TEST(LinearBind, head_linear_gives_each_head_its_matrix) {
  for (const IsaSet isa : isa_sets())
    for (const DType t : {DType::f16, DType::q8_0}) {
      Bound b(cpu::bind_head_linear, "head_linear", {}, {floats({7, 3, 64}, 3, 1, true, 8), weights(t, {3, 37, 64}, 5)},
              {output({7, 3, 37}, DType::f32, 1)}, isa);
      ASSERT_TRUE(b.ok()) << b.error();
      b.run(7);
      for (int64_t r = 0; r < 21; ++r) check_row(b.out().at<float>(r), b.in()[0].decoded(r), b.in()[1], r % 3 * 37, 37, nullptr);
      check_company(cpu::bind_head_linear, "head_linear", {}, b, isa);
    }
}

TEST(LinearBind, one_row_of_a_large_matrix_falls_into_tiles_to_share) {
  const IsaSet isa = machine();
  Bound b(cpu::bind_linear, "linear", {}, {quantised(floats({1, 1024}, 3)), weights(DType::q8_0, {4096, 1024}, 5)}, {output({1, 4096})}, isa);
  ASSERT_TRUE(b.ok()) << b.error();
  EXPECT_GE(b.tiles(1), 8);
  EXPECT_LE(b.tiles(1), 64);
  EXPECT_EQ(b.tiles(0), 0);
  EXPECT_GE(b.binding().bytes_read, 4096 * 1088);
  EXPECT_EQ(b.binding().ops_per_row, 2 * 4096 * 1024);
}

TEST(LinearBind, pieces_of_a_packing_read_the_source_once) {
  for (const DType t : {DType::q8_0, DType::q4_k, DType::f16, DType::bf16}) {
    cpu::PanelLayout layout;
    Operand w;
    w.dtype = t;
    w.dims = {2, 1003, 1024};
    ASSERT_TRUE(cpu::panel_layout(w, cpu::takes_lowered(t, 1024, machine()), machine(), nullptr, &layout));
    const Packing p = cpu::packing_of(layout, 1);
    EXPECT_GT(p.pieces, 1);
    size_t at = 0;
    for (int64_t i = 0; i < p.pieces; ++i) {
      const auto [first, size] = p.reads(p.user.get(), i);
      EXPECT_EQ(first, at);
      EXPECT_GT(size, 0u);
      at += size;
    }
    EXPECT_EQ(at, 2 * 1003 * layout.row_bytes()) << name_of(t);
    EXPECT_LE(static_cast<double>(p.bytes), 1.1 * static_cast<double>(at)) << "panels may exceed the source by a tenth";
  }
}

TEST(LinearBind, refuses_with_a_reason) {
  const IsaSet isa = machine();
  Tensor w = weights(DType::q8_0, {16, 64}, 5);
  Tensor input = w;
  input.weight = false;
  Bound dynamic(cpu::bind_linear, "linear", {}, {floats({1, 64}, 3), input}, {output({1, 16})}, isa);
  EXPECT_FALSE(dynamic.ok());
  EXPECT_NE(dynamic.error().find("constant"), std::string::npos) << dynamic.error();
  Bound none(cpu::bind_linear, "linear", {}, {quantised(floats({1, 64}, 3)), weights(DType::f16, {16, 64}, 5)}, {output({1, 16})}, isa);
  EXPECT_FALSE(none.ok());
  EXPECT_FALSE(cpu::takes_lowered(DType::f16, 64, isa));
  EXPECT_FALSE(cpu::takes_lowered(DType::bf16, 64, isa.without(Isa::amx)));
  Bound no_tiles(cpu::bind_linear, "linear", {}, {rounded(floats({1, 64}, 3)), weights(DType::bf16, {16, 64}, 5)}, {output({1, 16})}, isa.without(Isa::amx));
  EXPECT_FALSE(no_tiles.ok());
  EXPECT_NE(no_tiles.error().find("bgemm amx"), std::string::npos) << no_tiles.error();
  Bound residual(cpu::bind_head_linear, "head_linear", {},
                 {floats({1, 2, 64}, 3), weights(DType::f16, {2, 16, 64}, 5), absent(), floats({1, 2, 16}, 3)}, {output({1, 2, 16})}, isa);
  EXPECT_FALSE(residual.ok());
  EXPECT_NE(residual.error().find("residual"), std::string::npos) << residual.error();
}

TEST(EmbedBind, rows_come_from_the_source_or_from_the_panels_of_a_tied_head) {
  for (const IsaSet isa : isa_sets())
    for (const bool exact : {false, true})
      for (const DType t : {DType::f32, DType::f16, DType::bf16, DType::q4_0, DType::q8_0, DType::q4_k, DType::q6_k, DType::q1_0}) {
        SCOPED_TRACE(fmt::format("isa {:#x} exact {} {}", isa.bits, exact, name_of(t)));
        Tensor table = weights(t, {53, 256}, 5);
        for (const bool tied : {false, true}) {
          table.also_linear = tied;
          Bound b(cpu::bind_embed, "embed", {}, {table, ints({4}, {52, 0, 17, -1})}, {output({4, 256}, DType::f32, 1)}, isa, exact);
          ASSERT_TRUE(b.ok()) << b.error();
          b.run(4, 1);
          for (int64_t r = 0; r < 3; ++r)
            EXPECT_EQ(0, std::memcmp(b.out().row(r), table.decoded(b.in()[1].at<int32_t>(0)[r]).data(), 1024)) << "row " << r << " tied " << tied;
          EXPECT_EQ(b.out().at<float>(3)[0], 0) << "an id out of range reads nothing";
          if (!tied) {
            EXPECT_TRUE(b.binding().packings.empty());
            continue;
          }
          const bool low = !exact && cpu::takes_lowered(t, 256, isa);
          Tensor x = floats({1, 256}, 3);
          Bound head(cpu::bind_linear, "linear", {}, {low ? lowered(t, x) : x, table}, {output({1, 53})}, isa, exact);
          ASSERT_TRUE(head.ok()) << head.error();
          ASSERT_EQ(head.binding().packings.size(), b.binding().packings.size());
          if (!b.binding().packings.empty()) {
            EXPECT_EQ(head.binding().packings[0].layout, b.binding().packings[0].layout);
          }
        }
      }
}

/// ids of n rows that use `used` of `experts`, distinct in a row.
std::vector<int32_t> some_ids(int64_t n, int64_t used, int64_t experts) {
  std::vector<int32_t> ids;
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < used; ++j) ids.push_back(static_cast<int32_t>((r * 5 + j * j + j) % experts));
  return ids;
}

TEST(MoeLinear, few_and_many_rows_agree_with_double_and_to_the_bit) {
  for (const IsaSet isa : isa_sets())
    for (const int64_t n : {int64_t{1}, int64_t{3}, int64_t{80}})
      for (const bool by_slot : {false, true})
        for (const int format : {0, 1, 2, 3, 5}) {  // f16 panels, qgemm panels, decoded rows, bgemm panels where there are, source rows as codes
          SCOPED_TRACE(fmt::format("isa {:#x} n {} by_slot {} format {}", isa.bits, n, by_slot, format));
          const DType t = format == 0 ? DType::f16 : format == 3 ? DType::bf16 : format == 5 ? DType::q1_0 : DType::q8_0;
          constexpr int64_t used = 3, experts = 7, m = 45, k = 128;
          const bool low = format % 2 && cpu::takes_lowered(t, k, isa);
          Tensor x = by_slot ? floats({n, used, k}, 3, 1, true, low ? 0 : 6) : floats({n, k}, 3, 1, true, low ? 0 : 6);
          if (low) x = lowered(t, x, 1);
          const std::vector<int32_t> ids = some_ids(n, used, experts);
          Bound b(cpu::bind_moe_linear, "moe_linear", {}, {x, ints({n, used}, ids), weights(t, {experts, m, k}, 5), vector_of({experts, m}, 6)},
                  {output({n, used, m}, DType::f32, 5)}, isa, format == 2);
          ASSERT_TRUE(b.ok()) << b.error();
          b.run(n);
          for (int64_t i = 0; i < n * used; ++i) {
            const int64_t e = ids[static_cast<size_t>(i)];
            check_row(b.out().at<float>(i), b.in()[0].decoded(by_slot ? i : i / used), b.in()[2], e * m, m, b.in()[3].at<float>(e));
          }
          check_company(cpu::bind_moe_linear, "moe_linear", {}, b, isa, format == 2);
        }
}

TEST(MoeLinear, a_crowd_on_one_expert_is_cut) {
  const IsaSet isa = machine();
  constexpr int64_t n = 1100;
  Bound b(cpu::bind_moe_linear, "moe_linear", {}, {floats({n, 32}, 3), ints({n, 1}, std::vector<int32_t>(n, 2)), weights(DType::f16, {4, 24, 32}, 5)},
          {output({n, 1, 24})}, isa);
  ASSERT_TRUE(b.ok()) << b.error();
  b.run(n, 1);
  for (int64_t i = 0; i < n; i += 97) check_row(b.out().at<float>(i), b.in()[0].decoded(i), b.in()[2], 48, 24, nullptr);
  EXPECT_GE(b.tiles(n), 3 * 4);
}

}  // namespace
