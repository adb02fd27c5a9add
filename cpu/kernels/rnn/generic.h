// One time step over Vec (include a cpu/simd/vec_*.h before). Everything has internal linkage.
// A block is R rows and U vectors of units, all gates of which meet in registers at its end. One row is bound by reading the panels from the level 2
// cache (64 bytes a cycle): U vectors side by side keep 6 to 8 sums going; more rows share the loads.
#pragma once

#include "cpu/kernels/rnn/rnn_args.h"

namespace mainspring::inline v0 {
namespace {

constexpr int kVectors = kRnnGroup / Vec::width;  // of a group
constexpr int kAhead = 384;  // floats, of panels that come from the level 2 cache

struct Lstm {
  static constexpr int gates = 4;
  static MAINSPRING_INLINE Vec begin(const RnnStep&, const float* p, int64_t, int) { return load(p); }
  static MAINSPRING_INLINE void end(const RnnStep&, const Vec (&s)[4], const float*, const float*, float* c, float* y) {
    const Vec cell = fma(sigmoid(s[2]), load(c), sigmoid(s[0]) * tanh(s[3]));
    store(c, cell);
    store(y, sigmoid(s[1]) * tanh(cell));
  }
};
struct Gru {
  static constexpr int gates = 3;
  static MAINSPRING_INLINE Vec begin(const RnnStep& a, const float* p, int64_t unit, int gate) { return gate == 2 ? load(a.bias + unit) : load(p); }
  static MAINSPRING_INLINE void end(const RnnStep& a, const Vec (&s)[3], const float* p, const float* before, float*, float* y) {
    const Vec fresh = tanh(fma(sigmoid(s[1]), s[2], load(p + 2 * a.p_gate)));
    store(y, fma(sigmoid(s[0]), load(before) - fresh, fresh));
  }
};
struct GruReset {
  static constexpr int gates = 2;
  static MAINSPRING_INLINE Vec begin(const RnnStep&, const float* p, int64_t, int) { return load(p); }
  static MAINSPRING_INLINE void end(const RnnStep&, const Vec (&s)[2], const float*, const float* before, float* c, float* y) {
    store(c, sigmoid(s[0]));
    store(y, sigmoid(s[1]) * load(before));
  }
};
struct GruNew {
  static constexpr int gates = 1;
  static MAINSPRING_INLINE Vec begin(const RnnStep&, const float* p, int64_t, int) { return load(p); }
  static MAINSPRING_INLINE void end(const RnnStep&, const Vec (&s)[1], const float*, const float* before, float* c, float* y) {
    const Vec fresh = tanh(s[0]);
    store(y, fma(load(c), load(before) - fresh, fresh));
  }
};
struct Rnn {
  static constexpr int gates = 1;
  static MAINSPRING_INLINE Vec begin(const RnnStep&, const float* p, int64_t, int) { return load(p); }
  static MAINSPRING_INLINE void end(const RnnStep&, const Vec (&s)[1], const float*, const float*, float*, float* y) { store(y, tanh(s[0])); }
};

template <class Cell, int R, int U>
MAINSPRING_INLINE void block(const RnnStep& a, int64_t row, int64_t vector) {
  constexpr int G = Cell::gates;
  Vec sum[R][U][G];
  const float* w[U];
  MAINSPRING_UNROLL
  for (int u = 0; u < U; ++u) {
    const int64_t v = vector + u, unit = v * Vec::width;
    w[u] = a.panels + v / kVectors * a.k * G * kRnnGroup + v % kVectors * Vec::width;
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) {
      MAINSPRING_UNROLL
      for (int g = 0; g < G; ++g) sum[r][u][g] = Cell::begin(a, a.p + (row + r) * a.p_stride + g * a.p_gate + unit, unit, g);
    }
  }
  const float* h = a.h + row * a.h_stride;
  for (int64_t i = 0; i < a.k; ++i) {
    Vec x[R];
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) x[r] = set1(h[r * a.h_stride + i]);
    MAINSPRING_UNROLL
    for (int u = 0; u < U; ++u) {
      Vec weight[G];
      MAINSPRING_UNROLL
      for (int g = 0; g < G; ++g) {
        const float* from = w[u] + (i * G + g) * kRnnGroup;
        if ((vector + u) % kVectors == 0) __builtin_prefetch(from + kAhead, 0, 3);
        weight[g] = load(from);
        if constexpr (R > 1) keep(weight[g]);
      }
      MAINSPRING_UNROLL
      for (int g = 0; g < G; ++g) {
        MAINSPRING_UNROLL
        for (int r = 0; r < R; ++r) sum[r][u][g] = fma(x[r], weight[g], sum[r][u][g]);
      }
    }
  }
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) {
    MAINSPRING_UNROLL
    for (int u = 0; u < U; ++u) {
      const int64_t unit = (vector + u) * Vec::width, at = (row + r) * a.unit_stride + unit;
      Cell::end(a, sum[r][u], a.p + (row + r) * a.p_stride + unit, a.before + at, a.c + at, a.y + at);
    }
  }
}

template <class Cell, int R, int U>
void rows(const RnnStep& a, int64_t row) {
  const int64_t vectors = a.groups * kVectors;
  int64_t v = 0;
  for (; v + U <= vectors; v += U) block<Cell, R, U>(a, row, v);
  if constexpr (U > 1)
    for (; v < vectors; ++v) block<Cell, R, 1>(a, row, v);
}

/// Vectors of units that R rows meet at a time: for as many sums as keep both ports busy.
template <class Cell, int R>
constexpr int beside() {
  constexpr int side = (R == 1 || Vec::registers < 32 ? 8 : 12) / (R * Cell::gates);
  return side >= 4 ? 4 : side >= 2 || R == 1 ? 2 : 1;
}

/// The last n < R rows.
template <class Cell, int R>
void rest(const RnnStep& a, int64_t row, int64_t n) {
  if constexpr (R > 1) {
    if (n == R - 1) return rows<Cell, R - 1, beside<Cell, R - 1>()>(a, row);
    rest<Cell, R - 1>(a, row, n);
  }
}

template <class Cell>
void step(const RnnStep& a) {
  constexpr int kRows = Vec::registers == 32 ? 4 : 2;
  int64_t row = 0;
  for (; row + kRows <= a.rows; row += kRows) rows<Cell, kRows, beside<Cell, kRows>()>(a, row);
  rest<Cell, kRows>(a, row, a.rows - row);
}

constexpr RnnIsa kTable = {step<Lstm>, step<Gru>, step<GruReset>, step<GruNew>, step<Rnn>};

}  // namespace
}  // namespace mainspring::inline v0
