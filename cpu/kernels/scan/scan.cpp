#include "cpu/kernels/scan/scan.h"

#include <iterator>

namespace mainspring::inline v0 {

#define MAINSPRING_SCAN_KERNEL(isa, speed) extern const ScanIsa scan_##isa;
#include "cpu/kernels/scan/kernels.inc"
#undef MAINSPRING_SCAN_KERNEL

namespace {

const ScanKernel kKernels[] = {
#define MAINSPRING_SCAN_KERNEL(isa, speed) {#isa, Isa::isa, speed, &scan_##isa},
#include "cpu/kernels/scan/kernels.inc"
#undef MAINSPRING_SCAN_KERNEL
};

}  // namespace

std::span<const ScanKernel> scan_kernels() { return kKernels; }

const ScanKernel& select_scan(IsaSet isa) {
  for (const ScanKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

}  // namespace mainspring::inline v0
