// Rope over Vec (include a cpu/simd/vec_*.h before). Everything has internal linkage. Bound: bytes of the rows.
//
// The table holds, with pairs padded to `n`: neox: cosines at 0, sines at 2n. Adjacent pairs: each cosine twice at 0, each sine as (-s, s) at
// 2n, so that y = x * cos + swapped(x) * sin.
#pragma once

#include "cpu/kernels/rope/rope_args.h"

namespace mainspring::inline v0 {
namespace {

/// Sine and cosine on [-pi/4, pi/4] (Cephes' coefficients): within 1 ulp of the larger one.
inline void sin_cos(Vec r, Vec* s, Vec* c) {
  const Vec z = r * r;
  Vec p = set1(-1.9515295891e-4f);
  p = fma(p, z, set1(8.3321608736e-3f));
  p = fma(p, z, set1(-1.6666654611e-1f));
  *s = fma(p * z, r, r);
  Vec q = set1(2.443315711809948e-5f);
  q = fma(q, z, set1(-1.388731625493765e-3f));
  q = fma(q, z, set1(4.166664568298827e-2f));
  *c = fma(q * z, z, fnma(set1(0.5f), z, set1(1.0f)));
}

void angles(const uint64_t* steps, int64_t pairs, int32_t position, float magnitude, bool neox, float* table) {
  const int64_t padded = rope_table_floats(pairs) / 4;
  float *cosine = table, *sine = table + 2 * padded;
  for (int64_t base = 0; base < pairs; base += Vec::width) {
    float rest[Vec::width], c[Vec::width], s[Vec::width];
    uint32_t quarter[Vec::width];
    for (int i = 0; i < Vec::width; ++i) {
      const int64_t pair = base + i < pairs ? base + i : base;
      const uint64_t turns = static_cast<uint64_t>(static_cast<int64_t>(position)) * steps[pair];
      quarter[i] = static_cast<uint32_t>((turns + (uint64_t{1} << 61)) >> 62);
      const int64_t within = static_cast<int64_t>(turns - (static_cast<uint64_t>(quarter[i]) << 62));
      rest[i] = static_cast<float>(static_cast<double>(within) * 3.4061215800865545e-19);  // 2 pi / 2^64
    }
    Vec sv, cv;
    sin_cos(load(rest), &sv, &cv);
    store(s, sv * set1(magnitude));
    store(c, cv * set1(magnitude));
    for (int i = 0; i < Vec::width; ++i) {
      const bool odd = quarter[i] & 1;
      const float x = odd ? s[i] : c[i], y = odd ? c[i] : s[i];
      const float co = quarter[i] == 1 || quarter[i] == 2 ? -x : x, si = quarter[i] & 2 ? -y : y;
      const int64_t pair = base + i;
      if (neox) {
        cosine[pair] = co;
        sine[pair] = si;
      } else {
        cosine[2 * pair] = co;
        cosine[2 * pair + 1] = co;
        sine[2 * pair] = -si;
        sine[2 * pair + 1] = si;
      }
    }
  }
}

inline void rotate_halves(const RopeRow& a, const float* x, float* y, const float* sine) {
  auto one = [](Vec u, Vec v, Vec c, Vec s, Vec* p, Vec* q) {
    *p = fnma(v, s, u * c);
    *q = fma(u, s, v * c);
  };
  int64_t i = 0;
  for (; i + Vec::width <= a.pairs; i += Vec::width) {
    Vec p, q;
    one(load(x + i), load(x + a.pairs + i), load(a.table + i), load(sine + i), &p, &q);
    store(y + i, p);
    store(y + a.pairs + i, q);
  }
  if (i == a.pairs) return;
  const int n = static_cast<int>(a.pairs - i);
  Vec p, q;
  one(load_n(x + i, n), load_n(x + a.pairs + i, n), load(a.table + i), load(sine + i), &p, &q);
  store_n(y + i, p, n);
  store_n(y + a.pairs + i, q, n);
}

inline void rotate_neighbours(const RopeRow& a, const float* x, float* y, const float* sine) {
  auto one = [](Vec u, Vec c, Vec s) { return fma(u, c, swap_pairs(u) * s); };
  int64_t i = 0;
  const int64_t n = 2 * a.pairs;
  for (; i + Vec::width <= n; i += Vec::width) store(y + i, one(load(x + i), load(a.table + i), load(sine + i)));
  if (i == n) return;
  const int rest = static_cast<int>(n - i);
  store_n(y + i, one(load_n(x + i, rest), load(a.table + i), load(sine + i)), rest);
}

void rotate(const RopeRow& a) {
  const float* sine = a.table + rope_table_floats(a.pairs) / 2;
  for (int64_t h = 0; h < a.heads; ++h) {
    const float* x = a.x + h * a.d;
    float* y = a.y + h * a.d;
    if (a.neox) rotate_halves(a, x, y, sine);
    else rotate_neighbours(a, x, y, sine);
    if (x != y)
      for (int64_t i = 2 * a.pairs; i < a.d; ++i) y[i] = x[i];
  }
}

}  // namespace
}  // namespace mainspring::inline v0
