// Convolutions in double. In: operands as flat numbers, attributes, extents that infer accepted. Out: sums; bias, scales and rounding are the caller's.
#pragma once

#include <vector>

#include "ops/nn/window.h"

namespace mainspring::inline v0 {

/// Operands of a convolution: x [N, C, D…], w [M, C/group, k…]; b (index 0: none) [M]. Gives y [N, M, places…] of dtype `out`.
Result<std::vector<ValueInfo>> infer_conv(const char* op, const OpCall& c, size_t x, size_t w, size_t b, DType out);
/// Σ over channels of the group and taps, each output's in one order.
std::vector<double> convolved(const Attrs& attrs, std::span<const double> x, const Shape& x_shape, std::span<const double> w, const Shape& w_shape);
/// y [N, C, …] += b [C].
void add_channel_bias(std::vector<double>& y, const Shape& shape, std::span<const double> b);

}  // namespace mainspring::inline v0
