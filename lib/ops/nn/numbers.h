// What references of the network rooms (nn, ml, contrib) share: whole operands as doubles, so that inner loops are contiguous and know no dtype, and
// checks of operands for their shape rules.
#pragma once

#include <vector>

#include "ops/tensor.h"

namespace mainspring::inline v0 {

/// All elements of a tensor of numbers, row-major; empty where it is absent.
std::vector<double> numbers_of(const TensorView& v);
/// Rounds once to the tensor's dtype. Integers are truncated: who wants rounding rounds before.
void put_numbers(const TensorView& to, std::span<const double> from);
inline size_t at(int64_t i) { return static_cast<size_t>(i); }

/// Operand i is a tensor of f32, f16, bf16 or f64. Errors: invalid_argument, as all below.
Result<const ValueInfo*> need_float(const char* op, const OpCall& c, size_t i, const char* name);
/// A tensor of numbers or truth values: not strings, not complex.
Result<const ValueInfo*> need_number(const char* op, const OpCall& c, size_t i, const char* name);
Result<const ValueInfo*> need_int(const char* op, const OpCall& c, size_t i, const char* name);
/// Rank and extents as far as both are known. An absent operand passes; one that is there must be of numbers.
Result<void> want_dims(const char* op, const OpCall& c, size_t i, const char* name, const Dims& expected);
/// Two extents that must be one.
Result<void> want_equal(const char* op, const char* what, Dim got, Dim expected);
/// Attribute in [least, most].
Result<int64_t> int_attr(const char* op, const Attrs& attrs, const char* name, int64_t otherwise, int64_t least, int64_t most);
/// Index of a string attribute among its choices.
Result<size_t> choice_attr(const char* op, const Attrs& attrs, const char* name, std::string_view otherwise, std::span<const std::string_view> choices);
/// The first c.n_out of the outputs.
inline Result<std::vector<ValueInfo>> first_outputs(const OpCall& c, std::vector<ValueInfo> all) {
  if (at(c.n_out) < all.size()) all.resize(at(c.n_out));
  return all;
}
inline bool wanted(const OpArgs& a, size_t i) { return i < a.out.size() && a.out[i]; }
/// Extent i of a ranked operand, else unknown.
inline Dim dim_of(const ValueInfo& v, size_t i) { return v.ranked && i < v.dims.size() ? v.dims[i] : Dim::unknown(); }

/// The floats that networks compute in.
constexpr bool is_main_float(DType t) { return t == DType::f32 || t == DType::f16 || t == DType::bf16 || t == DType::f64; }

/// A shape as what stands before an axis, the axis, and what lies behind it.
struct Split {
  int64_t outer = 1, axis = 1, inner = 1;
};
Split split_at(const Shape& s, int axis);

}  // namespace mainspring::inline v0
