#include "ops/data/data.h"

#include <bit>
#include <cmath>
#include <limits>

namespace mainspring::inline v0 {

Result<ValueInfo> bounded(const char* op, DType dtype, Dims dims) {
  if (dims.size() > static_cast<size_t>(Shape::kMaxRank)) return invalid("{}: the output has rank {}, expected at most {}", op, dims.size(), Shape::kMaxRank);
  return tensor_of(dtype, std::move(dims));
}

std::optional<size_t> length_of(const ValueInfo& list) {
  if (list.value != nullptr) return static_cast<size_t>(list.value->elements());
  if (list.ranked && list.dims.empty()) return 1;
  if (!list.ranked || list.dims.size() != 1 || !list.dims[0].is_constant()) return std::nullopt;
  return static_cast<size_t>(list.dims[0].times);
}

Result<ValueInfo> of_length(const char* op, DType dtype, const ValueInfo& list, size_t more) {
  const auto n = length_of(list);
  if (!n) return unranked(dtype);
  if (*n + more > static_cast<size_t>(Shape::kMaxRank)) return invalid("{}: the output has rank {}, expected at most {}", op, *n + more, Shape::kMaxRank);
  return of_rank(dtype, *n + more);
}

Result<const ValueInfo*> need_ints(const char* op, const OpCall& c, size_t i, const char* name, bool list) {
  MAINSPRING_TRY(const ValueInfo* v, need(op, c, i, name));
  if (!is_int(v->dtype)) return invalid("{}: {} is {}, expected integers", op, name, text_of(*v));
  if (list) MAINSPRING_TRY_VOID(want_rank(op, *v, name, 0, 1));
  return v;
}

Result<const ValueInfo*> need_dtype(const char* op, const OpCall& c, size_t i, const char* name, DType dtype) {
  MAINSPRING_TRY(const ValueInfo* v, need(op, c, i, name));
  if (v->dtype != dtype) return invalid("{}: {} is {}, expected {}", op, name, text_of(*v), name_of(dtype));
  return v;
}

Result<std::vector<size_t>> axes_of(const char* op, std::span<const int64_t> axes, size_t rank) {
  std::vector<size_t> out;
  for (const int64_t a : axes) {
    MAINSPRING_TRY(const size_t axis, axis_of(op, a, rank));
    if (std::find(out.begin(), out.end(), axis) != out.end()) return invalid("{}: axis {} stands twice", op, a);
    out.push_back(axis);
  }
  return out;
}

Result<Dim> same_dim(const char* op, const char* what, Dim a, Dim b) {
  if (a.is_constant() && b.is_constant() && a.times != b.times) return invalid("{}: {} is {} and {}, expected one extent", op, what, a.times, b.times);
  return a.is_constant() || !b.is_known() ? a : b;
}

Result<ValueInfo> either(const char* op, const ValueInfo& a, const ValueInfo& b) {
  if (a.dtype != b.dtype) return invalid("{}: a value is {} on one way and {} on another", op, name_of(a.dtype), name_of(b.dtype));
  const auto kind = [](Container c) { return c == Container::sequence || c == Container::optional_sequence; };
  if (kind(a.container) != kind(b.container)) return invalid("{}: a value is a sequence on one way and a tensor on another", op);
  ValueInfo v = a.ranked && b.ranked && a.dims.size() == b.dims.size() ? tensor_of(a.dtype, a.dims) : unranked(a.dtype);
  v.container = a.container == Container::tensor || a.container == Container::sequence ? b.container : a.container;  // an optional on one way is one
  for (size_t i = 0; i < v.dims.size(); ++i)
    if (v.dims[i] != b.dims[i]) v.dims[i] = Dim::unknown();
  return v;
}

Result<void> check_indices(const char* op, const ValueInfo& indices, Dim extent) {
  const auto known = extent.is_constant() ? ints_of(indices) : std::nullopt;
  if (!known) return {};
  for (const int64_t i : *known)
    if (wrapped(i, extent.times) < 0) return invalid("{}: index {} of an axis of {}, expected {} to {}", op, i, extent.times, -extent.times, extent.times - 1);
  return {};
}

int64_t count(const Shape& s, int first, int last) {
  int64_t n = 1;
  for (int i = first; i < last; ++i) n *= s[i];
  return n;
}

std::vector<int64_t> strides_of(const Shape& s) {
  std::vector<int64_t> strides(static_cast<size_t>(s.rank()));
  int64_t step = 1;
  for (int i = s.rank(); i-- > 0; step *= s[i]) strides[static_cast<size_t>(i)] = step;
  return strides;
}

void copy_all(const TensorView& x, const TensorView& y) {
  const int64_t n = std::min(x.shape.elements(), y.shape.elements());
  if (n > 0 && x.data != y.data) std::memmove(y.data, x.data, static_cast<size_t>(n * bytes_of(y.dtype)));
}

namespace {

template <size_t kBytes>
void copy_row(Axis a, std::byte* to, const std::byte* from) {
  for (int64_t i = 0; i < a.n; ++i) std::memcpy(to + i * a.to * static_cast<int64_t>(kBytes), from + i * a.from * static_cast<int64_t>(kBytes), kBytes);
}

void copy_row(Axis a, int64_t element, std::byte* to, const std::byte* from) {
  if (a.to == 1 && a.from == 1) {
    std::memcpy(to, from, static_cast<size_t>(a.n * element));
    return;
  }
  switch (element) {
    case 1: return copy_row<1>(a, to, from);
    case 2: return copy_row<2>(a, to, from);
    case 4: return copy_row<4>(a, to, from);
    case 8: return copy_row<8>(a, to, from);
    default: return copy_row<16>(a, to, from);
  }
}

}  // namespace

void copy_strided(const std::vector<Axis>& axes, int64_t element, std::byte* to, const std::byte* from) {
  std::vector<Axis> outer;  // axes that lie together on both sides are one
  for (const Axis& a : axes) {
    if (a.n == 0) return;
    if (a.n == 1) continue;
    if (!outer.empty() && outer.back().to == a.to * a.n && outer.back().from == a.from * a.n) outer.back() = {outer.back().n * a.n, a.to, a.from};
    else outer.push_back(a);
  }
  Axis row{1, 1, 1};
  if (!outer.empty()) {
    row = outer.back();
    outer.pop_back();
  }
  std::vector<int64_t> index(outer.size(), 0);
  for (;;) {
    copy_row(row, element, to, from);
    size_t k = outer.size();
    while (k-- > 0) {
      const Axis& a = outer[k];
      to += a.to * element;
      from += a.from * element;
      if (++index[k] < a.n) break;
      to -= a.to * a.n * element;
      from -= a.from * a.n * element;
      index[k] = 0;
    }
    if (k == static_cast<size_t>(-1)) return;
  }
}

int64_t sort_key(const TensorView& v, int64_t i) {
  constexpr auto kLeast = std::numeric_limits<int64_t>::min();
  if (v.dtype == DType::u64) return static_cast<int64_t>(static_cast<uint64_t>(load_int(v, i)) ^ static_cast<uint64_t>(kLeast));
  if (!is_float(v.dtype)) return load_int(v, i);
  const double x = load(v, i) + 0.0;  // −0 becomes 0
  if (std::isnan(x)) return std::numeric_limits<int64_t>::max();
  const auto bits = std::bit_cast<int64_t>(x);
  return bits < 0 ? ~(bits ^ kLeast) : bits;
}

Result<int64_t> one_int(const char* op, const Datum& d, const char* name) {
  const DType t = d.tensor.dtype();
  if (!d.is_tensor() || d.tensor.elements() != 1 || !(is_int(t) || t == DType::boolean)) return invalid("{}: {} is no single integer", op, name);
  return load_int(view_of(d.tensor), 0);
}

Result<Tensor> owned(DynamicCall& c, Tensor t) {
  if (t.dtype() != DType::string) return t;
  const Tensor& strings = t;
  return c.make_strings(strings.span<std::string_view>(), t.shape());
}

Tensor rows_of(const Tensor& t, const std::shared_ptr<void>& keeper, int64_t begin, const Shape& shape) {
  const int64_t row = t.shape()[0] > 0 ? static_cast<int64_t>(t.bytes().size()) / t.shape()[0] : 0;
  auto* data = const_cast<std::byte*>(t.bytes().data()) + begin * row;
  return Tensor::share(t.dtype(), shape, data, std::shared_ptr<void>(keeper, data));
}

}  // namespace mainspring::inline v0
