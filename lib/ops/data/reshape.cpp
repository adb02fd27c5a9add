// The same elements under other extents, and what tells of extents.
//   Identity (x) -> x, a sequence or an optional too      Reshape (x, shape) allowzero      Flatten (x) axis = 1 -> [before, from axis]
//   Squeeze (x, axes?)   Unsqueeze (x, axes)              Shape (x) start = 0, end -> i64 [rank]   Size (x) -> i64 scalar
// Shape and Size look at no element: their operand's data may be null.
#include <limits>

#include "ops/data/data.h"

namespace mainspring::inline v0 {
namespace {

void copy(const OpArgs& a) { copy_all(a.in[0], a.out[0]); }

Result<std::vector<ValueInfo>> infer_identity(const OpCall& c) {
  if (!has(c, 0)) return invalid("Identity: x is absent");  // not need(): sequences and optionals pass too
  ValueInfo v = c.in[0];
  v.value = nullptr;
  return one(std::move(v));
}

Result<void> pass_on(DynamicCall& c) {
  c.out[0] = c.in[0];
  return {};
}

/// The extent for -1: what the operand's extents give, divided by the other ones wanted.
Result<Dim> rest_of(Dim total, int64_t others) {
  if (!total.is_known()) return total;
  if (others == 0 ? total.times == 0 : total.times % others == 0) return total.times == 0 ? Dim(0) : Dim(total.times / others, total.symbol);
  if (!total.is_constant()) return Dim::unknown();
  return invalid("Reshape: {} elements do not divide into {}", total.times, others);
}

Result<std::vector<ValueInfo>> infer_reshape(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Reshape", c, 0, "data"));
  MAINSPRING_TRY(const ValueInfo* shape, need_ints("Reshape", c, 1, "shape"));
  const auto wanted = ints_of(*shape);
  if (!wanted) {
    MAINSPRING_TRY(ValueInfo v, of_length("Reshape", x->dtype, *shape));
    return one(std::move(v));
  }
  const bool zeros = c.attrs.i("allowzero") != 0;
  Dims dims, left = x->dims;  // left: what -1 shares with the numbers
  size_t hole = wanted->size();
  int64_t others = 1;
  for (size_t i = 0; i < wanted->size(); ++i) {
    const int64_t n = (*wanted)[i];
    if (n < -1) return invalid("Reshape: extent {} is {}", i, n);
    if (n == -1 && hole != wanted->size()) return invalid("Reshape: -1 stands twice");
    if (n == -1) hole = i;
    if (n == 0 && !zeros) {
      if (x->ranked && i >= x->dims.size()) return invalid("Reshape: extent {} is to be kept, data is {}", i, text_of(*x));
      dims.push_back(x->ranked ? x->dims[i] : Dim::unknown());
      if (x->ranked) left[i] = 1;
      continue;
    }
    if (n >= 0 && __builtin_mul_overflow(others, n, &others)) return invalid("Reshape: the shape's number of elements overflows");
    dims.push_back(n >= 0 ? Dim(n) : Dim::unknown());
  }
  const Dim total = x->ranked ? product(left, 0, left.size()) : Dim::unknown();
  if (hole == wanted->size()) {
    if (total.is_constant() && total.times != others) return invalid("Reshape: data is {}, expected {} elements", text_of(*x), others);
  } else {
    if (zeros && others == 0) return invalid("Reshape: -1 beside an extent of 0 that is meant");
    MAINSPRING_TRY(dims[hole], rest_of(total, others));
  }
  MAINSPRING_TRY(ValueInfo v, bounded("Reshape", x->dtype, std::move(dims)));
  return one(std::move(v));
}

Result<std::vector<ValueInfo>> infer_flatten(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Flatten", c, 0, "input"));
  if (!x->ranked) return one(of_rank(x->dtype, 2));
  const auto rank = static_cast<int64_t>(x->dims.size());
  const int64_t axis = c.attrs.i("axis", 1);
  if (axis < -rank || axis > rank) return invalid("Flatten: axis {} of a tensor of rank {}", axis, rank);
  const auto at = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  return one(tensor_of(x->dtype, {product(x->dims, 0, at), product(x->dims, at, x->dims.size())}));
}

Result<std::vector<ValueInfo>> infer_squeeze(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Squeeze", c, 0, "data"));
  std::optional<std::vector<int64_t>> wanted;
  if (has(c, 1)) {
    MAINSPRING_TRY(const ValueInfo* list, need_ints("Squeeze", c, 1, "axes"));
    wanted = ints_of(*list);
    if (!wanted) {
      const auto n = length_of(*list);
      return one(n && x->ranked && *n <= x->dims.size() ? of_rank(x->dtype, x->dims.size() - *n) : unranked(x->dtype));
    }
  }
  if (!x->ranked) return one(unranked(x->dtype));
  Dims dims;
  if (!wanted) {
    for (const Dim d : x->dims) {
      if (!d.is_constant()) return one(unranked(x->dtype));  // whether it is 1 shows later
      if (d != Dim(1)) dims.push_back(d);
    }
    return one(tensor_of(x->dtype, std::move(dims)));
  }
  MAINSPRING_TRY(const auto axes, axes_of("Squeeze", *wanted, x->dims.size()));
  for (size_t i = 0; i < x->dims.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) dims.push_back(x->dims[i]);
    else if (x->dims[i].is_constant() && x->dims[i] != Dim(1)) return invalid("Squeeze: data is {}, axis {} is expected to be 1", text_of(*x), i);
  }
  return one(tensor_of(x->dtype, std::move(dims)));
}

Result<std::vector<ValueInfo>> infer_unsqueeze(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Unsqueeze", c, 0, "data"));
  MAINSPRING_TRY(const ValueInfo* list, need_ints("Unsqueeze", c, 1, "axes"));
  if (!x->ranked) return one(unranked(x->dtype));
  const auto wanted = ints_of(*list);
  if (!wanted) {
    MAINSPRING_TRY(ValueInfo v, of_length("Unsqueeze", x->dtype, *list, x->dims.size()));
    return one(std::move(v));
  }
  Dims dims(x->dims.size() + wanted->size());
  MAINSPRING_TRY(const auto axes, axes_of("Unsqueeze", *wanted, dims.size()));
  for (size_t i = 0, next = 0; i < dims.size(); ++i) dims[i] = std::find(axes.begin(), axes.end(), i) != axes.end() ? Dim(1) : x->dims[next++];
  MAINSPRING_TRY(ValueInfo v, bounded("Unsqueeze", x->dtype, std::move(dims)));
  return one(std::move(v));
}

/// First axis and number of axes that Shape tells.
std::pair<int64_t, int64_t> told(const Attrs& attrs, int64_t rank) {
  const auto clamped = [rank](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  const int64_t start = clamped(attrs.i("start")), end = clamped(attrs.i("end", std::numeric_limits<int64_t>::max()));
  return {start, std::max<int64_t>(end - start, 0)};
}

Result<std::vector<ValueInfo>> infer_shape(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Shape", c, 0, "data"));
  if (!x->ranked) return one(of_rank(DType::i64, 1));
  return one(tensor_of(DType::i64, {told(c.attrs, static_cast<int64_t>(x->dims.size())).second}));
}

void reference_shape(const OpArgs& a) {
  const auto [start, n] = told(a.attrs, a.in[0].shape.rank());
  for (int64_t i = 0; i < n; ++i) a.out[0].as<int64_t>()[i] = a.in[0].shape[static_cast<int>(start + i)];
}

Result<std::vector<ValueInfo>> infer_size(const OpCall& c) {
  MAINSPRING_TRY_VOID(need("Size", c, 0, "data"));
  return one(tensor_of(DType::i64, {}));
}

void reference_size(const OpArgs& a) { *a.out[0].as<int64_t>() = a.in[0].shape.elements(); }

}  // namespace

constinit const OpDef op_Identity{.name = "Identity", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_identity, .reference = copy, .dynamic = pass_on};
constinit const OpDef op_Reshape{.name = "Reshape", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_reshape, .reference = copy};
constinit const OpDef op_Flatten{.name = "Flatten", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_flatten, .reference = copy};
constinit const OpDef op_Squeeze{.name = "Squeeze", .min_in = 1, .max_in = 2, .n_out = 1, .infer = infer_squeeze, .reference = copy};
constinit const OpDef op_Unsqueeze{.name = "Unsqueeze", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_unsqueeze, .reference = copy};
constinit const OpDef op_Shape{.name = "Shape", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_shape, .reference = reference_shape};
constinit const OpDef op_Size{.name = "Size", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_size, .reference = reference_size};

}  // namespace mainspring::inline v0
