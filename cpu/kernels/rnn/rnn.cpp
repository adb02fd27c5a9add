#include "cpu/kernels/rnn/rnn.h"

namespace mainspring::inline v0 {

#define MAINSPRING_RNN_KERNEL(isa, bytes_per_ns, ops_per_ns) extern const RnnIsa rnn_##isa;
#include "cpu/kernels/rnn/kernels.inc"
#undef MAINSPRING_RNN_KERNEL

namespace {

const RnnKernel kKernels[] = {
#define MAINSPRING_RNN_KERNEL(isa, bytes_per_ns, ops_per_ns) {#isa, Isa::isa, bytes_per_ns, ops_per_ns, &rnn_##isa},
#include "cpu/kernels/rnn/kernels.inc"
#undef MAINSPRING_RNN_KERNEL
};

}  // namespace

std::span<const RnnKernel> rnn_kernels() { return kKernels; }

const RnnKernel& select_rnn(IsaSet isa) {
  for (const RnnKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

void rnn_pack(const float* weights, int64_t hidden, int64_t k, int64_t first, int64_t gates, int64_t group, float* panel) {
  for (int64_t gate = 0; gate < gates; ++gate)
    for (int64_t u = 0; u < kRnnGroup; ++u) {
      const int64_t unit = group * kRnnGroup + u;
      const float* row = weights + ((first + gate) * hidden + unit) * k;
      for (int64_t i = 0; i < k; ++i) panel[(i * gates + gate) * kRnnGroup + u] = unit < hidden ? row[i] : 0.0f;
    }
}

}  // namespace mainspring::inline v0
