// Recurrent networks: LSTM, GRU and the plain RNN of ONNX, one time step at a time. In: the input's products for the step and the units of the step
// before, f32. Out: the units of the step. Must not know operators or plans.
//
// A unit is one f32 sum a gate that begins with the input's product and takes the units before in ascending order, one fused multiply-add each
// (scalar: a multiply and an add), so that neither rows nor groups in a call change its bits.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/rnn/rnn_args.h"

namespace mainspring::inline v0 {

struct RnnKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  int bytes_per_ns, ops_per_ns;  ///< what one core does, roughly, to size tiles: weights out of the level 2 cache, arithmetic of many rows
  const RnnIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const RnnKernel> rnn_kernels();
const RnnKernel& select_rnn(IsaSet isa);

constexpr int64_t rnn_groups(int64_t hidden) { return (hidden + kRnnGroup - 1) / kRnnGroup; }
constexpr size_t rnn_group_bytes(int64_t k, int64_t gates) { return static_cast<size_t>(k * gates * kRnnGroup) * sizeof(float); }
/// Packs group `group` of weights [all gates * hidden, k], from gate `first` on, into [k][gates][16].
void rnn_pack(const float* weights, int64_t hidden, int64_t k, int64_t first, int64_t gates, int64_t group, float* panel);

}  // namespace mainspring::inline v0
