// Linear layers of bf16 times bf16: y = x * w^T. In: weights as bf16, packed once into panels; rows of activations as bf16. Out: f32.
// Must not know operators or plans.
//
// A panel holds 16 outputs over the whole of k in pairs, [k / 2][16][2]: as it stands the second operand of tdpbf16ps. It serves one row and many.
//
// Bits do not depend on company: one row goes through the same tile instruction as many, and a tile's rows do not know of each other. Each output
// takes stretches of 32 k in ascending order. To the letter (Intel's manual, TDPBF16PS), for each stretch:
//   even = odd = 0;  for 16 pairs: even = fma(x[2i], w[2i], even), odd = fma(x[2i+1], w[2i+1], odd);  y += even + odd
// every operation rounded to nearest even, subnormals taken and given as zero. The scalar kernel does that; it is what the tiles are tested
// against, and never chosen: without tiles the f32 kernels of gemm.h are faster and keep f32 activations.
//
// vdpbf16ps (AVX512-BF16) has no kernel. It adds pairs straight to the sum, so that its bits are not those of the tiles, and it does not pay: one
// in two cycles, 512 rows of a 2048×2048 matrix at 88 GFLOP/s against 140 with f32 FMAs on the same weights, one row 30.0 GB/s against 29.5
// (Xeon, Emerald Rapids, one thread, 2026-11).
#pragma once

#include <span>
#include <string>

#include "cpu/isa.h"
#include "cpu/kernels/bgemm/bgemm_args.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

struct BgemmKernel {
  const char* name;  ///< "amx"
  Isa isa;
  int row_tile;  ///< rows that share a load of the weights
  BgemmFn run;
};

/// Every kernel, best first (kernels.inc).
std::span<const BgemmKernel> bgemm_kernels();
/// The kernel for bf16 activations of depth k on weights of this dtype, or null: then `why` (may be null) gets the reason appended.
const BgemmKernel* select_bgemm(DType weight, int64_t k, IsaSet isa, std::string* why);

constexpr int64_t bgemm_panel_count(int64_t outputs) { return (outputs + kBgemmWidth - 1) / kBgemmWidth; }
constexpr size_t bgemm_panel_bytes(int64_t k) { return static_cast<size_t>(k) * kBgemmWidth * 2; }

/// Packs `valid_outputs` (1..16) source rows of bf16, `row_bytes` apart at any address, into one panel; the other outputs become zero.
void bgemm_pack(const std::byte* rows, size_t row_bytes, int64_t valid_outputs, int64_t k, std::byte* panel);
/// Weight row `row`, counted over all panels, as floats.
void bgemm_unpack_row(const std::byte* panels, int64_t k, int64_t row, float* out);

}  // namespace mainspring::inline v0
