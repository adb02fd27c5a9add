// A one-hot times a constant matrix is rows of it, whatever the indices; what is not one-hot stays.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/buffer.h"
#include "graph/evaluate.h"
#include "mainspring/mainspring.h"
#include "passes/passes.h"

namespace mainspring::inline v0::test {
namespace {

const Pass& pass(std::string_view name) {
  const auto passes = all_passes();
  return *std::find_if(passes.begin(), passes.end(), [&](const Pass& p) { return p.name == name; });
}

template <class T>
ValueId weight(Graph& g, DType dtype, const Shape& shape, const std::vector<T>& values) {
  return g.add_value(weight_of("w", *Tensor::copy_bytes(dtype, shape, values.data(), values.size() * sizeof(T))));
}

/// MatMul(Cast(Equal(x, numbers)), w) of x [2, 4, 1].
Graph one_hot(const std::vector<int32_t>& x, const std::vector<int32_t>& numbers, const std::vector<float>& w, bool swap) {
  Graph g;
  Value in;
  in.dims = {Dim(2), Dim(4), Dim(1)};
  in.dtype = DType::i32;
  in.kind = Kind::input;
  const auto k = static_cast<int64_t>(numbers.size());
  const ValueId a = x.empty() ? g.add_value(in) : weight(g, DType::i32, {2, 4, 1}, x), b = weight(g, DType::i32, {1, 1, k}, numbers);
  if (x.empty()) g.inputs = {a};
  const ValueId equal = (*g.add_node("Equal", "equal", swap ? std::vector{b, a} : std::vector{a, b}))[0];
  const ValueId hot = (*g.add_node("Cast", "hot", {equal}, {{"to", int64_t{1}}}))[0];
  g.outputs = {(*g.add_node("MatMul", "product", {hot, weight(g, DType::f32, {k, static_cast<int64_t>(w.size()) / k}, w)}))[0]};
  return g;
}

bool run(const Pass& pass, Graph& g) {
  PassContext context;
  context.allocator = &system_allocator();
  const auto changed = pass.run(g, context);
  EXPECT_TRUE(changed);
  EXPECT_TRUE(g.verify()) << g.print();
  return changed && *changed;
}

/// The output of a graph of constants.
std::vector<float> values(Graph g) {
  run(pass("fold_constants"), g);
  const Value& y = g.values[static_cast<size_t>(g.outputs[0])];
  EXPECT_EQ(y.kind, Kind::weight);
  if (y.kind != Kind::weight) return {};
  const Tensor t = content_of(y);
  return {t.span<float>().begin(), t.span<float>().end()};
}

bool gathers(Graph& g) { return run(pass("gather_one_hot"), g); }

TEST(GatherOneHot, PicksRowsToTheBit) {
  const std::vector<int32_t> x = {0, 2, 1, -1, 3, 4, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
  for (const bool swap : {false, true}) {
    Graph g = one_hot(x, {0, 1, 2}, {0.5f, -0.0f, 1.25f, -3, 7, 1e-30f}, swap);
    const std::vector<float> want = values(g);
    ASSERT_TRUE(gathers(g));
    EXPECT_EQ(g.nodes.back().op, "Gather");
    const std::vector<float> got = values(g);
    ASSERT_EQ(got.size(), want.size());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0);
    EXPECT_FALSE(gathers(g));
  }
}

TEST(GatherOneHot, LeavesOtherNumbersAndProductsThatAreNotZero) {
  Graph from_one = one_hot({}, {1, 2, 3}, {1, 2, 3}, false), twice = one_hot({}, {0, 1, 1}, {1, 2, 3}, false);
  Graph infinite = one_hot({}, {0, 1, 2}, {1, std::numeric_limits<float>::infinity(), 3}, false), one = one_hot({}, {0, 1, 2}, {1, 2, 3}, false);
  EXPECT_FALSE(gathers(from_one));
  EXPECT_FALSE(gathers(twice));
  EXPECT_FALSE(gathers(infinite));
  EXPECT_TRUE(gathers(one));
}

}  // namespace
}  // namespace mainspring::inline v0::test
