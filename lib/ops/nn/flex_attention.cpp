// ai.onnx.preview.FlexAttention(q [B,Hq,L,d], k [B,Hkv,S,d], v [B,Hkv,S,dv]) -> [B,Hq,L,dv]      attrs scale (1/sqrt(d)), softmax_precision
//   prob_mod(softmax(score_mod(scale × q·kᵀ)))·v. The two are bodies, in that order; attributes has_score_mod and has_prob_mod say which there are.
#include <cmath>

#include "ops/nn/heads.h"
#include "ops/onnx_dtype.h"
#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

constexpr const char* kFlex = "ai.onnx.preview.FlexAttention";

constexpr const char* kScores = "has_score_mod";
constexpr const char* kProbabilities = "has_prob_mod";
bool has_body(const Attrs& attrs, const char* which) { return attrs.i(which) != 0; }

/// The dtype of scores and probabilities.
Result<DType> precision_of(const Attrs& attrs, DType q) {
  if (!attrs.has("softmax_precision")) return q == DType::f64 ? DType::f64 : DType::f32;
  const auto t = dtype_of_onnx(attrs.i("softmax_precision"));
  if (!t || !is_main_float(*t)) return invalid("{}: attribute softmax_precision is {}, expected a floating-point type", kFlex, attrs.i("softmax_precision"));
  return *t;
}

Result<std::vector<ValueInfo>> infer_FlexAttention(const OpCall& c) {
  const char* names[] = {"q", "k", "v"};
  const ValueInfo* in[3];
  for (size_t i = 0; i < 3; ++i) {
    MAINSPRING_TRY(in[i], need_float(kFlex, c, i, names[i]));
    MAINSPRING_TRY_VOID(want_rank(kFlex, *in[i], names[i], 4, 4));
  }
  MAINSPRING_TRY_VOID(precision_of(c.attrs, in[0]->dtype));
  const auto extent = [&](size_t i, size_t axis) { return dim_of(*in[i], axis); };
  MAINSPRING_TRY_VOID(want_dims(kFlex, c, 1, "k", {extent(0, 0), extent(1, 1), extent(1, 2), extent(0, 3)}));
  MAINSPRING_TRY_VOID(want_dims(kFlex, c, 2, "v", {extent(0, 0), extent(1, 1), extent(1, 2), extent(2, 3)}));
  const Dim hq = extent(0, 1), hkv = extent(1, 1);
  if (hq.is_constant() && hkv.is_constant() && (hkv.times < 1 || hq.times % hkv.times != 0)) return invalid("{}: {} heads of q do not share {} of k", kFlex, hq.times, hkv.times);
  const size_t bodies = static_cast<size_t>(has_body(c.attrs, kScores)) + static_cast<size_t>(has_body(c.attrs, kProbabilities));
  if (bodies != c.bodies.size()) return invalid("{}: {} bodies, expected {}", kFlex, c.bodies.size(), bodies);
  return one(tensor_of(in[0]->dtype, {extent(0, 0), hq, extent(0, 2), extent(2, 3)}));
}

/// Shows `values` of that shape and dtype to a body and takes what it makes of them. Errors: what the body says; invalid_argument: another shape.
Result<void> through_body(DynamicCall& c, const char* which, DType dtype, const Shape& shape, std::vector<double>& values) {
  MAINSPRING_TRY(Tensor t, c.make(dtype, shape));
  put_numbers(view_of(t), values);
  if (has_body(c.attrs, which)) {
    const Datum own(t);
    const size_t body = which == kProbabilities && has_body(c.attrs, kScores) ? 1 : 0;
    MAINSPRING_TRY(const std::vector<Datum> made, c.run_body(body, {&own, 1}));
    if (made.size() != 1 || !made[0].is_tensor() || made[0].tensor.elements() != t.elements() || !is_main_float(made[0].tensor.dtype()))
      return invalid("{}: body {} does not keep the shape of what it is given", kFlex, body);
    t = made[0].tensor;
  }
  values = numbers_of(view_of(t));
  return {};
}

Result<void> dynamic_FlexAttention(DynamicCall& c) {
  for (size_t i = 0; i < 3; ++i)
    if (i >= c.in.size() || !c.in[i].is_tensor()) return invalid("{}: an operand is absent", kFlex);
  const Heads q = heads_of(view_of(c.in[0].tensor), 0), k = heads_of(view_of(c.in[1].tensor), 0), v = heads_of(view_of(c.in[2].tensor), 0);
  MAINSPRING_TRY(const DType precision, precision_of(c.attrs, c.in[0].tensor.dtype()));
  const Shape shape{q.batch, q.heads, q.length, k.length};
  // The engine's scores go through the body and come back as its bias, in place of what they were.
  std::vector<double> scores(at(shape.elements()));
  const auto row_at = [&](int64_t b, int64_t h, int64_t i) { return ((b * q.heads + h) * q.length + i) * k.length; };
  AttentionRule rule;
  rule.scale = c.attrs.f("scale", 1 / std::sqrt(static_cast<double>(q.size)));
  rule.look = [&](int stage, int64_t b, int64_t h, int64_t i, std::span<const double> row) {
    if (stage == 0) std::copy(row.begin(), row.end(), scores.data() + row_at(b, h, i));
  };
  attend_heads(q, k, v, rule);
  MAINSPRING_TRY_VOID(c.go_on());
  MAINSPRING_TRY_VOID(through_body(c, kScores, precision, shape, scores));
  std::vector<double> probabilities(scores.size());
  rule.scale = 0;
  rule.bias = [&](int64_t b, int64_t h, int64_t i, std::span<double> row) { std::copy_n(scores.data() + row_at(b, h, i), k.length, row.data()); };
  rule.look = [&](int stage, int64_t b, int64_t h, int64_t i, std::span<const double> row) {
    if (stage == 3) std::copy(row.begin(), row.end(), probabilities.data() + row_at(b, h, i));
  };
  attend_heads(q, k, v, rule);
  MAINSPRING_TRY_VOID(through_body(c, kProbabilities, precision, shape, probabilities));
  Heads y(q.batch, q.heads, q.length, v.size);
  for (int64_t b = 0; b < q.batch; ++b)
    for (int64_t h = 0; h < q.heads; ++h)
      for (int64_t i = 0; i < q.length; ++i)
        for (int64_t j = 0; j < k.length; ++j) {
          const double p = probabilities[at(row_at(b, h, i) + j)];
          for (int64_t e = 0; e < v.size && p != 0; ++e) y.row(b, h, i)[e] += p * v.row(b, h / (q.heads / k.heads), j)[e];
        }
  MAINSPRING_TRY(Tensor out, c.make(c.in[0].tensor.dtype(), Shape{q.batch, q.heads, q.length, v.size}));
  put_numbers(view_of(out), y.values);
  c.out[0] = Datum(std::move(out));
  return {};
}

}  // namespace

constinit const OpDef op_FlexAttention{.name = kFlex, .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_FlexAttention, .dynamic = dynamic_FlexAttention};

}  // namespace mainspring::inline v0
