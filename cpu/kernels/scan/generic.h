// Recurrent ops over Vec (include a cpu/simd/vec_*.h before). Everything has internal linkage. Bound: the state's bytes in the level 1 cache, read
// and written once a token; four rows of the state side by side share the loads of b, c, k and q and hide the latency of their sums.
#pragma once

#include "cpu/kernels/scan/scan_args.h"

namespace mainspring::inline v0 {
namespace {

/// Whole vectors, or what is left at the end of a row: lanes behind it are zero and never stored.
inline Vec load_part(const float* p, int64_t left) { return left >= Vec::width ? load(p) : load_n(p, static_cast<int>(left)); }
inline void store_part(float* p, Vec a, int64_t left) {
  if (left >= Vec::width) store(p, a);
  else store_n(p, a, static_cast<int>(left));
}

void conv(const ConvRows& a) {
  const int64_t keep = a.taps - 1, padded = (a.channels + 15) / 16 * 16;
  for (int64_t j = 0; j < keep; ++j)
    for (int64_t c = 0; c < padded; ++c) a.past[j * padded + c] = a.fresh || c >= a.channels ? 0.0f : a.state[c * keep + j];
  for (int64_t t = 0; t < a.rows; ++t) {
    for (int64_t c = 0; c < a.channels; c += Vec::width) {
      const int64_t left = a.channels - c;
      Vec sum = a.bias ? load_part(a.bias + c, left) : zero();
      for (int64_t j = 0; j < a.taps; ++j) {
        const int64_t from = t - keep + j;
        const Vec x = from < 0 ? load(a.past + (from + keep) * padded + c) : load_part(a.x + from * a.x_stride + c, left);
        sum = fma(load(a.w + j * a.w_stride + c), x, sum);
      }
      if (a.silu) sum = sum * sigmoid(sum);
      store_part(a.y + t * a.y_stride + c, sum, left);
    }
  }
  for (int64_t c = 0; c < a.channels; ++c)
    for (int64_t j = 0; j < keep; ++j) {
      const int64_t from = a.rows - keep + j;
      a.state[c * keep + j] = from < 0 ? a.past[(from + keep) * padded + c] : a.x[from * a.x_stride + c];
    }
}

/// One token, R rows of the state.
template <int R>
MAINSPRING_INLINE void ssm_token(float* h, int64_t n, const float* x, const float* b, const float* c, const float* d, float step, float decay, float* y) {
  Vec u[R], sum[R];
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) {
    u[r] = set1(step) * set1(x[r]);
    sum[r] = zero();
  }
  const Vec keep = set1(decay);
  int64_t i = 0;
  for (; i + Vec::width <= n; i += Vec::width) {
    const Vec bv = load(b + i), cv = load(c + i);
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vec s = fma(u[r], bv, load(h + r * n + i) * keep);
      store(h + r * n + i, s);
      sum[r] = fma(s, cv, sum[r]);
    }
  }
  if (i < n) {
    const int left = static_cast<int>(n - i);
    const Vec bv = load_n(b + i, left), cv = load_n(c + i, left);
    for (int r = 0; r < R; ++r) {
      const Vec s = fma(u[r], bv, load_n(h + r * n + i, left) * keep);
      store_n(h + r * n + i, s, left);
      sum[r] = fma(s, cv, sum[r]);
    }
  }
  for (int r = 0; r < R; ++r) {
    const float total = reduce_add(sum[r]);
    y[r] = d ? first(fma(set1(*d), set1(x[r]), set1(total))) : total;
  }
}

void ssm(const SsmRows& a) {
  if (a.fresh)
    for (int64_t i = 0; i < a.p * a.n; ++i) a.state[i] = 0;
  for (int64_t t = 0; t < a.rows; ++t) {
    const Vec step = softplus(set1(a.dt[t * a.dt_stride]) + set1(a.dt_bias));
    const float s = first(step), decay = first(exp(step * set1(a.a)));
    const float *x = a.x + t * a.x_stride, *b = a.b + t * a.b_stride, *c = a.c + t * a.c_stride;
    float* y = a.y + t * a.y_stride;
    int64_t p = 0;
    for (; p + 4 <= a.p; p += 4) ssm_token<4>(a.state + p * a.n, a.n, x + p, b, c, a.d, s, decay, y + p);
    for (; p < a.p; ++p) ssm_token<1>(a.state + p * a.n, a.n, x + p, b, c, a.d, s, decay, y + p);
  }
}

/// One token, R rows of the state.
template <int R>
MAINSPRING_INLINE void delta_token(float* h, int64_t n, const float* q, const float* k, const float* v, float beta, float decay, float scale, float* y) {
  const int64_t whole = n / Vec::width * Vec::width;
  const int left = static_cast<int>(n - whole);
  const Vec keep = set1(decay);
  Vec sum[R], u[R];
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) sum[r] = zero();
  for (int64_t i = 0; i < whole; i += Vec::width) {
    const Vec kv = load(k + i);
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) sum[r] = fma(load(h + r * n + i), kv, sum[r]);
  }
  if (left)
    for (int r = 0; r < R; ++r) sum[r] = fma(load_n(h + r * n + whole, left), load_n(k + whole, left), sum[r]);
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) {
    u[r] = set1(beta) * fnma(keep, set1(reduce_add(sum[r])), set1(v[r]));
    sum[r] = zero();
  }
  for (int64_t i = 0; i < whole; i += Vec::width) {
    const Vec kv = load(k + i), qv = load(q + i);
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vec s = fma(u[r], kv, load(h + r * n + i) * keep);
      store(h + r * n + i, s);
      sum[r] = fma(s, qv, sum[r]);
    }
  }
  if (left)
    for (int r = 0; r < R; ++r) {
      const Vec s = fma(u[r], load_n(k + whole, left), load_n(h + r * n + whole, left) * keep);
      store_n(h + r * n + whole, s, left);
      sum[r] = fma(s, load_n(q + whole, left), sum[r]);
    }
  for (int r = 0; r < R; ++r) y[r] = scale * reduce_add(sum[r]);
}

void delta(const DeltaRows& a) {
  if (a.fresh)
    for (int64_t i = 0; i < a.dv * a.dk; ++i) a.state[i] = 0;
  for (int64_t t = 0; t < a.rows; ++t) {
    const float decay = first(exp(set1(a.g[t * a.g_stride]))), beta = a.beta[t * a.beta_stride];
    const float *q = a.q + t * a.q_stride, *k = a.k + t * a.k_stride, *v = a.v + t * a.v_stride;
    float* y = a.y + t * a.y_stride;
    int64_t i = 0;
    for (; i + 4 <= a.dv; i += 4) delta_token<4>(a.state + i * a.dk, a.dk, q, k, v + i, beta, decay, a.scale, y + i);
    for (; i < a.dv; ++i) delta_token<1>(a.state + i * a.dk, a.dk, q, k, v + i, beta, decay, a.scale, y + i);
  }
}

}  // namespace
}  // namespace mainspring::inline v0
