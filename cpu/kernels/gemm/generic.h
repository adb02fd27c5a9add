// y[r, o] = sum_k x[r, k] w[o, k] over panels [k][16]: the loop, templated on a vector type V. Included by the ISA files only.
//
// V: lanes (8 or 16; 1 is a plain array of 16), reg, zero, load(const float*), load16 of f16 and bf16, set1, fma, add, store.
// The tile of R rows × P panels keeps its sums in registers over all of k. The bound for few rows is reading the panels: one row has 16/lanes
// sums a panel, each a chain of FMAs of 4 cycles, so that P panels are walked side by side to keep the loads busy
// (AVX2: 4 panels, 8 chains, 128 bytes of f16 in 4 cycles, more than memory gives).
#pragma once

#include "cpu/kernels/gemm/gemm_args.h"
#include "cpu/simd/prefetch.h"

namespace mainspring::inline v0 {
namespace {

struct F32 {
  static constexpr int bytes = 4;
  template <class V>
  static inline typename V::reg load(const std::byte* p) {
    return V::load(reinterpret_cast<const float*>(p));
  }
};
struct F16 {
  static constexpr int bytes = 2;
  template <class V>
  static inline typename V::reg load(const std::byte* p) {
    return V::load_f16(reinterpret_cast<const uint16_t*>(p));
  }
};
struct BF16 {
  static constexpr int bytes = 2;
  template <class V>
  static inline typename V::reg load(const std::byte* p) {
    return V::load_bf16(reinterpret_cast<const uint16_t*>(p));
  }
};

// With prefetch_ahead one row reads, GB/s before and after: avx512 f16 11.6 -> 13.9, bf16 10.9 -> 13.6, avx2 f32 13.4 -> 16.4, f16 10.5 -> 13.9, bf16
// 9.4 -> 13.2 (Xeon, Emerald Rapids, one thread, 2026-11), and 1, 2 and 4 panels side by side at the same speed.

// sum[r][p*N+v] for R rows and P panels, `panel` bytes apart; `stream`: they come from memory.
template <class V, class W, int R, int P, bool stream>
inline __attribute__((always_inline)) void accumulate(const std::byte* w, int64_t panel, const float* x, int64_t x_stride, int64_t k,
                                                      typename V::reg (&sum)[R][P * (kGemmWidth / V::lanes)]) {
  constexpr int N = kGemmWidth / V::lanes;
  for (int64_t i = 0; i < k; ++i) {
    if constexpr (stream) {
      MAINSPRING_UNROLL for (int p = 0; p < P; ++p) prefetch_ahead<kGemmWidth * W::bytes>(w + p * panel + i * kGemmWidth * W::bytes);
    }
    typename V::reg b[P * N];
    MAINSPRING_UNROLL for (int p = 0; p < P; ++p) MAINSPRING_UNROLL for (int v = 0; v < N; ++v) b[p * N + v] =
        W::template load<V>(w + p * panel + (i * kGemmWidth + v * V::lanes) * W::bytes);
    MAINSPRING_UNROLL for (int r = 0; r < R; ++r) {
      const typename V::reg a = V::set1(x[r * x_stride + i]);
      MAINSPRING_UNROLL for (int v = 0; v < P * N; ++v) sum[r][v] = V::fma(a, b[v], sum[r][v]);
    }
  }
}

template <class V>
inline void put(const typename V::reg* sum, const float* bias, float* y, int64_t outputs) {
  constexpr int N = kGemmWidth / V::lanes;
  if (outputs >= kGemmWidth) {
    for (int v = 0; v < N; ++v) V::store(y + v * V::lanes, bias ? V::add(sum[v], V::load(bias + v * V::lanes)) : sum[v]);
    return;
  }
  alignas(64) float whole[kGemmWidth], b[kGemmWidth] = {};
  if (bias)
    for (int64_t i = 0; i < outputs; ++i) b[i] = bias[i];
  for (int v = 0; v < N; ++v) V::store(whole + v * V::lanes, bias ? V::add(sum[v], V::load(b + v * V::lanes)) : sum[v]);
  for (int64_t i = 0; i < outputs; ++i) y[i] = whole[i];
}

template <class V, class W, int R, int P>
void tile(const GemmArgs& a, int64_t row, int64_t panel) {
  constexpr int N = kGemmWidth / V::lanes;
  typename V::reg sum[R][P * N];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < P * N; ++v) sum[r][v] = V::zero();
  const int64_t panel_bytes = a.k * kGemmWidth * W::bytes;
  accumulate<V, W, R, P, true>(a.panels + panel * panel_bytes, panel_bytes, a.x + row * a.x_stride, a.x_stride, a.k, sum);
  for (int r = 0; r < R; ++r)
    for (int p = 0; p < P; ++p) {
      const int64_t o = (panel + p) * kGemmWidth;
      put<V>(sum[r] + p * N, a.bias ? a.bias + o : nullptr, a.y + (row + r) * a.y_stride + o, a.outputs - o);
    }
}

/// Panels that R rows meet at a time.
template <class V, int R>
constexpr int panels_beside() {
  constexpr int side = V::max_sums / (R * (kGemmWidth / V::lanes));
  return side >= 4 ? 4 : side >= 2 ? 2 : 1;
}

// R rows at `row`, over the panels from `panel` on, P at a time, then half as many.
template <class V, class W, int R, int P = panels_beside<V, R>()>
void rows_of(const GemmArgs& a, int64_t row, int64_t panel = 0) {
  for (; panel + P <= a.panels_count; panel += P) tile<V, W, R, P>(a, row, panel);
  if constexpr (P > 1)
    if (panel < a.panels_count) rows_of<V, W, R, P / 2>(a, row, panel);
}

// 1 <= n <= R rows, dispatched to the tile of exactly that height.
template <class V, class W, int R>
void some_rows(const GemmArgs& a, int64_t row, int64_t n) {
  if (n == R) return rows_of<V, W, R>(a, row);
  if constexpr (R > 1) some_rows<V, W, R - 1>(a, row, n);
}

// The height of the next of the fewest tiles of at most R rows that hold `left` rows, as even as they go: 9 are 5 and 4, not 8 and a tile of one row,
// whose few sums wait for their own latency and take as long as 8 (AVX-512, f16, GFLOP/s: 9 rows 84 -> 115, 33 rows 114 -> 126; Xeon, Emerald
// Rapids, one thread, 2026-11).
template <int R>
int64_t even_height(int64_t left) {
  const int64_t tiles = (left + R - 1) / R;
  return (left + tiles - 1) / tiles;
}

// Row tiles inside panels: a panel comes from memory once and meets all rows.
template <class V, class W>
void run(const GemmArgs& a) {
  constexpr int R = V::row_tile;
  constexpr int P = panels_beside<V, R>();
  if (a.rows <= 0) return;
  if (a.rows <= R) return some_rows<V, W, R>(a, 0, a.rows);
  for (int64_t p = 0; p < a.panels_count; p += P) {
    GemmArgs some = a;
    const int64_t o = p * kGemmWidth;
    some.panels = a.panels + p * a.k * kGemmWidth * W::bytes;
    some.y = a.y + o;
    some.bias = a.bias ? a.bias + o : nullptr;
    some.panels_count = a.panels_count - p < P ? a.panels_count - p : P;
    some.outputs = a.outputs - o;
    for (int64_t row = 0, n; row < a.rows; row += n) some_rows<V, W, R>(some, row, n = even_height<R>(a.rows - row));
  }
}

template <class V, int R>
void chunk_tile(const GemmChunk& a, int64_t row) {
  constexpr int N = kGemmWidth / V::lanes;
  typename V::reg sum[R][N];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < N; ++v) sum[r][v] = V::load(a.sums + (row + r) * kGemmWidth + v * V::lanes);
  accumulate<V, F32, R, 1, false>(reinterpret_cast<const std::byte*>(a.w), 0, a.x + row * a.x_stride, a.x_stride, a.k, sum);
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < N; ++v) V::store(a.sums + (row + r) * kGemmWidth + v * V::lanes, sum[r][v]);
}

template <class V, int R>
void chunk_rows(const GemmChunk& a, int64_t row, int64_t n) {
  if (n == R) return chunk_tile<V, R>(a, row);
  if constexpr (R > 1) chunk_rows<V, R - 1>(a, row, n);
}

template <class V>
void chunk(const GemmChunk& a) {
  constexpr int R = V::row_tile;
  for (int64_t row = 0, n; row < a.rows; row += n) chunk_rows<V, R>(a, row, n = even_height<R>(a.rows - row));
}

}  // namespace
}  // namespace mainspring::inline v0
