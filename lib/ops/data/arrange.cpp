// Elements in another order, or again and again.
//   Transpose (x) perm = reversed                   Expand (x, shape): x broadcast with these extents     Tile (x, repeats)
//   DepthToSpace, SpaceToDepth (x [n, c, h, w]) blocksize, mode = DCR | CRD
//   ReverseSequence (x, lengths [batch]) time_axis = 0, batch_axis = 1: the first lengths[b] steps of sequence b in reverse
#include "ops/data/data.h"

namespace mainspring::inline v0 {
namespace {

Result<std::vector<ValueInfo>> infer_transpose(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Transpose", c, 0, "data"));
  const auto perm = c.attrs.is("perm");
  const bool given = c.attrs.has("perm");
  if (!x->ranked) return one(given ? of_rank(x->dtype, perm.size()) : unranked(x->dtype));
  Dims dims(x->dims.rbegin(), x->dims.rend());
  if (given) {
    if (perm.size() != dims.size()) return invalid("Transpose: {} axes are permuted, data is {}", perm.size(), text_of(*x));
    MAINSPRING_TRY(const auto axes, axes_of("Transpose", perm, dims.size()));
    for (size_t i = 0; i < dims.size(); ++i) dims[i] = x->dims[axes[i]];
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_transpose(const OpArgs& a) {
  const auto perm = a.attrs.is("perm");
  const auto from = strides_of(a.in[0].shape), to = strides_of(a.out[0].shape);
  std::vector<Axis> axes;
  for (size_t i = 0; i < to.size(); ++i) {
    const int p = a.attrs.has("perm") ? axis_in(perm[i], static_cast<int>(to.size())) : static_cast<int>(to.size() - 1 - i);
    axes.push_back({a.in[0].shape[p], to[i], from[static_cast<size_t>(p)]});
  }
  copy_strided(axes, bytes_of(a.in[0].dtype), a.out[0].data, a.in[0].data);
}

Result<std::vector<ValueInfo>> infer_expand(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Expand", c, 0, "input"));
  MAINSPRING_TRY(const ValueInfo* shape, need_ints("Expand", c, 1, "shape"));
  ValueInfo target;
  if (const auto wanted = ints_of(*shape)) {
    const auto dims = dims_of(*wanted);
    if (!dims) return invalid("Expand: shape is [{}]", fmt::join(*wanted, ", "));
    target = tensor_of(x->dtype, *dims);
  } else {
    MAINSPRING_TRY(target, of_length("Expand", x->dtype, *shape));
  }
  const ValueInfo both[] = {*x, target};
  MAINSPRING_TRY(ValueInfo v, broadcast("Expand", x->dtype, both));
  return one(std::move(v));
}

void reference_expand(const OpArgs& a) {
  const Shape &x = a.in[0].shape, &y = a.out[0].shape;
  const auto from = strides_of(x), to = strides_of(y);
  std::vector<Axis> axes;
  for (int i = 0, j = x.rank() - y.rank(); i < y.rank(); ++i, ++j)
    axes.push_back({y[i], to[static_cast<size_t>(i)], j < 0 || x[j] == 1 ? 0 : from[static_cast<size_t>(j)]});
  copy_strided(axes, bytes_of(a.in[0].dtype), a.out[0].data, a.in[0].data);
}

Result<std::vector<ValueInfo>> infer_tile(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Tile", c, 0, "input"));
  MAINSPRING_TRY(const ValueInfo* list, need_ints("Tile", c, 1, "repeats"));
  const auto repeats = ints_of(*list);
  if (x->ranked && length_of(*list) && *length_of(*list) != x->dims.size()) return invalid("Tile: {} repeats of {}", *length_of(*list), text_of(*x));
  if (!x->ranked) {
    MAINSPRING_TRY(ValueInfo v, of_length("Tile", x->dtype, *list));
    return one(std::move(v));
  }
  Dims dims(x->dims.size(), Dim::unknown());
  for (size_t i = 0; repeats && i < dims.size(); ++i) {
    const int64_t n = (*repeats)[i];
    if (n < 0 || (x->dims[i].is_constant() && !checked_mul(x->dims[i].times, n))) return invalid("Tile: {} repeats of an extent of {}", n, x->dims[i].times);
    dims[i] = times(x->dims[i], n);
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_tile(const OpArgs& a) {
  const Shape &x = a.in[0].shape, &y = a.out[0].shape;
  const auto from = strides_of(x), to = strides_of(y);
  std::vector<Axis> axes;
  for (int i = 0; i < x.rank(); ++i) {
    const auto k = static_cast<size_t>(i);
    axes.push_back({x[i] > 0 ? y[i] / x[i] : 0, to[k] * x[i], 0});
    axes.push_back({x[i], to[k], from[k]});
  }
  copy_strided(axes, bytes_of(a.in[0].dtype), a.out[0].data, a.in[0].data);
}

// DepthToSpace (deep -> flat) and SpaceToDepth are each other's inverse: the same axes, seen from the two sides.

template <bool kToSpace>
Result<std::vector<ValueInfo>> infer_blocks(const OpCall& c) {
  constexpr const char* op = kToSpace ? "DepthToSpace" : "SpaceToDepth";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "input"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "input", 4, 4));
  const int64_t b = c.attrs.i("blocksize");
  if (b < 1 || b > (int64_t{1} << 20)) return invalid("{}: blocksize is {}", op, b);
  const auto mode = c.attrs.s("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return invalid("{}: mode is '{}', expected DCR or CRD", op, mode);
  if (!x->ranked) return one(of_rank(x->dtype, 4));
  const auto divided = [&](Dim d, int64_t by) -> Result<Dim> {
    if (d.is_known() && d.times % by == 0) return Dim(d.times / by, d.symbol);
    if (d.is_constant()) return invalid("{}: input is {}, {} is no multiple of {}", op, text_of(*x), d.times, by);
    return Dim::unknown();
  };
  const Dims& d = x->dims;
  if constexpr (kToSpace) {
    MAINSPRING_TRY(const Dim depth, divided(d[1], b * b));
    return one(tensor_of(x->dtype, {d[0], depth, times(d[2], b), times(d[3], b)}));
  } else {
    MAINSPRING_TRY(const Dim h, divided(d[2], b));
    MAINSPRING_TRY(const Dim w, divided(d[3], b));
    return one(tensor_of(x->dtype, {d[0], times(d[1], b * b), h, w}));
  }
}

template <bool kToSpace>
void reference_blocks(const OpArgs& a) {
  const int64_t b = a.attrs.i("blocksize");
  const Shape& deep = kToSpace ? a.in[0].shape : a.out[0].shape;
  const int64_t c = deep[1] / (b * b), h = deep[2], w = deep[3];
  const bool dcr = a.attrs.s("mode", "DCR") == "DCR";
  const int64_t plane = h * w;                        // deep: [n, b, b, c, h, w] or [n, c, b, b, h, w]
  const int64_t channel = dcr ? plane : plane * b * b;
  const int64_t column = dcr ? plane * c : plane, row = column * b;
  const Axis deep_to_flat[] = {{deep[0], c * b * b * plane, c * b * b * plane}, {c, plane * b * b, channel}, {h, w * b * b, w}, {b, w * b, row}, {w, b, 1}, {b, 1, column}};
  std::vector<Axis> axes(std::begin(deep_to_flat), std::end(deep_to_flat));
  if (!kToSpace)
    for (Axis& x : axes) std::swap(x.to, x.from);
  copy_strided(axes, bytes_of(a.in[0].dtype), a.out[0].data, a.in[0].data);
}

Result<std::vector<ValueInfo>> infer_reverse(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("ReverseSequence", c, 0, "input"));
  MAINSPRING_TRY(const ValueInfo* lengths, need_ints("ReverseSequence", c, 1, "sequence_lens"));
  MAINSPRING_TRY_VOID(want_rank("ReverseSequence", *x, "input", 2));
  const int64_t time = c.attrs.i("time_axis"), batch = c.attrs.i("batch_axis", 1);
  if (time + batch != 1 || (time != 0 && time != 1)) return invalid("ReverseSequence: time_axis is {} and batch_axis {}, expected 0 and 1", time, batch);
  if (x->ranked && lengths->ranked) {
    if (lengths->dims.size() != 1) return invalid("ReverseSequence: sequence_lens is {}, expected one axis", text_of(*lengths));
    MAINSPRING_TRY_VOID(same_dim("ReverseSequence", "the batch", x->dims[static_cast<size_t>(batch)], lengths->dims[0]));
  }
  ValueInfo v = *x;
  v.value = nullptr;
  return one(std::move(v));
}

void reference_reverse(const OpArgs& a) {
  const Shape& s = a.in[0].shape;
  const int time = static_cast<int>(a.attrs.i("time_axis"));
  const int64_t inner = count(s, 2, s.rank()) * bytes_of(a.in[0].dtype);
  if (inner == 0) return;
  for (int64_t i = 0; i < s[0]; ++i)
    for (int64_t j = 0; j < s[1]; ++j) {
      const int64_t t = time == 0 ? i : j, n = std::min(load_int(a.in[1], time == 0 ? j : i), s[time]);
      const int64_t from = t < n ? n - 1 - t : t;
      std::memcpy(a.out[0].data + (i * s[1] + j) * inner, a.in[0].data + (time == 0 ? from * s[1] + j : i * s[1] + from) * inner, static_cast<size_t>(inner));
    }
}

}  // namespace

constinit const OpDef op_Transpose{.name = "Transpose", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_transpose, .reference = reference_transpose};
constinit const OpDef op_Expand{.name = "Expand", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_expand, .reference = reference_expand};
constinit const OpDef op_Tile{.name = "Tile", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_tile, .reference = reference_tile};
constinit const OpDef op_DepthToSpace{.name = "DepthToSpace", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_blocks<true>, .reference = reference_blocks<true>};
constinit const OpDef op_SpaceToDepth{.name = "SpaceToDepth", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_blocks<false>, .reference = reference_blocks<false>};
constinit const OpDef op_ReverseSequence{.name = "ReverseSequence", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_reverse, .reference = reference_reverse};

}  // namespace mainspring::inline v0
