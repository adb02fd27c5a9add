#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

// A prompt, its continuation row by row and in chunks, two sequences at once, no rows, and a slot that begins again.
const std::vector<StepSegments> kSteps = {{{0, 5, 0, 0}}, {{0, 1, 0, 5}}, {{0, 2, 1, 0}, {2, 7, 0, 6}}, {}, {{0, 1, 1, 2}, {1, 1, 0, 13}}, {{0, 3, 1, 0}}, {{0, 67, 2, 0}}};

In memory(Dims dims) { return state(StateKind::recurrent, std::move(dims)); }

const OpCase kConv[] = {
    {.name = "plain", .op = "causal_conv", .in = {rows({kN, 67}), vec({67, 4}), absent(), memory({4, 67, 3})}, .steps = kSteps},
    {.name = "bias, silu", .op = "causal_conv", .in = {rows({kN, 96}), vec({96, 4}), vec({96}), memory({4, 96, 3})}, .attrs = {{"act", "silu"}}, .steps = kSteps},
    {.name = "two taps", .op = "causal_conv", .in = {rows({kN, 5}), vec({5, 2}), vec({5}), memory({3, 5, 1})}, .steps = kSteps},
    {.name = "three taps", .op = "causal_conv", .in = {rows({kN, 33}), vec({33, 3}), vec({33}), memory({3, 33, 2})}, .attrs = {{"act", "none"}}, .steps = kSteps},
};

std::vector<In> ssm(int64_t h, int64_t p, int64_t g, int64_t n, bool skip, bool bias) {
  return {rows({kN, h, p}), rows({kN, h}), vec({h}, Fill::negative), rows({kN, g, n}), rows({kN, g, n}), skip ? vec({h}) : absent(), bias ? vec({h}) : absent(), memory({4, h, p, n})};
}
const OpCase kScan[] = {
    {.name = "64x128", .op = "ssm_scan", .in = ssm(4, 64, 1, 128, true, true), .steps = kSteps},
    {.name = "groups", .op = "ssm_scan", .in = ssm(6, 16, 2, 32, true, false), .steps = kSteps},
    {.name = "odd", .op = "ssm_scan", .in = ssm(3, 7, 3, 13, false, true), .steps = kSteps},
    {.name = "ones", .op = "ssm_scan", .in = ssm(1, 1, 1, 1, false, false), .steps = kSteps},
};

std::vector<In> delta(int64_t hk, int64_t hv, int64_t dk, int64_t dv) {
  // Keys are normalised in models; unit keeps |k| modest, and beta in (0, 1) keeps the memory bounded.
  return {rows({kN, hk, dk}), rows({kN, hk, dk}, Fill::unit), rows({kN, hv, dv}), rows({kN, hv}, Fill::negative), rows({kN, hv}, Fill::unit), memory({4, hv, dv, dk})};
}
const std::vector<StepSegments> kShort = {{{0, 3, 0, 0}}, {{0, 1, 0, 3}}, {{0, 2, 1, 0}, {2, 2, 0, 4}}, {}, {{0, 1, 1, 2}, {1, 1, 0, 6}}, {{0, 3, 1, 0}}};
const OpCase kDelta[] = {
    {.name = "tile", .op = "gated_delta", .in = delta(2, 4, 4, 16), .attrs = {{"scale", 0.25}, {"head_map", "tile"}}, .steps = kShort},
    {.name = "group", .op = "gated_delta", .in = delta(2, 6, 5, 13), .attrs = {{"scale", 0.25}, {"head_map", "group"}}, .steps = kShort},
    {.name = "one", .op = "gated_delta", .in = delta(1, 1, 1, 1), .steps = kSteps},
    {.name = "128", .op = "gated_delta", .in = delta(1, 2, 128, 128), .attrs = {{"scale", 0.0884}}, .steps = {{{0, 1, 0, 0}}, {{0, 1, 0, 1}}}},
};

MAINSPRING_OP_TEST(OpCausalConv, kConv);
MAINSPRING_OP_TEST(OpSsmScan, kScan);
MAINSPRING_OP_TEST(OpGatedDelta, kDelta);

}  // namespace
}  // namespace mainspring::inline v0
