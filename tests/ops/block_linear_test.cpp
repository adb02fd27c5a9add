#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

OpCase product(std::string name, std::vector<In> in, Attrs attrs = {}) {
  return {.name = std::move(name), .op = "block_linear", .in = std::move(in), .attrs = std::move(attrs), .steps = {{{0, 1, 0, 0}}}, .row_alone = false};
}

const OpCase kBlockLinear[] = {
    product("row", {rows({1, 64}), weights(DType::q8_0, {35, 64})}),
    product("few rows", {rows({5, 96}), weights(DType::q4_0, {48, 96}), vec({48})}),
    product("rows", {rows({3, 41, 128}), weights(DType::q5_0, {83, 128}), vec({83}), rows({3, 41, 83}), vec({83})}),
    product("many rows", {rows({130, 64}), weights(DType::q8_0, {70, 64}), vec({70}), absent(), vec({70})}),
    product("deep", {rows({7, 1536}), weights(DType::q8_0, {33, 1536}), absent(), rows({7, 33}), vec({33})}),
    product("sum alone", {rows({7, 32}), weights(DType::q8_0, {33, 32}), absent(), rows({7, 33})}),
    product("gelu", {rows({9, 64}), weights(DType::q8_0, {40, 64}), vec({40}), rows({9, 40}), vec({40})}, {{"act", std::string("gelu_erf")}}),
    product("relu, then a sum", {rows({9, 64}), weights(DType::q4_0, {40, 64}), vec({40}), rows({9, 40}), vec({40})}, {{"act", std::string("relu")}, {"act_first", 1}}),
    product("no rows", {rows({0, 64}), weights(DType::q8_0, {35, 64})}),
};
MAINSPRING_OP_TEST(OpBlockLinear, kBlockLinear);

TEST(OpBlockLinear, refuses_what_does_not_fit) {
  const OpDef* op = find_op("block_linear");
  ValueInfo none;
  none.present = false;
  const auto fits = [&](Dims x, Dims w, ValueInfo bias, Attrs attrs = {}) {
    const std::vector<ValueInfo> in{{DType::f32, std::move(x)}, {DType::q8_0, std::move(w)}, std::move(bias), none, none};
    return bool(op->infer(OpCall{in, attrs}));
  };
  EXPECT_TRUE(fits({2, 64}, {5, 64}, none));
  EXPECT_TRUE(fits({Dim::unknown(), Dim::unknown(), 64}, {5, 64}, {DType::f32, {5}}));
  EXPECT_FALSE(fits({2, 32}, {5, 64}, none));
  EXPECT_FALSE(fits({2, 64}, {5, 64}, {DType::f32, {64}}));
  EXPECT_FALSE(fits({2, 64}, {5, 64}, none, {{"act", std::string("nothing")}}));
}

}  // namespace
}  // namespace mainspring::inline v0
