// Transcendentals over Vec, included at the end of each vec_*.h. A lane's result depends on that lane's input alone.
// Errors are against the exact value of the f32 input, measured over all floats of the stated range (tests/cpu/attention_math_test.cpp).
#pragma once

namespace mainspring::inline v0 {
namespace {

/// x = n ln 2 + r with |r| <= ln(2) / 2: e^r - 1, and n.
inline Vec exp_parts(Vec x, Vec* n) {
  x = max(set1(-105.0f), min(set1(89.0f), x));  // the second operand wins where x is NaN
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
  const Vec p = exp_parts(x, &n);
  return scale2(p + set1(1.0f), n);
}

/// e^x - 1, <= 3 ulp.
inline Vec expm1(Vec x) {
  Vec n;
  const Vec p = exp_parts(x, &n);
  return scale2(p, n) + (scale2(set1(1.0f), n) - set1(1.0f));
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

/// Natural logarithm of any x, <= 3 ulp: -inf at 0, NaN below, subnormals and inf as they are.
inline Vec log_any(Vec x) {
  const Mask tiny = less(x, set1(1.17549435e-38f));
  Vec y = log(select(tiny, x * set1(8388608.0f), x)) - select(tiny, set1(15.9423847f), zero());
  y = select(less(x, set1(__builtin_inff())), y, x);  // inf and NaN
  return select(less(zero(), x), y, select(equal(x, zero()), set1(-__builtin_inff()), select(less(x, zero()), set1(__builtin_nanf("")), y)));
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

/// e^(a^2) erfc(a) = P(t) / (1 + 2a), t = (a - 2) / (a + 2): the form of Shepherd and Laframboise, Math. Comp. 36 (1981). Gives erfc(a) for
/// 0 <= a <= 10.5, relative error 1e-6; P fitted for 0 <= a <= 10, relative error 1.6e-8; from 10.25 on exp gives 0.
inline Vec erfc_positive(Vec a) {
  const Vec t = (a - set1(2.0f)) / (a + set1(2.0f));
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
  return exp(zero() - z) * (set1(1.0f) - lost) * p / fma(a, set1(2.0f), set1(1.0f));
}

/// The error function, <= 3 ulp. Below 1 a polynomial in x^2 (relative error 1.3e-9 before rounding).
inline Vec erf(Vec x) {
  const Vec a = abs(x), z = a * a;
  Vec p = set1(7.85385772e-05f);
  p = fma(p, z, set1(-0.000801019252f));
  p = fma(p, z, set1(0.00518832756f));
  p = fma(p, z, set1(-0.0268538119f));
  p = fma(p, z, set1(0.112835851f));
  p = fma(p, z, set1(-0.376126258f));
  p = fma(p, z, set1(0.128379167f));
  return copysign(select(less(a, set1(1.0f)), fma(p, a, a), set1(1.0f) - erfc_positive(min(set1(10.5f), a))), x);
}

/// To the nearest integer, ties to even, any x (round is for |x| < 2^22).
inline Vec to_nearest(Vec x) {
  const Vec a = abs(x), whole = set1(8388608.0f);
  return copysign(select(less(a, whole), (a + whole) - whole, a), x);
}
inline Vec floor(Vec x) {
  const Vec r = to_nearest(x);
  return r - select(less(x, r), set1(1.0f), zero());
}
inline Vec ceil(Vec x) {
  const Vec r = to_nearest(x);
  return r + select(less(r, x), set1(1.0f), zero());
}

/// f of each lane, for what is rare or has no short form.
template <class F>
inline Vec by_lane(Vec x, Vec y, F f) {
  float a[Vec::width], b[Vec::width];
  store(a, x);
  store(b, y);
  for (int i = 0; i < Vec::width; ++i) a[i] = f(a[i], b[i]);
  return load(a);
}

/// sin(x + quarter * pi / 2), <= 3 ulp. pi / 2 in four parts, of which three have at most 11 bits: n * part is exact up to |x| = 8192, beyond which the
/// C library is asked lane by lane.
inline Vec sin_quarter(Vec x, float quarter) {
  const Vec n = round(x * set1(0.636619772f));
  Vec r = fnma(n, set1(1.5703125f), x);
  r = fnma(n, set1(0.0004837512969970703f), r);
  r = fnma(n, set1(7.549533620476723e-08f), r);
  r = fnma(n, set1(2.5633440682570896e-12f), r);
  const Vec z = r * r, m = n + set1(quarter), k = m - set1(4.0f) * round(m * set1(0.25f));  // -2 … 2
  Vec s = set1(2.72491044e-06f), c = set1(-2.73004297e-07f);
  s = fma(s, z, set1(-1.98400796e-04f));
  c = fma(c, z, set1(2.48005959e-05f));
  s = fma(s, z, set1(8.33333186e-03f));
  c = fma(c, z, set1(-1.38888877e-03f));
  s = fma(s, z, set1(-1.66666667e-01f));
  c = fma(c, z, set1(4.16666667e-02f));
  s = fma(s * z, r, r);
  c = fma(c * z, z, fnma(set1(0.5f), z, set1(1.0f)));
  const Vec odd = abs(k), y = select(equal(odd, set1(1.0f)), c, s);  // k = 1: c, -1: -c, 2 and -2: -s
  return select(less(zero(), odd - set1(1.5f)), y * set1(-1.0f), select(less(k, zero()), y * set1(-1.0f), y));
}
inline Vec sin(Vec x) {
  const Vec y = select(equal(x, zero()), x, sin_quarter(x, 0));
  if (!(reduce_max(select(equal(x, x), abs(x), zero())) > 8192.0f)) return y;
  return by_lane(x, y, [](float v, float short_form) { return __builtin_fabsf(v) > 8192.0f ? __builtin_sinf(v) : short_form; });
}
inline Vec cos(Vec x) {
  const Vec y = sin_quarter(x, 1);
  if (!(reduce_max(select(equal(x, x), abs(x), zero())) > 8192.0f)) return y;
  return by_lane(x, y, [](float v, float short_form) { return __builtin_fabsf(v) > 8192.0f ? __builtin_cosf(v) : short_form; });
}

/// <= 3 ulp. Brought to |t| <= tan(pi / 8) by (a - 1) / (a + 1) and -1 / a.
inline Vec atan(Vec x) {
  const Vec a = abs(x);
  const Mask middle = less(set1(0.414213562f), a), large = less(set1(2.41421356f), a);
  const Vec t = select(large, set1(-1.0f) / a, select(middle, (a - set1(1.0f)) / (a + set1(1.0f)), a)), z = t * t;
  Vec p = set1(-0.060347866f);
  p = fma(p, z, set1(0.105734782f));
  p = fma(p, z, set1(-0.142400828f));
  p = fma(p, z, set1(0.199982169f));
  p = fma(p, z, set1(-0.333333076f));
  const Vec high = select(large, set1(1.57079637f), select(middle, set1(0.785398185f), zero()));
  const Vec low = select(large, set1(-4.37113883e-8f), select(middle, set1(-2.18556941e-8f), zero()));
  return copysign(high + (low + fma(p * z, t, t)), x);
}

/// x^y by the C library, lane by lane.
inline Vec pow(Vec x, Vec y) {
  return by_lane(x, y, [](float a, float b) { return __builtin_powf(a, b); });
}

}  // namespace
}  // namespace mainspring::inline v0
