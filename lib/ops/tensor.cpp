#include "ops/tensor.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "ops/shape.h"

namespace mainspring::inline v0 {

Dim times(Dim a, Dim b) {
  if (!a.is_known() || !b.is_known() || (!a.is_constant() && !b.is_constant())) return (a.is_constant() && a.times == 0) || (b.is_constant() && b.times == 0) ? Dim(0) : Dim::unknown();
  const auto n = checked_mul(a.times, b.times);
  if (!n) return Dim::unknown();
  return *n == 0 ? Dim(0) : Dim(*n, a.is_constant() ? b.symbol : a.symbol);
}

Dim plus(Dim a, Dim b) {
  if (a.is_constant() && a.times == 0) return b;
  if (b.is_constant() && b.times == 0) return a;
  if (!a.is_known() || a.symbol != b.symbol) return Dim::unknown();
  const auto n = checked_add(a.times, b.times);
  return n ? Dim(*n, a.symbol) : Dim::unknown();
}

Dim product(const Dims& dims, size_t first, size_t last) {
  Dim p = 1;
  for (size_t i = first; i < last && i < dims.size(); ++i) p = times(p, dims[i]);
  return p;
}

bool all_constant(const ValueInfo& v) {
  if (!v.ranked) return false;
  for (const Dim& d : v.dims)
    if (!d.is_constant()) return false;
  return true;
}

ValueInfo tensor_of(DType dtype, Dims dims) {
  ValueInfo v;
  v.dtype = dtype;
  v.dims = std::move(dims);
  return v;
}

ValueInfo unranked(DType dtype) {
  ValueInfo v;
  v.dtype = dtype;
  v.ranked = false;
  return v;
}

ValueInfo of_rank(DType dtype, size_t rank) { return tensor_of(dtype, Dims(rank, Dim::unknown())); }

std::optional<Dims> dims_of(std::span<const int64_t> extents) {
  if (extents.size() > static_cast<size_t>(Shape::kMaxRank)) return std::nullopt;
  Dims dims;
  for (const int64_t n : extents) {
    if (n < 0) return std::nullopt;
    dims.push_back(n);
  }
  return dims;
}

std::vector<int64_t> ints_of(const TensorView& v) {
  std::vector<int64_t> all(static_cast<size_t>(v.shape.elements()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = load_int(v, static_cast<int64_t>(i));
  return all;
}

std::optional<std::vector<int64_t>> ints_of(const ValueInfo& v) {
  if (v.value == nullptr || !(is_int(v.dtype) || v.dtype == DType::boolean)) return std::nullopt;
  return ints_of(view_of(*v.value));
}

std::optional<std::vector<double>> numbers_of(const ValueInfo& v) {
  if (v.value == nullptr || v.dtype == DType::string || is_complex(v.dtype)) return std::nullopt;
  std::vector<double> all(static_cast<size_t>(v.value->elements()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = load(view_of(*v.value), static_cast<int64_t>(i));
  return all;
}

Result<size_t> axis_of(const char* op, int64_t axis, size_t rank) {
  const auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return invalid("{}: axis {} of a tensor of rank {}, expected {} to {}", op, axis, rank, -r, r - 1);
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

Result<ValueInfo> broadcast(const char* op, DType dtype, std::span<const ValueInfo> operands) {
  size_t rank = 0;
  for (const ValueInfo& v : operands) {
    if (!v.present) continue;
    if (!v.ranked) return unranked(dtype);
    rank = std::max(rank, v.dims.size());
  }
  Dims out(rank, Dim(1));
  for (const ValueInfo& v : operands) {
    if (!v.present) continue;
    for (size_t i = 0; i < v.dims.size(); ++i) {
      Dim& d = out[rank - v.dims.size() + i];
      const Dim e = v.dims[i];
      if (e == Dim(1) || e == d) continue;
      if (d == Dim(1)) d = e;
      else if (d.is_constant() && e.is_constant()) return invalid("{}: extents {} and {} do not broadcast", op, d.times, e.times);
      else if (e.is_constant()) d = e;  // the symbol must turn out as 1 or this
      else if (!d.is_constant()) d = Dim::unknown();
    }
  }
  return tensor_of(dtype, std::move(out));
}

Result<const ValueInfo*> need(const char* op, const OpCall& c, size_t i, const char* name) {
  if (!has(c, i)) return invalid("{}: input {} ({}) is absent", op, i, name);
  if (c.in[i].container != Container::tensor) return invalid("{}: input {} ({}) is no tensor", op, i, name);
  return &c.in[i];
}

Result<void> want_rank(const char* op, const ValueInfo& v, const char* name, size_t least, size_t most) {
  if (!v.ranked || (v.dims.size() >= least && v.dims.size() <= most)) return {};
  if (least == most) return invalid("{}: {} is {}, expected rank {}", op, name, text_of(v), least);
  return invalid("{}: {} is {}, expected rank {} to {}", op, name, text_of(v), least, most);
}

namespace {

template <class T>
T element(const std::byte* data, int64_t i) {
  T x;
  std::memcpy(&x, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return x;
}

template <class T>
void put(std::byte* data, int64_t i, T x) {
  std::memcpy(data + i * static_cast<int64_t>(sizeof(T)), &x, sizeof(T));
}

/// Of a double that may lie outside: truncated towards zero, wrapped where it fits 64 bits.
int64_t truncated(double x) {
  if (std::isnan(x)) return 0;
  if (x >= 9223372036854775808.0) return std::numeric_limits<int64_t>::max();
  if (x < -9223372036854775808.0) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(x);
}

}  // namespace

double load(DType t, const std::byte* data, int64_t i) {
  if (!is_float(t) && !is_int(t) && t != DType::boolean) return 0;
  switch (t) {
    case DType::f32: return static_cast<double>(element<float>(data, i));
    case DType::f64: return element<double>(data, i);
    case DType::f16: return static_cast<double>(f16_to_f32(element<uint16_t>(data, i)));
    case DType::bf16: return static_cast<double>(bf16_to_f32(element<uint16_t>(data, i)));
    case DType::u64: return static_cast<double>(element<uint64_t>(data, i));
    default: break;
  }
  if (is_small_float(t)) return static_cast<double>(decode_small_float(t, element<uint8_t>(data, i)));
  return static_cast<double>(load_int(t, data, i));
}

void store(DType t, std::byte* data, int64_t i, double value) {
  if (!is_float(t) && !is_int(t) && t != DType::boolean) return;
  switch (t) {
    case DType::f32: return put(data, i, static_cast<float>(value));
    case DType::f64: return put(data, i, value);
    case DType::f16: return put(data, i, f32_to_f16(static_cast<float>(value)));
    case DType::bf16: return put(data, i, f32_to_bf16(static_cast<float>(value)));
    case DType::u64: return put(data, i, value >= 9223372036854775808.0 ? (value >= 18446744073709551616.0 ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(value)) : static_cast<uint64_t>(truncated(value)));
    case DType::boolean: return put(data, i, static_cast<uint8_t>(value != 0));
    default: break;
  }
  if (is_small_float(t)) return put(data, i, encode_small_float(t, static_cast<float>(value)));
  store_int(t, data, i, truncated(value));
}

int64_t load_int(DType t, const std::byte* data, int64_t i) {
  switch (t) {
    case DType::i8: case DType::i4: case DType::i2: return element<int8_t>(data, i);
    case DType::u8: case DType::u4: case DType::u2: return element<uint8_t>(data, i);
    case DType::boolean: return element<uint8_t>(data, i) != 0;
    case DType::i16: return element<int16_t>(data, i);
    case DType::u16: return element<uint16_t>(data, i);
    case DType::i32: return element<int32_t>(data, i);
    case DType::u32: return element<uint32_t>(data, i);
    case DType::i64: return element<int64_t>(data, i);
    case DType::u64: return static_cast<int64_t>(element<uint64_t>(data, i));
    default: return truncated(load(t, data, i));
  }
}

void store_int(DType t, std::byte* data, int64_t i, int64_t v) {
  const auto sign_extended = [](int64_t x, int bits) { return static_cast<int8_t>(static_cast<int8_t>(static_cast<uint8_t>(x) << (8 - bits)) >> (8 - bits)); };
  switch (t) {
    case DType::i8: return put(data, i, static_cast<int8_t>(v));
    case DType::u8: return put(data, i, static_cast<uint8_t>(v));
    case DType::i4: return put(data, i, sign_extended(v, 4));
    case DType::i2: return put(data, i, sign_extended(v, 2));
    case DType::u4: return put(data, i, static_cast<uint8_t>(v & 15));
    case DType::u2: return put(data, i, static_cast<uint8_t>(v & 3));
    case DType::boolean: return put(data, i, static_cast<uint8_t>(v != 0));
    case DType::i16: return put(data, i, static_cast<int16_t>(v));
    case DType::u16: return put(data, i, static_cast<uint16_t>(v));
    case DType::i32: return put(data, i, static_cast<int32_t>(v));
    case DType::u32: return put(data, i, static_cast<uint32_t>(v));
    case DType::i64: case DType::u64: return put(data, i, v);
    default: return store(t, data, i, static_cast<double>(v));
  }
}

TensorView view_of(const Tensor& t) {
  TensorView v;
  v.dtype = t.dtype();
  v.data = const_cast<std::byte*>(t.bytes().data());
  v.shape = t.shape();
  v.row_stride = t.shape().rank() && t.shape()[0] ? t.elements() / t.shape()[0] : 0;
  return v;
}

Walk::Walk(const Shape& out, std::span<const Shape> operands) : out_(out), at_(operands.size(), 0), index_(static_cast<size_t>(out.rank()), 0), elements_(out.elements()) {
  for (const Shape& s : operands) {
    std::vector<int64_t> strides(static_cast<size_t>(out.rank()), 0);
    int64_t step = 1;
    for (int i = s.rank() - 1; i >= 0; --i) {
      strides[static_cast<size_t>(i + out.rank() - s.rank())] = s[i] == 1 ? 0 : step;
      step *= s[i];
    }
    strides_.push_back(std::move(strides));
  }
}

void Walk::next() {
  for (size_t axis = index_.size(); axis-- > 0;) {
    const bool carry = ++index_[axis] == out_[static_cast<int>(axis)];
    for (size_t o = 0; o < at_.size(); ++o) at_[o] += carry ? -strides_[o][axis] * (out_[static_cast<int>(axis)] - 1) : strides_[o][axis];
    if (!carry) return;
    index_[axis] = 0;
  }
}

}  // namespace mainspring::inline v0
