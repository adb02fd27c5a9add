// Vocabulary of the tensor operators (those named as in ONNX; rooms numeric, data, nn, ml, contrib). Two halves: shape rules that may know less than
// all, and elements of any dtype for references. Tensor operators get and give dense tensors: no row strides.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/checked.h"
#include "core/error.h"
#include "mainspring/ext/op.h"
#include "quant/half.h"
#include "quant/small_float.h"

namespace mainspring::inline v0 {

// ---- shape rules -----------------------------------------------------------------------------------------------------------

/// Products and sums of extents, as far as times × symbol can say them; else unknown (overflow too).
Dim times(Dim a, Dim b);
Dim plus(Dim a, Dim b);
/// f(n) of a constant extent; unknown for others.
template <class F>
Dim map_dim(Dim d, F f) {
  return d.is_constant() ? Dim(f(d.times)) : Dim::unknown();
}
/// Product of extents [first, last).
Dim product(const Dims& dims, size_t first, size_t last);
bool all_constant(const ValueInfo& v);
/// A tensor of that dtype and these extents; without extents, of unknown rank.
ValueInfo tensor_of(DType dtype, Dims dims);
ValueInfo unranked(DType dtype);
/// Every extent unknown.
ValueInfo of_rank(DType dtype, size_t rank);
inline Result<std::vector<ValueInfo>> one(ValueInfo v) { return std::vector<ValueInfo>{std::move(v)}; }
/// A shape from numbers. Empty when one is negative or there are more than Shape::kMaxRank.
std::optional<Dims> dims_of(std::span<const int64_t> extents);
/// Elements of a known integer tensor (i64, i32; any other integer too), flattened. Empty when the content is not known.
std::optional<std::vector<int64_t>> ints_of(const ValueInfo& v);
/// The same of a floating-point tensor.
std::optional<std::vector<double>> numbers_of(const ValueInfo& v);
/// An axis in [-rank, rank) made positive. Errors: invalid_argument.
Result<size_t> axis_of(const char* op, int64_t axis, size_t rank);
/// Extents under multidirectional broadcasting (numpy). Unranked where one operand is. Errors: invalid_argument naming both extents.
Result<ValueInfo> broadcast(const char* op, DType dtype, std::span<const ValueInfo> operands);
/// Operand i is there and a tensor. Errors: invalid_argument.
Result<const ValueInfo*> need(const char* op, const OpCall& c, size_t i, const char* name);
/// Rank of a ranked operand lies in [least, most]. Errors: invalid_argument. Unranked operands pass.
Result<void> want_rank(const char* op, const ValueInfo& v, const char* name, size_t least, size_t most = Shape::kMaxRank);
inline bool has(const OpCall& c, size_t i) { return i < c.in.size() && c.in[i].present; }
inline bool has(const OpArgs& a, size_t i) { return i < a.in.size() && a.in[i]; }

// ---- elements --------------------------------------------------------------------------------------------------------------

constexpr bool is_float(DType t) { return t == DType::f32 || t == DType::f16 || t == DType::bf16 || t == DType::f64 || is_small_float(t); }
constexpr bool is_signed_int(DType t) { return t == DType::i8 || t == DType::i16 || t == DType::i32 || t == DType::i64 || t == DType::i4 || t == DType::i2; }
constexpr bool is_unsigned_int(DType t) { return t == DType::u8 || t == DType::u16 || t == DType::u32 || t == DType::u64 || t == DType::u4 || t == DType::u2; }
constexpr bool is_int(DType t) { return is_signed_int(t) || is_unsigned_int(t); }
constexpr bool is_complex(DType t) { return t == DType::c64 || t == DType::c128; }

/// Element i as a double (bool: 0 or 1; u64 and i64 lose digits beyond 2^53; 0 for what is no number, which `store` leaves alone).
double load(DType t, const std::byte* data, int64_t i);
/// The nearest value of that dtype; integers are truncated and wrap as casts in C++ do where that is defined, else saturate.
void store(DType t, std::byte* data, int64_t i, double value);
/// Element i of an integer or boolean dtype (u64 wraps).
int64_t load_int(DType t, const std::byte* data, int64_t i);
void store_int(DType t, std::byte* data, int64_t i, int64_t value);
inline double load(const TensorView& v, int64_t i) { return load(v.dtype, v.data, i); }
inline void store(const TensorView& v, int64_t i, double x) { store(v.dtype, v.data, i, x); }
inline int64_t load_int(const TensorView& v, int64_t i) { return load_int(v.dtype, v.data, i); }
/// All integers of a tensor, flattened.
std::vector<int64_t> ints_of(const TensorView& v);
/// A dense view of a tensor.
TensorView view_of(const Tensor& t);

/// Calls f.template operator()<T>() with the C++ type that holds the dtype's elements: float, double, int8_t … uint64_t, bool, std::string_view; false,
/// without a call, for those that C++ has not (f16, bf16, small floats, complex).
template <class F>
bool with_type(DType t, F&& f) {
  switch (t) {
    case DType::f32: f.template operator()<float>(); return true;
    case DType::f64: f.template operator()<double>(); return true;
    case DType::i8: case DType::i4: case DType::i2: f.template operator()<int8_t>(); return true;
    case DType::u8: case DType::u4: case DType::u2: f.template operator()<uint8_t>(); return true;
    case DType::i16: f.template operator()<int16_t>(); return true;
    case DType::u16: f.template operator()<uint16_t>(); return true;
    case DType::i32: f.template operator()<int32_t>(); return true;
    case DType::u32: f.template operator()<uint32_t>(); return true;
    case DType::i64: f.template operator()<int64_t>(); return true;
    case DType::u64: f.template operator()<uint64_t>(); return true;
    case DType::boolean: f.template operator()<bool>(); return true;
    case DType::string: f.template operator()<std::string_view>(); return true;
    default: return false;
  }
}

/// Walks the indices of a shape in row-major order and tells, for each operand, the offset of its element under broadcasting: an extent of 1, or a
/// missing leading one, stands still.
class Walk {
 public:
  Walk(const Shape& out, std::span<const Shape> operands);
  int64_t elements() const { return elements_; }
  int64_t at(size_t operand) const { return at_[operand]; }
  void next();

 private:
  Shape out_;
  std::vector<std::vector<int64_t>> strides_;  // [operand][axis]
  std::vector<int64_t> at_, index_;
  int64_t elements_ = 1;
};

}  // namespace mainspring::inline v0
