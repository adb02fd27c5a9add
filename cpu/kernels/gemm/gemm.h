// Float linear layers: y = x * w^T with f32 activations. In: weights as f32, f16 or bf16, packed once into panels; or rows of any block
// format, decoded on the fly. Out: f32. Must not know operators or plans.
//
// A panel holds 16 outputs over the whole of k, [k][16], in the weight's own dtype. It serves one row and many.
//
// Bits do not depend on company: each output is one f32 sum that takes its products in ascending k, one fused multiply-add each (scalar:
// a multiply and an add). Row count, position in a tile, panel runs and cuts along k change nothing. Packed and decoded weights of
// equal value give equal bits, and so do all instruction sets above scalar.
//
// Use: kernel = select_gemm(isa). Packed: gemm_pack per panel, then kernel->run(dtype). Not packed: gemm_decoded.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/gemm/gemm_args.h"
#include "mainspring/types.h"
#include "quant/quant.h"

namespace mainspring::inline v0 {

struct GemmKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  int row_tile;  ///< rows that share a load of the weights
  const GemmIsa* fn;
  /// The kernel for panels of f32, f16 or bf16; null for other dtypes.
  GemmFn run(DType weight) const {
    return weight == DType::f32 ? fn->f32 : weight == DType::f16 ? fn->f16 : weight == DType::bf16 ? fn->bf16 : nullptr;
  }
};

/// Every kernel, best first (kernels.inc).
std::span<const GemmKernel> gemm_kernels();
/// The best kernel for this machine; there is always one.
const GemmKernel& select_gemm(IsaSet isa);

/// True for the dtypes that have panels.
constexpr bool gemm_packs(DType t) { return t == DType::f32 || t == DType::f16 || t == DType::bf16; }
constexpr int64_t gemm_panel_count(int64_t outputs) { return (outputs + kGemmWidth - 1) / kGemmWidth; }
constexpr size_t gemm_panel_bytes(DType t, int64_t k) { return static_cast<size_t>(k) * kGemmWidth * static_cast<size_t>(info_of(t).bytes); }

/// Packs `valid_outputs` (1..16) source rows, `row_bytes` apart at any address, into one panel; the other outputs become zero.
void gemm_pack(DType t, const std::byte* rows, size_t row_bytes, int64_t valid_outputs, int64_t k, std::byte* panel);
/// Weight row `row`, counted over all panels, as floats.
void gemm_unpack_row(DType t, const std::byte* panels, int64_t k, int64_t row, float* out);

/// Packs f32 as it comes, not once: the same panels. `outputs` (1..16) rows of k floats, `stride` apart, into one panel.
void gemm_panel_of_rows(const GemmKernel& kernel, const float* rows, int64_t stride, int64_t outputs, int64_t k, float* panel);
/// Columns [0, outputs) of a row-major [k, outputs], rows `stride` apart, into panels `panel_stride` floats apart; what is missing of the last becomes zero.
void gemm_panels_of_columns(const float* w, int64_t stride, int64_t outputs, int64_t k, int64_t panel_stride, float* panels);

/// k that is decoded at a time: a multiple of every block length. 16 outputs of it are 16 KiB decoded and as much transposed: level 1 cache.
inline constexpr int64_t kGemmChunk = 256;
/// Rows that one gemm_decoded call may have.
inline constexpr int64_t kGemmDecodedRows = 128;
/// Bytes of scratch, 64-byte aligned, that gemm_decoded needs.
inline constexpr size_t kGemmDecodedScratch = (2 * kGemmChunk + kGemmDecodedRows) * kGemmWidth * sizeof(float);

/// y[r, o] = sum x[r, k] * w[o, k] (+ bias[o]) straight from source rows of any format, for up to 16 outputs and kGemmDecodedRows rows.
struct GemmDecoded {
  const BlockFormat* format;
  const std::byte* w;  ///< first row of the tile's outputs, any address
  size_t row_bytes;
  const float* x;
  int64_t x_stride;
  float* y;
  int64_t y_stride;
  const float* bias;  ///< null, or from the tile's first output
  int64_t k;          ///< a multiple of format->block
  int64_t rows;       ///< at most kGemmDecodedRows
  int64_t outputs;    ///< 1..16
};
void gemm_decoded(const GemmKernel& kernel, const GemmDecoded& a, std::byte* scratch);

}  // namespace mainspring::inline v0
