// Rounding on the way, for operators that ONNX explains by smaller ones, each of which rounds to f16 or bf16. Other references calculate in double and round
// what they store.
#pragma once

#include <span>

#include "mainspring/types.h"

namespace mainspring::inline v0 {

/// The nearest value of f16 or bf16; for other dtypes x.
double narrowed(DType t, double x);
/// exp(x - most) in place of each x, narrowed as differences, exponentials and their sum, which is given back.
double exponentials(DType t, std::span<double> x, double most);

}  // namespace mainspring::inline v0
