// chain: what shape inference says of programs, and a value or two by hand. Kernels: tests/cpu/chain_test.cpp.
#include "ops/numeric/chain.h"

#include <gtest/gtest.h>

#include "ops/op.h"

namespace {

using namespace mainspring;

TEST(Chain, outputs_have_the_extents_of_the_broadcast) {
  ChainProgram p;
  p.in = {0, 1};
  p.steps = {{ChainOp::add, 0, 1}, {ChainOp::less, kChainSteps, 0}};
  p.outputs = {kChainSteps, kChainSteps + 1};
  p.types = {DType::f32, DType::boolean};
  Graph g;
  const auto in = [&](Dims dims) {
    Value v;
    v.kind = Kind::input;
    v.dims = std::move(dims);
    return g.add_value(std::move(v));
  };
  const ValueId a = in({2, 3}), b = in({3}), c = in({4});
  const auto out = g.add_node("chain", "n", {a, b}, chain_attrs(p), 2);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(g.values[static_cast<size_t>((*out)[1])].dtype, DType::boolean);
  EXPECT_EQ(g.values[static_cast<size_t>((*out)[1])].dims, (Dims{2, 3}));
  EXPECT_FALSE(g.add_node("chain", "n", {a, c}, chain_attrs(p), 2));
  EXPECT_FALSE(g.add_node("chain", "n", {a}, chain_attrs(p), 2));
  EXPECT_FALSE(g.add_node("chain", "n", {a, b}, {}, 1));
}

}  // namespace
