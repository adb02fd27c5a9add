// Conv(x [N,C,D…], w [M,C/group,k…], b? [M]) -> y [N,M,…]          attrs auto_pad, dilations, group, kernel_shape, pads, strides
// ConvInteger(x, w, x_zero?, w_zero? one or [M]) -> i32             the same of integers less their zero points
// QLinearConv(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, b? i32 [M]) -> as y_zero      the same, scaled
// ConvTranspose(x [N,C,D…], w [C,M/group,k…], b? [M]) -> y [N,M,…]  attrs as Conv, output_padding, output_shape: each x is spread over a window of y
#include "ops/nn/conv.h"

#include "ops/nn/quantised.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

/// What of x and w both kinds of convolution ask for; nothing where ranks are not known yet.
struct Operands {
  const ValueInfo *x, *w;
  size_t axes = 0;
  bool ranked = false;
  int64_t group = 1;
};

Result<Operands> operands_of(const char* op, const OpCall& c, size_t x, size_t w) {
  Operands o;
  MAINSPRING_TRY(o.x, need_number(op, c, x, "x"));
  MAINSPRING_TRY(o.w, need_number(op, c, w, "w"));
  MAINSPRING_TRY_VOID(want_rank(op, *o.x, "x", 2));
  MAINSPRING_TRY_VOID(want_rank(op, *o.w, "w", 2));
  MAINSPRING_TRY(o.group, int_attr(op, c.attrs, "group", 1, 1, int64_t{1} << 40));
  if (!o.x->ranked && !o.w->ranked) return o;
  o.axes = (o.x->ranked ? o.x : o.w)->dims.size() - 2;
  o.ranked = true;
  if (o.x->ranked && o.w->ranked && o.x->dims.size() != o.w->dims.size()) return invalid("{}: w has rank {}, x {}", op, o.w->dims.size(), o.x->dims.size());
  const std::span<const int64_t> kernel = c.attrs.is("kernel_shape");
  if (!kernel.empty() && kernel.size() != o.axes) return invalid("{}: attribute kernel_shape has {} numbers, expected {}", op, kernel.size(), o.axes);
  for (size_t i = 0; i < kernel.size(); ++i) MAINSPRING_TRY_VOID(want_equal(op, "w's kernel", dim_of(*o.w, i + 2), kernel[i]));
  return o;
}

Dim kernel_of(const OpCall& c, const Operands& o, size_t axis) {
  const Dim d = dim_of(*o.w, axis + 2);
  const std::span<const int64_t> kernel = c.attrs.is("kernel_shape");
  return !d.is_constant() && axis < kernel.size() ? Dim(kernel[axis]) : d;
}

std::vector<int64_t> kernel_of(const Shape& w) {
  std::vector<int64_t> k;
  for (int i = 2; i < w.rank(); ++i) k.push_back(w[i]);
  return k;
}

// ---- Conv, ConvInteger, QLinearConv -----------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_Conv(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_float("Conv", c, 0, "x"));
  return infer_conv("Conv", c, 0, 1, 2, x->dtype);
}

void reference_Conv(const OpArgs& a) {
  std::vector<double> y = convolved(a.attrs, numbers_of(a.in[0]), a.in[0].shape, numbers_of(a.in[1]), a.in[1].shape);
  add_channel_bias(y, a.out[0].shape, numbers_of(a.in[2]));
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_ConvInteger(const OpCall& c) {
  MAINSPRING_TRY_VOID(need_int("ConvInteger", c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* w, need_int("ConvInteger", c, 1, "w"));
  MAINSPRING_TRY_VOID(want_one("ConvInteger", c, 2, "x_zero_point"));
  MAINSPRING_TRY_VOID(want_one("ConvInteger", c, 3, "w_zero_point", dim_of(*w, 0)));
  return infer_conv("ConvInteger", c, 0, 1, 0, DType::i32);
}

void reference_ConvInteger(const OpArgs& a) {
  put_numbers(a.out[0], convolved(a.attrs, centred(a.in[0], a.in[2]), a.in[0].shape, centred(a.in[1], a.in[3]), a.in[1].shape));
}

Result<std::vector<ValueInfo>> infer_QLinearConv(const OpCall& c) {
  const char* op = "QLinearConv";
  MAINSPRING_TRY_VOID(need_int(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_scale(op, c, 1, "x_scale"));
  MAINSPRING_TRY(const ValueInfo* w, need_int(op, c, 3, "w"));
  MAINSPRING_TRY_VOID(want_scale(op, c, 4, "w_scale", dim_of(*w, 0)));
  MAINSPRING_TRY_VOID(want_scale(op, c, 6, "y_scale"));
  MAINSPRING_TRY(const ValueInfo* zero, need_int(op, c, 7, "y_zero_point"));
  return infer_conv(op, c, 0, 3, 8, zero->dtype);
}

void reference_QLinearConv(const OpArgs& a) {
  std::vector<double> y = convolved(a.attrs, centred(a.in[0], a.in[2]), a.in[0].shape, centred(a.in[3], a.in[5]), a.in[3].shape);
  add_channel_bias(y, a.out[0].shape, numbers_of(a.in[8]));
  const std::vector<double> scales = numbers_of(a.in[4]);
  const double x_scale = load(a.in[1], 0);
  const Split p = split_at(a.out[0].shape, 1);
  for (size_t i = 0; i < y.size(); ++i) y[i] *= x_scale * scales[scales.size() > 1 ? i / at(p.inner) % at(p.axis) : 0];
  put_quantised(a.out[0], y, a.in[6], a.in[7]);
}

// ---- ConvTranspose ----------------------------------------------------------------------------------------------------------

std::optional<int64_t> nth(std::span<const int64_t> list, size_t i) { return i < list.size() ? std::optional(list[i]) : std::nullopt; }

Result<std::vector<ValueInfo>> infer_ConvTranspose(const OpCall& c) {
  const char* op = "ConvTranspose";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY(const Operands o, operands_of(op, c, 0, 1));
  if (!o.ranked) return one(unranked(x->dtype));
  MAINSPRING_TRY(const WindowSpec spec, window_spec(op, c.attrs, o.axes));
  MAINSPRING_TRY_VOID(want_equal(op, "w's first extent", dim_of(*o.w, 0), dim_of(*x, 1)));
  const Dim channels = dim_of(*o.w, 0), m = times(dim_of(*o.w, 1), o.group);
  if (channels.is_constant() && channels.times % o.group != 0) return invalid("{}: {} channels do not make {} groups", op, channels.times, o.group);
  MAINSPRING_TRY_VOID(want_dims(op, c, 2, "b", {m}));
  const std::span<const int64_t> padding = c.attrs.is("output_padding");
  std::span<const int64_t> wanted = c.attrs.is("output_shape");
  if (wanted.size() == o.axes + 2) wanted = wanted.subspan(2);  // some exporters write batch and channels too
  if (!padding.empty() && padding.size() != o.axes) return invalid("{}: attribute output_padding has {} numbers, expected {}", op, padding.size(), o.axes);
  if (!wanted.empty() && wanted.size() != o.axes) return invalid("{}: attribute output_shape has {} numbers, expected {}", op, wanted.size(), o.axes);
  Dims dims{dim_of(*x, 0), m};
  for (size_t i = 0; i < o.axes; ++i) {
    const int64_t extra = nth(padding, i).value_or(0);
    if (extra < 0 || extra > int64_t{1} << 30) return invalid("{}: attribute output_padding has {}", op, extra);
    MAINSPRING_TRY(const Dim d, transposed_extent(op, spec, i, dim_of(*x, i + 2), kernel_of(c, o, i), extra, nth(wanted, i)));
    dims.push_back(d);
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_ConvTranspose(const OpArgs& a) {
  const Shape &xs = a.in[0].shape, &ws = a.in[1].shape, &ys = a.out[0].shape;
  const auto spec = window_spec("ConvTranspose", a.attrs, at(xs.rank() - 2));
  if (!spec) return;
  std::span<const int64_t> wanted = a.attrs.is("output_shape");
  if (wanted.size() == spec->axes() + 2) wanted = wanted.subspan(2);
  std::vector<WindowAxis> axes;
  for (size_t i = 0; i < spec->axes(); ++i) {
    const int d = static_cast<int>(i) + 2;
    axes.push_back(transposed_axis(*spec, i, xs[d], ws[d], nth(a.attrs.is("output_padding"), i).value_or(0), nth(wanted, i)));
  }
  const WindowLines lines = lines_of(axes);
  const std::vector<double> x = numbers_of(a.in[0]), w = numbers_of(a.in[1]);
  std::vector<double> y(at(ys.elements()), 0.0);
  const int64_t group = a.attrs.i("group", 1), channels = xs[1] / group, m = ws[1];
  for (int64_t n = 0; n < xs[0]; ++n)
    for (int64_t ch = 0; ch < xs[1]; ++ch)
      for (int64_t i = 0; i < m; ++i) {
        const double* in = x.data() + (n * xs[1] + ch) * lines.out_plane;
        double* out = y.data() + (n * ys[1] + ch / channels * m + i) * lines.in_plane;
        const double* taps = w.data() + (ch * m + i) * lines.taps;
        for (const WindowLine& l : lines.lines) {
          const double t = taps[l.tap];
          for (int64_t e = 0; e < l.length; ++e) out[l.in + e * lines.step] += t * in[l.out + e];
        }
      }
  add_channel_bias(y, ys, numbers_of(a.in[2]));
  put_numbers(a.out[0], y);
}

}  // namespace

Result<std::vector<ValueInfo>> infer_conv(const char* op, const OpCall& c, size_t x, size_t w, size_t b, DType out) {
  MAINSPRING_TRY(const Operands o, operands_of(op, c, x, w));
  if (!o.ranked) return one(unranked(out));
  MAINSPRING_TRY(const WindowSpec spec, window_spec(op, c.attrs, o.axes));
  const Dim m = dim_of(*o.w, 0);
  MAINSPRING_TRY_VOID(want_equal(op, "channels of x", dim_of(*o.x, 1), times(dim_of(*o.w, 1), o.group)));
  if (m.is_constant() && m.times % o.group != 0) return invalid("{}: {} outputs do not make {} groups", op, m.times, o.group);
  if (b != 0) MAINSPRING_TRY_VOID(want_dims(op, c, b, "b", {m}));
  Dims dims{dim_of(*o.x, 0), m};
  for (size_t i = 0; i < o.axes; ++i) {
    MAINSPRING_TRY(const Dim d, window_extent(op, spec, i, dim_of(*o.x, i + 2), kernel_of(c, o, i)));
    dims.push_back(d);
  }
  return one(tensor_of(out, std::move(dims)));
}

std::vector<double> convolved(const Attrs& attrs, std::span<const double> x, const Shape& xs, std::span<const double> w, const Shape& ws) {
  const auto spec = window_spec("Conv", attrs, at(xs.rank() - 2));
  if (!spec) return {};
  const WindowLines lines = lines_of(window_axes(*spec, xs, kernel_of(ws)));
  const int64_t group = attrs.i("group", 1), m = ws[0] / group, channels = ws[1];
  std::vector<double> y(at(xs[0] * ws[0] * lines.out_plane), 0.0);
  for (int64_t n = 0; n < xs[0]; ++n)
    for (int64_t o = 0; o < ws[0]; ++o)
      for (int64_t ch = 0; ch < channels; ++ch) {
        const double* in = x.data() + (n * xs[1] + o / m * channels + ch) * lines.in_plane;
        const double* taps = w.data() + (o * channels + ch) * lines.taps;
        double* out = y.data() + (n * ws[0] + o) * lines.out_plane;
        for (const WindowLine& l : lines.lines) {
          const double t = taps[l.tap];
          if (lines.step == 1)
            for (int64_t e = 0; e < l.length; ++e) out[l.out + e] += t * in[l.in + e];
          else
            for (int64_t e = 0; e < l.length; ++e) out[l.out + e] += t * in[l.in + e * lines.step];
        }
      }
  return y;
}

void add_channel_bias(std::vector<double>& y, const Shape& shape, std::span<const double> b) {
  if (b.empty()) return;
  const Split p = split_at(shape, 1);
  for (int64_t r = 0; r < p.outer * p.axis; ++r)
    for (int64_t e = 0; e < p.inner; ++e) y[at(r * p.inner + e)] += b[at(r % p.axis)];
}

constinit const OpDef op_Conv{.name = "Conv", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_Conv, .reference = reference_Conv};
constinit const OpDef op_ConvInteger{.name = "ConvInteger", .min_in = 2, .max_in = 4, .n_out = 1, .infer = infer_ConvInteger, .reference = reference_ConvInteger};
constinit const OpDef op_QLinearConv{.name = "QLinearConv", .min_in = 8, .max_in = 9, .n_out = 1, .infer = infer_QLinearConv, .reference = reference_QLinearConv};
constinit const OpDef op_ConvTranspose{
    .name = "ConvTranspose", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_ConvTranspose, .reference = reference_ConvTranspose};

}  // namespace mainspring::inline v0
