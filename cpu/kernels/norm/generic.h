// Norms and softmax over Vec. Included by the ISA files only, after their cpu/simd/vec_<isa>.h.
// The bound is one or two passes over a row that lies in the level 1 or 2 cache; four sums hide the latency of the FMAs.
#pragma once

#include "cpu/kernels/norm/norm_args.h"

namespace mainspring::inline v0 {
namespace {

constexpr int W = Vec::width;

// Σ part(x, …) with four sums; `part(sum, x, lanes)` adds a vector of which the first `lanes` count.
template <class Part>
inline float sum_of(const float* x, int64_t d, Part part) {
  Vec s[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * W <= d; i += 4 * W) MAINSPRING_UNROLL for (int j = 0; j < 4; ++j) s[j] = part(s[j], load(x + i + j * W), W);
  MAINSPRING_UNROLL for (int j = 0; j < 3; ++j) if (i + W <= d) s[j] = part(s[j], load(x + i), W), i += W;
  if (i < d) s[3] = part(s[3], load_n(x + i, static_cast<int>(d - i)), static_cast<int>(d - i));
  return reduce_add((s[0] + s[1]) + (s[2] + s[3]));
}

inline float sum_squares(const float* x, int64_t d) {
  return sum_of(x, d, [](Vec s, Vec v, int) { return fma(v, v, s); });
}

inline Vec first_only(Vec v, int lanes) { return lanes == W ? v : select(less(iota(), set1(static_cast<float>(lanes))), v, zero()); }

// y = each(x, i, lanes) along the row; lanes == W but at the end.
template <class Each>
inline void map(const float* x, float* y, int64_t d, Each each) {
  int64_t i = 0;
  for (; i + W <= d; i += W) store(y + i, each(load(x + i), i, W));
  if (i < d) {
    const int n = static_cast<int>(d - i);
    store_n(y + i, each(load_n(x + i, n), i, n), n);
  }
}
inline Vec part_of(const float* p, int64_t i, int lanes) { return lanes == W ? load(p + i) : load_n(p + i, lanes); }

inline Vec one_over_root(float square) { return set1(1.0f) / sqrt(set1(square)); }

void rms(const NormArgs& a) {
  const Vec factor = one_over_root(sum_squares(a.x, a.d) / static_cast<float>(a.d) + a.eps);
  const float* w = a.w;
  if (!w) return map(a.x, a.y, a.d, [factor](Vec x, int64_t, int) { return x * factor; });
  map(a.x, a.y, a.d, [factor, w](Vec x, int64_t i, int n) { return x * factor * part_of(w, i, n); });
}

void layer(const NormArgs& a) {
  const float mean = sum_of(a.x, a.d, [](Vec s, Vec v, int) { return s + v; }) / static_cast<float>(a.d);
  const Vec shift = set1(mean);
  const float squares = sum_of(a.x, a.d, [shift](Vec s, Vec v, int n) {
    const Vec t = first_only(v - shift, n);
    return fma(t, t, s);
  });
  const Vec factor = one_over_root(squares / static_cast<float>(a.d) + a.eps);
  const float *w = a.w, *b = a.b;
  map(a.x, a.y, a.d, [=](Vec x, int64_t i, int n) {
    const Vec y = (x - shift) * factor;
    if (w && b) return fma(y, part_of(w, i, n), part_of(b, i, n));
    return w ? y * part_of(w, i, n) : b ? y + part_of(b, i, n) : y;
  });
}

void l2(const NormArgs& a) {
  const Vec factor = set1(1.0f) / max(sqrt(set1(sum_squares(a.x, a.d))), set1(a.eps));
  map(a.x, a.y, a.d, [factor](Vec x, int64_t, int) { return x * factor; });
}

void softmax(const float* x, float* y, int64_t d) {
  const Vec low = set1(-__builtin_inff());
  Vec top = low;
  int64_t i = 0;
  for (; i + W <= d; i += W) top = max(top, load(x + i));
  if (i < d) {
    const int n = static_cast<int>(d - i);
    top = max(top, select(less(iota(), set1(static_cast<float>(n))), load_n(x + i, n), low));
  }
  const Vec shift = set1(reduce_max(top));
  map(x, y, d, [shift](Vec v, int64_t, int) { return exp(v - shift); });
  const float sum = sum_of(y, d, [](Vec s, Vec v, int) { return s + v; });
  const Vec factor = set1(1.0f) / set1(sum);
  map(y, y, d, [factor](Vec v, int64_t, int) { return v * factor; });
}

}  // namespace
}  // namespace mainspring::inline v0
