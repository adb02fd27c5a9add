// The loops of a convolution over Vec. Included by the ISA files only, after their cpu/simd/vec_<isa>.h.
//
// Dense: a tile of R pixels × P panels keeps its sums in registers over all taps; the pixels lie x_step apart, so that R broadcasts and P panels'
// rows are all that a step of k reads. Bound by the FMAs where R and P·(16/width) multiply to at least latency × ports, 8 of 4 and 2.
// `Tiles` of the ISA file says the most pixels for one panel and for two.
// Few outputs: lanes are neighbours along k, R pixels share the weights.
// Channel by channel: a tile of R pixels × V registers of channels; each product loads its input (memory operand), the weight is shared by R pixels.
#pragma once

#include "cpu/kernels/conv/conv_args.h"
#include "cpu/simd/vec_activation.h"

namespace mainspring::inline v0 {
namespace {

constexpr int W = Vec::width, kVecs = kConvWidth / W;

// ---- the end of a tile -----------------------------------------------------------------------------------------------------

template <class F>
inline void finish_with(const ConvArgs& a, const float* sums, int pixels, int width, float* y, const float* add, int64_t valid, F act) {
  for (int r = 0; r < pixels; ++r, y += a.y_step, add += add ? a.y_step : 0)
    for (int64_t i = 0; i < valid; i += W) {
      const int n = valid - i < W ? static_cast<int>(valid - i) : W;
      Vec v = load(sums + r * width + i);
      if (add) {
        const Vec other = n < W ? load_n(add + i, n) : load(add + i);
        v = a.act_first ? act(v) + other : act(v + other);
      } else {
        v = act(v);
      }
      if (n < W) store_n(y + i, v, n);
      else store(y + i, v);
    }
}

/// What put() does not do on registers: residuals and functions.
__attribute__((noinline)) void finish(const ConvArgs& a, const float* sums, int pixels, int width, float* y, const float* add, int64_t valid) {
  const Vec s = set1(a.a), t = set1(a.b);
  const auto with = [&](auto act) { finish_with(a, sums, pixels, width, y, add, valid, act); };
  switch (a.act) {
    case ConvAct::leaky_relu: return with([s](Vec x) { return leaky_relu(x, s); });
    case ConvAct::elu: return with([s](Vec x) { return elu(x, s); });
    case ConvAct::sigmoid: return with([](Vec x) { return sigmoid(x); });
    case ConvAct::tanh: return with([](Vec x) { return tanh(x); });
    case ConvAct::silu: return with([](Vec x) { return silu(x); });
    case ConvAct::gelu: return with([](Vec x) { return gelu(x); });
    case ConvAct::gelu_erf: return with([](Vec x) { return gelu_erf(x); });
    case ConvAct::hard_sigmoid: return with([s, t](Vec x) { return hard_sigmoid(x, s, t); });
    case ConvAct::hard_swish: return with([](Vec x) { return hard_swish(x); });
    case ConvAct::mish: return with([](Vec x) { return mish(x); });
    case ConvAct::softplus: return with([](Vec x) { return softplus(x); });
    default: return with([s, t](Vec x) { return clip(x, s, t); });
  }
}

template <int R, int C>
inline void put(const ConvArgs& a, const Vec (&sum)[R][C], float* y, const float* add, int64_t valid) {
  if (a.act == ConvAct::clip && !add) {
    const Vec low = set1(a.a), high = set1(a.b);
    for (int c = 0; c < C; ++c, valid -= W) {
      float* at = y + c * W;
      if (valid >= W) {
        for (int r = 0; r < R; ++r) store(at + r * a.y_step, clip(sum[r][c], low, high));
      } else if (valid > 0) {
        for (int r = 0; r < R; ++r) store_n(at + r * a.y_step, clip(sum[r][c], low, high), static_cast<int>(valid));
      }
    }
    return;
  }
  alignas(64) float sums[R * C * W];
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) store(sums + (r * C + c) * W, sum[r][c]);
  finish(a, sums, R, C * W, y, add, valid < C * W ? valid : C * W);
}

/// The first `valid` floats at p, which may be null: zero.
inline Vec load_valid(const float* p, int64_t valid) {
  if (!p || valid <= 0) return zero();
  return valid >= W ? load(p) : load_n(p, static_cast<int>(valid));
}

// ---- dense -----------------------------------------------------------------------------------------------------------------

template <int R, int P>
MAINSPRING_INLINE void accumulate(const float* x, int64_t x_step, const float* w, int64_t panel, int64_t depth, Vec (&sum)[R][P * kVecs]) {
  for (int64_t i = 0; i < depth; ++i) {
    Vec b[P * kVecs];
    MAINSPRING_UNROLL for (int p = 0; p < P; ++p) MAINSPRING_UNROLL for (int v = 0; v < kVecs; ++v) b[p * kVecs + v] = load(w + p * panel + i * kConvWidth + v * W);
    MAINSPRING_UNROLL for (int r = 0; r < R; ++r) {
      const Vec s = set1(x[r * x_step + i]);
      MAINSPRING_UNROLL for (int v = 0; v < P * kVecs; ++v) sum[r][v] = fma(s, b[v], sum[r][v]);
    }
  }
}

template <int R, int P>
void tile(const ConvArgs& a, const ConvRow& row, int64_t pixel, int64_t output) {
  constexpr int C = P * kVecs;
  const int64_t valid = a.outputs - output;
  Vec sum[R][C];
  for (int c = 0; c < C; ++c) {
    const Vec bias = load_valid(a.bias ? a.bias + output + c * W : nullptr, valid - c * W);
    for (int r = 0; r < R; ++r) sum[r][c] = bias;
  }
  const float* x = row.x + pixel * a.x_step;
  const float* w = a.w + output / kConvWidth * a.w_step;
  for (int64_t t = 0; t < row.n_taps; ++t) accumulate<R, P>(x + row.taps[t].x, a.x_step, w + row.taps[t].w * kConvWidth, a.w_step, a.depth, sum);
  const int64_t at = pixel * a.y_step + output;
  put(a, sum, row.y + at, row.add ? row.add + at : nullptr, valid);
}

// ---- channel by channel ----------------------------------------------------------------------------------------------------

template <int R, int C, bool part>
void channel_tile(const ConvArgs& a, const ConvRow& row, int64_t pixel, int64_t output) {
  const int64_t valid = a.outputs - output;
  Vec sum[R][C];
  for (int c = 0; c < C; ++c) {
    const Vec bias = load_valid(a.bias ? a.bias + output + c * W : nullptr, valid - c * W);
    for (int r = 0; r < R; ++r) sum[r][c] = bias;
  }
  const float* x = row.x + pixel * a.x_step + output;
  const float* w = a.w + output;
  for (int64_t t = 0; t < row.n_taps; ++t) {
    const float* at = x + row.taps[t].x;
    MAINSPRING_UNROLL for (int c = 0; c < C; ++c) {
      const Vec b = load(w + row.taps[t].w * a.w_step + c * W);
      MAINSPRING_UNROLL for (int r = 0; r < R; ++r) {
        const float* p = at + r * a.x_step + c * W;
        sum[r][c] = fma(part ? load_n(p, static_cast<int>(valid)) : load(p), b, sum[r][c]);
      }
    }
  }
  const int64_t at = pixel * a.y_step + output;
  put(a, sum, row.y + at, row.add ? row.add + at : nullptr, valid);
}

// ---- few outputs -----------------------------------------------------------------------------------------------------------

template <int R, int O>
inline void dot_tile(const ConvArgs& a, const ConvRow& row, int64_t pixel, float* sums) {
  Vec sum[R][O];
  for (int r = 0; r < R; ++r)
    for (int o = 0; o < O; ++o) sum[r][o] = zero();
  for (int64_t t = 0; t < row.n_taps; ++t) {
    const float* x = row.x + pixel * a.x_step + row.taps[t].x;
    const float* w = a.w + row.taps[t].w;
    for (int64_t i = 0; i < a.depth; i += W) {
      const int n = a.depth - i < W ? static_cast<int>(a.depth - i) : W;
      Vec b[O];
      MAINSPRING_UNROLL for (int o = 0; o < O; ++o) b[o] = load(w + o * a.w_step + i);
      MAINSPRING_UNROLL for (int r = 0; r < R; ++r) {
        const Vec s = n < W ? load_n(x + r * a.x_step + i, n) : load(x + r * a.x_step + i);
        MAINSPRING_UNROLL for (int o = 0; o < O; ++o) sum[r][o] = fma(s, b[o], sum[r][o]);
      }
    }
  }
  for (int r = 0; r < R; ++r)
    for (int o = 0; o < O; ++o) sums[r * O + o] = (a.bias ? a.bias[o] : 0.0f) + reduce_add(sum[r][o]);
}

template <int O>
void dots(const ConvArgs& a) {
  constexpr int kPixels = 16;
  alignas(64) float sums[kPixels * O + W] = {};
  for (int64_t i = 0; i < a.n_rows; ++i) {
    const ConvRow& row = a.rows[i];
    for (int64_t p = 0, n; p < row.pixels; p += n) {
      n = row.pixels - p < kPixels ? row.pixels - p : kPixels;
      int64_t r = 0;
      for (; r + 4 <= n; r += 4) dot_tile<4, O>(a, row, p + r, sums + r * O);
      for (; r < n; ++r) dot_tile<1, O>(a, row, p + r, sums + r * O);
      const int64_t at = p * a.y_step;
      const bool flat = a.y_step == O;  // pixels lie beside each other: one run
      finish(a, sums, flat ? 1 : static_cast<int>(n), O, row.y + at, row.add ? row.add + at : nullptr, flat ? n * O : O);
    }
  }
}

void thin(const ConvArgs& a) {
  switch (a.outputs) {
    case 1: return dots<1>(a);
    case 2: return dots<2>(a);
    case 3: return dots<3>(a);
    default: return dots<4>(a);
  }
}

// ---- rows into tiles -------------------------------------------------------------------------------------------------------

// The height of the next of the fewest tiles of at most R pixels that hold `left`, as even as they go: a short last tile waits for its own latency.
template <int R>
inline int64_t even_height(int64_t left) {
  const int64_t tiles = (left + R - 1) / R;
  return (left + tiles - 1) / tiles;
}

template <int P, int R>
inline void pixels_of(const ConvArgs& a, const ConvRow& row, int64_t pixel, int64_t n, int64_t output) {
  if (n == R) return tile<R, P>(a, row, pixel, output);
  if constexpr (R > 1) pixels_of<P, R - 1>(a, row, pixel, n, output);
}

template <int P>
void panels_of(const ConvArgs& a, int64_t output) {
  constexpr int R = P == 2 ? Tiles::two : Tiles::one;
  for (int64_t i = 0; i < a.n_rows; ++i)
    for (int64_t p = 0, n; p < a.rows[i].pixels; p += n) pixels_of<P, R>(a, a.rows[i], p, n = even_height<R>(a.rows[i].pixels - p), output);
}

void dense(const ConvArgs& a) {
  int64_t output = 0;
  if constexpr (Tiles::two > 0)
    for (; a.outputs - output > kConvWidth; output += 2 * kConvWidth) panels_of<2>(a, output);
  for (; output < a.outputs; output += kConvWidth) panels_of<1>(a, output);
}

template <int C, int R>
inline void channel_pixels(const ConvArgs& a, const ConvRow& row, int64_t pixel, int64_t n, int64_t output) {
  if (n == R) return a.outputs - output < W ? channel_tile<R, 1, true>(a, row, pixel, output) : channel_tile<R, C, false>(a, row, pixel, output);
  if constexpr (R > 1) channel_pixels<C, R - 1>(a, row, pixel, n, output);
}

// C registers of channels at a time, from `output` on; what is left comes back.
template <int C, int R>
inline int64_t channels_of(const ConvArgs& a, const ConvRow& row, int64_t output) {
  for (; a.outputs - output >= C * W || (C == 1 && output < a.outputs); output += C * W)
    for (int64_t p = 0, n; p < row.pixels; p += n) channel_pixels<C, R>(a, row, p, n = even_height<R>(row.pixels - p), output);
  return output;
}

// Few pixels, at the sides, take four registers of channels side by side: one has too few sums. Others take as many as there are registers for.
void depthwise(const ConvArgs& a) {
  for (int64_t i = 0; i < a.n_rows; ++i) {
    const ConvRow& row = a.rows[i];
    int64_t output = 0;
    if (row.pixels < 3) output = channels_of<4, 2>(a, row, output);
    else if constexpr (Vec::registers > 16) output = channels_of<2, 8>(a, row, output);
    channels_of<1, 8>(a, row, output);
  }
}

}  // namespace
}  // namespace mainspring::inline v0
