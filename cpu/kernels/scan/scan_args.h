// What the recurrent kernels are given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
//
// Common to all: rows of one segment in order, strides in floats from row to row, state read and written in place; `fresh`: the state counts
// as zero at first. No operand overlaps another.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// y[t, c] = act(bias[c] + Σ_j w[j, c] x[t - taps + 1 + j, c]) for some channels.
struct ConvRows {
  const float* x;         ///< [rows, channels]
  float* y;
  int64_t x_stride, y_stride;
  const float* w;         ///< [taps, w_stride], from the first of the channels; readable up to whole vectors of 16
  int64_t w_stride;
  const float* bias;      ///< null, or [channels]
  float* state;           ///< [channels, taps - 1]: the last inputs, oldest first
  float* past;            ///< scratch: (taps - 1) * (channels rounded up to 16) floats
  int64_t rows, channels, taps;
  bool fresh, silu;
};

/// h = h exp(step A) + step x⊗B; y = h·C + D x with step = softplus(dt + dt_bias), for some of the P elements of one head.
struct SsmRows {
  const float *x, *dt, *b, *c;  ///< x: [rows, p]; dt: one a row; b, c: [rows, n]
  float* y;                     ///< [rows, p]
  int64_t x_stride, dt_stride, b_stride, c_stride, y_stride;
  float* state;                 ///< [p, n]
  int64_t rows, p, n;
  float a, dt_bias;
  const float* d;               ///< null, or the head's D
  bool fresh;
};

/// S *= exp(g); u = beta (v - S k); S += u⊗k; y = scale S q, for some of the dv elements of one head.
struct DeltaRows {
  const float *q, *k, *v, *g, *beta;  ///< q, k: [rows, dk]; v: [rows, dv]; g, beta: one a row
  float* y;                           ///< [rows, dv]
  int64_t q_stride, k_stride, v_stride, g_stride, beta_stride, y_stride;
  float* state;                       ///< [dv, dk]
  int64_t rows, dk, dv;
  float scale;
  bool fresh;
};

struct ScanIsa {
  void (*conv)(const ConvRows&);
  void (*ssm)(const SsmRows&);
  void (*delta)(const DeltaRows&);
};

}  // namespace mainspring::inline v0
