#include "cpu/kernels/attention/attention.h"

#include <iterator>

namespace mainspring::inline v0 {

#define MAINSPRING_ATTENTION_KERNEL(isa, speed) extern const AttentionIsa attention_##isa;
#include "cpu/kernels/attention/kernels.inc"
#undef MAINSPRING_ATTENTION_KERNEL

namespace {

const AttentionKernel kKernels[] = {
#define MAINSPRING_ATTENTION_KERNEL(isa, speed) {#isa, Isa::isa, speed, &attention_##isa},
#include "cpu/kernels/attention/kernels.inc"
#undef MAINSPRING_ATTENTION_KERNEL
};

}  // namespace

std::span<const AttentionKernel> attention_kernels() { return kKernels; }

const AttentionKernel& select_attention(IsaSet isa) {
  for (const AttentionKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

}  // namespace mainspring::inline v0
