// matmul(a […, m, k], b […, k, n], bias? [n], add? […, m, n]) -> […, m, n]          what passes make of MatMul, Gemm, FusedMatMul and what follows them
//   y = act(alpha * a b + bias + add): extents before the last two of a and b broadcast; bias and add broadcast to y, bias along all but the last axis
//   attrs trans_a, trans_b (0): the last two extents of that operand are swapped; alpha (1); act, act_a, act_b, act_first: see ops/fused_act.h
#include <vector>

#include "ops/fused_act.h"
#include "ops/nn/place.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kOp = "matmul";

/// The operand as it is multiplied: its last two extents swapped where `trans`.
ValueInfo turned(ValueInfo v, bool trans) {
  if (trans && v.ranked) std::swap(v.dims[v.dims.size() - 1], v.dims[v.dims.size() - 2]);
  return v;
}

ValueInfo batch_of(const ValueInfo& v) { return tensor_of(v.dtype, Dims(v.dims.begin(), v.dims.end() - 2)); }

/// Operand i is absent, or f32 and broadcasts to `y` without widening it.
Result<void> want_within(const OpCall& c, size_t i, const char* name, const ValueInfo& y) {
  if (!has(c, i)) return {};
  const ValueInfo& v = c.in[i];
  if (v.dtype != DType::f32) return invalid("{}: {} is {}, expected f32", kOp, name, name_of(v.dtype));
  const ValueInfo both[] = {v, y};
  MAINSPRING_TRY(const ValueInfo wide, broadcast(kOp, DType::f32, both));
  if (all_constant(v) && all_constant(y) && wide.dims != y.dims) return invalid("{}: {} is {}, expected what broadcasts to {}", kOp, name, text_of(v), text_of(y));
  return {};
}

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  for (size_t i = 0; i < 2; ++i) {
    const char* name = i ? "b" : "a";
    MAINSPRING_TRY(const ValueInfo* v, need(kOp, c, i, name));
    if (v->dtype != DType::f32) return invalid("{}: {} is {}, expected f32", kOp, name, name_of(v->dtype));
    MAINSPRING_TRY_VOID(want_rank(kOp, *v, name, 2));
  }
  if (fused_act_of(c.attrs) == nullptr) return invalid("{}: no activation '{}'", kOp, c.attrs.s("act"));
  if (!c.in[0].ranked || !c.in[1].ranked) return one(unranked(DType::f32));
  const ValueInfo a = turned(c.in[0], c.attrs.i("trans_a") != 0), b = turned(c.in[1], c.attrs.i("trans_b") != 0);
  const Dim k = a.dims.back(), l = b.dims[b.dims.size() - 2];
  if (k.is_constant() && l.is_constant() && k != l) return invalid("{}: a has depth {}, b has {}", kOp, k.times, l.times);
  const ValueInfo batches[] = {batch_of(a), batch_of(b)};
  MAINSPRING_TRY(ValueInfo y, broadcast(kOp, DType::f32, batches));
  y.dims.push_back(a.dims[a.dims.size() - 2]);
  y.dims.push_back(b.dims.back());
  MAINSPRING_TRY_VOID(want_within(c, 2, "bias", y));
  MAINSPRING_TRY_VOID(want_within(c, 3, "add", y));
  if (has(c, 2) && all_constant(c.in[2]) && product(c.in[2].dims, 0, c.in[2].dims.size()) != (c.in[2].dims.empty() ? Dim(1) : c.in[2].dims.back()))
    return invalid("{}: bias is {}, expected one row", kOp, text_of(c.in[2]));
  return one(std::move(y));
}

void reference(const OpArgs& args) {
  const TensorView &a = args.in[0], &b = args.in[1], &y = args.out[0];
  const size_t rank = static_cast<size_t>(y.shape.rank());
  const auto s = [&](const TensorView& v, bool trans) {
    std::vector<int64_t> strides = v ? strides_of(v, rank) : std::vector<int64_t>(rank);
    if (trans) std::swap(strides[rank - 1], strides[rank - 2]);
    return strides;
  };
  const bool trans_a = args.attrs.i("trans_a") != 0, trans_b = args.attrs.i("trans_b") != 0;
  const std::vector<int64_t> sy = strides_of(y, rank);
  // a is not broadcast along n, nor b along m: those strides are those along k
  const std::vector<int64_t> sa = s(a, trans_a), sb = s(b, trans_b), s_bias = s(args.in[2], false), s_add = s(args.in[3], false);
  const int64_t k = a.shape[a.shape.rank() - (trans_a ? 2 : 1)];
  const FusedAct& act = *fused_act_of(args.attrs);
  const bool act_first = args.attrs.i("act_first") != 0;
  const double alpha = args.attrs.f("alpha", 1), act_a = args.attrs.f("act_a", act.a), act_b = args.attrs.f("act_b", act.b);
  for_each_index(y.shape, [&](const std::vector<int64_t>& index) {
    const float* pa = a.as<float>() + offset_of(index, sa) - index[rank - 1] * sa[rank - 1];
    const float* pb = b.as<float>() + offset_of(index, sb) - index[rank - 2] * sb[rank - 2];
    double sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += static_cast<double>(pa[i * sa[rank - 1]]) * static_cast<double>(pb[i * sb[rank - 2]]);
    sum *= alpha;
    if (args.in[2]) sum += static_cast<double>(args.in[2].as<float>()[offset_of(index, s_bias)]);
    const double add = args.in[3] ? static_cast<double>(args.in[3].as<float>()[offset_of(index, s_add)]) : 0;
    sum = act_first ? act.apply(sum, act_a, act_b) + add : act.apply(sum + add, act_a, act_b);
    y.as<float>()[offset_of(index, sy)] = static_cast<float>(sum);
  });
}

}  // namespace

constinit const OpDef op_matmul{.name = kOp, .min_in = 2, .max_in = 4, .n_out = 1, .infer = infer, .reference = reference};

}  // namespace mainspring::inline v0
