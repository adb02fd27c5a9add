// Activations over Vec: each is one struct with `of`, so that a loop is compiled for each. Included by ISA files only, after their vec_<isa>.h.
// A lane's result depends on that lane's input alone. NaN stays NaN. Errors: cpu/kernels/elementwise/elementwise.h.
#pragma once

#include "cpu/simd/activation.h"

namespace mainspring::inline v0 {
namespace {

inline Vec silu(Vec x) { return x / (set1(1.0f) + exp(zero() - x)); }
// 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
inline Vec gelu(Vec x) {
  const Vec u = x * fma(x * x, set1(2 * 0.7978845608f * 0.044715f), set1(2 * 0.7978845608f));
  return x / (set1(1.0f) + exp(zero() - u));
}
// 0.5 x erfc(-x/sqrt 2) = max(x, 0) - 0.5 |x| erfc(|x|/sqrt 2)
inline Vec gelu_erf(Vec x) {
  const Vec a = min(set1(10.5f), abs(x) * set1(0.70710678f));
  return fnma(set1(0.70710678f) * a, erfc_positive(a), max(zero(), x));
}
inline Vec relu(Vec x) { return max(zero(), x); }  // the second operand wins where x is NaN
inline Vec clip(Vec x, Vec low, Vec high) { return min(high, max(low, x)); }
inline Vec elu(Vec x, Vec a) { return select(less(x, zero()), a * expm1(x), x); }
inline Vec hard_sigmoid(Vec x, Vec a, Vec b) { return clip(fma(x, a, b), zero(), set1(1.0f)); }
// tanh(ln(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2); from 20 on it is 1 to the last bit.
inline Vec mish(Vec x) {
  const Vec e = exp(min(set1(20.0f), x)), n = e * (e + set1(2.0f));
  return x * (n / (n + set1(2.0f)));
}

/// Calls f(act) with a function Vec -> Vec: the loop stands in f, once for each activation.
template <class F>
inline void with_activation(const Activation& act, F f) {
  const Vec a = set1(act.a), b = set1(act.b);
  switch (act.id) {
    case ActId::relu: return f([](Vec x) { return relu(x); });
    case ActId::clip: return f([=](Vec x) { return clip(x, a, b); });
    case ActId::leaky_relu: return f([=](Vec x) { return select(less(x, zero()), x * a, x); });
    case ActId::elu: return f([=](Vec x) { return elu(x, a); });
    case ActId::sigmoid: return f([](Vec x) { return sigmoid(x); });
    case ActId::tanh: return f([](Vec x) { return tanh(x); });
    case ActId::silu: return f([](Vec x) { return silu(x); });
    case ActId::gelu_erf: return f([](Vec x) { return gelu_erf(x); });
    case ActId::gelu: return f([](Vec x) { return gelu(x); });
    case ActId::hard_sigmoid: return f([=](Vec x) { return hard_sigmoid(x, a, b); });
    case ActId::hard_swish: return f([](Vec x) { return x * hard_sigmoid(x, set1(1.0f / 6), set1(0.5f)); });
    case ActId::mish: return f([](Vec x) { return mish(x); });
    case ActId::softplus: return f([](Vec x) { return softplus(x); });
    case ActId::none:
    case ActId::count: return f([](Vec x) { return x; });
  }
}

/// y[i] = act(x[i]); y may be x.
inline void activate(const Activation& act, const float* x, float* y, int64_t n) {
  with_activation(act, [=](auto f) {
    int64_t i = 0;
    for (; i + Vec::width <= n; i += Vec::width) store(y + i, f(load(x + i)));
    if (i < n) store_n(y + i, f(load_n(x + i, static_cast<int>(n - i))), static_cast<int>(n - i));
  });
}

}  // namespace
}  // namespace mainspring::inline v0
