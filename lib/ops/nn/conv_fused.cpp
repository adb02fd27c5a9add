// conv(x [n, spatial…, c], w [oc, c/group, k…], bias? [oc], add? as y) -> y [n, spatial'…, oc]
//   y = act(bias + add + Σ over taps and channels of w · x), channels last, 1 to 3 spatial axes.
//   attrs strides, dilations (1 each), pads (0 each; first those before, then those behind), group (1); act…: fused_act.h
//   spatial' = (spatial + pads - (dilation (k - 1) + 1)) / stride + 1
// conv_transpose(x [n, spatial…, c], w [c, oc/group, k…], bias?, add?) -> y
//   the same sum over the inputs whose taps reach an output. attrs as conv, output_padding (0 each)
//   spatial' = stride (spatial - 1) + output_padding + dilation (k - 1) + 1 - pads
#include "ops/nn/conv_fused.h"

#include "ops/fused_act.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kMostExtent = int64_t{1} << 31;

int64_t item(std::span<const int64_t> list, size_t i, int64_t otherwise) { return i < list.size() ? list[i] : otherwise; }

Result<int64_t> extent_of(const char* op, bool transposed, const ConvAxis& a, int64_t behind, int64_t extra) {
  const int64_t reach = a.dilation * (a.k - 1) + 1;
  const int64_t out = transposed ? a.stride * (a.in - 1) + extra + reach - a.pad - behind
                                 : (a.in + a.pad + behind < reach ? 0 : (a.in + a.pad + behind - reach) / a.stride + 1);
  if (out < 1 || out > kMostExtent)
    return invalid("{}: an axis of {} with kernel {}, stride {}, dilation {}, pads {} and {} has {} outputs", op, a.in, a.k, a.stride, a.dilation, a.pad, behind, out);
  return out;
}

Result<std::vector<ValueInfo>> infer(const char* op, bool transposed, const OpCall& c) {
  const Want want(op, c);
  for (size_t i = 0; i < c.in.size(); ++i)
    if (c.in[i].present && c.in[i].dtype != DType::f32) return want.fail("operand {} is {}, expected f32", i, name_of(c.in[i].dtype));
  if (!want.has(0) || !want.has(1)) return want.fail("x and w must be there");
  if (fused_act_of(c.attrs) == nullptr) return want.fail("activation '{}' is not known", c.attrs.s("act"));
  MAINSPRING_TRY(const ConvShape s, conv_shape(op, transposed, c.in[0].dims, c.in[1].dims, c.attrs));
  Dims y{c.in[0].dims[0]};
  for (size_t i = 3 - s.axes; i < 3; ++i) y.push_back(s.axis[i].out < 0 ? Dim::unknown() : Dim(s.axis[i].out));
  y.push_back(Dim(s.oc));
  MAINSPRING_TRY_VOID(want.maybe(2, "bias", {Dim(s.oc)}));
  ValueInfo out = tensor_of(DType::f32, y);
  if (want.has(3) && all_constant(out)) MAINSPRING_TRY_VOID(want.maybe(3, "add", y));
  return one(std::move(out));
}

/// Outputs one by one, as the equation says.
void reference(bool transposed, const OpArgs& a) {
  const auto dims_of_view = [](const TensorView& v) {
    Dims dims;
    for (const int64_t n : v.shape.dims()) dims.push_back(Dim(n));
    return dims;
  };
  const auto shape = conv_shape("conv", transposed, dims_of_view(a.in[0]), dims_of_view(a.in[1]), a.attrs);
  const FusedAct* act = fused_act_of(a.attrs);
  if (!shape || act == nullptr) return;  // infer has refused it
  const ConvShape& s = *shape;
  const TensorView &x = a.in[0], &y = a.out[0];
  const int64_t w_row = a.in[1].shape.elements() / a.in[1].shape[0];
  const auto w = [&v = a.in[1], w_row](int64_t i) { return static_cast<double>(v.as<const float>()[i / w_row * v.row_stride + i % w_row]); };
  const float* bias = has(a, 2) ? a.in[2].as<const float>() : nullptr;
  const double act_a = a.attrs.f("act_a", act->a), act_b = a.attrs.f("act_b", act->b);
  const bool act_first = a.attrs.i("act_first") != 0;
  const ConvAxis &D = s.axis[0], &H = s.axis[1], &W = s.axis[2];
  struct Tap { int64_t x, w; };
  std::vector<Tap> taps;
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t o = 0; o < D.out * H.out * W.out; ++o) {
      taps.clear();
      for (int64_t t = 0; t < s.taps(); ++t) {
        const int64_t d = D.source(transposed, o / (H.out * W.out), t / (H.k * W.k)), h = H.source(transposed, o / W.out % H.out, t / W.k % H.k),
                      i = W.source(transposed, o % W.out, t % W.k);
        if (d >= 0 && h >= 0 && i >= 0) taps.push_back({n * x.row_stride + ((d * H.in + h) * W.in + i) * s.c, t});
      }
      for (int64_t oc = 0; oc < s.oc; ++oc) {
        const int64_t g = oc / s.group_out();
        double sum = bias != nullptr ? static_cast<double>(bias[oc]) : 0;
        for (const Tap& t : taps)
          for (int64_t c = 0; c < s.group_in(); ++c)
            sum += static_cast<double>(x.as<const float>()[t.x + g * s.group_in() + c]) * w(s.weight(g, oc % s.group_out(), c, t.w));
        const double add = has(a, 3) ? static_cast<double>(a.in[3].as<const float>()[n * a.in[3].row_stride + o * s.oc + oc]) : 0;
        const double result = act_first ? act->apply(sum, act_a, act_b) + add : act->apply(sum + add, act_a, act_b);
        y.as<float>()[n * y.row_stride + o * s.oc + oc] = static_cast<float>(result);
      }
    }
  }
}

}  // namespace

Result<ConvShape> conv_shape(const char* op, bool transposed, const Dims& x, const Dims& w, const Attrs& attrs) {
  if (x.size() < 3 || x.size() > 5) return invalid("{}: x has rank {}, expected 3 to 5", op, x.size());
  if (w.size() != x.size()) return invalid("{}: w has rank {}, x has {}", op, w.size(), x.size());
  for (const Dim& d : w)
    if (!d.is_constant() || d.times < 1 || d.times > kMostExtent) return invalid("{}: w is {}, expected positive constants", op, text_of(w));
  for (const Dim& d : x)
    if (d.is_constant() && d.times > kMostExtent) return invalid("{}: x is {}", op, text_of(x));
  ConvShape s;
  s.transposed = transposed;
  s.axes = x.size() - 2;
  s.group = attrs.i("group", 1);
  s.c = w[transposed ? 0 : 1].times;
  s.oc = w[transposed ? 1 : 0].times;
  if (s.group < 1 || s.group > kMostExtent) return invalid("{}: group is {}", op, s.group);
  (transposed ? s.oc : s.c) *= s.group;
  if (s.c % s.group != 0 || s.oc % s.group != 0) return invalid("{}: {} groups of {} and {} channels", op, s.group, s.c, s.oc);
  if (x.back() != Dim(s.c)) return invalid("{}: x has {} channels, w expects {}", op, text_of({x.back()}), s.c);
  const auto strides = attrs.is("strides"), dilations = attrs.is("dilations"), pads = attrs.is("pads"), extra = attrs.is("output_padding");
  for (const auto list : {strides, dilations, pads, extra})
    for (const int64_t n : list)
      if (n < 0 || n > (int64_t{1} << 24)) return invalid("{}: {} among strides, dilations and pads", op, n);
  for (size_t i = 0; i < s.axes; ++i) {
    ConvAxis& a = s.axis[3 - s.axes + i];
    a.in = x[1 + i].is_constant() ? x[1 + i].times : -1;
    a.k = w[2 + i].times;
    a.stride = item(strides, i, 1), a.dilation = item(dilations, i, 1), a.pad = item(pads, i, 0);
    if (a.stride < 1 || a.dilation < 1) return invalid("{}: stride {}, dilation {}, expected positive numbers", op, a.stride, a.dilation);
    a.out = -1;
    if (a.in < 0) continue;
    MAINSPRING_TRY(a.out, extent_of(op, transposed, a, item(pads, s.axes + i, 0), item(extra, i, 0)));
  }
  return s;
}

constinit const OpDef op_conv{.name = "conv",
                              .min_in = 2,
                              .max_in = 4,
                              .n_out = 1,
                              .infer = [](const OpCall& c) { return infer("conv", false, c); },
                              .reference = [](const OpArgs& a) { reference(false, a); }};
constinit const OpDef op_conv_transpose{.name = "conv_transpose",
                                        .min_in = 2,
                                        .max_in = 4,
                                        .n_out = 1,
                                        .infer = [](const OpCall& c) { return infer("conv_transpose", true, c); },
                                        .reference = [](const OpArgs& a) { reference(true, a); }};

}  // namespace mainspring::inline v0
