// What the kernels of recurrent networks are given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// Hidden units in a group: what a panel holds side by side, for each of the gates.
inline constexpr int kRnnGroup = 16;

/// One time step of one direction, for some rows of the batch and a run of groups. Buffers of units are padded to whole groups; what lies in the
/// padding is zero times a weight and stays finite.
struct RnnStep {
  const float* panels;   ///< [groups][k][gates][16], 64-byte aligned: the recurrent weights from the first group on
  const float* h;        ///< [rows][k]: what they meet, all units of the step before (or reset * that)
  int64_t h_stride;      ///< floats from row to row
  int64_t k;             ///< hidden units; 0: `p` holds the finished sums
  const float* p;        ///< [rows][gates][units]: products of the input, and biases, from the first unit of the run on
  int64_t p_stride, p_gate;  ///< floats from row to row, from gate to gate
  const float* before;   ///< [rows][units]: the units of the run, a step before
  float* c;              ///< [rows][units]: LSTM: the cells; GRU in two halves: the update gates
  float* y;              ///< [rows][units]: the units of the run, now. Overlaps neither h nor before
  int64_t unit_stride;   ///< of before, c and y: floats from row to row
  const float* bias;     ///< GRU with linear_before_reset: [units], the recurrent bias of the new gate
  int64_t rows, groups;
};

using RnnFn = void (*)(const RnnStep&);

/// The functions of one instruction set. Gates stand as in ONNX: LSTM i o f c, GRU z r h.
struct RnnIsa {
  RnnFn lstm;       ///< 4 gates: c = σ(f) c + σ(i) tanh(c̃); y = σ(o) tanh(c)
  RnnFn gru;        ///< 3 gates, linear_before_reset: n = tanh(p + σ(r) (h·R + bias)); y = n + σ(z) (before - n)
  RnnFn gru_reset;  ///< 2 gates: c = σ(z), y = σ(r) before
  RnnFn gru_new;    ///< 1 gate, h is what gru_reset gave: n = tanh(p + h·R); y = n + c (before - n)
  RnnFn rnn;        ///< 1 gate: y = tanh(p + h·R)
};

}  // namespace mainspring::inline v0
