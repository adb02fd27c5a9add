// What a bf16 gemm kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// Outputs in a panel: the columns of a tile.
inline constexpr int kBgemmWidth = 16;
/// k of one step of a tile, and what k must be a multiple of.
inline constexpr int kBgemmDepth = 32;

/// y[r, o] = sum over k of x[r, k] * w[o, k] (+ bias[o]) for a run of panels and a run of rows; x and w are bf16.
/// Reads stay inside the panels and the x rows; writes stay inside the valid outputs of y. Nothing overlaps y.
struct BgemmArgs {
  const std::byte* panels;  ///< [k / 2][16][2], panel i is k * 32 bytes further; 64-byte aligned
  const std::byte* x;       ///< rows of k bf16, any address
  int64_t x_stride;         ///< bytes from row to row
  float* y;                 ///< [rows, outputs], first output of the run
  int64_t y_stride;         ///< floats from row to row
  const float* bias;        ///< null, or [outputs] from the run's first output; added after the sum
  int64_t k;                ///< a positive multiple of kBgemmDepth
  int64_t rows;
  int64_t panels_count;
  int64_t outputs;  ///< valid outputs, in ((panels_count - 1) * 16, panels_count * 16]
};

using BgemmFn = void (*)(const BgemmArgs&);

}  // namespace mainspring::inline v0
