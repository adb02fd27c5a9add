// Transcendentals over Vec, included at the end of each vec_*.h. A lane's result depends on that lane's input alone.
// Errors are against the exact value of the f32 input, measured over all floats of the stated range (tests/cpu/attention_math_test.cpp).
#pragma once

namespace mainspring::inline v0 {
namespace {

/// e^r - 1 and n with e^x = 2^n e^r, |r| <= ln(2)/2, for -105 <= x <= 89.
inline Vec expm1_part(Vec x, Vec* n) {
  *n = round(x * set1(1.44269504f));
  // ln 2 in two parts: the first has 15 significant bits, so n * part is exact.
  Vec r = fnma(*n, set1(0.693145751953125f), x);
  r = fnma(*n, set1(1.42860682030941723e-6f), r);
  // Taylor's terms up to r^8, those beyond r^6 economised (Chebyshev) on |r| <= ln(2)/2: relative error 1e-9 before rounding.
  Vec p = set1(1.3933583e-3f);
  p = fma(p, r, set1(8.3631293e-3f));
  p = fma(p, r, set1(4.1666465e-2f));
  p = fma(p, r, set1(1.6666577e-1f));
  p = fma(p, r, set1(0.5f));
  return fma(p * r, r, r);
}

/// e^x, <= 2 ulp (1.0 where the result is normal); +inf above 88.73, 0 below -104, subnormals in between; exp(0) = 1; NaN stays NaN.
inline Vec exp(Vec x) {
  Vec n;
  const Vec p = expm1_part(max(set1(-105.0f), min(set1(89.0f), x)), &n);  // the second operand wins where x is NaN
  return scale2(p + set1(1.0f), n);
}

/// e^x - 1 for x <= 0, <= 3 ulp; NaN stays NaN.
inline Vec expm1(Vec x) {
  Vec n;
  const Vec p = expm1_part(max(set1(-105.0f), min(set1(0.0f), x)), &n), one = set1(1.0f);
  return scale2(p, n) + (scale2(one, n) - one);
}

/// Natural logarithm of positive normal x, <= 2 ulp. +inf and NaN are not handled.
inline Vec log(Vec x) {
  Vec e;
  const Vec f = split2(x, &e) - set1(1.0f);
  const Vec s = f / (set1(2.0f) + f), z = s * s;  // log(1 + f) = 2 atanh(s)
  Vec p = set1(0.2440461f);                       // |s| <= 1/5: 2/3 + 2/5 z + 2/7 z^2 + 2/9 z^3, the last coefficient takes the rest
  p = fma(p, z, set1(0.28571429f));
  p = fma(p, z, set1(0.4f));
  p = fma(p, z, set1(0.66666667f));
  // f - s*f + s*z*p : the large part first keeps the error of the small one small.
  const Vec tail = fma(s * z, p, e * set1(1.42860682030941723e-6f));
  const Vec body = fnma(s, f, tail);
  return fma(e, set1(0.693145751953125f), f + body);
}

/// tanh, <= 2 ulp.
inline Vec tanh(Vec x) {
  const Vec a = abs(x), z = a * a;
  const Vec t = set1(1.0f) - set1(2.0f) / (exp(a + a) + set1(1.0f));
  Vec p = set1(-5.70498872745e-3f);  // odd polynomial on |x| < 0.625 (Cephes tanhf)
  p = fma(p, z, set1(2.06390887954e-2f));
  p = fma(p, z, set1(-5.37397155531e-2f));
  p = fma(p, z, set1(1.33314422036e-1f));
  p = fma(p, z, set1(-3.33332819422e-1f));
  p = fma(p * z, a, a);
  return copysign(select(less(a, set1(0.625f)), p, t), x);
}

/// 1 / (1 + e^-x), <= 3 ulp.
inline Vec sigmoid(Vec x) { return set1(1.0f) / (set1(1.0f) + exp(zero() - x)); }

/// ln(1 + e^x), absolute error <= 1e-7 * max(1, |result|); relative error <= 4 ulp.
inline Vec softplus(Vec x) {
  const Vec t = exp(zero() - abs(x)), u = set1(1.0f) + t;
  // log1p(t) = log(u) + what the rounding of u lost, over u. For tiny t the correction is all of it.
  const Vec lost = t - (u - set1(1.0f));
  return max(zero(), x) + (log(u) + lost / u);
}

}  // namespace
}  // namespace mainspring::inline v0
