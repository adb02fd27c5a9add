// Winograd's short convolutions F(4, 3): four outputs of three taps from six products in place of twelve, and in two dimensions sixteen from 36 in place of
// 144. Lavin and Gray, arXiv:1509.09308, with the points 0, ±3/4, ±3/2, ∞: root mean square error 2 times that of a plain sum over 64 channels, where the
// usual 0, ±1, ±2, ∞ have 4 times, at the same price (all constants are exact). Six inputs become six points (Bᵀd), the dense kernel sums products of equal points over
// channels, six sums become four outputs (Aᵀm). Included by the ISA files only, after generic.h.
//
// In the transforms all lanes are channels. 2-D: 12 transforms of 12 operations on 36 loads and 36 stores: about 75 cycles a register of channels, which
// as many outputs as one panel holds already outweigh.
#pragma once

#include "cpu/kernels/conv/generic.h"

namespace mainspring::inline v0 {
namespace {

constexpr float kA = 0.75f, kB = 1.5f, kA2 = kA * kA, kB2 = kB * kB;

MAINSPRING_INLINE void to_points(const Vec (&d)[6], Vec (&p)[6]) {
  const Vec a = set1(kA), b = set1(kB), a2 = set1(kA2), b2 = set1(kB2), product = set1(kA2 * kB2), sum = set1(kA2 + kB2);
  p[0] = fma(product, d[0], fnma(sum, d[2], d[4]));
  const Vec even_a = fnma(b2, d[2], d[4]), odd_a = fnma(b2, d[1], d[3]);
  p[1] = fma(a, odd_a, even_a);
  p[2] = fnma(a, odd_a, even_a);
  const Vec even_b = fnma(a2, d[2], d[4]), odd_b = fnma(a2, d[1], d[3]);
  p[3] = fma(b, odd_b, even_b);
  p[4] = fnma(b, odd_b, even_b);
  p[5] = fma(product, d[1], fnma(sum, d[3], d[5]));
}

MAINSPRING_INLINE void from_points(const Vec (&m)[6], Vec (&y)[4]) {
  const Vec even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
  y[0] = m[0] + (even_a + even_b);
  y[1] = fma(set1(kB), odd_b, set1(kA) * odd_a);
  y[2] = fma(set1(kB2), even_b, set1(kA2) * even_a);
  y[3] = fma(set1(kB2 * kB), odd_b, fma(set1(kA2 * kA), odd_a, m[5]));
}

template <int R>
void winograd_in(const WinogradIn& a) {
  const bool whole = a.row_begin == 0 && a.row_end == R && a.col_begin == 0 && a.col_end == 6;
  for (int64_t c = 0; c < a.channels; c += W) {
    const int n = a.channels - c < W ? static_cast<int>(a.channels - c) : W;
    Vec half[R][6];
    for (int r = 0; r < R; ++r) {
      Vec d[6];
      const float* x = a.x + r * a.x_row + c;
      if (whole && n == W) {
        MAINSPRING_UNROLL for (int i = 0; i < 6; ++i) d[i] = load(x + i * a.x_col);
      } else {
        for (int i = 0; i < 6; ++i) d[i] = r < a.row_begin || r >= a.row_end || i < a.col_begin || i >= a.col_end ? zero() : load_n(x + i * a.x_col, n);
      }
      to_points(d, half[r]);
    }
    const auto keep = [&](int point, Vec p) {
      float* v = a.v + point * a.v_point + c;
      if (n == W) store(v, p);
      else store_n(v, p, n);
    };
    if constexpr (R == 1) {
      for (int i = 0; i < 6; ++i) keep(i, half[0][i]);
    } else {
      for (int i = 0; i < 6; ++i) {
        Vec d[6], p[6];
        MAINSPRING_UNROLL for (int r = 0; r < 6; ++r) d[r] = half[r][i];
        to_points(d, p);
        MAINSPRING_UNROLL for (int r = 0; r < 6; ++r) keep(r * 6 + i, p[r]);
      }
    }
  }
}

template <int R>
void winograd_out(const ConvArgs& a, const WinogradOut& o) {
  for (int64_t c = 0; c < a.outputs; c += W) {
    const int64_t valid = a.outputs - c;
    const Vec bias = load_valid(a.bias ? a.bias + c : nullptr, valid);
    constexpr int kRows = R == 1 ? 1 : 4;
    Vec half[kRows][6];
    for (int i = 0; i < 6; ++i) {
      const float* m = o.m + i * o.m_point + c;
      if constexpr (R == 1) {
        half[0][i] = load(m);
      } else {
        Vec d[6], y[4];
        MAINSPRING_UNROLL for (int r = 0; r < 6; ++r) d[r] = load(m + r * 6 * o.m_point);
        from_points(d, y);
        MAINSPRING_UNROLL for (int r = 0; r < 4; ++r) half[r][i] = y[r];
      }
    }
    for (int r = 0; r < o.rows; ++r) {
      Vec y[4], sum[4][1];
      from_points(half[r], y);
      for (int i = 0; i < 4; ++i) sum[i][0] = y[i] + bias;
      const int64_t at = r * o.y_row + c;
      const float* add = o.add ? o.add + at : nullptr;
      if (o.cols == 4) {
        put(a, sum, o.y + at, add, valid);
        continue;
      }
      alignas(64) float sums[4 * W];
      for (int i = 0; i < 4; ++i) store(sums + i * W, sum[i][0]);
      finish(a, sums, o.cols, W, o.y + at, add, valid < W ? valid : W);
    }
  }
}

}  // namespace
}  // namespace mainspring::inline v0
