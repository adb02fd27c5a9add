#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

const std::vector<StepSegments> kSteps = {{{0, 1, 0, 0}}, {}, {{0, 2, 0, 1}}, {{0, 37, 0, 3}}};

const OpCase kRoute[] = {
    {.name = "softmax", .op = "moe_route", .in = {rows({kN, 64})}, .attrs = {{"n_used", 8}, {"gating", "softmax"}}},
    {.name = "softmax, norm", .op = "moe_route", .in = {rows({kN, 128})}, .attrs = {{"n_used", 8}, {"gating", "softmax"}, {"norm", 1}}},
    {.name = "sigmoid, bias, scale", .op = "moe_route", .in = {rows({kN, 61}), vec({61}, Fill::unit)}, .attrs = {{"n_used", 6}, {"gating", "sigmoid"}, {"norm", 1}, {"scale", 2.5}}},
    {.name = "groups", .op = "moe_route", .in = {rows({kN, 64}), vec({64}, Fill::unit)}, .attrs = {{"n_used", 8}, {"gating", "sigmoid"}, {"norm", 1}, {"scale", 2.5}, {"groups", 8}, {"groups_used", 4}}},
    {.name = "groups of one", .op = "moe_route", .in = {rows({kN, 4})}, .attrs = {{"n_used", 2}, {"groups", 4}, {"groups_used", 3}}},
    {.name = "softmax_weight", .op = "moe_route", .in = {rows({kN, 32})}, .attrs = {{"n_used", 4}, {"gating", "softmax_weight"}}},
    {.name = "all", .op = "moe_route", .in = {rows({kN, 5})}, .attrs = {{"n_used", 5}, {"gating", "softmax"}}},
    {.name = "one", .op = "moe_route", .in = {rows({kN, 1})}, .attrs = {{"n_used", 1}, {"gating", "softmax"}}},
};

const OpCase kCombine[] = {
    {.name = "odd", .op = "moe_combine", .in = {rows({kN, 3, 67}), rows({kN, 3}, Fill::unit)}},
    {.name = "one", .op = "moe_combine", .in = {rows({kN, 1, 1}), rows({kN, 1}, Fill::unit)}},
    {.name = "eight", .op = "moe_combine", .in = {rows({kN, 8, 256}), rows({kN, 8}, Fill::unit)}},
};

const std::vector<OpCase>& linear_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    for (DType t : {DType::f32, DType::f16, DType::bf16, DType::q4_0, DType::q8_0, DType::q4_k, DType::q6_k, DType::mxfp4, DType::iq4_xs}) {
      const bool scalar = !is_block_format(t);
      const int64_t k = scalar ? 45 : info_of(t).block * 2;
      const std::string name = name_of(t);
      v.push_back({.name = name, .op = "moe_linear", .in = {rows({kN, k}), ids({kN, 3}, 7), weights(t, {7, 37, k})}, .steps = kSteps});
      v.push_back({.name = name + " by choice", .op = "moe_linear", .in = {rows({kN, 3, k}), ids({kN, 3}, 5), weights(t, {5, 33, k}), vec({5, 33})}, .steps = kSteps});
      if (scalar) continue;
      const int64_t kq = 256;
      v.push_back({.name = name + " q8", .op = "moe_linear", .in = {quantised({kN, kq}), ids({kN, 3}, 7), weights(t, {7, 37, kq})}, .steps = kSteps, .may_refuse = true});
      v.push_back({.name = name + " q8 by choice", .op = "moe_linear", .in = {quantised({kN, 2, kq}), ids({kN, 2}, 5), weights(t, {5, 32, kq}), vec({5, 32})}, .steps = kSteps, .may_refuse = true});
    }
    v.push_back({.name = "one expert", .op = "moe_linear", .in = {rows({kN, 64}), ids({kN, 1}, 1), weights(DType::f32, {1, 16, 64})}, .steps = kSteps});
    return v;
  }();
  return all;
}

MAINSPRING_OP_TEST(OpMoeRoute, kRoute);
MAINSPRING_OP_TEST(OpMoeCombine, kCombine);
MAINSPRING_OP_TEST(OpMoeLinear, linear_cases());

}  // namespace
}  // namespace mainspring::inline v0
