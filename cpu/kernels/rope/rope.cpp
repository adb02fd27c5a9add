#include "cpu/kernels/rope/rope.h"

#include <cmath>
#include <iterator>
#include <numbers>

namespace mainspring::inline v0 {

#define MAINSPRING_ROPE_KERNEL(isa) extern const RopeIsa rope_##isa;
#include "cpu/kernels/rope/kernels.inc"
#undef MAINSPRING_ROPE_KERNEL

namespace {

const RopeKernel kKernels[] = {
#define MAINSPRING_ROPE_KERNEL(isa) {#isa, Isa::isa, &rope_##isa},
#include "cpu/kernels/rope/kernels.inc"
#undef MAINSPRING_ROPE_KERNEL
};

}  // namespace

std::span<const RopeKernel> rope_kernels() { return kKernels; }

const RopeKernel& select_rope(IsaSet isa) {
  for (const RopeKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

uint64_t rope_step(double radians) {
  double turns = radians / (2 * std::numbers::pi);
  turns -= std::floor(turns);  // [0, 1]; 1 where a tiny negative angle was rounded
  return turns >= 0 && turns < 1 ? static_cast<uint64_t>(std::ldexp(turns, 64)) : 0;
}

}  // namespace mainspring::inline v0
