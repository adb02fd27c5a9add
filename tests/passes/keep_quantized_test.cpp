// Products with stored integers are the same before and after the pass, up to the rounding of activations and of scales; what blocks cannot hold stays.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/buffer.h"
#include "graph/evaluate.h"
#include "mainspring/mainspring.h"
#include "ops/tensor.h"
#include "passes/passes.h"

namespace mainspring::inline v0::test {
namespace {

const Pass& the_pass() {
  const auto passes = all_passes();
  return *std::find_if(passes.begin(), passes.end(), [](const Pass& p) { return std::string_view(p.name) == "keep_quantized"; });
}

struct Build {
  Graph g;
  uint32_t seed = 1;

  double next() { return static_cast<double>((seed = seed * 1664525 + 1013904223) >> 8) * 0x1p-24; }  // [0, 1)
  /// Floats in (0.5, 1.5) · scale (negative: with both signs), integers in [least, most].
  Tensor numbers(DType dtype, const Shape& shape, double least, double most) {
    Tensor t = *Tensor::make(system_allocator(), dtype, shape);
    for (int64_t i = 0; i < shape.elements(); ++i) {
      const double v = least + next() * (most - least + (is_int(dtype) ? 1 : 0));
      if (is_int(dtype)) store_int(dtype, t.data(), i, static_cast<int64_t>(std::floor(v)));
      else store(dtype, t.data(), i, v);
    }
    return t;
  }
  ValueId weight(DType dtype, const Shape& shape, double least, double most) { return g.add_value(weight_of("w", numbers(dtype, shape, least, most))); }
  ValueId f32(const Shape& shape) { return weight(DType::f32, shape, 0.005, 0.02); }
  ValueId i8(const Shape& shape) { return weight(DType::i8, shape, -127, 127); }
  ValueId node(const char* op, std::vector<ValueId> in, Attrs attrs = {}) { return (*g.add_node(op, op, std::move(in), std::move(attrs), 1))[0]; }
  ValueId floats(ValueId v) { return node("Cast", {v}, {{"to", int64_t{1}}}); }
  ValueId input(DType dtype, Dims dims) {
    Value x;
    x.dtype = dtype;
    x.dims = std::move(dims);
    x.kind = Kind::input;
    g.inputs.push_back(g.add_value(x));
    return g.inputs.back();
  }
  ValueId x(int64_t k) { return input(DType::f32, {2, 3, k}); }
  size_t count(std::string_view op) const {
    return static_cast<size_t>(std::count_if(g.nodes.begin(), g.nodes.end(), [&](const Node& n) { return n.op == op; }));
  }
};

/// The output of a graph by the references of its nodes.
std::vector<float> run(const Graph& g, const Tensor& input) {
  std::map<ValueId, Tensor> at{{g.inputs[0], input}};
  for (const Node& n : g.nodes) {
    const OpDef* op = g.find_op(n.op);
    std::vector<const Tensor*> in(std::max(n.in.size(), op->max_in == kVariadic ? size_t{0} : static_cast<size_t>(op->max_in)), nullptr);
    std::vector<ValueInfo> infos(in.size());
    for (size_t i = 0; i < in.size(); ++i) {
      infos[i].present = i < n.in.size() && n.in[i] != kNone;
      if (!infos[i].present) continue;
      const Value& v = g.values[static_cast<size_t>(n.in[i])];
      if (v.kind == Kind::weight) at.try_emplace(n.in[i], content_of(v));
      in[i] = infos[i].value = &at.at(n.in[i]);
      infos[i].dtype = v.dtype;
      infos[i].dims = v.dims;
    }
    auto inferred = op->infer(OpCall{infos, n.attrs, n.bodies, static_cast<int>(n.out.size())});
    auto made = evaluate(*op, in, *inferred, n.attrs, system_allocator());
    for (size_t i = 0; i < n.out.size(); ++i) at[n.out[i]] = (*made)[i];
  }
  const auto y = at.at(g.outputs[0]).span<float>();
  return {y.begin(), y.end()};
}

/// Runs the pass on the graph that ends in y; expects `op` once, and the same numbers up to `tolerance` of the largest.
void expect_same(Build& b, ValueId y, std::string_view op, double tolerance, bool exact = false) {
  b.g.outputs = {y};
  const Value& in = b.g.values[static_cast<size_t>(b.g.inputs[0])];
  const Tensor x = in.dtype == DType::f32 ? b.numbers(DType::f32, shape_of(in.dims), -1, 1) : b.numbers(in.dtype, shape_of(in.dims), 0, 4);
  const std::vector<float> before = run(b.g, x);
  const auto changed = the_pass().run(b.g, {.exact = exact, .allocator = &system_allocator()});
  ASSERT_TRUE(changed);
  ASSERT_TRUE(b.g.verify()) << b.g.print();
  EXPECT_EQ(b.count(op), 1u) << b.g.print();
  const std::vector<float> after = run(b.g, x);
  ASSERT_EQ(before.size(), after.size());
  float most = 0;
  for (const float v : before) most = std::max(most, std::abs(v));
  ASSERT_GT(most, 0.01f);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], tolerance * static_cast<double>(most)) << i;
}

constexpr double kActivations = 5e-5;  // 16 bits for 32 of them
constexpr double kScales = 1e-3;       // f16

DType weights_of(const Build& b) {
  for (const Node& n : b.g.nodes)
    if (n.op == "block_linear") return b.g.values[static_cast<size_t>(n.in[1])].dtype;
  return DType::f32;
}

TEST(KeepQuantized, CastAndMul) {
  for (const Shape& scale : {Shape{}, Shape{40}, Shape{1, 40}})
    for (const bool first : {false, true}) {
      Build b;
      const ValueId w = b.floats(b.i8({64, 40})), s = b.f32(scale);
      expect_same(b, b.node("MatMul", {b.x(64), b.node("Mul", first ? std::vector{s, w} : std::vector{w, s})}), "block_linear", kActivations);
      EXPECT_EQ(weights_of(b), DType::q8_0);
      EXPECT_EQ(b.g.nodes.size(), 1u);
    }
}

TEST(KeepQuantized, ZeroPointsThatFit) {
  Build b;
  const ValueId w = b.weight(DType::u8, {64, 40}, 100, 200), zero = b.weight(DType::u8, {40}, 90, 110);
  expect_same(b, b.node("MatMul", {b.x(64), b.node("Mul", {b.node("Sub", {b.floats(w), b.floats(zero)}), b.f32({40})})}), "block_linear", kActivations);
}

TEST(KeepQuantized, TurnedByTranspose) {
  Build b;
  const ValueId w = b.node("Mul", {b.floats(b.i8({40, 64})), b.f32({40, 1})});
  expect_same(b, b.node("MatMul", {b.x(64), b.node("Transpose", {w}, {{"perm", std::vector<int64_t>{1, 0}}})}), "block_linear", kActivations);
}

TEST(KeepQuantized, GemmWithBiasAndSum) {
  for (const Shape& c : {Shape{40}, Shape{6, 40}}) {
    Build b;
    const ValueId w = b.node("Mul", {b.floats(b.i8({40, 64})), b.f32({40, 1})});
    expect_same(b, b.node("Gemm", {b.input(DType::f32, {6, 64}), w, b.f32(c)}, {{"transB", int64_t{1}}, {"alpha", 0.5}}), "block_linear", kActivations);
    EXPECT_EQ(b.count("Add"), c.rank() == 1 ? 0u : 1u);
  }
}

TEST(KeepQuantized, DequantizeLinear) {
  struct Case {
    DType dtype;
    double least, most;
    Shape scale;
    int64_t axis, block;
    bool zero;
    DType kept;
  };
  const Case cases[] = {
      {DType::i8, -127, 127, {}, 1, 0, false, DType::q8_0},       {DType::u8, 0, 255, {40}, 1, 0, true, DType::q8_0},
      {DType::i4, -8, 7, {40}, 1, 0, false, DType::q4_0},         {DType::u4, 0, 15, {40}, -1, 0, true, DType::q5_0},
      {DType::i4, -8, 7, {2, 40}, 0, 32, false, DType::q4_0},     {DType::i8, -100, 100, {1, 40}, 0, 64, true, DType::q8_0},
  };
  for (const Case& c : cases) {
    Build b;
    std::vector<ValueId> in{b.weight(c.dtype, {64, 40}, c.least, c.most), b.f32(c.scale)};
    if (c.zero) in.push_back(c.dtype == DType::u8 ? b.weight(c.dtype, c.scale, 128, 128) : b.weight(c.dtype, c.scale, c.dtype == DType::u4 ? 3 : -3, c.dtype == DType::u4 ? 11 : 3));
    expect_same(b, b.node("MatMul", {b.x(64), b.node("DequantizeLinear", in, {{"axis", c.axis}, {"block_size", c.block}})}), "block_linear", c.block == 32 ? kScales : kActivations);
    EXPECT_EQ(weights_of(b), c.kept);
  }
  Build rows;  // a scale for each row, read turned
  expect_same(rows, rows.node("Gemm", {rows.input(DType::f32, {6, 64}), rows.node("DequantizeLinear", {rows.i8({40, 64}), rows.f32({40})}, {{"axis", int64_t{0}}})}, {{"transB", int64_t{1}}}),
              "block_linear", kActivations);
}

TEST(KeepQuantized, MatMulNBits) {
  for (const int64_t bits : {4, 8})
    for (const int64_t block : {32, 64, 128})
      for (const int zero : {0, 1, 2}) {  // none, packed, floats
        Build b;
        const int64_t k = 96, n = 20, blocks = (k + block - 1) / block;
        std::vector<ValueId> in{b.x(k), b.weight(DType::u8, {n, blocks, block * bits / 8}, bits == 4 ? 0 : 60, bits == 4 ? 255 : 190), b.f32({n * blocks})};
        if (zero == 1) in.push_back(b.weight(DType::u8, {n * ((blocks * bits + 7) / 8)}, bits == 4 ? 0 : 128, bits == 4 ? 255 : 132));
        if (zero == 2) in.push_back(b.weight(DType::f32, {n * blocks}, bits == 4 ? 7 : 127, bits == 4 ? 7 : 127));
        expect_same(b, b.node("com.microsoft.MatMulNBits", in, {{"K", k}, {"N", n}, {"bits", bits}, {"block_size", block}}), "block_linear", kScales);
      }
}

TEST(KeepQuantized, TablesAreGatheredFirst) {
  for (const Shape& scale : {Shape{}, Shape{32}, Shape{1, 32}, Shape{50, 1}})
    for (const bool zero : {false, true}) {
      Build b;
      ValueId w = b.floats(b.i8({50, 32}));
      if (zero) w = b.node("Sub", {w, b.floats(b.weight(DType::i8, scale, -20, 20))});
      expect_same(b, b.node("Gather", {b.node("Mul", {w, b.f32(scale)}), b.input(DType::i64, {2, 3})}), "Mul", 0, true);
      for (const Node& n : b.g.nodes)
        for (const Dim& d : b.g.values[static_cast<size_t>(n.out[0])].dims) EXPECT_NE(d, Dim(50)) << b.g.print();
    }
}

TEST(KeepQuantized, WhatBlocksCannotHoldStays) {
  const auto stays = [](Build& b, ValueId y, bool exact = false) {
    b.g.outputs = {y};
    const size_t nodes = b.g.nodes.size();
    const auto changed = the_pass().run(b.g, {.exact = exact, .allocator = &system_allocator()});
    return changed && !*changed && b.g.nodes.size() == nodes;
  };
  const auto product = [](Build& b, int64_t k, ValueId w) { return b.node("MatMul", {b.x(k), w}); };
  Build depth, differences, along_k, halves, small_blocks, exact;
  EXPECT_TRUE(stays(depth, product(depth, 48, depth.node("Mul", {depth.floats(depth.i8({48, 40})), depth.f32({40})}))));
  EXPECT_TRUE(stays(differences, product(differences, 64, differences.node("DequantizeLinear", {differences.weight(DType::u8, {64, 40}, 0, 255), differences.f32({}), differences.weight(DType::u8, {}, 7, 7)}))));
  EXPECT_TRUE(stays(along_k, product(along_k, 64, along_k.node("Mul", {along_k.floats(along_k.i8({64, 40})), along_k.f32({64, 1})}))));
  EXPECT_TRUE(stays(halves, product(halves, 64, halves.node("Mul", {halves.node("Sub", {halves.floats(halves.i8({64, 40})), halves.weight(DType::f32, {}, 0.5, 0.5)}), halves.f32({})}))));
  EXPECT_TRUE(stays(small_blocks, small_blocks.node("com.microsoft.MatMulNBits", {small_blocks.x(64), small_blocks.weight(DType::u8, {20, 4, 8}, 0, 255), small_blocks.f32({80})},
                                                    {{"K", int64_t{64}}, {"N", int64_t{20}}, {"bits", int64_t{4}}, {"block_size", int64_t{16}}})));
  EXPECT_TRUE(stays(exact, product(exact, 64, exact.node("Mul", {exact.floats(exact.i8({64, 40})), exact.f32({40})})), true));
}

}  // namespace
}  // namespace mainspring::inline v0::test
