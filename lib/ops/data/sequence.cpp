// Sequences of tensors and optionals.
//   SequenceConstruct (x…) -> sequence      SequenceEmpty () dtype (ONNX's number) -> sequence        SequenceLength (s) -> i64 scalar
//   SequenceAt (s, position) -> tensor      SequenceErase (s, position?: the last) -> sequence         SequenceInsert (s, x, position?: behind) -> sequence
//   SplitToSequence (x, split?) axis = 0, keepdims = 1 -> sequence                                     ConcatFromSequence (s) axis, new_axis = 0 -> tensor
//   Optional (x?) dtype, container -> optional      OptionalGetElement (o) -> what it holds            OptionalHasElement (o?) -> bool scalar
// Positions count from the end when negative. A sequence's elements share storage with the tensors that they were (of strings: are copies).
#include "ops/data/data.h"
#include "ops/onnx_dtype.h"

namespace mainspring::inline v0 {
namespace {

// Elements of a sequence are bookkeeping, 100 bytes and more each, of the host's STL: a tensor without bytes could ask for any number.
constexpr size_t kMaxItems = 1 << 20;

bool is_sequence(Container c) { return c == Container::sequence || c == Container::optional_sequence; }

ValueInfo as(Container container, ValueInfo v) {
  v.value = nullptr;
  v.container = container;
  return v;
}

Result<const ValueInfo*> need_sequence(const char* op, const OpCall& c) {
  if (!has(c, 0) || !is_sequence(c.in[0].container)) return invalid("{}: input 0 is no sequence", op);
  return &c.in[0];
}

Result<const std::vector<Datum>*> items_of(const char* op, const DynamicCall& c) {
  if (c.in[0].kind != Datum::Kind::sequence) return invalid("{}: the sequence is absent", op);
  return &c.in[0].items;
}

Result<void> give(const char* op, DynamicCall& c, DType dtype, std::vector<Datum> items) {
  if (items.size() > kMaxItems) return exhausted("{}: a sequence of {} tensors, at most {} are held", op, items.size(), kMaxItems);
  c.out[0] = Datum::sequence(dtype, std::move(items));
  return {};
}

/// Operand i, an index of n places; `otherwise` where it is absent. Errors: invalid_argument.
Result<int64_t> position(const char* op, const DynamicCall& c, size_t i, int64_t n, int64_t otherwise) {
  int64_t at = otherwise;
  if (i < c.in.size() && c.in[i]) { MAINSPRING_TRY(at, one_int(op, c.in[i], "position")); }
  const int64_t place = wrapped(at, n);
  if (place < 0) return invalid("{}: position {}, expected {} to {}", op, at, -n, n - 1);
  return place;
}

Result<std::vector<ValueInfo>> infer_construct(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* first, need("SequenceConstruct", c, 0, "inputs"));
  ValueInfo v = *first;
  for (size_t i = 1; i < c.in.size(); ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need_dtype("SequenceConstruct", c, i, "inputs", v.dtype));
    MAINSPRING_TRY(v, either("SequenceConstruct", v, *x));
  }
  return one(as(Container::sequence, std::move(v)));
}

Result<void> construct(DynamicCall& c) {
  std::vector<Datum> items;
  for (const Datum& d : c.in) {
    MAINSPRING_TRY(Tensor t, owned(c, d.tensor));
    items.emplace_back(std::move(t));
  }
  return give("SequenceConstruct", c, c.in[0].tensor.dtype(), std::move(items));
}

Result<DType> dtype_in(const char* op, const Attrs& attrs) {
  const auto dtype = dtype_of_onnx(attrs.i("dtype", 1));
  if (!dtype) return invalid("{}: dtype is {}", op, attrs.i("dtype"));
  return *dtype;
}

Result<std::vector<ValueInfo>> infer_empty(const OpCall& c) {
  MAINSPRING_TRY(const DType dtype, dtype_in("SequenceEmpty", c.attrs));
  return one(as(Container::sequence, unranked(dtype)));
}

Result<void> empty(DynamicCall& c) {
  MAINSPRING_TRY(const DType dtype, dtype_in("SequenceEmpty", c.attrs));
  return give("SequenceEmpty", c, dtype, {});
}

Result<std::vector<ValueInfo>> infer_length(const OpCall& c) {
  MAINSPRING_TRY_VOID(need_sequence("SequenceLength", c));
  return one(tensor_of(DType::i64, {}));
}

Result<void> length(DynamicCall& c) {
  MAINSPRING_TRY(const auto* items, items_of("SequenceLength", c));
  MAINSPRING_TRY(Tensor n, c.make(DType::i64, {}));
  n.span<int64_t>()[0] = static_cast<int64_t>(items->size());
  c.out[0] = std::move(n);
  return {};
}

Result<std::vector<ValueInfo>> infer_at(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* s, need_sequence("SequenceAt", c));
  MAINSPRING_TRY_VOID(need_ints("SequenceAt", c, 1, "position"));
  return one(as(Container::tensor, *s));
}

Result<void> at(DynamicCall& c) {
  MAINSPRING_TRY(const auto* items, items_of("SequenceAt", c));
  MAINSPRING_TRY(const int64_t i, position("SequenceAt", c, 1, static_cast<int64_t>(items->size()), 0));
  c.out[0] = (*items)[static_cast<size_t>(i)];
  return {};
}

Result<std::vector<ValueInfo>> infer_erase(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* s, need_sequence("SequenceErase", c));
  if (has(c, 1)) MAINSPRING_TRY_VOID(need_ints("SequenceErase", c, 1, "position"));
  return one(as(Container::sequence, *s));
}

Result<void> erase(DynamicCall& c) {
  MAINSPRING_TRY(const auto* items, items_of("SequenceErase", c));
  MAINSPRING_TRY(const int64_t i, position("SequenceErase", c, 1, static_cast<int64_t>(items->size()), -1));
  std::vector<Datum> left = *items;
  left.erase(left.begin() + i);
  return give("SequenceErase", c, c.in[0].item_dtype, std::move(left));
}

Result<std::vector<ValueInfo>> infer_insert(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* s, need_sequence("SequenceInsert", c));
  MAINSPRING_TRY(const ValueInfo* x, need_dtype("SequenceInsert", c, 1, "tensor", s->dtype));
  if (has(c, 2)) MAINSPRING_TRY_VOID(need_ints("SequenceInsert", c, 2, "position"));
  MAINSPRING_TRY(ValueInfo v, either("SequenceInsert", as(Container::tensor, *s), *x));
  return one(as(Container::sequence, std::move(v)));
}

Result<void> insert(DynamicCall& c) {
  MAINSPRING_TRY(const auto* items, items_of("SequenceInsert", c));
  const auto n = static_cast<int64_t>(items->size());
  int64_t at = n;
  if (c.in.size() > 2 && c.in[2]) { MAINSPRING_TRY(at, one_int("SequenceInsert", c.in[2], "position")); }
  if (at < -n || at > n) return invalid("SequenceInsert: position {}, expected {} to {}", at, -n, n);
  MAINSPRING_TRY(Tensor t, owned(c, c.in[1].tensor));
  std::vector<Datum> all = *items;
  all.emplace(all.begin() + (at < 0 ? at + n : at), std::move(t));
  return give("SequenceInsert", c, c.in[1].tensor.dtype(), std::move(all));
}

Result<std::vector<ValueInfo>> infer_split(const OpCall& c) {
  constexpr const char* op = "SplitToSequence";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "input"));
  if (has(c, 1)) MAINSPRING_TRY_VOID(need_ints(op, c, 1, "split"));
  if (!x->ranked) return one(as(Container::sequence, unranked(x->dtype)));
  MAINSPRING_TRY(const size_t axis, axis_of(op, c.attrs.i("axis"), x->dims.size()));
  ValueInfo v = tensor_of(x->dtype, x->dims);
  if (!has(c, 1) && c.attrs.i("keepdims", 1) == 0) v.dims.erase(v.dims.begin() + static_cast<ptrdiff_t>(axis));
  else v.dims[axis] = has(c, 1) ? Dim::unknown() : Dim(1);
  return one(as(Container::sequence, std::move(v)));
}

Result<void> split(DynamicCall& c) {
  constexpr const char* op = "SplitToSequence";
  const Tensor& x = c.in[0].tensor;
  const Shape& s = x.shape();
  const int axis = axis_in(c.attrs.i("axis"), s.rank());
  const bool given = c.in.size() > 1 && c.in[1];
  const bool drop = !given && c.attrs.i("keepdims", 1) == 0;
  std::vector<int64_t> sizes;
  if (given && c.in[1].tensor.shape().rank() == 1) {
    sizes = ints_of(view_of(c.in[1].tensor));
  } else {
    int64_t size = 1;
    if (given) { MAINSPRING_TRY(size, one_int(op, c.in[1], "split")); }
    if (size < 1 || s[axis] / size >= static_cast<int64_t>(kMaxItems)) return invalid("{}: parts of {}, the axis has {}", op, size, s[axis]);
    for (int64_t at = 0; at < s[axis]; at += size) sizes.push_back(std::min(size, s[axis] - at));
  }
  if (sizes.size() > kMaxItems) return exhausted("{}: {} parts, at most {} are held", op, sizes.size(), kMaxItems);
  int64_t left = s[axis];
  for (const int64_t n : sizes) {
    if (n < 0 || n > left) return invalid("{}: a part of {}, {} are left", op, n, left);
    left -= n;
  }
  if (left != 0) return invalid("{}: {} of {} are in no part", op, left, s[axis]);
  std::vector<Datum> parts;
  const std::byte* from = x.bytes().data();
  const int64_t inner = count(s, axis + 1, s.rank()), element = bytes_of(x.dtype());
  for (const int64_t n : sizes) {
    MAINSPRING_TRY_VOID(c.go_on());
    Shape part;
    for (int k = 0; k < s.rank(); ++k)
      if (k != axis || !drop) part.push_back(k == axis ? n : s[k]);
    MAINSPRING_TRY(Tensor t, c.make(x.dtype(), part));
    copy_strided({{count(s, 0, axis), n * inner, s[axis] * inner}, {n * inner, 1, 1}}, element, t.data(), from);
    from += n * inner * element;
    MAINSPRING_TRY(t, owned(c, std::move(t)));
    parts.push_back(std::move(t));
  }
  return give(op, c, x.dtype(), std::move(parts));
}

Result<std::vector<ValueInfo>> infer_concat(const OpCall& c) {
  constexpr const char* op = "ConcatFromSequence";
  MAINSPRING_TRY(const ValueInfo* s, need_sequence(op, c));
  if (!s->ranked) return one(unranked(s->dtype));
  const bool fresh = c.attrs.i("new_axis") != 0;
  Dims dims = s->dims;
  MAINSPRING_TRY(const size_t axis, axis_of(op, c.attrs.i("axis"), dims.size() + fresh));
  if (fresh) dims.insert(dims.begin() + static_cast<ptrdiff_t>(axis), Dim::unknown());
  else dims[axis] = Dim::unknown();
  MAINSPRING_TRY(ValueInfo v, bounded(op, s->dtype, std::move(dims)));
  return one(std::move(v));
}

Result<void> concat(DynamicCall& c) {
  constexpr const char* op = "ConcatFromSequence";
  MAINSPRING_TRY(const auto* items, items_of(op, c));
  if (items->empty()) return invalid("{}: the sequence is empty", op);
  const bool fresh = c.attrs.i("new_axis") != 0;
  const auto& first = items->front().tensor;
  MAINSPRING_TRY(const size_t place, axis_of(op, c.attrs.i("axis"), static_cast<size_t>(first.shape().rank() + fresh)));
  const int axis = static_cast<int>(place), rank = first.shape().rank();
  int64_t sum = 0;
  for (const Datum& d : *items) {
    const Shape& s = d.tensor.shape();
    bool same = d.is_tensor() && d.tensor.dtype() == first.dtype() && s.rank() == rank;
    for (int k = 0; same && k < rank; ++k) same = s[k] == first.shape()[k] || (k == axis && !fresh);
    if (!same) return invalid("{}: the tensors differ in dtype or extents", op);
    sum += fresh ? 1 : s[axis];
  }
  Shape shape;
  for (int k = 0; k < rank + fresh; ++k) shape.push_back(k == axis ? sum : first.shape()[fresh && k > axis ? k - 1 : k]);
  if (rank + fresh > Shape::kMaxRank) return invalid("{}: the output has rank {}, expected at most {}", op, rank + fresh, Shape::kMaxRank);
  MAINSPRING_TRY(Tensor y, c.make(first.dtype(), shape));
  const int64_t outer = count(shape, 0, axis), whole = count(shape, axis, shape.rank()), element = bytes_of(first.dtype());
  std::byte* to = y.data();
  for (const Datum& d : *items) {
    const int64_t part = outer > 0 ? d.tensor.elements() / outer : 0;
    copy_strided({{outer, whole, part}, {part, 1, 1}}, element, to, d.tensor.bytes().data());
    to += part * element;
  }
  MAINSPRING_TRY(c.out[0], owned(c, std::move(y)));
  return {};
}

// ---- optionals -------------------------------------------------------------------------------------------------------------

Result<void> pass_on(DynamicCall& c) {
  c.out[0] = c.in[0];
  return {};
}

Result<std::vector<ValueInfo>> infer_optional(const OpCall& c) {
  ValueInfo v;
  if (has(c, 0)) {
    v = c.in[0];
  } else {
    MAINSPRING_TRY(const DType dtype, dtype_in("Optional", c.attrs));
    v = unranked(dtype);
    v.container = static_cast<Container>(c.attrs.i("container"));
  }
  return one(as(is_sequence(v.container) ? Container::optional_sequence : Container::optional_tensor, std::move(v)));
}

Result<std::vector<ValueInfo>> infer_element(const OpCall& c) {
  if (!has(c, 0)) return invalid("OptionalGetElement: the optional is absent");
  const ValueInfo& v = c.in[0];
  return one(as(is_sequence(v.container) ? Container::sequence : Container::tensor, v));
}

void copy_element(const OpArgs& a) { copy_all(a.in[0], a.out[0]); }

Result<void> element(DynamicCall& c) {
  if (!c.in[0]) return invalid("OptionalGetElement: the optional is empty");
  return pass_on(c);
}

Result<std::vector<ValueInfo>> infer_has(const OpCall&) { return one(tensor_of(DType::boolean, {})); }

void reference_has(const OpArgs& a) { *a.out[0].as<bool>() = has(a, 0); }

Result<void> has_element(DynamicCall& c) {
  MAINSPRING_TRY(Tensor y, c.make(DType::boolean, {}));
  y.span<bool>()[0] = !c.in.empty() && c.in[0];
  c.out[0] = std::move(y);
  return {};
}

}  // namespace

constinit const OpDef op_SequenceConstruct{.name = "SequenceConstruct", .min_in = 1, .max_in = kVariadic, .n_out = 1, .infer = infer_construct, .dynamic = construct};
constinit const OpDef op_SequenceEmpty{.name = "SequenceEmpty", .min_in = 0, .max_in = 0, .n_out = 1, .infer = infer_empty, .dynamic = empty};
constinit const OpDef op_SequenceLength{.name = "SequenceLength", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_length, .dynamic = length};
constinit const OpDef op_SequenceAt{.name = "SequenceAt", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_at, .dynamic = at};
constinit const OpDef op_SequenceErase{.name = "SequenceErase", .min_in = 1, .max_in = 2, .n_out = 1, .infer = infer_erase, .dynamic = erase};
constinit const OpDef op_SequenceInsert{.name = "SequenceInsert", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_insert, .dynamic = insert};
constinit const OpDef op_SplitToSequence{.name = "SplitToSequence", .min_in = 1, .max_in = 2, .n_out = 1, .infer = infer_split, .dynamic = split};
constinit const OpDef op_ConcatFromSequence{.name = "ConcatFromSequence", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_concat, .dynamic = concat};
constinit const OpDef op_Optional{.name = "Optional", .min_in = 0, .max_in = 1, .n_out = 1, .infer = infer_optional, .dynamic = pass_on};
constinit const OpDef op_OptionalGetElement{.name = "OptionalGetElement", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_element, .reference = copy_element, .dynamic = element};
constinit const OpDef op_OptionalHasElement{.name = "OptionalHasElement", .min_in = 0, .max_in = 1, .n_out = 1, .infer = infer_has, .reference = reference_has, .dynamic = has_element};

}  // namespace mainspring::inline v0
