#include "cpu/kernels/norm/norm.h"

namespace mainspring::inline v0 {

#define MAINSPRING_NORM_KERNEL(isa) extern const NormIsa norm_##isa;
#include "cpu/kernels/norm/kernels.inc"
#undef MAINSPRING_NORM_KERNEL

namespace {
const NormKernel kKernels[] = {
#define MAINSPRING_NORM_KERNEL(isa) {#isa, Isa::isa, &norm_##isa},
#include "cpu/kernels/norm/kernels.inc"
#undef MAINSPRING_NORM_KERNEL
};
}  // namespace

std::span<const NormKernel> norm_kernels() { return kKernels; }

const NormKernel& select_norm(IsaSet isa) {
  for (const NormKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

}  // namespace mainspring::inline v0
