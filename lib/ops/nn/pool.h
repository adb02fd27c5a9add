// Pools in double, for AveragePool and its quantised form.
#pragma once

#include <vector>

#include "ops/nn/window.h"

namespace mainspring::inline v0 {

/// What x [N, C, D…] (operand 0) becomes under attributes kernel_shape, strides, pads…. Errors: invalid_argument.
Result<ValueInfo> infer_pool(const char* op, const OpCall& c);
/// Means over windows, of [N, C, D…].
std::vector<double> average_pooled(const Attrs& attrs, std::span<const double> x, const Shape& shape);

}  // namespace mainspring::inline v0
