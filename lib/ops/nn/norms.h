// Norms over the trailing elements of rows, in double; what layer norms of ONNX and of com.microsoft share.
#pragma once

#include <span>

#include "ops/nn/numbers.h"

namespace mainspring::inline v0 {

/// What a row is shifted by and multiplied with.
struct RowMoments {
  double mean = 0, factor = 1;
};
/// factor: 1 / sqrt(variance + eps); with `centre` off, the mean stays 0 and the variance is that around 0.
RowMoments moments_of(std::span<const double> row, double eps, bool centre = true);
/// Each row of `x` (length elements) becomes (x - mean) × factor × scale + bias; scale and bias have one element each of a row, or are empty.
void normalise_rows(std::span<double> x, int64_t length, double eps, bool centre, std::span<const double> scale, std::span<const double> bias);
/// Values, cut to what a tensor of `source`'s shape looks like broadcast to `shape`.
std::vector<double> broadcast_numbers(const TensorView& source, const Shape& shape);

}  // namespace mainspring::inline v0
