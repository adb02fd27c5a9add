// Products of floats with int8 matrices, as exporters write them in half a dozen nodes: x becomes u8 by its own range (DynamicQuantizeLinear), the product is
// one of integers, scales and bias are f32.
// int8_linear(x [… m, k] f32, w [k, n] or [… k, n] i8/u8, w_scale [1] or [n], w_zero? [1] or [n], bias? [n]) -> y [… m, n] f32
// int8_conv(x [n, c, spatial…] f32, w [oc, c/group, k…] i8/u8, w_scale [1] or [oc], w_zero? [1] or [oc], bias? [oc]) -> y f32      attrs of Conv
#include "ops/nn/conv.h"
#include "ops/nn/quantised.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

Result<void> common(const char* op, const OpCall& c, std::optional<Dim> columns) {
  MAINSPRING_TRY_VOID(need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(need_int(op, c, 1, "w"));
  MAINSPRING_TRY_VOID(want_scale(op, c, 2, "w_scale", columns));
  if (columns) MAINSPRING_TRY_VOID(want_dims(op, c, 4, "bias", {*columns}));
  return {};
}

Result<std::vector<ValueInfo>> infer_linear(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_float("int8_linear", c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* w, need_int("int8_linear", c, 1, "w"));
  MAINSPRING_TRY_VOID(want_rank("int8_linear", *x, "x", 2));
  MAINSPRING_TRY_VOID(want_rank("int8_linear", *w, "w", 2, 2));
  if (!w->ranked || !x->ranked) return one(unranked(DType::f32));
  MAINSPRING_TRY_VOID(common("int8_linear", c, w->dims.back()));
  MAINSPRING_TRY_VOID(want_equal("int8_linear", "rows of w", w->dims[0], x->dims.back()));
  Dims y = x->dims;
  y.back() = w->dims[1];
  return one(tensor_of(DType::f32, std::move(y)));
}

void reference_linear(const OpArgs& a) {
  const DynamicU8 x = dynamic_u8(numbers_of(a.in[0]));
  const std::vector<double> w = dequantised(a.in[1], a.in[2], a.in[3], 1), bias = numbers_of(a.in[4]);
  const auto k = at(a.in[1].shape[0]), n = at(a.in[1].shape[1]);
  std::vector<double> y(at(a.out[0].shape.elements()), 0.0);
  for (size_t r = 0; n > 0 && r < y.size() / n; ++r)
    for (size_t o = 0; o < n; ++o) {
      double sum = 0;
      for (size_t i = 0; i < k; ++i) sum += x.values[r * k + i] * w[i * n + o];
      y[r * n + o] = sum * x.scale + (bias.empty() ? 0 : bias[o]);
    }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_int8_conv(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* w, need_int("int8_conv", c, 1, "w"));
  MAINSPRING_TRY_VOID(common("int8_conv", c, w->ranked ? std::optional(dim_of(*w, 0)) : std::nullopt));
  return infer_conv("int8_conv", c, 0, 1, 4, DType::f32);
}

void reference_int8_conv(const OpArgs& a) {
  const DynamicU8 x = dynamic_u8(numbers_of(a.in[0]));
  std::vector<double> y = convolved(a.attrs, x.values, a.in[0].shape, dequantised(a.in[1], a.in[2], a.in[3], 0), a.in[1].shape);
  for (double& v : y) v *= x.scale;
  add_channel_bias(y, a.out[0].shape, numbers_of(a.in[4]));
  put_numbers(a.out[0], y);
}

}  // namespace

constinit const OpDef op_int8_linear{.name = "int8_linear", .min_in = 3, .max_in = 5, .n_out = 1, .infer = infer_linear, .reference = reference_linear};
constinit const OpDef op_int8_conv{.name = "int8_conv", .min_in = 3, .max_in = 5, .n_out = 1, .infer = infer_int8_conv, .reference = reference_int8_conv};

}  // namespace mainspring::inline v0
