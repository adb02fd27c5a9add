// Scalar activation functions in double: the truth for unary ops and gated units.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mainspring::inline v0::activation {

inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
inline double silu(double x) { return x == 0 ? x : x * sigmoid(x); }
/// The tanh form of Hendrycks and Gimpel, arXiv:1606.08415: (1 + tanh z) / 2 is sigmoid(2z), which does not cancel where x is far below 0.
inline double gelu(double x) { return x * sigmoid(2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)); }
inline double gelu_erf(double x) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); }
inline double gelu_quick(double x) { return x * sigmoid(1.702 * x); }
inline double relu(double x) { return x > 0 ? x : (x < 0 ? 0 : x + 0.0); }  // NaN stays NaN, -0 becomes 0
inline double relu_sqr(double x) { return relu(x) * relu(x); }
inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
inline double tanh(double x) { return std::tanh(x); }
inline double exp(double x) { return std::exp(x); }
inline double neg(double x) { return -x; }

}  // namespace mainspring::inline v0::activation
