// y = x w^T, bf16 × bf16 → f32, one output after the other: what a tile does, to the letter (bgemm.h).
#include <cmath>

#include "cpu/kernels/bgemm/bgemm_args.h"

namespace mainspring::inline v0 {
namespace {

float float_of(const std::byte* bf16) {
  uint16_t half;
  __builtin_memcpy(&half, bf16, 2);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float f;
  __builtin_memcpy(&f, &bits, 4);
  return f;
}

float flushed(float f) { return std::fabs(f) < 0x1p-126f ? std::copysign(0.0f, f) : f; }

float add_product(float sum, const std::byte* a, const std::byte* b) { return flushed(std::fma(flushed(float_of(a)), flushed(float_of(b)), sum)); }

float dot(const std::byte* x, const std::byte* w, int64_t k) {
  float sum = 0;
  for (int64_t from = 0; from < k; from += kBgemmDepth) {
    float even = 0, odd = 0;
    for (int64_t i = from; i < from + kBgemmDepth; i += 2) {
      even = add_product(even, x + i * 2, w + i * kBgemmWidth * 2);
      odd = add_product(odd, x + i * 2 + 2, w + i * kBgemmWidth * 2 + 2);
    }
    sum = flushed(sum + flushed(even + odd));
  }
  return sum;
}

}  // namespace

void bgemm_scalar(const BgemmArgs& a) {
  for (int64_t o = 0; o < a.outputs; ++o) {
    const std::byte* w = a.panels + o / kBgemmWidth * a.k * kBgemmWidth * 2 + o % kBgemmWidth * 4;
    for (int64_t r = 0; r < a.rows; ++r) {
      const float sum = dot(a.x + r * a.x_stride, w, a.k);
      a.y[r * a.y_stride + o] = a.bias ? sum + a.bias[o] : sum;
    }
  }
}

}  // namespace mainspring::inline v0
