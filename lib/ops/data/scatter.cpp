// A tensor with some of its elements replaced, or combined with others. A negative index counts from the end; in a reference, one outside does nothing.
//   ScatterElements (x, indices, updates) axis = 0, reduction = none | add | mul | max | min
//   ScatterND (x, indices […, k], updates) reduction: a k-tuple names a slice of x
//   TensorScatter (cache [batch, …], update, at [batch]?) axis = -2, mode = linear | circular: update written from position `at` of the axis on
// Updates are done in their order, so that what stands twice has one meaning.
#include "ops/data/index.h"

namespace mainspring::inline v0 {
namespace {

enum class Reduction { none, add, mul, max, min };
constexpr std::string_view kReductions[] = {"none", "add", "mul", "max", "min"};

Reduction reduction_of(const Attrs& attrs) {
  return static_cast<Reduction>(std::find(std::begin(kReductions), std::end(kReductions), attrs.s("reduction", "none")) - std::begin(kReductions));
}

Result<const ValueInfo*> check_scatter(const char* op, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "data"));
  MAINSPRING_TRY_VOID(need_ints(op, c, 1, "indices", false));
  MAINSPRING_TRY_VOID(need_dtype(op, c, 2, "updates", x->dtype));
  const Reduction r = reduction_of(c.attrs);
  if (static_cast<size_t>(r) >= std::size(kReductions)) return invalid("{}: reduction is '{}'", op, c.attrs.s("reduction"));
  if (r != Reduction::none && (x->dtype == DType::string || (is_complex(x->dtype) && r > Reduction::mul))) return invalid("{}: {} of {}", op, c.attrs.s("reduction"), name_of(x->dtype));
  return x;
}

template <class T>
T combined(Reduction r, T a, T b) {
  switch (r) {
    case Reduction::add: return static_cast<T>(a + b);
    case Reduction::mul: return static_cast<T>(a * b);
    case Reduction::max: return a < b || b != b ? b : a;  // NaN wins
    case Reduction::min: return b < a || b != b ? b : a;
    default: return b;
  }
}

void combine_complex(Reduction r, DType part, std::byte* y, const std::byte* x) {
  const double a = load(part, y, 0), b = load(part, y, 1), c = load(part, x, 0), d = load(part, x, 1);
  store(part, y, 0, r == Reduction::add ? a + c : a * c - b * d);
  store(part, y, 1, r == Reduction::add ? b + d : a * d + b * c);
}

/// y[at, at + n) = f(y, x[from, from + n)).
void combine(Reduction r, const TensorView& y, int64_t at, const TensorView& x, int64_t from, int64_t n) {
  const int64_t element = bytes_of(y.dtype);
  if (n == 0) return;
  if (r == Reduction::none) {
    std::memcpy(y.data + at * element, x.data + from * element, static_cast<size_t>(n * element));
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    if (is_complex(y.dtype)) combine_complex(r, y.dtype == DType::c64 ? DType::f32 : DType::f64, y.data + (at + i) * element, x.data + (from + i) * element);
    else if (is_float(y.dtype)) store(y, at + i, combined(r, load(y, at + i), load(x, from + i)));
    else {  // unsigned arithmetic wraps; the order is that of the dtype
      const auto a = static_cast<uint64_t>(load_int(y, at + i)), b = static_cast<uint64_t>(load_int(x, from + i));
      const bool ordered = r == Reduction::max || r == Reduction::min;
      const uint64_t both = ordered && y.dtype != DType::u64 ? static_cast<uint64_t>(combined(r, static_cast<int64_t>(a), static_cast<int64_t>(b))) : combined(r, a, b);
      store_int(y.dtype, y.data, at + i, static_cast<int64_t>(both));
    }
  }
}

ValueInfo like(const ValueInfo& x) { return x.ranked ? tensor_of(x.dtype, x.dims) : unranked(x.dtype); }

/// Updates have these extents. Errors: invalid_argument.
Result<void> check_updates(const char* op, const ValueInfo& updates, const Dims& wanted) {
  if (!updates.ranked) return {};
  if (updates.dims.size() != wanted.size()) return invalid("{}: updates are {}, expected {}", op, text_of(updates), text_of(wanted));
  for (size_t i = 0; i < wanted.size(); ++i) MAINSPRING_TRY_VOID(same_dim(op, "an extent of the updates", updates.dims[i], wanted[i]));
  return {};
}

Result<std::vector<ValueInfo>> infer_elements(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, check_scatter("ScatterElements", c));
  MAINSPRING_TRY_VOID(check_element_indices("ScatterElements", *x, c.in[1], c.attrs.i("axis")));
  if (c.in[1].ranked) MAINSPRING_TRY_VOID(check_updates("ScatterElements", c.in[2], c.in[1].dims));
  return one(like(*x));
}

void reference_elements(const OpArgs& a) {
  copy_all(a.in[0], a.out[0]);
  const Reduction r = reduction_of(a.attrs);
  for (ElementPlaces place(a.in[0].shape, a.in[1], a.attrs.i("axis")); !place.done(); place.next())
    if (const int64_t at = place.at(); at >= 0) combine(r, a.out[0], at, a.in[2], place.i(), 1);
}

Result<std::vector<ValueInfo>> infer_nd(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, check_scatter("ScatterND", c));
  MAINSPRING_TRY(const auto k, tuple_length("ScatterND", *x, c.in[1], 0));
  if (k) {
    Dims wanted(c.in[1].dims.begin(), c.in[1].dims.end() - 1);
    wanted.insert(wanted.end(), x->dims.begin() + static_cast<ptrdiff_t>(*k), x->dims.end());
    MAINSPRING_TRY_VOID(check_updates("ScatterND", c.in[2], wanted));
  }
  return one(like(*x));
}

void reference_nd(const OpArgs& a) {
  copy_all(a.in[0], a.out[0]);
  const Reduction r = reduction_of(a.attrs);
  const SlicePlaces places(a.in[0].shape, a.in[1], 0);
  for (int64_t i = 0, slice = places.slice(); i < places.n(); ++i)
    if (const int64_t at = places.at(i); at >= 0) combine(r, a.out[0], at, a.in[2], i * slice, slice);
}

Result<std::vector<ValueInfo>> infer_tensor(const OpCall& c) {
  constexpr const char* op = "TensorScatter";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "past_cache"));
  MAINSPRING_TRY(const ValueInfo* update, need_dtype(op, c, 1, "update", x->dtype));
  const auto mode = c.attrs.s("mode", "linear");
  if (mode != "linear" && mode != "circular") return invalid("{}: mode is '{}', expected linear or circular", op, mode);
  if (!x->ranked) return one(like(*x));
  MAINSPRING_TRY(const size_t axis, axis_of(op, c.attrs.i("axis", -2), x->dims.size()));
  if (axis == 0) return invalid("{}: axis 0 is the batch", op);
  if (update->ranked) {
    Dims wanted = x->dims;
    if (update->dims.size() == wanted.size()) wanted[axis] = update->dims[axis];
    MAINSPRING_TRY_VOID(check_updates(op, *update, wanted));
    if (wanted[axis].is_constant() && x->dims[axis].is_constant() && wanted[axis].times > x->dims[axis].times) return invalid("{}: update is {}, past_cache {}", op, text_of(*update), text_of(*x));
  }
  if (has(c, 2)) {
    MAINSPRING_TRY(const ValueInfo* at, need_ints(op, c, 2, "write_indices"));
    if (at->ranked && at->dims.size() == 1) MAINSPRING_TRY_VOID(same_dim(op, "the batch", at->dims[0], x->dims[0]));
    else if (at->ranked) return invalid("{}: write_indices is {}, expected one axis", op, text_of(*at));
  }
  return one(like(*x));
}

void reference_tensor(const OpArgs& a) {
  copy_all(a.in[0], a.out[0]);
  const Shape &s = a.out[0].shape, &u = a.in[1].shape;
  const int axis = axis_in(a.attrs.i("axis", -2), s.rank());
  const bool circular = a.attrs.s("mode", "linear") == "circular";
  const int64_t outer = count(s, 0, axis), n = s[axis], slice = count(s, axis + 1, s.rank());
  for (int64_t o = 0; o < outer; ++o) {
    const int64_t first = has(a, 2) ? load_int(a.in[2], o / (outer / s[0])) : 0;
    for (int64_t i = 0; i < u[axis]; ++i) {
      const int64_t at = circular ? ((first % n) + i + n) % n : first > n ? -1 : first + i;
      if (at >= 0 && at < n) combine(Reduction::none, a.out[0], (o * n + at) * slice, a.in[1], (o * u[axis] + i) * slice, slice);
    }
  }
}

}  // namespace

constinit const OpDef op_ScatterElements{.name = "ScatterElements", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_elements, .reference = reference_elements};
constinit const OpDef op_ScatterND{.name = "ScatterND", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_nd, .reference = reference_nd};
constinit const OpDef op_TensorScatter{.name = "TensorScatter", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_tensor, .reference = reference_tensor};

}  // namespace mainspring::inline v0
