// Products of activations and of large matrices (GemmBlock): tiles as in generic.h, but sums that begin with a bias or with what stands in memory, and
// a second operand that lies in panels or as it is. Included by the ISA files only.
#pragma once

#include "cpu/kernels/gemm/generic.h"
#include "cpu/simd/vec_activation.h"

namespace mainspring::inline v0 {
namespace {

/// Of register v, lanes that hold one of n outputs.
template <class V>
inline int64_t lanes_in(int64_t n, int v) {
  const int64_t left = n - v * V::lanes;
  return left < 0 ? 0 : left < V::lanes ? left : V::lanes;
}

/// What a tile asks of memory while it works: at each k, in each panel, the line at `at`, which then moves on by `step` bytes.
struct Soon {
  const char* at;
  int64_t step;
};

/// R rows × P panels. `part`: the one panel has n < 16 outputs.
template <class V, bool in_place, int R, int P, bool part>
void block_tile(const GemmBlock& a, int64_t row, int64_t panel, Soon soon) {
  constexpr int N = kGemmWidth / V::lanes, S = P * N;
  static_assert(P == 1 || !part);
  const int64_t o = panel * kGemmWidth, n = a.outputs - o, step = in_place ? a.w_stride : kGemmWidth;
  const float* w = a.w + panel * a.panel_stride;
  const float* x = a.x + row * a.x_stride;
  float* y = a.y + row * a.y_stride + o;
  const auto whole_or_part = [n](const float* p, int v) { return part ? V::load_n(p + v * V::lanes, lanes_in<V>(n, v)) : V::load(p + v * V::lanes); };
  typename V::reg sum[R][S];
  if (a.start) {
    const float* start = a.start + row * a.start_stride + o;
    MAINSPRING_UNROLL for (int r = 0; r < R; ++r) MAINSPRING_UNROLL for (int v = 0; v < S; ++v) sum[r][v] = whole_or_part(start + r * a.start_stride, v);
  } else {
    MAINSPRING_UNROLL for (int r = 0; r < R; ++r) MAINSPRING_UNROLL for (int v = 0; v < S; ++v) sum[r][v] = V::zero();
  }
  if (a.bias)
    MAINSPRING_UNROLL for (int v = 0; v < S; ++v) {
      const typename V::reg b = whole_or_part(a.bias + o, v);
      MAINSPRING_UNROLL for (int r = 0; r < R; ++r) sum[r][v] = V::add(sum[r][v], b);
    }
  for (int64_t i = 0; i < a.k; ++i, w += step) {
    if constexpr (!in_place) {
      MAINSPRING_UNROLL for (int p = 0; p < P; ++p) __builtin_prefetch(soon.at + p * a.panel_stride * 4, 0, 2);
      soon.at += soon.step;
    }
    typename V::reg b[S];
    MAINSPRING_UNROLL for (int p = 0; p < P; ++p) MAINSPRING_UNROLL for (int v = 0; v < N; ++v) b[p * N + v] =
        in_place && part ? V::load_n(w + v * V::lanes, lanes_in<V>(n, v)) : V::load(w + p * a.panel_stride + v * V::lanes);
    MAINSPRING_UNROLL for (int r = 0; r < R; ++r) {
      const typename V::reg e = V::set1(x[r * a.x_stride + i]);
      MAINSPRING_UNROLL for (int v = 0; v < S; ++v) sum[r][v] = V::fma(e, b[v], sum[r][v]);
    }
  }
  MAINSPRING_UNROLL for (int r = 0; r < R; ++r) MAINSPRING_UNROLL for (int v = 0; v < S; ++v) {
    float* to = y + r * a.y_stride + v * V::lanes;
    if (part) V::store_n(to, sum[r][v], lanes_in<V>(n, v));
    else V::store(to, sum[r][v]);
  }
}

// R rows at `row` over the panels [panel, last), P at a time, then half as many.
template <class V, bool in_place, int R, int P = panels_beside<V, R>()>
void block_rows(const GemmBlock& a, int64_t row, int64_t panel, int64_t last, const char* next) {
  const int64_t whole = last * kGemmWidth <= a.outputs ? last : last - 1;
  const auto soon = [&](int64_t p) {
    if (next == nullptr) return Soon{reinterpret_cast<const char*>(a.w + p * a.panel_stride) + kAhead, kGemmWidth * 4};
    return Soon{next + row * a.k / a.rows * kGemmWidth * 4, R * kGemmWidth * 4 / a.rows};
  };
  for (; panel + P <= whole; panel += P) block_tile<V, in_place, R, P, false>(a, row, panel, soon(panel));
  if constexpr (P > 1) {
    if (panel < last) block_rows<V, in_place, R, P / 2>(a, row, panel, last, next);
  } else {
    if (panel < last) block_tile<V, in_place, R, 1, true>(a, row, panel, soon(panel));
  }
}

template <class V, bool in_place, int R>
void some_block_rows(const GemmBlock& a, int64_t row, int64_t n, int64_t panel, int64_t last, const char* next) {
  if (n == R) return block_rows<V, in_place, R>(a, row, panel, last, next);
  if constexpr (R > 1) some_block_rows<V, in_place, R - 1>(a, row, n, panel, last, next);
}

// Few rows wait for the panels they meet, so that they ask for what is a little ahead of them; many are busy with the same panels for long, each tile of
// them asks for its share of those that are next.
template <class V, bool in_place>
void block(const GemmBlock& a) {
  constexpr int R = V::row_tile, P = panels_beside<V, R>();
  const int64_t panels = (a.outputs + kGemmWidth - 1) / kGemmWidth;
  if (a.rows <= 0) return;
  if (a.rows <= R) return some_block_rows<V, in_place, R>(a, 0, a.rows, 0, panels, nullptr);
  for (int64_t p = 0; p < panels; p += P) {
    const float* next = p + P < panels ? a.w + (p + P) * a.panel_stride : a.next;
    for (int64_t row = 0, n; row < a.rows; row += n)
      some_block_rows<V, in_place, R>(a, row, n = even_height<R>(a.rows - row), p, p + P < panels ? p + P : panels, reinterpret_cast<const char*>(next));
  }
}

void activate_rows(const GemmActivate& a) {
  for (int64_t r = 0; r < a.rows; ++r) activate(a.act, a.y + r * a.y_stride, a.y + r * a.y_stride, a.n);
}

}  // namespace
}  // namespace mainspring::inline v0
