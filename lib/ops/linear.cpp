// linear(x […,k] f32, bf16, q8_rows or q16_rows, W[m,k] any weight format, bias? [m], residual? […,m]) -> […,m]
//   y[…,o] = Σ_k x[…,k] W[o,k] + bias[o], rounded; then + residual[…,o]: the same bits as an add that follows
//   attrs x_bits (8): which of the two a lowering to quantised activations should choose
// head_linear(x [n,h,a] f32, W[h,b,a] any weight format) -> [n,h,b]                       y[n,h,:] = W[h] x[n,h,:]
// quantize_rows(x […,k] f32, k % 32 == 0) -> rows      attrs rows ("q8_rows"): or "q16_rows", see lib/quant/q8_rows.h, or "bf16", rounded to nearest even
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

Result<std::vector<ValueInfo>> infer_linear(const OpCall& c) {
  const Want want("linear", c);
  MAINSPRING_TRY(const ValueInfo* x, want.activations(0, "x", 1));
  MAINSPRING_TRY(const ValueInfo* w, want.weight(1, "weight", 2));
  if (w->dims[1] != x->dims.back()) return want.fail("weight is {}, expected rows of {} (x is {})", text_of(*w), x->dims.back().times, text_of(*x));
  MAINSPRING_TRY_VOID(want.maybe(2, "bias", {w->dims[0]}));
  Dims dims = x->dims;
  dims.back() = w->dims[0];
  MAINSPRING_TRY_VOID(want.maybe(3, "residual", dims));
  return yields(std::move(dims));
}

void reference_linear(const OpArgs& a) {
  const DecodedRows x(a.in[0]), w(a.in[1]);
  const float* bias = a.in[2].as<float>();
  const Rows<float> y(a.out[0]), residual(a.in[3]);
  const int64_t k = x.length();
  std::vector<float> rows(static_cast<size_t>(y.count() * k)), weights(static_cast<size_t>(k));
  for (int64_t r = 0; r < y.count(); ++r) x.read(r, rows.data() + r * k);
  for (int64_t o = 0; o < w.count(); ++o) {
    w.read(o, weights.data());
    for (int64_t r = 0; r < y.count(); ++r) {
      y[r][o] = static_cast<float>(dot(rows.data() + r * k, weights.data(), k) + (bias ? static_cast<double>(bias[o]) : 0.0));
      if (a.in[3].data != nullptr) y[r][o] += residual[r][o];
    }
  }
}

Result<std::vector<ValueInfo>> infer_head_linear(const OpCall& c) {
  const Want want("head_linear", c);
  MAINSPRING_TRY(const ValueInfo* x, want.rows(0, "x", 3, 3));
  MAINSPRING_TRY(const ValueInfo* w, want.weight(1, "weight", 3));
  if (w->dims[0] != x->dims[1] || w->dims[2] != x->dims[2])
    return want.fail("weight is {}, expected heads and rows of x, {}", text_of(*w), text_of(*x));
  return yields({x->dims[0], x->dims[1], w->dims[1]});
}

void reference_head_linear(const OpArgs& a) {
  const DecodedRows w(a.in[1]);
  const Rows<float> x(a.in[0]), y(a.out[0]);
  const int64_t heads = a.in[1].shape[0], outputs = a.in[1].shape[1];
  std::vector<float> weights(static_cast<size_t>(w.length()));
  for (int64_t i = 0; i < w.count(); ++i) {
    w.read(i, weights.data());
    for (int64_t r = i / outputs; r < y.count(); r += heads) y[r][i % outputs] = static_cast<float>(dot(x[r], weights.data(), w.length()));
  }
}

Result<std::vector<ValueInfo>> infer_quantize_rows(const OpCall& c) {
  const Want want("quantize_rows", c);
  MAINSPRING_TRY(const ValueInfo* x, want.rows(0, "x", 1));
  return then_quantised("quantize_rows", c, yields(x->dims));
}

void reference_quantize_rows(const OpArgs& a) { quantise_rows(Rows<float>(a.in[0]), a.out[0]); }

}  // namespace

constinit const OpDef op_linear{.name = "linear", .min_in = 2, .max_in = 4, .n_out = 1, .infer = infer_linear, .reference = reference_linear};
constinit const OpDef op_head_linear{
    .name = "head_linear", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_head_linear, .reference = reference_head_linear};
constinit const OpDef op_quantize_rows{
    .name = "quantize_rows", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_quantize_rows, .reference = reference_quantize_rows};

}  // namespace mainspring::inline v0
