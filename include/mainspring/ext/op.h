// EXTENDERS: what an operator is: a name, a shape rule and a scalar reference. An op that has these runs on every machine;
// every other kernel is an accelerator that is tested against the reference.
//
// The operators of the library stand in lib/ops/ops.inc, one file or close family each.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "mainspring/ext/graph.h"
#include "mainspring/result.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

/// Dtype and extents of a value, as shape rules see it.
struct ValueInfo {
  DType dtype = DType::f32;
  Dims dims;
  StateKind state = StateKind::none;
  bool present = true;  ///< false for an absent optional input
};

/// A call at build time. `in` has max_in entries (absent ones are not present).
struct OpCall {
  std::span<const ValueInfo> in;
  const Attrs& attrs;
};

/// Rows of one sequence in a step: rows [first_row, first_row + rows) hold positions first_position, first_position + 1, …
struct Segment {
  int32_t first_row;
  int32_t rows;
  int32_t sequence;        ///< slot: row of the block table, index of recurrent states
  int32_t first_position;  ///< 0: the sequence begins, its recurrent state counts as zero
};

/// What a step knows besides its tensors. KV ops find a token's block through the table.
struct StepInfo {
  std::span<const Segment> segments;   ///< in row order, covering all rows
  const int32_t* block_table = nullptr;  ///< [sequences, blocks_per_sequence]: block of KV of each 64 tokens
  int32_t blocks_per_sequence = 0;
};

/// A tensor at run time: dense rows with a row stride. Elements of one row are contiguous.
struct TensorView {
  DType dtype = DType::f32;
  std::byte* data = nullptr;  ///< null: absent
  Shape shape;                ///< actual extents
  int64_t row_stride = 0;     ///< elements from one index of the outermost extent to the next (block formats: elements too; q8_rows, q16_rows: bytes)
  template <class T> T* as() const { return reinterpret_cast<T*>(data); }
  explicit operator bool() const { return data != nullptr; }
};

/// A call at run time. State outputs share the storage of the state input.
struct OpArgs {
  std::span<const TensorView> in;
  std::span<const TensorView> out;
  const Attrs& attrs;
  const StepInfo& step;
};

/// An operator. `infer` gives dtypes and dims of the outputs or an invalid_argument error that says what was got and expected.
/// `reference` is the obvious loop with double accumulation; it runs on one thread, may allocate, and trusts what infer accepted.
struct OpDef {
  const char* name;
  int min_in, max_in, n_out;
  Result<std::vector<ValueInfo>> (*infer)(const OpCall&);
  void (*reference)(const OpArgs&);
};

/// The operator of that name, or null.
MAINSPRING_API const OpDef* find_op(std::string_view name);
/// All operators, in the table's order.
MAINSPRING_API std::span<const OpDef* const> all_ops();

}  // namespace mainspring::inline v0
