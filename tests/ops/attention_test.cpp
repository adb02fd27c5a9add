#include <cmath>

#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

// Prefill, decode of one and of two sequences, a chunk over a block's edge, single rows on both sides of it, and none.
const std::vector<StepSegments> kSteps = {
    {{0, 5, 0, 0}}, {{0, 1, 0, 5}}, {{0, 1, 1, 0}, {1, 3, 0, 6}}, {}, {{0, 9, 0, 60}}, {{0, 1, 0, 63}}, {{0, 1, 0, 64}}, {{0, 2, 1, 127}, {2, 1, 0, 200}, {3, 4, 2, 30}}};
const std::vector<StepSegments> kLong = {{{0, 1, 0, 700}}, {{0, 9, 0, 660}}};

// The harness's tolerance, eps (4 sqrt(depth) S + 4 |y|) (op_test.h), holds for a cache of f16 as it stands, without a term for halves:
//   Both sides read the same stored halves and a half is exact in f32, so that what differs is the kernel's f32 arithmetic alone. For one output
//   y = sum_j p_j v_j, p_j = exp(s_j - top) / sum, s_j = scale sum_i q_i k_ij:
//   * a score: dk fused multiply-adds. Each rounding, <= eps |partial sum|, is a relative change of the terms summed so far, and their signs are
//     independent: sqrt(dk) eps times what y moves, per unit, when q and k move;
//   * exp, cap, and the sum of the p_j: a few eps and sqrt(keys) eps of p_j, as much as v_j moving by as much;
//   * the mix: as a score, over keys and v; merging splits and the last division: 4 eps |y|.
//   S is how much y moves, per unit, when q, k, v and sinks move by +-2^-9 at random, four times, the worst element of a head; depth = max(dk, dv,
//   positions) >= each of the counts above. A half moves to the nearest half, between 3/4 and 5/4 of the step (its spacing is at most 2^-10 of its
//   size): a quarter off, where the factor 4 leaves 2 to 3. Halves below 2^-14 move by less or not at all; their terms are 2^-14 of the others'.
//   A cache of q8_0 holds floats q * scale, one rounding that both sides make; moved are its scales, 32 elements of a token together.
//   What must not pass does not: a half read one unit in the last place off moves y by 2^-11 S and more, 2^7 times the tolerance at depth 256.

In keys(int64_t heads, int64_t d, DType t = DType::f32) { return state(StateKind::kv_keys, {13, heads, d, 64}, t); }
In values(int64_t heads, int64_t d, DType t = DType::f32) { return state(StateKind::kv_values, {13, heads, 64, d}, t); }

const std::vector<OpCase>& attention_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    auto add = [&v](std::string name, int64_t heads, int64_t kv, int64_t dk, int64_t dv, DType t, Attrs attrs, bool sinks = false) {
      std::vector<In> in{rows({kN, heads, dk}), keys(kv, dk, t), values(kv, dv, t)};
      if (sinks) in.push_back(vec({heads}));
      attrs.set("scale", 1 / std::sqrt(static_cast<double>(dk)));
      v.push_back({.name = name + " " + name_of(t), .op = "attention", .in = in, .attrs = attrs, .steps = kSteps});
    };
    for (DType t : {DType::f32, DType::f16, DType::q8_0}) {
      add("64", 4, 4, 64, 64, t, {});
      add("grouped", 6, 2, 64, 64, t, {});
      add("group of seven", 7, 1, 32, 32, t, {});
      add("odd", 3, 1, 41, 27, t, {});
      add("one", 1, 1, 1, 1, t, {});
      add("wide keys", 2, 1, 192, 128, t, {});
      add("256", 2, 2, 256, 256, t, {});
      add("window", 4, 2, 64, 64, t, {{"window", 50}});
      add("window of one", 2, 1, 32, 32, t, {{"window", 1}});
      add("softcap", 4, 2, 64, 64, t, {{"softcap", 2.0}});
      add("sinks", 4, 2, 64, 64, t, {}, true);
      add("all", 4, 2, 40, 40, t, {{"window", 17}, {"softcap", 5.0}}, true);
      add("window, narrow values", 6, 2, 48, 20, t, {{"window", 70}});  // wider than a block; values of no whole vector
      add("softcap, wide values", 3, 3, 24, 56, t, {{"softcap", 1.0}});
      add("sinks and window, a group of eight", 8, 1, 32, 32, t, {{"window", 64}}, true);
      v.push_back({.name = std::string("not causal ") + name_of(t), .op = "attention", .in = {rows({kN, 4, 64}), keys(2, 64, t), values(2, 64, t)},
                   .attrs = {{"scale", 0.125}, {"causal", 0}}, .steps = kSteps, .row_alone = false, .may_refuse = true});
      v.push_back({.name = std::string("long ") + name_of(t), .op = "attention", .in = {rows({kN, 8, 64}), keys(2, 64, t), values(2, 64, t)},
                   .attrs = {{"scale", 0.125}}, .steps = kLong});
    }
    return v;
  }();
  return all;
}

const std::vector<OpCase>& store_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    for (DType t : {DType::f32, DType::f16, DType::q8_0})
      for (int64_t d : {1, 27, 64, 128}) {
        const std::string name = std::string(name_of(t)) + " " + std::to_string(d);
        v.push_back({.name = "keys " + name, .op = "kv_store", .in = {keys(3, d, t), rows({kN, 3, d}, Fill::wide)}, .attrs = {{"values", 0}}, .steps = kSteps});
        v.push_back({.name = "values " + name, .op = "kv_store", .in = {values(3, d, t), rows({kN, 3, d}, Fill::wide)}, .attrs = {{"values", 1}}, .steps = kSteps});
        if (d != 64) v.push_back({.name = "values, not told " + name, .op = "kv_store", .in = {values(2, d, t), rows({kN, 2, d})}, .steps = kSteps});
      }
    return v;
  }();
  return all;
}

// Against the reference the rotation may differ in the last bits, so f32 alone; that fusing changes no bit is tested on whole models.
const std::vector<OpCase>& rope_store_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    const auto add = [&v](std::string name, int64_t heads, int64_t d, Attrs attrs, bool factors = false) {
      std::vector<In> in{keys(heads, d), rows({kN, heads, d}), positions()};
      if (factors) in.push_back(vec({d / 2}, Fill::unit));
      v.push_back({.name = std::move(name), .op = "rope_kv_store", .in = std::move(in), .attrs = std::move(attrs), .steps = kSteps});
    };
    add("norm", 3, 64, {});
    add("neox, part of a head", 2, 80, {{"mode", "neox"}, {"n_rot", 32}});
    add("factors", 1, 16, {}, true);
    add("several tiles of heads", 9, 256, {{"mode", "neox"}});
    return v;
  }();
  return all;
}

MAINSPRING_OP_TEST(OpRopeKvStore, rope_store_cases());
MAINSPRING_OP_TEST(OpAttention, attention_cases());
MAINSPRING_OP_TEST(OpKvStore, store_cases());

}  // namespace
}  // namespace mainspring::inline v0
