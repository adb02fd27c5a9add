// Elements chosen by indices. A negative index counts from the end; in a reference, one outside gives zeros (an empty string).
//   Gather (x, indices) axis = 0 -> x's axis replaced by the extents of indices
//   GatherElements (x, indices) axis = 0 -> extents of indices: x at the index's own place, but along the axis where it says
//   GatherND (x, indices […, k]) batch_dims = 0: a k-tuple names a slice of x (behind the batch axes)
//   Compress (x, condition) axis?: the slices, or without an axis elements, where condition is true
//   OneHot (indices, depth, values [off, on]) axis = -1
#include "ops/data/index.h"

namespace mainspring::inline v0 {
namespace {

/// Bytes at an offset, or zeros where there is none.
void take(std::byte* to, const std::byte* from, int64_t offset, int64_t bytes) {
  if (bytes == 0) return;
  if (offset < 0) std::memset(to, 0, static_cast<size_t>(bytes));
  else std::memcpy(to, from + offset, static_cast<size_t>(bytes));
}

Result<std::vector<ValueInfo>> infer_gather(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Gather", c, 0, "data"));
  MAINSPRING_TRY(const ValueInfo* indices, need_ints("Gather", c, 1, "indices", false));
  if (!x->ranked) return one(unranked(x->dtype));
  MAINSPRING_TRY(const size_t axis, axis_of("Gather", c.attrs.i("axis"), x->dims.size()));
  MAINSPRING_TRY_VOID(check_indices("Gather", *indices, x->dims[axis]));
  if (!indices->ranked) return one(unranked(x->dtype));
  Dims dims(x->dims.begin(), x->dims.begin() + static_cast<ptrdiff_t>(axis));
  dims.insert(dims.end(), indices->dims.begin(), indices->dims.end());
  dims.insert(dims.end(), x->dims.begin() + static_cast<ptrdiff_t>(axis) + 1, x->dims.end());
  MAINSPRING_TRY(ValueInfo v, bounded("Gather", x->dtype, std::move(dims)));
  return one(std::move(v));
}

void reference_gather(const OpArgs& a) {
  const Shape& s = a.in[0].shape;
  const int axis = axis_in(a.attrs.i("axis"), s.rank());
  const int64_t n = s[axis], slice = count(s, axis + 1, s.rank()) * bytes_of(a.in[0].dtype), wanted = a.in[1].shape.elements();
  std::byte* to = a.out[0].data;
  for (int64_t o = 0, outer = count(s, 0, axis); o < outer; ++o)
    for (int64_t i = 0; i < wanted; ++i, to += slice) {
      const int64_t at = wrapped(load_int(a.in[1], i), n);
      take(to, a.in[0].data, at < 0 ? -1 : (o * n + at) * slice, slice);
    }
}

Result<std::vector<ValueInfo>> infer_elements(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("GatherElements", c, 0, "data"));
  MAINSPRING_TRY(const ValueInfo* indices, need_ints("GatherElements", c, 1, "indices", false));
  MAINSPRING_TRY_VOID(check_element_indices("GatherElements", *x, *indices, c.attrs.i("axis")));
  ValueInfo v = indices->ranked ? tensor_of(x->dtype, indices->dims) : unranked(x->dtype);
  return one(std::move(v));
}

void reference_elements(const OpArgs& a) {
  const int64_t element = bytes_of(a.in[0].dtype);
  for (ElementPlaces place(a.in[0].shape, a.in[1], a.attrs.i("axis")); !place.done(); place.next()) {
    const int64_t at = place.at();
    take(a.out[0].data + place.i() * element, a.in[0].data, at < 0 ? -1 : at * element, element);
  }
}

Result<std::vector<ValueInfo>> infer_nd(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("GatherND", c, 0, "data"));
  MAINSPRING_TRY(const ValueInfo* indices, need_ints("GatherND", c, 1, "indices", false));
  MAINSPRING_TRY(const auto k, tuple_length("GatherND", *x, *indices, c.attrs.i("batch_dims")));
  if (!k) return one(unranked(x->dtype));
  Dims dims(indices->dims.begin(), indices->dims.end() - 1);
  const auto batch = static_cast<size_t>(c.attrs.i("batch_dims"));
  for (size_t i = 0; i < batch; ++i) { MAINSPRING_TRY(dims[i], same_dim("GatherND", "a batch extent", x->dims[i], indices->dims[i])); }
  dims.insert(dims.end(), x->dims.begin() + static_cast<ptrdiff_t>(batch + *k), x->dims.end());
  MAINSPRING_TRY(ValueInfo v, bounded("GatherND", x->dtype, std::move(dims)));
  return one(std::move(v));
}

void reference_nd(const OpArgs& a) {
  const SlicePlaces places(a.in[0].shape, a.in[1], static_cast<int>(a.attrs.i("batch_dims")));
  const int64_t element = bytes_of(a.in[0].dtype), bytes = places.slice() * element;
  for (int64_t i = 0; i < places.n(); ++i) {
    const int64_t at = places.at(i);
    take(a.out[0].data + i * bytes, a.in[0].data, at < 0 ? -1 : at * element, bytes);
  }
}

Result<std::vector<ValueInfo>> infer_compress(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Compress", c, 0, "input"));
  MAINSPRING_TRY(const ValueInfo* condition, need_dtype("Compress", c, 1, "condition", DType::boolean));
  MAINSPRING_TRY_VOID(want_rank("Compress", *condition, "condition", 1, 1));
  Dim n = Dim::unknown();
  ValueInfo v = tensor_of(x->dtype, {n});
  Dim extent = x->ranked ? product(x->dims, 0, x->dims.size()) : Dim::unknown();
  size_t axis = 0;
  if (c.attrs.has("axis")) {
    if (!x->ranked) return one(unranked(x->dtype));
    MAINSPRING_TRY(axis, axis_of("Compress", c.attrs.i("axis"), x->dims.size()));
    v.dims = x->dims;
    extent = x->dims[axis];
  }
  if (const auto known = ints_of(*condition)) {
    if (extent.is_constant() && static_cast<int64_t>(known->size()) > extent.times) return invalid("Compress: {} conditions of {}", known->size(), extent.times);
    n = std::count(known->begin(), known->end(), 1);
  }
  v.dims[axis] = n;
  return one(std::move(v));
}

void reference_compress(const OpArgs& a) {
  const Shape& s = a.in[0].shape;
  const bool flat = !a.attrs.has("axis");
  const int axis = flat ? 0 : axis_in(a.attrs.i("axis"), s.rank());
  const int64_t n = flat ? s.elements() : s[axis], outer = flat ? 1 : count(s, 0, axis);
  const int64_t slice = (flat ? 1 : count(s, axis + 1, s.rank())) * bytes_of(a.in[0].dtype);
  std::byte* to = a.out[0].data;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < std::min(n, a.in[1].shape.elements()); ++i)
      if (load_int(a.in[1], i) != 0) {
        take(to, a.in[0].data, (o * n + i) * slice, slice);
        to += slice;
      }
}

Result<std::vector<ValueInfo>> infer_one_hot(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* indices, need("OneHot", c, 0, "indices"));
  MAINSPRING_TRY(const ValueInfo* depth, need("OneHot", c, 1, "depth"));
  MAINSPRING_TRY(const ValueInfo* values, need("OneHot", c, 2, "values"));
  for (const ValueInfo* v : {indices, depth})
    if (!is_int(v->dtype) && !is_float(v->dtype)) return invalid("OneHot: indices or depth is {}, expected numbers", text_of(*v));
  MAINSPRING_TRY_VOID(want_rank("OneHot", *depth, "depth", 0, 1));
  MAINSPRING_TRY_VOID(want_rank("OneHot", *values, "values", 1, 1));
  if (values->ranked) MAINSPRING_TRY_VOID(same_dim("OneHot", "the number of values", values->dims[0], 2));
  Dim classes = Dim::unknown();
  if (const auto known = numbers_of(*depth)) {
    if (known->size() != 1 || !((*known)[0] >= 0 && (*known)[0] < 0x1p62)) return invalid("OneHot: depth is [{}], expected one number of classes", fmt::join(*known, ", "));
    classes = static_cast<int64_t>((*known)[0]);
  }
  if (!indices->ranked) return one(unranked(values->dtype));
  Dims dims = indices->dims;
  MAINSPRING_TRY(const size_t axis, axis_of("OneHot", c.attrs.i("axis", -1), dims.size() + 1));
  dims.insert(dims.begin() + static_cast<ptrdiff_t>(axis), classes);
  MAINSPRING_TRY(ValueInfo v, bounded("OneHot", values->dtype, std::move(dims)));
  return one(std::move(v));
}

void reference_one_hot(const OpArgs& a) {
  const TensorView &y = a.out[0], &values = a.in[2];
  const int axis = axis_in(a.attrs.i("axis", -1), y.shape.rank());
  const int64_t outer = count(y.shape, 0, axis), depth = y.shape[axis], inner = count(y.shape, axis + 1, y.shape.rank()), element = bytes_of(y.dtype);
  copy_strided({{y.shape.elements(), 1, 0}}, element, y.data, values.data);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i)
      if (const int64_t at = wrapped(load_int(a.in[0], o * inner + i), depth); at >= 0)
        std::memcpy(y.data + ((o * depth + at) * inner + i) * element, values.data + element, static_cast<size_t>(element));
}

}  // namespace

constinit const OpDef op_Gather{.name = "Gather", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_gather, .reference = reference_gather};
constinit const OpDef op_GatherElements{.name = "GatherElements", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_elements, .reference = reference_elements};
constinit const OpDef op_GatherND{.name = "GatherND", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_nd, .reference = reference_nd};
constinit const OpDef op_Compress{.name = "Compress", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_compress, .reference = reference_compress};
constinit const OpDef op_OneHot{.name = "OneHot", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_one_hot, .reference = reference_one_hot};

}  // namespace mainspring::inline v0
