#include "cpu/kernels/igemm/igemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mainspring::inline v0 {

#define MAINSPRING_IGEMM_KERNEL(isa, row_tile, element, macs_per_ns) extern const IgemmIsa igemm_##isa;
#include "cpu/kernels/igemm/kernels.inc"
#undef MAINSPRING_IGEMM_KERNEL

namespace {

const IgemmKernel kKernels[] = {
#define MAINSPRING_IGEMM_KERNEL(isa, row_tile, element, macs_per_ns) {#isa, Isa::isa, row_tile, element, macs_per_ns, &igemm_##isa},
#include "cpu/kernels/igemm/kernels.inc"
#undef MAINSPRING_IGEMM_KERNEL
};

}  // namespace

std::span<const IgemmKernel> igemm_kernels() { return kKernels; }

const IgemmKernel& select_igemm(IsaSet isa) {
  for (const IgemmKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

void igemm_pack(const IgemmSource& s, int64_t k, int64_t first, int64_t valid, std::byte* panel) {
  int32_t sums[kIgemmLanes] = {};
  for (int64_t q = 0; q < igemm_quads(k); ++q, panel += kIgemmQuadBytes)
    for (int64_t o = 0; o < kIgemmLanes; ++o)
      for (int64_t j = 0; j < 4; ++j) {
        const bool there = o < valid && 4 * q + j < k;
        const std::byte b = there ? s.data[(4 * q + j) * s.k_stride + (first + o) * s.output_stride] ^ std::byte{s.flip} : std::byte{0};
        panel[4 * o + j] = b;
        sums[o] += static_cast<int8_t>(b);
      }
  std::memcpy(panel, sums, sizeof sums);
}

IgemmScale igemm_scale(float least, float most) {
  IgemmScale s;
  if (most > least) s.scale = (most - least) / 255.0f;
  s.zero = static_cast<int32_t>(std::nearbyint(std::clamp(-least / s.scale, 0.0f, 255.0f)));
  return s;
}

}  // namespace mainspring::inline v0
