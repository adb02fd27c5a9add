// Parts of tensors, tensors of parts, and borders.
//   Slice (x, starts, ends, axes?, steps?)                Concat (x…) axis                Split (x, sizes?) axis = 0, num_outputs
//   Pad (x, pads, value?, axes?) mode = constant | reflect | edge | wrap                  CenterCropPad (x, shape) axes
// Negative pads take away. CenterCropPad is a Pad with zeros whose halves round towards less in front.
#include "ops/data/data.h"

namespace mainspring::inline v0 {
namespace {

// ---- Slice -----------------------------------------------------------------------------------------------------------------

struct Range {
  int64_t start, step, n;
};

/// Start and count of what start:end:step takes of n elements (numpy's rule). step != 0.
Range range_of(int64_t n, int64_t start, int64_t end, int64_t step) {
  if (n == 0) return {0, step, 0};
  step = std::clamp<int64_t>(step, -(int64_t{1} << 62), int64_t{1} << 62);
  if (start < 0) start += n;
  if (end < 0) end += n;
  const bool up = step > 0;
  start = std::clamp<int64_t>(start, 0, up ? n : n - 1);
  end = std::clamp<int64_t>(end, up ? 0 : -1, up ? n : n - 1);
  const int64_t length = up ? end - start : start - end, pace = up ? step : -step;
  return {start, step, length > 0 ? (length - 1) / pace + 1 : 0};
}

Result<std::vector<ValueInfo>> infer_slice(const OpCall& c) {
  constexpr const char* op = "Slice";
  constexpr const char* names[] = {"data", "starts", "ends", "axes", "steps"};
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "data"));
  std::optional<size_t> length;
  std::optional<std::vector<int64_t>> lists[5];
  for (size_t i = 1; i < 5; ++i) {
    if (i > 2 && !has(c, i)) continue;
    MAINSPRING_TRY(const ValueInfo* list, need_ints(op, c, i, names[i]));
    const auto n = length_of(*list);
    if (n && length && *n != *length) return invalid("Slice: {} {}, expected {}", *n, names[i], *length);
    if (n) length = n;
    lists[i] = ints_of(*list);
  }
  if (!x->ranked) return one(unranked(x->dtype));
  const size_t rank = x->dims.size();
  if (length && *length > rank) return invalid("Slice: {} axes of {}", *length, text_of(*x));
  if (!length || (has(c, 3) && !lists[3])) return one(of_rank(x->dtype, rank));  // any axis may be cut
  std::vector<size_t> axes(*length);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = i;
  if (lists[3]) { MAINSPRING_TRY(axes, axes_of(op, *lists[3], rank)); }
  Dims dims = x->dims;
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = dims[axes[i]];
    const int64_t step = !has(c, 4) ? 1 : lists[4] ? (*lists[4])[i] : 0;
    if (lists[4] && step == 0) return invalid("Slice: a step of 0");
    const bool known = lists[1] && lists[2] && step != 0;
    if (known && d.is_constant()) d = range_of(d.times, (*lists[1])[i], (*lists[2])[i], step).n;
    else if (!known || step != 1 || (*lists[1])[i] != 0 || (*lists[2])[i] < (int64_t{1} << 31) - 1) d = Dim::unknown();  // else all of it
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_slice(const OpArgs& a) {
  const Shape &x = a.in[0].shape, &y = a.out[0].shape;
  const auto from = strides_of(x), to = strides_of(y);
  std::vector<Axis> axes;
  for (size_t k = 0; k < to.size(); ++k) axes.push_back({y[static_cast<int>(k)], to[k], from[k]});
  const std::byte* data = a.in[0].data;
  for (int64_t i = 0, n = a.in[1].shape.elements(); i < n; ++i) {
    const int k = has(a, 3) ? axis_in(load_int(a.in[3], i), x.rank()) : static_cast<int>(i);
    const Range r = range_of(x[k], load_int(a.in[1], i), load_int(a.in[2], i), has(a, 4) ? load_int(a.in[4], i) : 1);
    if (r.n != y[k] || r.n == 0) return;  // nothing to take
    axes[static_cast<size_t>(k)].from *= r.n > 1 ? r.step : 1;
    data += r.start * from[static_cast<size_t>(k)] * bytes_of(a.in[0].dtype);
  }
  copy_strided(axes, bytes_of(a.in[0].dtype), a.out[0].data, data);
}

// ---- Concat, Split ---------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_concat(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* first, need("Concat", c, 0, "inputs"));
  ValueInfo out = *first;
  out.value = nullptr;
  std::vector<const ValueInfo*> all;
  for (size_t i = 0; i < c.in.size(); ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need_dtype("Concat", c, i, "inputs", first->dtype));
    all.push_back(x);
    if (x->ranked && !out.ranked) out = tensor_of(x->dtype, x->dims);
  }
  if (!out.ranked) return one(unranked(first->dtype));
  MAINSPRING_TRY(const size_t axis, axis_of("Concat", c.attrs.i("axis"), out.dims.size()));
  Dim sum = 0;
  for (const ValueInfo* x : all) {
    if (!x->ranked) {
      sum = Dim::unknown();
      continue;
    }
    if (x->dims.size() != out.dims.size()) return invalid("Concat: inputs are {} and {}, expected one rank", text_of(out), text_of(*x));
    sum = plus(sum, x->dims[axis]);
    for (size_t k = 0; k < out.dims.size(); ++k)
      if (k != axis) { MAINSPRING_TRY(out.dims[k], same_dim("Concat", "an extent", out.dims[k], x->dims[k])); }
  }
  out.dims[axis] = sum;
  return one(std::move(out));
}

/// Between a whole and its part at element `at` of the axis: outer to inner, target first.
std::vector<Axis> part_axes(const Shape& to, const Shape& from, int axis) {
  const Shape& part = to[axis] < from[axis] ? to : from;
  return {{count(part, 0, axis), count(to, axis, to.rank()), count(from, axis, from.rank())}, {count(part, axis, part.rank()), 1, 1}};
}

void reference_concat(const OpArgs& a) {
  const TensorView& y = a.out[0];
  const int axis = axis_in(a.attrs.i("axis"), y.shape.rank());
  std::byte* to = y.data;
  for (const TensorView& x : a.in) {
    copy_strided(part_axes(y.shape, x.shape, axis), bytes_of(y.dtype), to, x.data);
    to += count(x.shape, axis, x.shape.rank()) * bytes_of(y.dtype);
  }
}

Result<std::vector<ValueInfo>> infer_split(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Split", c, 0, "input"));
  std::optional<std::vector<int64_t>> sizes;
  size_t n = static_cast<size_t>(c.attrs.i("num_outputs", c.n_out));
  if (has(c, 1)) {
    MAINSPRING_TRY(const ValueInfo* list, need_ints("Split", c, 1, "split"));
    sizes = ints_of(*list);
    n = length_of(*list).value_or(static_cast<size_t>(c.n_out));
  }
  if (c.n_out != kVariadic && n != static_cast<size_t>(c.n_out)) return invalid("Split: {} parts, expected {} outputs", n, c.n_out);
  if (n < 1 || n >= static_cast<size_t>(kVariadic)) return invalid("Split: {} parts", n);
  if (!x->ranked) return std::vector<ValueInfo>(n, unranked(x->dtype));
  MAINSPRING_TRY(const size_t axis, axis_of("Split", c.attrs.i("axis"), x->dims.size()));
  const Dim whole = x->dims[axis];
  std::vector<ValueInfo> parts(n, tensor_of(x->dtype, x->dims));
  const auto pieces = static_cast<int64_t>(n);
  int64_t left = whole.times;
  for (size_t i = 0; i < n; ++i) {
    Dim& d = parts[i].dims[axis];
    d = Dim::unknown();
    if (sizes) d = (*sizes)[i];
    else if (!has(c, 1) && whole.is_constant()) d = std::min(left, ceil_div(whole.times, pieces));
    else if (!has(c, 1) && whole.is_known() && whole.times % pieces == 0) d = Dim(whole.times / pieces, whole.symbol);
    if (d.is_constant() && (d.times < 0 || (whole.is_constant() && d.times > left))) return invalid("Split: a part of {}, input is {}", d.times, text_of(*x));
    if (whole.is_constant()) left -= d.times;
  }
  if (sizes && whole.is_constant() && left != 0) return invalid("Split: {} of {} are in no part", left, whole.times);
  return parts;
}

void reference_split(const OpArgs& a) {
  const TensorView& x = a.in[0];
  const int axis = axis_in(a.attrs.i("axis"), x.shape.rank());
  const std::byte* from = x.data;
  for (const TensorView& y : a.out) {
    copy_strided(part_axes(y.shape, x.shape, axis), bytes_of(x.dtype), y.data, from);
    from += count(y.shape, axis, y.shape.rank()) * bytes_of(x.dtype);
  }
}

// ---- Pad, CenterCropPad ----------------------------------------------------------------------------------------------------

enum class Border { constant, reflect, edge, wrap };
constexpr std::string_view kBorders[] = {"constant", "reflect", "edge", "wrap"};

std::optional<Border> border_of(const Attrs& attrs) {
  const auto at = std::find(std::begin(kBorders), std::end(kBorders), attrs.s("mode", "constant"));
  return at == std::end(kBorders) ? std::nullopt : std::optional(static_cast<Border>(at - std::begin(kBorders)));
}

Result<std::vector<ValueInfo>> infer_pad(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Pad", c, 0, "data"));
  MAINSPRING_TRY(const ValueInfo* list, need_ints("Pad", c, 1, "pads"));
  const auto border = border_of(c.attrs);
  if (!border) return invalid("Pad: mode is '{}'", c.attrs.s("mode"));
  if (has(c, 2)) MAINSPRING_TRY_VOID(need_dtype("Pad", c, 2, "constant_value", x->dtype));
  if (has(c, 2) && all_constant(c.in[2]) && product(c.in[2].dims, 0, c.in[2].dims.size()) != Dim(1)) return invalid("Pad: constant_value is {}, expected one element", text_of(c.in[2]));
  std::optional<std::vector<int64_t>> wanted;
  if (has(c, 3)) {
    MAINSPRING_TRY(const ValueInfo* axes, need_ints("Pad", c, 3, "axes"));
    wanted = ints_of(*axes);
  }
  if (!x->ranked) return one(unranked(x->dtype));
  const auto pads = ints_of(*list);
  if (!pads || (has(c, 3) && !wanted)) return one(of_rank(x->dtype, x->dims.size()));
  std::vector<size_t> axes;
  if (wanted) { MAINSPRING_TRY(axes, axes_of("Pad", *wanted, x->dims.size())); }
  else
    for (size_t i = 0; i < x->dims.size(); ++i) axes.push_back(i);
  if (pads->size() != 2 * axes.size()) return invalid("Pad: {} pads, expected {}", pads->size(), 2 * axes.size());
  Dims dims = x->dims;
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = dims[axes[i]];
    const int64_t before = (*pads)[i], after = (*pads)[axes.size() + i];
    const auto both = checked_add(before, after), sum = both ? checked_add(*both, d.times) : std::nullopt;
    if (!both || (d.is_constant() && (!sum || *sum < 0))) return invalid("Pad: {} and {} around an extent of {}", before, after, d.times);
    if (*border != Border::constant && d.is_constant() && *sum > 0 && d.times + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0) < 1)
      return invalid("Pad: {} and {} around an extent of {} leave nothing to {}", before, after, d.times, kBorders[static_cast<int>(*border)]);
    if (d.is_constant()) d = *sum;
    else if (*both != 0) d = Dim::unknown();
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

/// One axis of a Pad: where an element of the output comes from.
struct PadAxis {
  int64_t before = 0, first = 0, last = 0;  // elements [first, last) of the operand are left
  Border border = Border::constant;

  /// Index in the operand, -1: filled.
  int64_t source(int64_t i) const {
    const int64_t at = i - before;
    if (at >= first && at < last) return at;
    const int64_t n = last - first;
    if (border == Border::constant || n <= 0) return -1;
    if (border == Border::edge) return std::clamp(at, first, last - 1);
    const int64_t period = border == Border::wrap ? n : std::max<int64_t>(2 * (n - 1), 1);
    const int64_t r = ((at - first) % period + period) % period;
    return first + std::min(r, border == Border::wrap ? r : period - r);  // reflected: 0 … n-1 … 1
  }
};

struct Padding {
  const TensorView &x, &y;
  std::vector<PadAxis> axes;
  std::byte fill[16] = {};

  void blank(std::byte* to, int64_t n) const {
    const int64_t element = bytes_of(y.dtype);
    for (int64_t i = 0; i < n; ++i) std::memcpy(to + i * element, fill, static_cast<size_t>(element));
  }
  /// Fills the part of y at `to` whose leading k indices are set, from x at `from`. As deep as there are axes.
  void run(size_t k, std::byte* to, const std::byte* from) const {
    const int64_t element = bytes_of(y.dtype);
    if (k == axes.size()) {
      std::memcpy(to, from, static_cast<size_t>(element));
      return;
    }
    const int axis = static_cast<int>(k), rank = y.shape.rank();
    const int64_t into = count(y.shape, axis + 1, rank), out_of = count(x.shape, axis + 1, rank) * element;
    const PadAxis& p = axes[k];
    for (int64_t i = 0; i < y.shape[axis]; ++i, to += into * element) {
      const int64_t s = p.source(i);
      if (s < 0) blank(to, into);
      else if (k + 1 < axes.size()) run(k + 1, to, from + s * out_of);
      else {
        const int64_t n = s == i - p.before ? std::min(p.last - s, y.shape[axis] - i) : 1;  // a run of the operand
        std::memcpy(to, from + s * element, static_cast<size_t>(n * element));
        i += n - 1;
        to += (n - 1) * element;
      }
    }
  }
};

void pad(const OpArgs& a, Padding p) {
  if (a.out[0].shape.elements() > 0) p.run(0, a.out[0].data, a.in[0].data);
}

void reference_pad(const OpArgs& a) {
  const Shape& x = a.in[0].shape;
  Padding p{a.in[0], a.out[0], std::vector<PadAxis>(static_cast<size_t>(x.rank()))};
  if (has(a, 2)) std::memcpy(p.fill, a.in[2].data, static_cast<size_t>(bytes_of(a.in[2].dtype)));
  for (int k = 0; k < x.rank(); ++k) p.axes[static_cast<size_t>(k)].last = x[k];
  const int64_t n = a.in[1].shape.elements() / 2;
  for (int64_t i = 0; i < n; ++i) {
    const int k = has(a, 3) ? axis_in(load_int(a.in[3], i), x.rank()) : static_cast<int>(i);
    const int64_t before = load_int(a.in[1], i), after = load_int(a.in[1], n + i);
    p.axes[static_cast<size_t>(k)] = {before, std::max<int64_t>(0, -before), x[k] + std::min<int64_t>(after, 0), border_of(a.attrs).value_or(Border::constant)};
  }
  pad(a, std::move(p));
}

Result<std::vector<ValueInfo>> infer_center(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("CenterCropPad", c, 0, "input_data"));
  MAINSPRING_TRY(const ValueInfo* list, need_ints("CenterCropPad", c, 1, "shape"));
  if (!x->ranked) return one(unranked(x->dtype));
  std::vector<size_t> axes;
  if (c.attrs.has("axes")) { MAINSPRING_TRY(axes, axes_of("CenterCropPad", c.attrs.is("axes"), x->dims.size())); }
  else
    for (size_t i = 0; i < x->dims.size(); ++i) axes.push_back(i);
  if (const auto n = length_of(*list); n && *n != axes.size()) return invalid("CenterCropPad: {} extents, expected {}", *n, axes.size());
  const auto wanted = ints_of(*list);
  Dims dims = x->dims;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (wanted && (*wanted)[i] < 0) return invalid("CenterCropPad: an extent of {}", (*wanted)[i]);
    dims[axes[i]] = wanted ? Dim((*wanted)[i]) : Dim::unknown();
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_center(const OpArgs& a) {
  const Shape &x = a.in[0].shape, &y = a.out[0].shape;
  Padding p{a.in[0], a.out[0], {}};
  for (int k = 0; k < x.rank(); ++k) p.axes.push_back({(y[k] - x[k]) / 2, 0, x[k]});
  pad(a, std::move(p));
}

}  // namespace

constinit const OpDef op_Slice{.name = "Slice", .min_in = 3, .max_in = 5, .n_out = 1, .infer = infer_slice, .reference = reference_slice};
constinit const OpDef op_Concat{.name = "Concat", .min_in = 1, .max_in = kVariadic, .n_out = 1, .infer = infer_concat, .reference = reference_concat};
constinit const OpDef op_Split{.name = "Split", .min_in = 1, .max_in = 2, .n_out = kVariadic, .infer = infer_split, .reference = reference_split};
constinit const OpDef op_Pad{.name = "Pad", .min_in = 2, .max_in = 4, .n_out = 1, .infer = infer_pad, .reference = reference_pad};
constinit const OpDef op_CenterCropPad{.name = "CenterCropPad", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_center, .reference = reference_center};

}  // namespace mainspring::inline v0
