// rms_norm(x […,d], w? [d] or [h,d] for x […,h,d], residual? as x) -> same      attrs eps          x / sqrt(mean(x²)+eps) * w      arXiv:1910.07467
//   rounded; then + residual: the same bits as an add that follows
// rms_norm_quant(x, w?): the same to what attribute rows names (quantize_rows), d % 32 == 0: rms_norm, then quantize_rows
// rms_norm_add_quant(x, w?, residual, w_next?) -> y, rows           attrs eps, eps_next, rows: y = rms_norm(x, w, residual), rows = rms_norm_quant(y, w_next)
// layer_norm(x […,d], w? [d] or [h,d], b? same) -> same             attrs eps          (x-mean) / sqrt(var+eps) * w + b arXiv:1607.06450
// l2_norm(x […,d]) -> same                                          attrs eps          x / max(sqrt(Σ x²), eps)
// softmax(x […,d]) -> same                                          exp(x - max x) / Σ exp(x - max x)
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

constexpr double kEps = 1e-5;

/// A weight or bias of a norm: [d], or [h,d] where x is […,h,d].
Result<void> check_vector(const Want& want, size_t i, const char* name, const ValueInfo& x) {
  if (!want.has(i)) return {};
  const ValueInfo& v = want.in(i);
  const size_t rank = x.dims.size();
  const bool by_head = v.dims.size() == 2 && rank >= 3 && v.dims[0] == x.dims[rank - 2] && v.dims[1] == x.dims[rank - 1];
  if (v.dtype == DType::f32 && (by_head || v.dims == Dims{x.dims.back()})) return {};
  return want.fail("{} is {}, expected f32 {}{} (x is {})", name, text_of(v), text_of(Dims{x.dims.back()}),
                   rank >= 3 ? " or " + text_of(Dims{x.dims[rank - 2], x.dims[rank - 1]}) : "", text_of(x));
}

Result<std::vector<ValueInfo>> infer_norm(const char* op, const OpCall& c, size_t vectors) {
  const Want want(op, c);
  MAINSPRING_TRY(const ValueInfo* x, want.rows(0, "x", 1));
  if (vectors > 0) MAINSPRING_TRY_VOID(check_vector(want, 1, "weight", *x));
  if (vectors > 1) MAINSPRING_TRY_VOID(check_vector(want, 2, "bias", *x));
  MAINSPRING_TRY_VOID(want.number("eps", kEps, 0));
  return yields(x->dims);
}
Result<std::vector<ValueInfo>> infer_rms_norm(const OpCall& c) {
  auto y = infer_norm("rms_norm", c, 1);
  if (y) MAINSPRING_TRY_VOID(Want("rms_norm", c).maybe(2, "residual", (*y)[0].dims));
  return y;
}
Result<std::vector<ValueInfo>> infer_rms_norm_quant(const OpCall& c) { return then_quantised("rms_norm_quant", c, infer_norm("rms_norm_quant", c, 1)); }
Result<std::vector<ValueInfo>> infer_rms_norm_add_quant(const OpCall& c) {
  const char* op = "rms_norm_add_quant";
  const Want want(op, c);
  MAINSPRING_TRY(auto y, infer_norm(op, c, 1));
  if (!want.has(2)) return want.fail("residual is absent, expected it as x");
  MAINSPRING_TRY_VOID(want.maybe(2, "residual", y[0].dims));
  MAINSPRING_TRY_VOID(check_vector(want, 3, "next weight", y[0]));
  MAINSPRING_TRY_VOID(want.number("eps_next", kEps, 0));
  MAINSPRING_TRY(auto rows, then_quantised(op, c, y));
  return std::vector<ValueInfo>{y[0], rows[0]};
}
Result<std::vector<ValueInfo>> infer_layer_norm(const OpCall& c) { return infer_norm("layer_norm", c, 2); }
Result<std::vector<ValueInfo>> infer_l2_norm(const OpCall& c) { return infer_norm("l2_norm", c, 0); }
Result<std::vector<ValueInfo>> infer_softmax(const OpCall& c) { return infer_norm("softmax", c, 0); }

/// y = (x - shift) * factor * w + b by row; `measure(row, d)` gives {shift, factor}.
template <class Measure>
void normalise(const OpArgs& a, size_t vectors, Measure measure) {
  const Rows<float> x(a.in[0]), y(a.out[0]);
  const TensorView none;
  const TensorView& w = vectors > 0 ? a.in[1] : none;
  const TensorView& b = vectors > 1 ? a.in[2] : none;
  auto at = [&](const TensorView& v, int64_t r, int64_t i) {
    return static_cast<double>(Rows<float>(v)[v.shape.rank() == 2 ? r % v.shape[0] : 0][i]);
  };
  for (int64_t r = 0; r < x.count(); ++r) {
    const auto [shift, factor] = measure(x[r], x.length());
    for (int64_t i = 0; i < x.length(); ++i) {
      double v = (static_cast<double>(x[r][i]) - shift) * factor;
      if (w) v *= at(w, r, i);
      if (b) v += at(b, r, i);
      y[r][i] = static_cast<float>(v);
    }
  }
}

struct Moments {
  double shift, factor;
};

void reference_rms_alone(const OpArgs& a) {
  const double eps = a.attrs.f("eps", kEps);
  normalise(a, 1, [eps](const float* x, int64_t d) { return Moments{0, 1 / std::sqrt(dot(x, x, d) / static_cast<double>(d) + eps)}; });
}

void reference_rms_norm(const OpArgs& a) {
  reference_rms_alone(a);
  if (!a.in[2]) return;
  const Rows<float> y(a.out[0]), residual(a.in[2]);
  for (int64_t r = 0; r < y.count(); ++r)
    for (int64_t i = 0; i < y.length(); ++i) y[r][i] += residual[r][i];
}

void reference_rms_norm_quant(const OpArgs& a) { then_quantise(a, reference_rms_alone); }

void reference_rms_norm_add_quant(const OpArgs& a) {
  reference_rms_norm({a.in, a.out.first(1), a.attrs, a.step});
  Attrs next = a.attrs;
  next.set("eps", a.attrs.f("eps_next", kEps));
  const TensorView in[] = {a.out[0], a.in[3]};
  reference_rms_norm_quant({in, a.out.subspan(1), next, a.step});
}

void reference_layer_norm(const OpArgs& a) {
  const double eps = a.attrs.f("eps", kEps);
  normalise(a, 2, [eps](const float* x, int64_t d) {
    double mean = 0, var = 0;
    for (int64_t i = 0; i < d; ++i) mean += static_cast<double>(x[i]);
    mean /= static_cast<double>(d);
    for (int64_t i = 0; i < d; ++i) var += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
    return Moments{mean, 1 / std::sqrt(var / static_cast<double>(d) + eps)};
  });
}

void reference_l2_norm(const OpArgs& a) {
  const double eps = a.attrs.f("eps", kEps);
  normalise(a, 0, [eps](const float* x, int64_t d) { return Moments{0, 1 / std::max(std::sqrt(dot(x, x, d)), eps)}; });
}

void reference_softmax(const OpArgs& a) {
  const Rows<float> x(a.in[0]), y(a.out[0]);
  const int64_t d = x.length();
  std::vector<double> e(static_cast<size_t>(d));
  for (int64_t r = 0; r < x.count(); ++r) {
    const double top = static_cast<double>(*std::max_element(x[r], x[r] + d));
    double sum = 0;
    for (int64_t i = 0; i < d; ++i) sum += e[static_cast<size_t>(i)] = std::exp(static_cast<double>(x[r][i]) - top);
    for (int64_t i = 0; i < d; ++i) y[r][i] = static_cast<float>(e[static_cast<size_t>(i)] / sum);
  }
}

}  // namespace

constinit const OpDef op_rms_norm{.name = "rms_norm", .min_in = 1, .max_in = 3, .n_out = 1, .infer = infer_rms_norm, .reference = reference_rms_norm};
constinit const OpDef op_rms_norm_quant{
    .name = "rms_norm_quant", .min_in = 1, .max_in = 2, .n_out = 1, .infer = infer_rms_norm_quant, .reference = reference_rms_norm_quant};
constinit const OpDef op_rms_norm_add_quant{
    .name = "rms_norm_add_quant", .min_in = 3, .max_in = 4, .n_out = 2, .infer = infer_rms_norm_add_quant, .reference = reference_rms_norm_add_quant};
constinit const OpDef op_layer_norm{
    .name = "layer_norm", .min_in = 1, .max_in = 3, .n_out = 1, .infer = infer_layer_norm, .reference = reference_layer_norm};
constinit const OpDef op_l2_norm{.name = "l2_norm", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_l2_norm, .reference = reference_l2_norm};
constinit const OpDef op_softmax{.name = "softmax", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_softmax, .reference = reference_softmax};

}  // namespace mainspring::inline v0
