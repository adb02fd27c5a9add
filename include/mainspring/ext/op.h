// EXTENDERS: what an operator is: a name, a shape rule and a scalar reference. An op that has these runs on every machine;
// every other kernel is an accelerator that is tested against the reference.
//
// The operators of the library stand in lib/ops/ops.inc, one file or close family each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "mainspring/ext/graph.h"
#include "mainspring/result.h"
#include "mainspring/tensor.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

/// Dtype and extents of a value, as shape rules see it.
struct ValueInfo {
  DType dtype = DType::f32;
  Dims dims;
  StateKind state = StateKind::none;
  bool present = true;  ///< false for an absent optional input
  bool ranked = true;   ///< false: not even the rank is known, dims is empty
  Container container = Container::tensor;
  const Tensor* value = nullptr;  ///< the content, where it is known at build time (constants, arithmetic on shapes)
};

/// A call at build time. `in` has max_in entries (absent ones are not present); where max_in is kVariadic, as many as the node has.
///
/// Tensor operators (those named as in ONNX) may be asked before extents are known: dims may be symbolic or unknown, or the rank
/// unknown. A rule then says what it knows, and fails only on what cannot be right. With constant dims (and `value` where the outputs'
/// extents depend on content) it must give constant dims, unless only running can tell: then the op has `dynamic`.
inline constexpr int kVariadic = 1 << 20;
struct OpCall {
  std::span<const ValueInfo> in;
  const Attrs& attrs;
  /// If: then, else. Loop, Scan, SequenceMap: the body. A body's inputs are its own, then the values that it captures, which are the node's last operands.
  std::span<const std::shared_ptr<const Graph>> bodies = {};
  int n_out = 1;  ///< outputs that the node has (trailing ones may be left out)
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

/// A call of an operator whose outputs' extents only running can tell, or which works on sequences, optionals or bodies. Runs on the
/// session's thread between plans. Memory comes from the session and can run out, which is an error to pass on.
class MAINSPRING_API DynamicCall {
 public:
  std::span<const Datum> in;   ///< as OpCall::in; absent inputs are none
  std::span<Datum> out;        ///< to be filled: one for each output of the node
  const Attrs& attrs;
  std::span<const std::shared_ptr<const Graph>> bodies;  ///< as OpCall::bodies: what an output is where a body never runs
  /// An uninitialised tensor (string: of empty strings). Errors: out_of_memory, invalid_argument (an absurd shape).
  virtual Result<Tensor> make(DType dtype, const Shape& shape) = 0;
  /// A tensor that owns copies of these strings. Errors: as make.
  virtual Result<Tensor> make_strings(std::span<const std::string_view> strings, const Shape& shape) = 0;
  /// Runs bodies[i] on its own inputs `own` (captured ones are added), gives its outputs. Errors: what its nodes say, cancelled.
  virtual Result<std::vector<Datum>> run_body(size_t i, std::span<const Datum> own) = 0;
  /// Errors: cancelled when the host asked to stop. To be asked in every long loop.
  virtual Result<void> go_on() = 0;
  virtual ~DynamicCall() = default;

 protected:
  DynamicCall(std::span<const Datum> i, std::span<Datum> o, const Attrs& a, std::span<const std::shared_ptr<const Graph>> b = {}) : in(i), out(o), attrs(a), bodies(b) {}
};

/// An operator. `infer` gives dtypes and dims of the outputs or an invalid_argument error that says what was got and expected.
/// `reference` is the obvious loop with double accumulation; it runs on one thread, may allocate, and trusts what infer accepted.
struct OpDef {
  const char* name;
  int min_in, max_in, n_out;
  Result<std::vector<ValueInfo>> (*infer)(const OpCall&);
  void (*reference)(const OpArgs&) = nullptr;
  /// Runs where `infer` cannot give constant dims even with all contents at hand, or where a value is no tensor. Errors: invalid_argument
  /// (what the operands say is wrong), unsupported, out_of_memory, cancelled.
  Result<void> (*dynamic)(DynamicCall&) = nullptr;
  bool random = false;  ///< gives other numbers each time: neither folded nor shared
};

/// The operator of that name, or null.
MAINSPRING_API const OpDef* find_op(std::string_view name);
/// All operators, in the table's order.
MAINSPRING_API std::span<const OpDef* const> all_ops();

}  // namespace mainspring::inline v0
