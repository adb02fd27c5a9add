// Vocabulary of shape rules. In: an OpCall. Out: checked operands, or an invalid_argument error that names the op and the operand.
#pragma once

#include <optional>
#include <string>

#include "core/error.h"
#include "mainspring/ext/op.h"

namespace mainspring::inline v0 {

/// "[s0, 32, 64]": symbols by id, since a shape rule does not know their names.
std::string text_of(const Dims& dims);
/// "f32 [s0, 64]".
std::string text_of(const ValueInfo& info);
/// Product of constant extents from `first` on; empty when one is symbolic or the product overflows.
std::optional<int64_t> constant_elements(const Dims& dims, size_t first);

/// Checks the operands of one call. Every check fails with the op's name, what was got and what was expected.
class Want {
 public:
  Want(const char* op, const OpCall& call) : op_(op), call_(call) {}

  bool has(size_t i) const { return i < call_.in.size() && call_.in[i].present; }
  /// Operand i of that dtype and rank (min_rank to max_rank, 0: any), extents at least 1 and at most one of them symbolic.
  Result<const ValueInfo*> tensor(size_t i, const char* name, DType dtype, size_t min_rank, size_t max_rank = 0) const;
  /// As tensor, f32, with a constant last extent: what is worked on row by row.
  Result<const ValueInfo*> rows(size_t i, const char* name, size_t min_rank = 1, size_t max_rank = 0) const;
  /// As rows, but bf16, q8_rows or q16_rows will do too.
  Result<const ValueInfo*> activations(size_t i, const char* name, size_t min_rank, size_t max_rank = 0) const;
  /// A matrix of weights in any format: constant extents of that rank, the last one whole blocks.
  Result<const ValueInfo*> weight(size_t i, const char* name, size_t rank) const;
  /// A state of that kind and rank. recurrent: f32. kv_keys, kv_values: f32 or f16.
  Result<const ValueInfo*> state(size_t i, const char* name, StateKind kind, size_t rank) const;
  /// Operand i is absent, or has exactly this dtype and these extents.
  Result<void> maybe(size_t i, const char* name, const Dims& expected, DType dtype = DType::f32) const;
  /// Operand i has exactly this dtype and these extents.
  Result<void> exactly(size_t i, const char* name, const Dims& expected, DType dtype = DType::f32) const;
  /// Attribute `name` (or its default) is finite and at least `least`.
  Result<double> number(const char* name, double otherwise, double least) const;
  /// Attribute `name` (or its default) lies in [least, most].
  Result<int64_t> integer(const char* name, int64_t otherwise, int64_t least, int64_t most) const;
  /// Index of attribute `name` (or its default) in `choices`.
  Result<size_t> choice(const char* name, std::string_view otherwise, std::span<const std::string_view> choices) const;

  const ValueInfo& in(size_t i) const { return call_.in[i]; }
  const Attrs& attrs() const { return call_.attrs; }
  template <class... Args>
  Error fail(fmt::format_string<Args...> text, Args&&... args) const {
    return within(op_, invalid(text, std::forward<Args>(args)...));
  }

 private:
  Result<void> sane(const ValueInfo& info, const char* name, size_t min_rank, size_t max_rank) const;
  const char* op_;
  const OpCall& call_;
};

/// One output, f32 unless said.
inline Result<std::vector<ValueInfo>> yields(Dims dims, DType dtype = DType::f32) {
  ValueInfo v;
  v.dtype = dtype;
  v.dims = std::move(dims);
  return std::vector<ValueInfo>{std::move(v)};
}
/// The shape rule of an op whose f32 output is quantised to rows of `bits` (8 or 16, the op's attribute): whole blocks of 32.
Result<std::vector<ValueInfo>> then_quantised(const char* op, const OpCall& c, Result<std::vector<ValueInfo>> inferred);
/// One f32 output and the next version of a state.
inline Result<std::vector<ValueInfo>> yields(Dims dims, const ValueInfo& state) {
  ValueInfo v;
  v.dims = std::move(dims);
  return std::vector<ValueInfo>{std::move(v), state};
}

}  // namespace mainspring::inline v0
