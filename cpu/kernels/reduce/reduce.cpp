#include "cpu/kernels/reduce/reduce.h"

namespace mainspring::inline v0 {

#define MAINSPRING_REDUCE_KERNEL(isa) extern const ReduceIsa reduce_##isa;
#include "cpu/kernels/reduce/kernels.inc"
#undef MAINSPRING_REDUCE_KERNEL

namespace {

const ReduceKernel kKernels[] = {
#define MAINSPRING_REDUCE_KERNEL(isa) {#isa, Isa::isa, &reduce_##isa},
#include "cpu/kernels/reduce/kernels.inc"
#undef MAINSPRING_REDUCE_KERNEL
};

}  // namespace

std::span<const ReduceKernel> reduce_kernels() { return kKernels; }

const ReduceKernel& select_reduce(IsaSet isa) {
  for (const ReduceKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

}  // namespace mainspring::inline v0
