#include "cpu/kernels/gemm/gemm.h"

#include <algorithm>
#include <cstring>

#include "quant/half.h"

namespace mainspring::inline v0 {

#define MAINSPRING_GEMM_KERNEL(isa, row_tile) extern const GemmIsa gemm_##isa;
#include "cpu/kernels/gemm/kernels.inc"
#undef MAINSPRING_GEMM_KERNEL

namespace {

const GemmKernel kKernels[] = {
#define MAINSPRING_GEMM_KERNEL(isa, row_tile) {#isa, Isa::isa, row_tile, &gemm_##isa},
#include "cpu/kernels/gemm/kernels.inc"
#undef MAINSPRING_GEMM_KERNEL
};

// 64 k at a time, so that the stretch of the panel that 16 rows are written into stays in the level 1 cache.
template <class T>
void pack(const std::byte* rows, size_t row_bytes, int64_t outputs, int64_t k, std::byte* panel) {
  T* out = reinterpret_cast<T*>(panel);
  for (int64_t from = 0; from < k; from += 64) {
    const int64_t n = std::min<int64_t>(64, k - from);
    for (int64_t o = 0; o < kGemmWidth; ++o) {
      T row[64] = {};
      if (o < outputs)
        std::memcpy(row, rows + static_cast<size_t>(o) * row_bytes + static_cast<size_t>(from) * sizeof(T), static_cast<size_t>(n) * sizeof(T));
      for (int64_t i = 0; i < n; ++i) out[(from + i) * kGemmWidth + o] = row[i];
    }
  }
}

template <class T>
const T* column(const std::byte* panels, int64_t k, int64_t row) {
  return reinterpret_cast<const T*>(panels) + row / kGemmWidth * k * kGemmWidth + row % kGemmWidth;
}

}  // namespace

std::span<const GemmKernel> gemm_kernels() { return kKernels; }

const GemmKernel& select_gemm(IsaSet isa) {
  for (const GemmKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

void gemm_pack(DType t, const std::byte* rows, size_t row_bytes, int64_t valid_outputs, int64_t k, std::byte* panel) {
  if (t == DType::f32) return pack<uint32_t>(rows, row_bytes, valid_outputs, k, panel);
  pack<uint16_t>(rows, row_bytes, valid_outputs, k, panel);
}

void gemm_unpack_row(DType t, const std::byte* panels, int64_t k, int64_t row, float* out) {
  if (t == DType::f32) {
    const float* w = column<float>(panels, k, row);
    for (int64_t i = 0; i < k; ++i) out[i] = w[i * kGemmWidth];
    return;
  }
  const uint16_t* w = column<uint16_t>(panels, k, row);
  if (t == DType::f16)
    for (int64_t i = 0; i < k; ++i) out[i] = f16_to_f32(w[i * kGemmWidth]);
  else
    for (int64_t i = 0; i < k; ++i) out[i] = bf16_to_f32(w[i * kGemmWidth]);
}

void gemm_panel_of_rows(const GemmKernel& kernel, const float* rows, int64_t stride, int64_t outputs, int64_t k, float* panel) {
  const int64_t whole = outputs == kGemmWidth ? k / 8 * 8 : 0;
  if (whole) kernel.fn->transpose(rows, stride, whole, panel);
  for (int64_t i = whole; i < k; ++i)
    for (int64_t o = 0; o < kGemmWidth; ++o) panel[i * kGemmWidth + o] = o < outputs ? rows[o * stride + i] : 0;
}

void gemm_panels_of_columns(const float* w, int64_t stride, int64_t outputs, int64_t k, int64_t panel_stride, float* panels) {
  const int64_t whole = outputs / kGemmWidth, rest = outputs % kGemmWidth;
  for (int64_t i = 0; i < k; ++i, w += stride) {
    float* to = panels + i * kGemmWidth;
    for (int64_t p = 0; p < whole; ++p) std::memcpy(to + p * panel_stride, w + p * kGemmWidth, kGemmWidth * sizeof(float));
    for (int64_t o = 0; rest && o < kGemmWidth; ++o) to[whole * panel_stride + o] = o < rest ? w[whole * kGemmWidth + o] : 0;
  }
}

void gemm_decoded(const GemmKernel& kernel, const GemmDecoded& a, std::byte* scratch) {
  float* decoded = reinterpret_cast<float*>(scratch);
  float* columns = decoded + kGemmChunk * kGemmWidth;
  float* sums = columns + kGemmChunk * kGemmWidth;
  std::fill_n(sums, a.rows * kGemmWidth, 0.0f);
  if (a.outputs < kGemmWidth || a.k < kGemmChunk) std::fill_n(decoded, kGemmChunk * kGemmWidth, 0.0f);
  for (int64_t from = 0; from < a.k; from += kGemmChunk) {
    const int64_t n = std::min(kGemmChunk, a.k - from);
    const size_t skip = static_cast<size_t>(from / a.format->block) * static_cast<size_t>(a.format->bytes);
    for (int64_t o = 0; o < a.outputs; ++o) a.format->decode(a.w + static_cast<size_t>(o) * a.row_bytes + skip, n, decoded + o * kGemmChunk);
    kernel.fn->transpose(decoded, kGemmChunk, (n + 7) & ~int64_t{7}, columns);
    kernel.fn->chunk({columns, a.x + from, a.x_stride, sums, n, a.rows});
  }
  for (int64_t r = 0; r < a.rows; ++r)
    for (int64_t o = 0; o < a.outputs; ++o) {
      const float sum = sums[r * kGemmWidth + o];
      a.y[r * a.y_stride + o] = a.bias ? sum + a.bias[o] : sum;
    }
}

}  // namespace mainspring::inline v0
