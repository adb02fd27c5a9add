// What the kernels of integer products are given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// Outputs that stand side by side: one broadcast of four k of a row meets all of them.
inline constexpr int kIgemmLanes = 16;
inline constexpr int kIgemmQuadBytes = 4 * kIgemmLanes;

/// y[r, o] = sum over k of row[r, k] * lane[k, o], exact modulo 2^32. k goes in quads: four bytes of each of 16 outputs. One operand is u8, the other
/// i8. Lanes are read where they lie: matrices as packed panels, images where a quad is a shift of the image.
struct IgemmArgs {
  const std::byte* lanes;    ///< quad q of panel p: 64 bytes at lanes + p * panel_bytes + (offsets ? offsets[q] : 64 q)
  const int32_t* offsets;    ///< null, or [quads]
  int64_t panel_bytes;
  const std::byte* rows;     ///< [row_count][quads][4] as the kernel's own elements (IgemmKernel::element), row_bytes apart
  int64_t row_bytes;
  int32_t* y;                ///< [row_count][panels * 16], whole panels; 64-byte aligned, y_stride a multiple of 16
  int64_t y_stride;
  int64_t quads, row_count, panels;
};

/// Source bytes to a prepared row: out[i] = x[i] ^ flip for i < n, then zeros up to whole quads. Returns the sum of out, as u8.
struct IgemmRow {
  const std::byte* x;
  int64_t n;
  uint8_t flip;              ///< 0x80 makes u8 of i8
  std::byte* out;
};

/// The same of floats: out[i] = clamp(round(x[i] / scale) + zero, 0, 255), ties to even; NaN gives `zero`.
struct IgemmQuantize {
  const float* x;
  int64_t n;
  float scale;
  int32_t zero;              ///< as u8
  uint8_t flip;              ///< of `bytes`: 0x80 makes i8 of the results
  std::byte* out;
};

/// y[i] = ((x[i] ^ flip) - zero) * scale, bytes as u8.
struct IgemmDequantize {
  const std::byte* x;
  int64_t n;
  uint8_t flip;
  int32_t zero;
  float scale;
  float* y;
};

/// Four rows of n bytes to quads: out[4 i + j] = rows[j][i].
struct IgemmInterleave {
  const std::byte* rows[4];
  int64_t n;
  std::byte* out;
};

/// What integer sums become. v[i] = sums[i] + constant - factor * lane_sums[i] + row_factor * lane_zeros[i], all modulo 2^32, then
///   i32: v;  f32: v * (scale * scales[i]) + offset (+ bias[i]);  bytes: clamp(round(that) + zero, low, high), ties to even.
struct IgemmFinish {
  const int32_t* sums;
  int64_t n;
  int32_t constant;
  int32_t factor;
  const int32_t* lane_sums;   ///< null where factor is 0
  int32_t row_factor;
  const int32_t* lane_zeros;  ///< null, or [n]
  float scale;
  const float* scales;        ///< null: 1
  const float* bias;          ///< null, or [n]
  float offset;
  int32_t zero, low, high;
  void* y;                    ///< [n] i32, f32 or bytes
};

/// Least and greatest of floats and zero; NaN is passed over.
struct IgemmRange {
  const float* x;
  int64_t n;
  float least, most;          ///< results
};

/// The functions of one instruction set.
struct IgemmIsa {
  void (*signed_lanes)(const IgemmArgs&);    ///< rows u8, lanes i8
  void (*unsigned_lanes)(const IgemmArgs&);  ///< rows i8, lanes u8
  int32_t (*row)(const IgemmRow&);
  int32_t (*quantize)(const IgemmQuantize&);
  void (*bytes)(const IgemmQuantize&);       ///< as quantize, to plain bytes without padding
  void (*dequantize)(const IgemmDequantize&);
  void (*interleave)(const IgemmInterleave&);
  void (*finish_i32)(const IgemmFinish&);
  void (*finish_f32)(const IgemmFinish&);
  void (*finish_bytes)(const IgemmFinish&);
  void (*range)(IgemmRange&);
};

}  // namespace mainspring::inline v0
