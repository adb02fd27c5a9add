#include <limits>

#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

const std::vector<StepSegments> kOnce = {{{0, 1, 0, 0}}};

OpCase product(std::string name, std::vector<In> in, Attrs attrs = {}) {
  return {.name = std::move(name), .op = "matmul", .in = std::move(in), .attrs = std::move(attrs), .steps = kOnce, .row_alone = false};
}

// One row, few, a register tile and one more or less, many; one panel, a part of one, many; depths around the stretch that tiles walk.
const OpCase kMatmul[] = {
    product("one by one", {rows({1, 1}), rows({1, 1})}),
    product("row", {rows({1, 67}), vec({67, 35})}),
    product("row in place", {rows({1, 67}), rows({67, 35})}),
    product("row by columns", {rows({1, 33}), rows({21, 33})}, {{"trans_b", 1}}),
    product("few rows in place", {rows({5, 40}), rows({40, 129})}),
    product("rows in place", {rows({13, 300}), rows({300, 70})}),
    product("packed", {rows({25, 130}), rows({130, 77})}),
    product("packed from rows", {rows({31, 41}), rows({83, 41})}, {{"trans_b", 1}}),
    product("weight", {rows({33, 64}), vec({64, 96})}),
    product("weight of rows", {rows({17, 50}), vec({37, 50})}, {{"trans_b", 1}}),
    product("deep", {rows({29, 1100}), vec({1100, 83})}),
    product("deep, bias, sum", {rows({29, 600}), vec({600, 83}), vec({83}), rows({29, 83})}),
    product("many rows", {rows({301, 20}), vec({20, 50}), vec({50})}),
    product("turned", {rows({40, 23}), rows({40, 31})}, {{"trans_a", 1}}),
    product("both turned", {rows({40, 23}), vec({31, 40})}, {{"trans_a", 1}, {"trans_b", 1}}),
    product("column", {rows({37, 50}), rows({50, 1})}),
    product("column of a weight", {vec({37, 50}), rows({50, 1}), vec({1}), rows({37, 1})}),
    product("column, turned", {rows({50, 37}), rows({1, 50})}, {{"trans_a", 1}, {"trans_b", 1}}),
    product("column of weights, turned", {vec({50, 37}), rows({50, 1})}, {{"trans_a", 1}}),
    product("depth one", {rows({19, 1}), rows({1, 45})}),
    product("depth one, turned", {rows({1, 19}), rows({45, 1})}, {{"trans_a", 1}, {"trans_b", 1}}),
    product("stack", {rows({3, 2, 21, 16}), rows({3, 2, 16, 18})}),
    product("stack of rows", {rows({3, 2, 21, 16}), rows({3, 2, 18, 16})}, {{"trans_b", 1}, {"alpha", 0.125}}),
    product("stack by one", {rows({2, 3, 9, 16}), rows({16, 18}), vec({18}), rows({2, 3, 9, 18})}),
    product("stack by a weight", {rows({5, 1, 16}), vec({16, 40}), vec({40}), rows({5, 1, 40})}),
    product("one by a stack", {vec({20, 16}), rows({4, 16, 33})}),
    product("stack of weights", {rows({3, 7, 16}), vec({3, 16, 18})}),
    product("crossed stacks", {rows({3, 1, 7, 16}), rows({2, 16, 18}), absent(), rows({2, 7, 18})}),
    product("one row for all", {rows({4, 6, 16}), vec({16, 18}), absent(), rows({1, 18})}),
    product("one row for one row", {rows({4, 1, 16}), vec({16, 18}), absent(), rows({4, 1, 18})}),
    product("one bias for all", {rows({4, 6, 16}), vec({16, 18}), vec({1}), rows({6, 18})}),
    product("scaled", {rows({9, 30}), vec({30, 40}), vec({40}), rows({9, 40})}, {{"alpha", -2.5}}),
    product("relu", {rows({9, 30}), vec({30, 40}), vec({40})}, {{"act", std::string("relu")}}),
    product("gelu", {rows({9, 30}), vec({30, 40}), vec({40}), rows({9, 40})}, {{"act", std::string("gelu_erf")}}),
    product("gelu, then a sum", {rows({9, 30}), vec({30, 40}), vec({40}), rows({9, 40})}, {{"act", std::string("gelu_erf")}, {"act_first", 1}}),
    product("leaky", {rows({9, 30}), vec({30, 40})}, {{"act", std::string("leaky_relu")}}),
    product("clip", {rows({9, 30}), vec({30, 35})}, {{"act", std::string("clip")}, {"act_a", -0.5}, {"act_b", 1.5}}),
    product("no depth", {rows({3, 0}), rows({0, 4}), vec({4})}),
    product("no rows", {rows({0, 3}), vec({3, 4})}),
    product("no columns", {rows({3, 5}), rows({5, 0})}),
    product("no stack", {rows({0, 3, 5}), rows({5, 4})}),
};
MAINSPRING_OP_TEST(OpMatmul, kMatmul);

TEST(OpMatmul, multiplies_and_adds) {
  using Floats = std::vector<float>;
  const auto y = run_reference("matmul", {data_of({2, 2}, Floats{1, 2, 3, 4}), data_of({2, 2}, Floats{5, 6, 7, 8}), data_of({2}, Floats{1, -100}), data_of({1, 2}, Floats{0.5f, 0})},
                               {{"alpha", 2.0}, {"act", std::string("relu")}});
  EXPECT_EQ(y[0].floats(), (std::vector<float>{39.5f, 0.f, 87.5f, 0.f}));
}

TEST(OpMatmul, refuses_what_does_not_fit) {
  const OpDef* op = find_op("matmul");
  const auto says = [&](std::vector<Dims> dims, Attrs attrs) {
    std::vector<ValueInfo> in(4);
    for (size_t i = 0; i < 4; ++i) in[i].present = i < dims.size(), in[i].dims = i < dims.size() ? dims[i] : Dims{};
    const auto got = op->infer(OpCall{in, attrs});
    return got ? std::string("accepted") : got.error().message;
  };
  EXPECT_EQ(says({{2, 3}, {3, 4}}, {}), "accepted");
  EXPECT_EQ(says({{2, 3}, {4, 5}}, {}), "matmul: a has depth 3, b has 4");
  EXPECT_EQ(says({{2, 2, 3}, {3, 3, 4}}, {}), "matmul: extents 2 and 3 do not broadcast");
  EXPECT_EQ(says({{3}, {3, 4}}, {}), "matmul: a is f32 [3], expected rank 2 to 8");
  EXPECT_EQ(says({{2, 3}, {3, 4}, {2, 4}}, {}), "matmul: bias is f32 [2, 4], expected one row");
  EXPECT_EQ(says({{2, 3}, {3, 4}, {4}, {7, 2, 4}}, {}), "matmul: add is f32 [7, 2, 4], expected what broadcasts to f32 [2, 4]");
  EXPECT_EQ(says({{2, 3}, {3, 4}}, {{"act", std::string("wave")}}), "matmul: no activation 'wave'");
}

}  // namespace
}  // namespace mainspring::inline v0
