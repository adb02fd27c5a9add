#include "cpu/kernels/conv/conv.h"

namespace mainspring::inline v0 {

#define MAINSPRING_CONV_KERNEL(isa, pixel_tile, macs_per_ns) extern const ConvIsa conv_##isa;
#include "cpu/kernels/conv/kernels.inc"
#undef MAINSPRING_CONV_KERNEL

namespace {
const ConvKernel kKernels[] = {
#define MAINSPRING_CONV_KERNEL(isa, pixel_tile, macs_per_ns) {#isa, Isa::isa, pixel_tile, macs_per_ns, &conv_##isa},
#include "cpu/kernels/conv/kernels.inc"
#undef MAINSPRING_CONV_KERNEL
};
}  // namespace

std::span<const ConvKernel> conv_kernels() { return kKernels; }

const ConvKernel& select_conv(IsaSet isa) {
  for (const ConvKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

}  // namespace mainspring::inline v0
