// Bodies of If, Loop, Scan and SequenceMap: what they tell of their outputs, and tensors gathered turn by turn.
#pragma once

#include "ops/data/data.h"

namespace mainspring::inline v0 {

/// How many of a node's last operands its bodies capture: attribute n_captures. Errors: invalid_argument for more than operands.
Result<size_t> captures_of(const char* op, const Attrs& attrs, size_t operands);
/// Body i, with `own` inputs of its own besides the captures and at least `least` outputs. Errors: invalid_argument.
Result<const Graph*> body_of(const char* op, const OpCall& c, size_t i, size_t own, size_t least);
/// What a body says of its output i. A body's symbols are not those around it: such extents are unknown.
ValueInfo output_of(const Graph& body, size_t i);
/// The extents of output i as a tensor that was never made: unknown ones are 0.
Shape least_shape(const Graph& body, size_t i);
/// As many outputs as the node has, of `most`. Errors: invalid_argument.
Result<size_t> outputs_of(const char* op, const OpCall& c, size_t most);
/// Runs a body and checks how much it gives. Errors: as DynamicCall::run_body, invalid_argument.
Result<std::vector<Datum>> turn(const char* op, DynamicCall& c, std::span<const Datum> own, size_t outputs);

/// Tensors of one dtype and shape, put one after the other along a new axis 0. Room for `first` is made at once, then for twice as many.
class Stack {
 public:
  Stack(const char* op, int64_t first, int64_t most) : op_(op), first_(first), most_(most) {}
  /// Errors: invalid_argument (no tensor, another shape), out_of_memory.
  Result<void> push(DynamicCall& c, const Datum& item);
  /// The whole; what output i of the body says where nothing was pushed. Errors: out_of_memory.
  Result<Tensor> finish(DynamicCall& c, const Graph& body, size_t i);

 private:
  Result<void> make_room(DynamicCall& c, int64_t rows);
  const char* op_;
  int64_t first_, most_, n_ = 0, room_ = 0;
  Shape row_;
  Tensor rows_;
  std::vector<Tensor> keepers_;  // of strings that rows_ points at
};

}  // namespace mainspring::inline v0
