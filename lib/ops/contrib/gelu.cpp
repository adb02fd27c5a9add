// com.microsoft, bias and activation over the last extent:
// BiasGelu(x, b [d]), FastGelu(x, b? [d]) -> as x     gelu by erf, by tanh
// Gelu(x), QuickGelu(x) -> as x                       by erf; x × sigmoid(alpha × x), attr alpha (1.702)
// BiasAdd(x […,d], b [d], skip as x) -> as x          x + b + skip
// BiasSplitGelu(x […,2d], b [2d]) -> […,d]            left half × gelu(right half)
#include "ops/activation.h"
#include "ops/nn/numbers.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

/// Like x; b, where the operator has one, is a vector of its last extent.
Result<std::vector<ValueInfo>> as_x(const char* op, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  if (x->ranked && !x->dims.empty()) MAINSPRING_TRY_VOID(want_dims(op, c, 1, "b", {x->dims.back()}));
  ValueInfo y = *x;
  y.value = nullptr;
  return one(std::move(y));
}

std::vector<double> with_bias(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const std::vector<double> b = has(a, 1) ? numbers_of(a.in[1]) : std::vector<double>();
  for (size_t i = 0; i < x.size() && !b.empty(); ++i) x[i] += b[i % b.size()];
  return x;
}

template <class F>
void map(const OpArgs& a, F f) {
  std::vector<double> x = with_bias(a);
  for (double& e : x) e = f(e);
  put_numbers(a.out[0], x);
}

Result<std::vector<ValueInfo>> infer_BiasGelu(const OpCall& c) { return as_x("com.microsoft.BiasGelu", c); }
void reference_BiasGelu(const OpArgs& a) { map(a, activation::gelu_erf); }
Result<std::vector<ValueInfo>> infer_FastGelu(const OpCall& c) { return as_x("com.microsoft.FastGelu", c); }
void reference_FastGelu(const OpArgs& a) { map(a, activation::gelu); }
Result<std::vector<ValueInfo>> infer_Gelu(const OpCall& c) { return as_x("com.microsoft.Gelu", c); }
void reference_Gelu(const OpArgs& a) { map(a, activation::gelu_erf); }
Result<std::vector<ValueInfo>> infer_QuickGelu(const OpCall& c) { return as_x("com.microsoft.QuickGelu", c); }
void reference_QuickGelu(const OpArgs& a) {
  const double alpha = a.attrs.f("alpha", 1.702);
  map(a, [=](double x) { return x * activation::sigmoid(alpha * x); });
}

Result<std::vector<ValueInfo>> infer_BiasAdd(const OpCall& c) {
  const char* op = "com.microsoft.BiasAdd";
  MAINSPRING_TRY(auto y, as_x(op, c));
  if (y[0].ranked) MAINSPRING_TRY_VOID(want_dims(op, c, 2, "skip", y[0].dims));
  return y;
}
void reference_BiasAdd(const OpArgs& a) {
  std::vector<double> x = with_bias(a);
  const std::vector<double> skip = numbers_of(a.in[2]);
  for (size_t i = 0; i < skip.size(); ++i) x[i] += skip[i];
  put_numbers(a.out[0], x);
}

Result<std::vector<ValueInfo>> infer_BiasSplitGelu(const OpCall& c) {
  const char* op = "com.microsoft.BiasSplitGelu";
  MAINSPRING_TRY(auto y, as_x(op, c));
  if (!y[0].ranked) return y;
  MAINSPRING_TRY_VOID(want_rank(op, y[0], "x", 1));
  Dim& d = y[0].dims.back();
  if (d.is_constant() && d.times % 2) return invalid("{}: a last extent of {}, expected an even one", op, d.times);
  d = map_dim(d, [](int64_t n) { return n / 2; });
  return y;
}
void reference_BiasSplitGelu(const OpArgs& a) {
  const std::vector<double> x = with_bias(a);
  const size_t d = at(a.out[0].shape.back());
  std::vector<double> y(x.size() / 2);
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t left = i / d * 2 * d + i % d;
    y[i] = x[left] * activation::gelu_erf(x[left + d]);
  }
  put_numbers(a.out[0], y);
}

}  // namespace

constinit const OpDef op_ms_BiasGelu{.name = "com.microsoft.BiasGelu", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_BiasGelu, .reference = reference_BiasGelu};
constinit const OpDef op_ms_FastGelu{.name = "com.microsoft.FastGelu", .min_in = 1, .max_in = 2, .n_out = 1, .infer = infer_FastGelu, .reference = reference_FastGelu};
constinit const OpDef op_ms_Gelu{.name = "com.microsoft.Gelu", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_Gelu, .reference = reference_Gelu};
constinit const OpDef op_ms_QuickGelu{.name = "com.microsoft.QuickGelu", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_QuickGelu, .reference = reference_QuickGelu};
constinit const OpDef op_ms_BiasAdd{.name = "com.microsoft.BiasAdd", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_BiasAdd, .reference = reference_BiasAdd};
constinit const OpDef op_ms_BiasSplitGelu{
    .name = "com.microsoft.BiasSplitGelu", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_BiasSplitGelu, .reference = reference_BiasSplitGelu};

}  // namespace mainspring::inline v0
