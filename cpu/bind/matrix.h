// The matrix of a linear layer, whichever way it is held. In: panels or source rows, and runs of activation rows. Out: runs of y.
// Shared by linear, head_linear and moe_linear, so that they agree to the bit.
#pragma once

#include "cpu/bind/linear.h"
#include "cpu/bind/rows.h"

namespace mainspring::inline v0::cpu {

/// y = x W^T by one of three kernels: qgemm with q8_rows or q16_rows, bgemm with bf16, gemm with f32. Over panels, or source rows decoded on the fly
/// (gemm: any block format, qgemm: formats of codes).
struct Matrix {
  PanelLayout layout;
  const QgemmKernel* qgemm = nullptr;
  const BgemmKernel* bgemm = nullptr;
  const GemmKernel* gemm = nullptr;
  const BlockFormat* decoded = nullptr;  ///< not null: `weights` are source rows
  const std::byte* weights = nullptr;    ///< panels or source, known when the binding is finished
  bool wide = false;                     ///< x is q16_rows
  int row_tile = 1;
  double read_ns = 0, row_ns = 0;  ///< estimated cost of a panel: reading (and decoding) it, and one row's work

  /// A multiple of 64.
  size_t worker_scratch() const { return qgemm ? qgemm_scratch_bytes(qgemm->width, layout.k) : decoded ? kGemmDecodedScratch : 0; }

  /// Rows x[0, rows) (x_stride bytes apart) times outputs of panels [first, first + count) of matrix `index`, to y[.., 0..] (y_stride floats
  /// apart) which begins at the first panel's first output, as bias (or null) does.
  void run(int64_t index, int64_t first, int64_t count, const std::byte* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
           const float* bias, std::byte* scratch) const;
  int64_t outputs_of(int64_t first, int64_t count) const { return std::min(count * layout.width(), layout.outputs - first * layout.width()); }
};

/// Chooses the kernel for weights `w` ([…, m, k], `matrices` of them) and activations of dtype `x`; adds the packing to `b` where there is one.
/// Errors: unsupported with the reason.
Result<Matrix> bind_matrix(const BindRequest& q, const Operand& w, int input, DType x, IsaSet isa, KernelBinding* b);

/// How a step over rows × panels is cut into tiles.
struct Cut {
  int64_t rows, panels;  ///< of a tile
  int64_t row_tiles, panel_tiles;
  int64_t tiles() const { return row_tiles * panel_tiles; }
};
constexpr double kTileNs = 80'000;
/// A tile takes at most about kTileNs, max(64, row_tile) rows, and at least 5 where the step is large enough to keep `workers` busy with 8 tiles each.
Cut cut_of(const Matrix& m, int64_t rows, int64_t panels, int64_t copies, int workers);

}  // namespace mainspring::inline v0::cpu
