// block_linear(x […, k] f32, W [n, k] any weight format, bias? [n], add? […, n], scale? [n]) -> […, n]     what passes make of products with matrices that are
//   kept as small integers: y = act(scale · (x' W^T) + bias + add), x' being x rounded to q16_rows (lib/quant/q8_rows.h); k % 32 == 0
//   x may have extents that are not known yet; `scale` is what all blocks of an output have in common
//   attrs act, act_a, act_b, act_first: see ops/fused_act.h
#include <vector>

#include "ops/fused_act.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/tensor.h"
#include "ops/view.h"
#include "quant/q8_rows.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kOp = "block_linear";

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(kOp, c, 0, "x"));
  if (x->dtype != DType::f32) return invalid("{}: x is {}, expected f32", kOp, name_of(x->dtype));
  MAINSPRING_TRY_VOID(want_rank(kOp, *x, "x", 1));
  const Want want(kOp, c);
  MAINSPRING_TRY(const ValueInfo* w, want.weight(1, "weight", 2));
  if (w->dims[1].times % 32 != 0) return want.fail("weight is {}, expected rows of a multiple of 32", text_of(*w));
  MAINSPRING_TRY_VOID(want.maybe(2, "bias", {w->dims[0]}));
  MAINSPRING_TRY_VOID(want.maybe(4, "scale", {w->dims[0]}));
  if (fused_act_of(c.attrs) == nullptr) return want.fail("no activation '{}'", c.attrs.s("act"));
  if (!x->ranked) return one(unranked(DType::f32));
  if (x->dims.back().is_constant() && x->dims.back() != w->dims[1]) return want.fail("weight is {}, expected rows of {} (x is {})", text_of(*w), x->dims.back().times, text_of(*x));
  Dims dims = x->dims;
  dims.back() = w->dims[0];
  if (has(c, 3) && (c.in[3].dtype != DType::f32 || (all_constant(c.in[3]) && all_constant(*x) && c.in[3].dims != dims))) return want.fail("add is {}, expected the extents of y, {}", text_of(c.in[3]), text_of(dims));
  return one(tensor_of(DType::f32, std::move(dims)));
}

void reference(const OpArgs& a) {
  const DecodedRows w(a.in[1]);
  const Rows<float> x(a.in[0]), y(a.out[0]), add(a.in[3]);
  const float *bias = a.in[2].as<float>(), *scale = a.in[4].as<float>();
  const int64_t k = w.length(), n = w.count(), count = y.count();
  const FusedAct& act = *fused_act_of(a.attrs);
  const bool act_first = a.attrs.i("act_first") != 0;
  const double act_a = a.attrs.f("act_a", act.a), act_b = a.attrs.f("act_b", act.b);
  std::vector<float> weights(static_cast<size_t>(k)), rounded(static_cast<size_t>(count * k));
  std::vector<std::byte> room(quantised_row_bytes(DType::q16_rows, k) + 64);
  std::byte* row = room.data() + (64 - reinterpret_cast<uintptr_t>(room.data()) % 64) % 64;
  for (int64_t r = 0; r < count; ++r) {
    quantise_row(DType::q16_rows, x[r], k, row);
    decode_quantised_row(DType::q16_rows, row, k, rounded.data() + r * k);
  }
  for (int64_t o = 0; o < n; ++o) {
    w.read(o, weights.data());
    for (int64_t r = 0; r < count; ++r) {
      double sum = dot(rounded.data() + r * k, weights.data(), k) * (scale ? static_cast<double>(scale[o]) : 1) + (bias ? static_cast<double>(bias[o]) : 0);
      const double other = a.in[3] ? static_cast<double>(add[r][o]) : 0;
      sum = act_first ? act.apply(sum, act_a, act_b) + other : act.apply(sum + other, act_a, act_b);
      y[r][o] = static_cast<float>(sum);
    }
  }
}

}  // namespace

constinit const OpDef op_block_linear{.name = kOp, .min_in = 2, .max_in = 5, .n_out = 1, .infer = infer, .reference = reference};

}  // namespace mainspring::inline v0
