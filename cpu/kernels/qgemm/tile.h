// The tile: R rows times P panels, over all of k. A row of q16_rows (wide) is two rows of bytes to the sums; they become one integer, 256 times
// the high one plus the low one, before they meet a float: |sum| <= 32 * 127 * 256 * 127.5 < 2^31. Written in the vectors of vector256.h or
// vector512.h, which the ISA file includes first; templated on the format F (tile_formats.h) and on Sums, the ISA's way of summing products of bytes. Everything is in an anonymous
// namespace: each ISA file gets its own copy, compiled for its own machine, and no linker can mix them up.
//
// Sums says: kRows and kPanels, the tile that suits its registers; kSignedOffset, what must have been added to signed codes since it wants
// unsigned ones (0 if it does not); and dot<F, P, R>(q, stride, x, at, Groups<...>, sum): sum[p][r] = exact 32-bit sums over the given code groups.
#pragma once

#include "cpu/kernels/qgemm/panel_layout.h"
#include "cpu/kernels/qgemm/qgemm_args.h"
#include "cpu/simd/prefetch.h"

namespace mainspring::inline v0 {
namespace {

/// Code groups (4 k each) of a 32-k block. Low and high nibbles of one load follow each other.
template <int... g>
struct Groups {};
using AllGroups = Groups<0, 4, 1, 5, 2, 6, 3, 7>;
using FirstHalf = Groups<0, 1, 2, 3>;
using SecondHalf = Groups<4, 5, 6, 7>;

/// Factors of the outputs of a panel for one 32-k block. d1, m1: of k 16..31, where a scale covers 16.
struct Scales {
  Float d0, d1, m0, m1;
};

MAINSPRING_INLINE Int broadcast_4(const uint8_t* p) {
  int32_t v;
  __builtin_memcpy(&v, p, 4);
  return words_of(v);
}
MAINSPRING_INLINE Float broadcast_float(const uint8_t* p) {
  float v;
  __builtin_memcpy(&v, p, 4);
  return floats_of(v);
}

/// Rows of bytes that R rows of activations have; high and low ones of a wide row follow each other.
template <int R, bool wide>
constexpr int kByteRows = wide ? 2 * R : R;

template <bool wide, int X>
MAINSPRING_INLINE Float sum_of(const Int (&sums)[X], int r) {
  if constexpr (wide) return to_float(add_words(times_256(sums[2 * r]), sums[2 * r + 1]));
  else return to_float(sums[r]);
}

/// One 32-k block; `at`, `at_d` and `at_s` are where its q, d and s stand in a row. The f32 sequence of an output is the same for every P
/// and R. It is that of scalar.cpp, but for the offset of signed codes.
template <class F, bool wide, int P, int R, int X>
MAINSPRING_INLINE_LOOPS void block_rows(const uint8_t* q, const uint8_t* record, int64_t stride, int sub, const uint8_t* const (&x)[X], int64_t at,
                                  int64_t at_d, int64_t at_s, Float (&acc)[P][R]) {
  using Sums = typename F::Sums;
  constexpr int step = X / R;  // from row to row in x
  if constexpr (F::kTwoScales) {
    Int low[P][X], high[P][X];
    Sums::template dot<F, P, X>(q, stride, x, at, FirstHalf{}, low);
    Sums::template dot<F, P, X>(q, stride, x, at, SecondHalf{}, high);
    MAINSPRING_UNROLL
    for (int p = 0; p < P; ++p) {
      const Scales f = F::scales(record + p * stride, sub);
      MAINSPRING_UNROLL
      for (int r = 0; r < R; ++r) {
        const uint8_t* row = x[step * r];
        const Float d = broadcast_float(row + at_d);
        Float a = fma(sum_of<wide>(low[p], r), mul(f.d0, d), acc[p][r]);
        a = fma(sum_of<wide>(high[p], r), mul(f.d1, d), a);
        a = fma(f.m0, broadcast_float(row + at_s), a);
        acc[p][r] = fma(f.m1, broadcast_float(row + at_s + 4), a);
      }
    }
  } else {
    Int sum[P][X];
    Sums::template dot<F, P, X>(q, stride, x, at, AllGroups{}, sum);
    Scales f[P];
    MAINSPRING_UNROLL
    for (int p = 0; p < P; ++p) f[p] = F::scales(record + p * stride, sub);
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) {
      const uint8_t* row = x[step * r];
      const Float d = broadcast_float(row + at_d);
      const Float s = F::kHasMin ? add(broadcast_float(row + at_s), broadcast_float(row + at_s + 4)) : d;
      MAINSPRING_UNROLL
      for (int p = 0; p < P; ++p) {
        acc[p][r] = fma(sum_of<wide>(sum[p], r), mul(f[p].d0, d), acc[p][r]);
        if constexpr (F::kHasMin) acc[p][r] = fma(f[p].m0, s, acc[p][r]);
      }
    }
  }
}

// With prefetch_ahead one row of q4_1 with AVX2 reads 12.1 GB/s instead of 8.5 (of 13.2), four rows 8.6 instead of 7.1, many rows the same (Xeon,
// Sapphire Rapids, one thread, 2026-11).

/// Bytes of `units` scale records that stand together.
constexpr int64_t records_bytes(PanelLayout layout, int64_t units) { return (units * layout.scales + 3) / 4 * 4 * kWidth; }

template <class F>
constexpr int64_t panel_stride(int64_t k) {
  constexpr PanelLayout layout = F::kLayout;
  const int64_t units = k / layout.unit;
  return units / layout.group * records_bytes(layout, layout.group) + records_bytes(layout, units % layout.group) + k / 32 * layout.quants * kWidth;
}

/// each(its quants, its scale record, which 32 of the record) for the 32-k blocks of a panel, in ascending k.
template <class F, class Each>
MAINSPRING_INLINE void each_block(const uint8_t* panel, int64_t k, Each each) {
  constexpr PanelLayout layout = F::kLayout;
  const uint8_t* q = panel;
  for (int64_t left = k / layout.unit; left > 0; left -= layout.group) {
    const int64_t units = layout.group == 1 ? 1 : left < layout.group ? left : layout.group;
    const uint8_t* record = q;
    q += records_bytes(layout, units);
    for (int64_t unit = 0; unit < units; ++unit, record += layout.scales * kWidth)
      for (int sub = 0; sub < layout.unit / 32; ++sub, q += layout.quants * kWidth) each(q, record, sub);
  }
}

/// What the tiles of a column ask memory for while they compute: the next column, a share with each block. Into the second cache: the first is full
/// of this column. Without it the first tile of a column waits for memory and the others leave memory idle.
struct NextColumn {
  const uint8_t* at;
  int64_t lines;  ///< of 64 bytes, for a block of a tile

  MAINSPRING_INLINE void ask() {
    for (int64_t i = 0; i < lines; ++i, at += 64) __builtin_prefetch(at, 0, 2);
  }
};

template <class F, bool wide, int P, int R, int X>
MAINSPRING_INLINE_LOOPS void panel_rows(const uint8_t* panel, int64_t stride, const uint8_t* const (&x)[X], int64_t k, NextColumn& next, Float (&acc)[P][R]) {
  int64_t at = 0, at_d = wide ? 2 * k : k, at_s = at_d + k / 8;
  each_block<F>(panel, k, [&](const uint8_t* q, const uint8_t* record, int sub) __attribute__((always_inline)) {
    if constexpr (!F::kNear) {
      MAINSPRING_UNROLL
      for (int p = 0; p < P; ++p) prefetch_ahead<F::kLayout.quants * kWidth>(q + p * stride);
    }
    next.ask();
    block_rows<F, wide>(q, record, stride, sub, x, at, at_d, at_s, acc);
    at += 32, at_d += 4, at_s += 8;
  });
}

MAINSPRING_INLINE void store_outputs(float* y, Float v, const float* bias, int64_t valid) {
  if (valid >= kWidth) {
    store_float(y, bias ? add(v, load_float(bias)) : v);
    return;
  }
  float lanes[kWidth];
  store_float(lanes, v);
  for (int64_t o = 0; o < valid; ++o) y[o] = bias ? lanes[o] + bias[o] : lanes[o];
}

/// R rows of x from first_row on, and P x R sums of nothing yet.
template <bool wide, int P, int R, int X>
MAINSPRING_INLINE_LOOPS void begin_tile(const QgemmArgs& a, int64_t first_row, const uint8_t* (&x)[X], Float (&acc)[P][R]) {
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) {
    const uint8_t* row = reinterpret_cast<const uint8_t*>(a.x) + (first_row + r) * a.x_stride;
    x[kByteRows<1, wide> * r] = row;
    if constexpr (wide) x[2 * r + 1] = row + a.k;
  }
  MAINSPRING_UNROLL
  for (int p = 0; p < P; ++p) {
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) acc[p][r] = zero_float();
  }
}

template <int P, int R>
MAINSPRING_INLINE_LOOPS void end_tile(const QgemmArgs& a, int64_t first_output, int64_t first_row, const Float (&acc)[P][R]) {
  MAINSPRING_UNROLL
  for (int p = 0; p < P; ++p) {
    const int64_t o = first_output + p * kWidth;
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) store_outputs(a.y + (first_row + r) * a.y_stride + o, acc[p][r], a.bias ? a.bias + o : nullptr, a.outputs - o);
  }
}

template <class F, bool wide, int P, int R>
void tile(const QgemmArgs& a, const uint8_t* panel, int64_t stride, int64_t first_output, int64_t first_row, NextColumn& next) {
  const uint8_t* x[kByteRows<R, wide>];
  Float acc[P][R];
  begin_tile<wide>(a, first_row, x, acc);
  panel_rows<F, wide>(panel, stride, x, a.k, next, acc);
  end_tile(a, first_output, first_row, acc);
}

/// Rows of the tiles that `rows` rows are cut into: as many of most(), then of 4, 2 and 1.
template <class F, bool wide>
constexpr int most_rows() {
  return wide ? F::Sums::kRows / 2 : F::Sums::kRows;
}
template <class F, bool wide>
constexpr int64_t tiles_of(int64_t rows) {
  constexpr int R = most_rows<F, wide>();
  const int64_t rest = rows % R;
  return rows / R + (R > 4 ? rest / 4 + rest % 4 / 2 : rest / 2) + rest % 2;
}

/// All rows by P panels: these stay in the nearest cache while the rows pass over them.
template <class F, bool wide, int P>
void column(const QgemmArgs& a, const uint8_t* panel, int64_t stride, int64_t first_output, NextColumn next) {
  constexpr int R = most_rows<F, wide>();
  int64_t r = 0;
  for (; r + R <= a.rows; r += R) tile<F, wide, P, R>(a, panel, stride, first_output, r, next);
  if constexpr (R > 4)
    for (; r + 4 <= a.rows; r += 4) tile<F, wide, P, 4>(a, panel, stride, first_output, r, next);
  if constexpr (R > 2)
    for (; r + 2 <= a.rows; r += 2) tile<F, wide, P, 2>(a, panel, stride, first_output, r, next);
  if (r < a.rows) tile<F, wide, P, 1>(a, panel, stride, first_output, r, next);
}

}  // namespace
}  // namespace mainspring::inline v0
