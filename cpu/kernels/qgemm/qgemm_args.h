// What a quantised-gemm kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// y[r, o] = sum over k of x[r, k] * w[o, k] (+ bias[o]) for a run of panels and a run of rows.
/// Nothing overlaps y. Reads stay inside the panels and the x rows; writes stay inside the valid outputs of y.
struct QgemmArgs {
  const std::byte* panels;  ///< first panel of the run, 64-byte aligned panels base; panel i is panel_bytes(k) further
  const std::byte* x;       ///< rows in the activation format q8_rows or q16_rows (lib/quant/q8_rows.h), each 4-byte aligned; |q| <= 127
  int64_t x_stride;         ///< bytes from row to row
  float* y;                 ///< [rows, outputs], first output of the run
  int64_t y_stride;         ///< floats from row to row
  const float* bias;        ///< null, or [outputs] from the run's first output; added after the sum
  int64_t k;                ///< a multiple of the kernel's k_multiple
  int64_t rows;
  int64_t panels_count;
  int64_t outputs;          ///< valid outputs, in ((panels_count - 1) * width, panels_count * width]
  bool wide = false;        ///< x is q16_rows
  std::byte* scratch = nullptr;  ///< null, or qgemm_scratch_bytes, 64-byte aligned: many rows are faster with it, and give the same bits
};

/// Two panels of `width` outputs with codes of a byte and four scales for each 32 k.
constexpr size_t qgemm_scratch_bytes(int width, int64_t k) { return static_cast<size_t>(2 * width * (k + k / 2)); }

using QgemmFn = void (*)(const QgemmArgs&);

/// Quantises blocks [first, first + count) of 32 of a row of k floats (k a multiple of 32) into q8_rows, q16_rows or bf16; bit for bit what lib/quant's
/// reference writes. x[0] is the first of these blocks' floats.
using QuantizeBlocksFn = void (*)(const float* x, int64_t k, int64_t first, int64_t count, std::byte* row);

}  // namespace mainspring::inline v0
