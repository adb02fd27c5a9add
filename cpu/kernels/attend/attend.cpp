#include "cpu/kernels/attend/attend.h"

namespace mainspring::inline v0 {

#define MAINSPRING_ATTEND_KERNEL(isa) extern const AttendIsa attend_##isa;
#include "cpu/kernels/attend/kernels.inc"
#undef MAINSPRING_ATTEND_KERNEL

namespace {

const AttendKernel kKernels[] = {
#define MAINSPRING_ATTEND_KERNEL(isa) {#isa, Isa::isa, &attend_##isa},
#include "cpu/kernels/attend/kernels.inc"
#undef MAINSPRING_ATTEND_KERNEL
};

}  // namespace

std::span<const AttendKernel> attend_kernels() { return kKernels; }

const AttendKernel& select_attend(IsaSet isa) {
  for (const AttendKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

}  // namespace mainspring::inline v0
