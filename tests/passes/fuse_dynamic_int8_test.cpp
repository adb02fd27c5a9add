// The nodes of a dynamically quantised product become one; what only looks like them stays.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "core/buffer.h"
#include "graph/evaluate.h"
#include "mainspring/mainspring.h"
#include "passes/passes.h"

namespace mainspring::inline v0::test {
namespace {

const Pass& the_pass() {
  const auto passes = all_passes();
  return *std::find_if(passes.begin(), passes.end(), [](const Pass& p) { return std::string_view(p.name) == "fuse_dynamic_int8"; });
}

struct Build {
  Graph g;

  ValueId weight(DType dtype, const Shape& shape, uint32_t seed) {
    Tensor t = *Tensor::make(system_allocator(), dtype, shape);
    auto* bytes = reinterpret_cast<uint8_t*>(t.data());
    for (int64_t i = 0; i < shape.elements(); ++i) {
      seed = seed * 1664525 + 1013904223;
      if (dtype == DType::f32) reinterpret_cast<float*>(bytes)[i] = static_cast<float>(seed >> 8) * 0x1p-24f - 0.4f;
      else bytes[i] = static_cast<uint8_t>(seed >> 24);
    }
    return g.add_value(weight_of("w", std::move(t)));
  }
  ValueId node(const char* op, std::vector<ValueId> in, Attrs attrs = {}, size_t out = 0) { return (*g.add_node(op, op, std::move(in), std::move(attrs)))[out]; }
  ValueId input(Dims dims) {
    Value x;
    x.dims = std::move(dims);
    x.kind = Kind::input;
    g.inputs.push_back(g.add_value(x));
    return g.inputs.back();
  }
  size_t count(std::string_view op) const {
    return static_cast<size_t>(std::count_if(g.nodes.begin(), g.nodes.end(), [&](const Node& n) { return n.op == op; }));
  }
  /// Up to the bias; `swap`: operands of both products the other way round.
  ValueId scaled(ValueId x, ValueId w, const Shape& scale_shape, const char* product, const Attrs& attrs, bool swap) {
    const auto q = *g.add_node("DynamicQuantizeLinear", "q", {x}, {}, 3);
    const ValueId sums = node(product, {q[0], w, q[2]}, attrs), floats = node("Cast", {sums}, {{"to", int64_t{1}}}), scale = weight(DType::f32, scale_shape, 7);
    const ValueId both = swap ? node("Mul", {scale, q[1]}) : node("Mul", {q[1], scale});
    return swap ? node("Mul", {both, floats}) : node("Mul", {floats, both});
  }
  bool run() {
    const auto changed = the_pass().run(g, {});
    EXPECT_TRUE(changed);
    EXPECT_TRUE(g.verify()) << g.print();
    return changed && *changed;
  }
};

TEST(FuseDynamicInt8, MatMulWithAndWithoutBias) {
  for (const bool swap : {false, true})
    for (const bool bias : {false, true}) {
      Build b;
      ValueId y = b.scaled(b.input({Dim(3), Dim(8)}), b.weight(DType::i8, {8, 5}, 1), {5}, "MatMulInteger", {}, swap);
      if (bias) y = swap ? b.node("Add", {b.weight(DType::f32, {5}, 2), y}) : b.node("Add", {y, b.weight(DType::f32, {5}, 2)});
      b.g.outputs = {y};
      EXPECT_TRUE(b.run());
      const Node& last = b.g.nodes.back();
      EXPECT_EQ(last.op, "int8_linear");
      EXPECT_EQ(last.out[0], y);
      EXPECT_EQ(last.in.size(), bias ? 5u : 3u);
    }
}

TEST(FuseDynamicInt8, ConvWithItsBiasOfChannels) {
  Build b;
  const ValueId sums = b.scaled(b.input({Dim(1), Dim(4), Dim(9)}), b.weight(DType::i8, {6, 4, 3}, 1), {6, 1}, "ConvInteger", {{"pads", std::vector<int64_t>{1, 1}}}, false);
  b.g.outputs = {b.node("Add", {sums, b.weight(DType::f32, {1, 6, 1}, 2)})};
  EXPECT_TRUE(b.run());
  const Node& last = b.g.nodes.back();
  EXPECT_EQ(last.op, "int8_conv");
  EXPECT_EQ(last.attrs.is("pads").size(), 2u);
  ASSERT_EQ(last.in.size(), 5u);
  EXPECT_EQ(b.g.values[static_cast<size_t>(last.in[4])].dims, Dims{6});
}

TEST(FuseDynamicInt8, WhatDiffersStays) {
  {  // sums that somebody else reads
    Build b;
    const ValueId y = b.scaled(b.input({Dim(3), Dim(8)}), b.weight(DType::i8, {8, 5}, 1), {1}, "MatMulInteger", {}, false);
    for (const Node& n : b.g.nodes)
      if (n.op == "MatMulInteger") b.g.outputs.push_back(n.out[0]);
    b.g.outputs.push_back(y);
    EXPECT_FALSE(b.run());
  }
  {  // scales along the wrong axis: one for each row
    Build b;
    b.g.outputs = {b.scaled(b.input({Dim(5), Dim(8)}), b.weight(DType::i8, {8, 5}, 1), {5, 1}, "MatMulInteger", {}, false)};
    EXPECT_FALSE(b.run());
  }
  {  // what is added is no bias: the product fuses without it
    Build b;
    const ValueId y = b.scaled(b.input({Dim(3), Dim(8)}), b.weight(DType::i8, {8, 5}, 1), {1}, "MatMulInteger", {}, false);
    b.g.outputs = {b.node("Add", {y, b.weight(DType::f32, {3, 5}, 2)})};
    EXPECT_TRUE(b.run());
    EXPECT_EQ(b.count("int8_linear"), 1u);
    EXPECT_EQ(b.g.nodes.back().op, "Add");
  }
}

}  // namespace
}  // namespace mainspring::inline v0::test
