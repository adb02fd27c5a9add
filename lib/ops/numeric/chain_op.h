// The vocabulary of fused chains. Plain enumerations: kernels' files include this.
#pragma once

#include <cstdint>

namespace mainspring::inline v0 {

/// y = op(a, b, c), element by element. Truth is 1 or 0; what is not 0 is true.
enum class ChainOp : uint8_t {
  copy, neg, abs, sign, logical_not, relu,                                            // a
  reciprocal, sqrt, exp, log, erf, sigmoid, tanh, floor, ceil, round, sin, cos, atan, softplus, softsign, silu, gelu, gelu_erf, mish,
  is_nan, is_inf,
  add, sub, mul, div, min, max, equal, less, less_equal, logical_and, logical_or, logical_xor,  // a, b
  pow, leaky,  ///< leaky: a < 0 ? a * b : a
  elu,         ///< a < 0 ? b * (e^a - 1) : a
  where,       ///< a ? b : c
  clip,        ///< min(max(a, b), c)
  fma,         ///< a * b + c, rounded once or twice
  count
};

}  // namespace mainspring::inline v0
