// What a float gemm kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/simd/activation.h"

namespace mainspring::inline v0 {

/// Outputs in a panel, in every gemm kernel: two AVX2 registers or one AVX-512 register of f32.
inline constexpr int kGemmWidth = 16;

/// y[r, o] = sum over k of x[r, k] * w[o, k] (+ bias[o]) for a run of panels and a run of rows. Panels are [k][16] in the weight's dtype.
/// Reads stay inside the panels and the x rows; writes stay inside the valid outputs of y. Nothing overlaps y.
struct GemmArgs {
  const std::byte* panels;  ///< panel i is k * 16 weights further; 32-byte aligned for 16-bit weights, 64-byte for f32
  const float* x;
  int64_t x_stride;   ///< floats from row to row
  float* y;           ///< [rows, outputs], first output of the run
  int64_t y_stride;   ///< floats from row to row
  const float* bias;  ///< null, or [outputs] from the run's first output; added after the sum
  int64_t k;
  int64_t rows;
  int64_t panels_count;
  int64_t outputs;  ///< valid outputs, in ((panels_count - 1) * 16, panels_count * 16]
};

/// sums[r, 0..15] += x[r, k] * w[k][0..15] for one stretch of k: the same sequence of operations on each sum as in a GemmArgs call,
/// which it continues exactly, because a f32 sum that is stored and loaded again is the same sum.
struct GemmChunk {
  const float* w;  ///< [k][16], 64-byte aligned
  const float* x;
  int64_t x_stride;
  float* sums;  ///< [rows][16], 64-byte aligned
  int64_t k;
  int64_t rows;
};

/// y[r, o] = (start[r, o] + bias[o], where given) + sum over k of x[r, k] * w[k, o], in ascending k, one fused multiply-add each, from the start on. A
/// product over more k goes on with start = y: the same sums, since a f32 sum that is stored and loaded again is the same sum.
/// `w` lies in panels [k][16], 64-byte aligned, or as it is, row-major: then panel_stride is 16. Reads stay inside the valid outputs of w (panels: inside
/// the panels), writes inside those of y. y overlaps nothing but, element by element, start.
struct GemmBlock {
  const float* w;
  int64_t panel_stride;  ///< floats from 16 outputs to the next
  int64_t w_stride;      ///< floats from k to k: 16 in panels
  const float* x;
  int64_t x_stride;
  float* y;
  int64_t y_stride;
  const float* start;    ///< null: none
  int64_t start_stride;
  const float* bias;     ///< null, or [outputs]
  int64_t k, rows, outputs;
  const float* next;     ///< null, or panels that are wanted next, as far apart and as long as these: they are asked for while many rows meet these
};

/// y = act(y) for rows of n.
struct GemmActivate {
  Activation act;
  float* y;
  int64_t y_stride;
  int64_t rows, n;
};

using GemmFn = void (*)(const GemmArgs&);

/// The functions of one instruction set, a table that its ISA file defines.
struct GemmIsa {
  GemmFn f32;
  GemmFn f16;
  GemmFn bf16;
  void (*chunk)(const GemmChunk&);
  void (*panels)(const GemmBlock&);    ///< w in panels
  void (*in_place)(const GemmBlock&);  ///< w row-major
  void (*activate)(const GemmActivate&);
  /// out[i][0..15] = rows[0..15][i] for i < n; rows are `stride` floats apart. n is a multiple of 8; out 64-byte aligned.
  void (*transpose)(const float* rows, int64_t stride, int64_t n, float* out);
};

}  // namespace mainspring::inline v0
