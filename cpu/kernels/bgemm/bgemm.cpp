#include "cpu/kernels/bgemm/bgemm.h"

#include <fmt/format.h>

#include <cstring>

#include "quant/half.h"

namespace mainspring::inline v0 {

#define MAINSPRING_BGEMM_KERNEL(isa, row_tile) void bgemm_##isa(const BgemmArgs&);
#include "cpu/kernels/bgemm/kernels.inc"
#undef MAINSPRING_BGEMM_KERNEL

namespace {

const BgemmKernel kKernels[] = {
#define MAINSPRING_BGEMM_KERNEL(isa, row_tile) {#isa, Isa::isa, row_tile, bgemm_##isa},
#include "cpu/kernels/bgemm/kernels.inc"
#undef MAINSPRING_BGEMM_KERNEL
};

}  // namespace

std::span<const BgemmKernel> bgemm_kernels() { return kKernels; }

const BgemmKernel* select_bgemm(DType weight, int64_t k, IsaSet isa, std::string* why) {
  std::string reason;
  if (weight != DType::bf16)
    reason = fmt::format("bgemm: no kernel for weights in {}", name_of(weight));
  else if (k <= 0 || k % kBgemmDepth)
    reason = fmt::format("bgemm: k = {}, needs a multiple of {}", k, kBgemmDepth);
  else if (!isa.has(kKernels[0].isa))
    reason = fmt::format("bgemm {}: not on this machine or above the cap", kKernels[0].name);
  else
    return &kKernels[0];
  if (why) *why += reason;
  return nullptr;
}

// 64 k at a time, so that the stretch of the panel that 16 rows are written into stays in the level 1 cache.
void bgemm_pack(const std::byte* rows, size_t row_bytes, int64_t valid_outputs, int64_t k, std::byte* panel) {
  constexpr int64_t kStretch = 2 * kBgemmDepth;
  uint16_t row[kStretch];
  for (int64_t from = 0; from < k; from += kStretch) {
    const int64_t n = k - from < kStretch ? k - from : kStretch;
    for (int64_t o = 0; o < kBgemmWidth; ++o) {
      std::memset(row, 0, sizeof row);
      if (o < valid_outputs) std::memcpy(row, rows + static_cast<size_t>(o) * row_bytes + from * 2, static_cast<size_t>(n) * 2);
      for (int64_t i = 0; i < n; i += 2) std::memcpy(panel + ((from + i) * kBgemmWidth + 2 * o) * 2, row + i, 4);
    }
  }
}

void bgemm_unpack_row(const std::byte* panels, int64_t k, int64_t row, float* out) {
  const auto* w = reinterpret_cast<const uint16_t*>(panels) + row / kBgemmWidth * k * kBgemmWidth + row % kBgemmWidth * 2;
  for (int64_t i = 0; i < k; ++i) out[i] = bf16_to_f32(w[i / 2 * 2 * kBgemmWidth + i % 2]);
}

}  // namespace mainspring::inline v0
