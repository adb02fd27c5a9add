// AveragePool(x [N,C,D…]) -> y [N,C,places…]     attrs as MaxPool, count_include_pad: mean over the window's elements (padding counts as zeros, or not at all)
// MaxPool(x) -> y, indices? i64                  attrs auto_pad, ceil_mode, dilations, kernel_shape, pads, strides, storage_order (of indices: 1 column-major)
// LpPool(x) -> y                                 the same, p (2): (Σ |x|^p)^(1/p)
// GlobalAveragePool, GlobalMaxPool, GlobalLpPool(x [N,C,D…]) -> [N,C,1…]
// MaxUnpool(x, indices i64, output_shape?) -> y  attrs kernel_shape, pads, strides: zeros, and x at the indices
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/nn/pool.h"
#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

template <class F>
Result<std::vector<ValueInfo>> infer_float_pool(const char* op, const OpCall& c, F infer) {
  MAINSPRING_TRY_VOID(need_float(op, c, 0, "x"));
  MAINSPRING_TRY(ValueInfo y, infer(op, c));
  return one(std::move(y));
}

std::vector<WindowAxis> axes_of(const Attrs& attrs, const Shape& x) {
  const auto spec = window_spec("pool", attrs, at(x.rank() - 2));
  return spec ? window_axes(*spec, x, attrs.is("kernel_shape")) : std::vector<WindowAxis>();
}

/// Folds each plane: to[place] = add(to[place], x, element's index in the plane) over the window, from `start`; then finish(plane of places, first place).
template <class Add, class Finish>
std::vector<double> pooled(const Attrs& attrs, std::span<const double> x, const Shape& xs, double start, Add add, Finish finish) {
  const WindowLines lines = lines_of(axes_of(attrs, xs));
  std::vector<double> y(at(xs[0] * xs[1] * lines.out_plane), start);
  for (int64_t p = 0; p < xs[0] * xs[1]; ++p) {
    const double* in = x.data() + p * lines.in_plane;
    double* out = y.data() + p * lines.out_plane;
    for (const WindowLine& l : lines.lines)
      for (int64_t e = 0; e < l.length; ++e) add(out[l.out + e], in[l.in + e * lines.step], p * lines.out_plane + l.out + e, p * lines.in_plane + l.in + e * lines.step);
    finish(out, lines.out_plane);
  }
  return y;
}

template <class Add, class Finish>
void pool(const OpArgs& a, double start, Add add, Finish finish) {
  put_numbers(a.out[0], pooled(a.attrs, numbers_of(a.in[0]), a.in[0].shape, start, add, finish));
}

/// For each place, how many elements its window has: inside the image, or inside the padded image.
std::vector<double> window_sizes(std::span<const WindowAxis> axes, bool padded) {
  std::vector<double> sizes{1};
  for (const WindowAxis& w : axes) {
    std::vector<double> next;
    for (const double s : sizes)
      for (int64_t o = 0; o < w.out; ++o) {
        const int64_t least = padded ? -w.begin : 0, most = w.in + (padded ? w.end : 0);
        const int64_t first = std::clamp<int64_t>((least - w.first(o) + w.dilation - 1) / w.dilation, 0, w.kernel);
        const int64_t last = most <= w.first(o) ? 0 : std::clamp<int64_t>((most - w.first(o) + w.dilation - 1) / w.dilation, 0, w.kernel);
        next.push_back(s * static_cast<double>(std::max<int64_t>(last - first, 0)));
      }
    sizes = std::move(next);
  }
  return sizes;
}

Result<std::vector<ValueInfo>> infer_AveragePool(const OpCall& c) { return infer_float_pool("AveragePool", c, infer_pool); }

void reference_AveragePool(const OpArgs& a) { put_numbers(a.out[0], average_pooled(a.attrs, numbers_of(a.in[0]), a.in[0].shape)); }

Result<std::vector<ValueInfo>> infer_MaxPool(const OpCall& c) {
  MAINSPRING_TRY(ValueInfo y, infer_pool("MaxPool", c));
  ValueInfo indices = y;
  indices.dtype = DType::i64;
  return first_outputs(c, {std::move(y), std::move(indices)});
}

void reference_MaxPool(const OpArgs& a) {
  const double least = -std::numeric_limits<double>::infinity();
  std::vector<int64_t> best(wanted(a, 1) ? at(a.out[1].shape.elements()) : 0, 0);
  const auto larger = [](double x, double than) { return x > than || (x != x && than == than); };
  if (best.empty()) return pool(a, least, [&](double& to, double x, int64_t, int64_t) { to = larger(x, to) ? x : to; }, [](double*, int64_t) {});
  std::vector<uint8_t> seen(best.size(), 0);  // a window of -inf has an index too
  pool(a, least,
       [&](double& to, double x, int64_t place, int64_t element) {
         if (seen[at(place)] && !larger(x, to)) return;
         seen[at(place)] = 1, to = x, best[at(place)] = element;
       },
       [](double*, int64_t) {});
  const Shape& s = a.in[0].shape;
  for (size_t i = 0; i < best.size(); ++i) {
    int64_t index = best[i];
    if (a.attrs.i("storage_order") == 1) {  // the place inside the plane, counted with the first axis fastest
      int64_t in_plane = 0, scale = 1, rest = index, plane = 1;
      std::vector<int64_t> at_axis(at(s.rank()));
      for (int d = s.rank() - 1; d >= 2; --d) at_axis[at(d)] = rest % s[d], rest /= s[d], plane *= s[d];
      for (int d = 2; d < s.rank(); ++d) in_plane += at_axis[at(d)] * scale, scale *= s[d];
      index = rest * plane + in_plane;
    }
    store_int(DType::i64, a.out[1].data, static_cast<int64_t>(i), index);
  }
}

Result<std::vector<ValueInfo>> infer_LpPool(const OpCall& c) { return infer_float_pool("LpPool", c, infer_pool); }

/// |x|^p, summed; then the root.
struct Norm {
  double p;
  double term(double x) const { return p == 2 ? x * x : p == 1 ? std::fabs(x) : std::pow(std::fabs(x), p); }
  double root(double sum) const { return p == 2 ? std::sqrt(sum) : p == 1 ? sum : std::pow(sum, 1 / p); }
};

void reference_LpPool(const OpArgs& a) {
  const Norm norm{static_cast<double>(a.attrs.i("p", 2))};
  pool(a, 0, [&](double& to, double x, int64_t, int64_t) { to += norm.term(x); },
       [&](double* y, int64_t n) {
         for (int64_t i = 0; i < n; ++i) y[i] = norm.root(y[i]);
       });
}

// ---- Global… ----------------------------------------------------------------------------------------------------------------

Result<ValueInfo> infer_global(const char* op, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 2));
  ValueInfo y = *x;
  y.value = nullptr;
  for (size_t i = 2; i < y.dims.size(); ++i) y.dims[i] = 1;
  return y;
}

template <class F>
void global(const OpArgs& a, F of_plane) {
  const std::vector<double> x = numbers_of(a.in[0]);
  const int64_t planes = a.out[0].shape.elements(), n = planes ? a.in[0].shape.elements() / planes : 0;
  for (int64_t p = 0; p < planes; ++p) store(a.out[0], p, of_plane(std::span(x).subspan(at(p * n), at(n))));
}

Result<std::vector<ValueInfo>> infer_GlobalAveragePool(const OpCall& c) { return infer_float_pool("GlobalAveragePool", c, infer_global); }
void reference_GlobalAveragePool(const OpArgs& a) {
  global(a, [](std::span<const double> x) {
    double sum = 0;
    for (const double v : x) sum += v;
    return sum / static_cast<double>(x.size());
  });
}

Result<std::vector<ValueInfo>> infer_GlobalMaxPool(const OpCall& c) { return infer_float_pool("GlobalMaxPool", c, infer_global); }
void reference_GlobalMaxPool(const OpArgs& a) {
  global(a, [](std::span<const double> x) {
    double most = -std::numeric_limits<double>::infinity();
    for (const double v : x) most = v > most || v != v ? v : most;
    return most;
  });
}

Result<std::vector<ValueInfo>> infer_GlobalLpPool(const OpCall& c) { return infer_float_pool("GlobalLpPool", c, infer_global); }
void reference_GlobalLpPool(const OpArgs& a) {
  const Norm norm{static_cast<double>(a.attrs.i("p", 2))};
  global(a, [&](std::span<const double> x) {
    double sum = 0;
    for (const double v : x) sum += norm.term(v);
    return norm.root(sum);
  });
}

// ---- MaxUnpool --------------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_MaxUnpool(const OpCall& c) {
  const char* op = "MaxUnpool";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 3));
  MAINSPRING_TRY_VOID(need_int(op, c, 1, "indices"));
  if (x->ranked) MAINSPRING_TRY_VOID(want_dims(op, c, 1, "indices", x->dims));
  if (has(c, 2)) {
    const auto shape = ints_of(c.in[2]);
    if (!shape) return one(x->ranked ? of_rank(x->dtype, x->dims.size()) : unranked(x->dtype));
    const auto dims = dims_of(*shape);
    if (!dims || (x->ranked && dims->size() != x->dims.size())) return invalid("{}: output_shape has {} extents, x is {}", op, shape->size(), text_of(*x));
    return one(tensor_of(x->dtype, *dims));
  }
  if (!x->ranked) return one(unranked(x->dtype));
  const std::span<const int64_t> kernel = c.attrs.is("kernel_shape");
  if (kernel.size() + 2 != x->dims.size()) return invalid("{}: attribute kernel_shape has {} numbers, x is {}", op, kernel.size(), text_of(*x));
  MAINSPRING_TRY(const WindowSpec spec, window_spec(op, c.attrs, kernel.size()));
  Dims dims{x->dims[0], x->dims[1]};
  for (size_t i = 0; i < kernel.size(); ++i) {
    MAINSPRING_TRY(const Dim d, transposed_extent(op, spec, i, x->dims[i + 2], kernel[i], 0, {}));
    dims.push_back(d);
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_MaxUnpool(const OpArgs& a) {
  // Indices count elements of what was pooled, whose extents are those without output_shape; where output_shape is larger, they are set into it.
  const Shape &ys = a.out[0].shape, &xs = a.in[0].shape;
  std::vector<double> y(at(ys.elements()), 0.0);
  Shape from = ys;
  if (has(a, 2))
    if (const auto spec = window_spec("MaxUnpool", a.attrs, at(xs.rank() - 2)))
      for (size_t i = 0; i < spec->axes(); ++i) {
        const int d = static_cast<int>(i) + 2;
        from[d] = transposed_axis(*spec, i, xs[d], a.attrs.is("kernel_shape")[i], 0, {}).in;
      }
  for (int64_t i = 0; i < xs.elements(); ++i) {
    int64_t index = load_int(a.in[1], i), to = 0, scale = 1;
    bool inside = index >= 0;
    for (int d = ys.rank() - 1; d >= 0 && inside; --d) {
      if (from[d] < 1) inside = false;
      else {
        const int64_t at_axis = index % from[d];
        index /= from[d];
        inside = at_axis < ys[d];
        to += at_axis * scale, scale *= ys[d];
      }
    }
    if (inside && index == 0) y[at(to)] = load(a.in[0], i);
  }
  put_numbers(a.out[0], y);
}

}  // namespace

Result<ValueInfo> infer_pool(const char* op, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need_number(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 2));
  const std::span<const int64_t> kernel = c.attrs.is("kernel_shape");
  if (x->ranked && kernel.size() + 2 != x->dims.size()) return invalid("{}: attribute kernel_shape has {} numbers, x is {}", op, kernel.size(), text_of(*x));
  MAINSPRING_TRY(const WindowSpec spec, window_spec(op, c.attrs, kernel.size()));
  Dims dims{dim_of(*x, 0), dim_of(*x, 1)};
  for (size_t i = 0; i < kernel.size(); ++i) {
    MAINSPRING_TRY(const Dim d, window_extent(op, spec, i, dim_of(*x, i + 2), kernel[i]));
    dims.push_back(d);
  }
  return tensor_of(x->dtype, std::move(dims));
}

std::vector<double> average_pooled(const Attrs& attrs, std::span<const double> x, const Shape& xs) {
  const std::vector<double> sizes = window_sizes(axes_of(attrs, xs), attrs.i("count_include_pad") != 0);
  return pooled(attrs, x, xs, 0, [](double& to, double v, int64_t, int64_t) { to += v; },
                [&](double* y, int64_t n) {
                  for (int64_t i = 0; i < n; ++i) y[i] /= sizes[at(i)];
                });
}

constinit const OpDef op_AveragePool{.name = "AveragePool", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_AveragePool, .reference = reference_AveragePool};
constinit const OpDef op_MaxPool{.name = "MaxPool", .min_in = 1, .max_in = 1, .n_out = 2, .infer = infer_MaxPool, .reference = reference_MaxPool};
constinit const OpDef op_LpPool{.name = "LpPool", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_LpPool, .reference = reference_LpPool};
constinit const OpDef op_GlobalAveragePool{
    .name = "GlobalAveragePool", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_GlobalAveragePool, .reference = reference_GlobalAveragePool};
constinit const OpDef op_GlobalMaxPool{.name = "GlobalMaxPool", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_GlobalMaxPool, .reference = reference_GlobalMaxPool};
constinit const OpDef op_GlobalLpPool{.name = "GlobalLpPool", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_GlobalLpPool, .reference = reference_GlobalLpPool};
constinit const OpDef op_MaxUnpool{.name = "MaxUnpool", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_MaxUnpool, .reference = reference_MaxUnpool};

}  // namespace mainspring::inline v0
