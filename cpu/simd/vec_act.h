// Activations over Vec, for the kernels that end in one. Include after a vec_<isa>.h. Errors: cpu/kernels/elementwise/elementwise.h.
#pragma once

namespace mainspring::inline v0 {
namespace {

inline Vec silu(Vec x) { return x / (set1(1.0f) + exp(zero() - x)); }

/// 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
inline Vec gelu(Vec x) {
  const Vec u = x * fma(x * x, set1(2 * 0.7978845608f * 0.044715f), set1(2 * 0.7978845608f));
  return x / (set1(1.0f) + exp(zero() - u));
}

/// 0.5 x erfc(-x/sqrt 2) = max(x, 0) - 0.5 |x| erfc(a), a = |x|/sqrt 2, with erfc(a) = exp(-a^2) P(t) / (1 + 2a), t = (a - 2) / (a + 2): the form of
/// Shepherd and Laframboise, Math. Comp. 36 (1981); P fitted for 0 <= a <= 10, relative error 1.6e-8; from 10.25 on exp gives 0.
inline Vec gelu_erf(Vec x) {
  const Vec a = min(set1(10.5f), abs(x) * set1(0.70710678f)), t = (a - set1(2.0f)) / (a + set1(2.0f));
  Vec p = set1(-4.0945117e-4f);
  p = fma(p, t, set1(-1.2413373e-3f));
  p = fma(p, t, set1(1.3204858e-3f));
  p = fma(p, t, set1(8.6426362e-3f));
  p = fma(p, t, set1(-8.0616586e-3f));
  p = fma(p, t, set1(-5.4207657e-2f));
  p = fma(p, t, set1(1.6405556e-1f));
  p = fma(p, t, set1(-1.6603109e-1f));
  p = fma(p, t, set1(-9.2763990e-2f));
  p = fma(p, t, set1(1.2769784f));
  // exp(-a^2) with the square's own rounding made good, which would cost a^2 ulp
  const Vec z = a * a, lost = fma(a, a, zero() - z);
  const Vec e = exp(zero() - z) * (set1(1.0f) - lost) * p / fma(a, set1(2.0f), set1(1.0f));
  return fnma(set1(0.70710678f) * a, e, max(zero(), x));
}

/// x between low and high; NaN stays.
inline Vec clip(Vec x, Vec low, Vec high) { return min(high, max(low, x)); }
inline Vec hard_sigmoid(Vec x, Vec alpha, Vec beta) { return clip(fma(alpha, x, beta), zero(), set1(1.0f)); }
inline Vec hard_swish(Vec x) { return x * hard_sigmoid(x, set1(1.0f / 6), set1(0.5f)); }
/// x tanh(ln(1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2); from 20 on that is x.
inline Vec mish(Vec x) {
  const Vec t = exp(min(set1(20.0f), x)), n = t * (t + set1(2.0f));
  return x * (n / (n + set1(2.0f)));
}
inline Vec leaky_relu(Vec x, Vec alpha) { return select(less(x, zero()), alpha * x, x); }
inline Vec elu(Vec x, Vec alpha) { return select(less(x, zero()), alpha * expm1(x), x); }

}  // namespace
}  // namespace mainspring::inline v0
