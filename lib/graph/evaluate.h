// Operators on whole tensors, outside a plan: constants that a pass folds, arithmetic on shapes, nodes that only running can size.
// In: an operator, tensors, what inference says of its results. Out: the results.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "mainspring/ext/graph.h"
#include "mainspring/ext/op.h"
#include "mainspring/tensor.h"

namespace mainspring::inline v0 {

/// Runs the reference. `in`: as OpCall::in, null where absent. Errors: out_of_memory.
Result<std::vector<Tensor>> evaluate(const OpDef& op, std::span<const Tensor* const> in, std::span<const ValueInfo> out, const Attrs& attrs, Allocator& allocator);
/// Constant extents within reason. Errors: invalid_argument, naming the node.
Result<void> check_extents(const Node& node, std::span<const ValueInfo> out);
/// The elements stay as they are and where they are: another shape of the same.
bool only_renames(std::string_view op);
/// Constant dims as a shape.
Shape shape_of(const Dims& dims);
/// A weight's elements, without a copy.
Tensor content_of(const Value& weight);
/// A weight of these elements, which it keeps.
Value weight_of(std::string name, Tensor content);

}  // namespace mainspring::inline v0
