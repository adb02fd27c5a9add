// y = x w^T, f32, for any machine: registers of 4 floats through the compiler's vector extension. Tile: 2 rows × 16 outputs = 8 sums + 4 weights +
// 1 broadcast = 13 of the baseline's 16 registers. A multiply and an add each: the baseline has no fused form.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/gemm/block.h"

namespace mainspring::inline v0 {
namespace {

struct V {
  using reg = Vec;
  static constexpr int lanes = 4, row_tile = 2, max_sums = 8;
  static inline reg zero() { return mainspring::zero(); }
  static inline reg load(const float* p) { return mainspring::load(p); }
  static inline reg load_f16(const uint16_t* p) { return mainspring::load(p); }
  static inline reg load_bf16(const uint16_t* p) {
    typedef uint16_t Half __attribute__((vector_size(8)));
    typedef uint32_t Word __attribute__((vector_size(16)));
    Half h;
    __builtin_memcpy(&h, p, sizeof h);
    return {(Vec::Reg)(__builtin_convertvector(h, Word) << 16)};
  }
  static inline reg set1(float x) { return mainspring::set1(x); }
  static inline reg fma(reg a, reg b, reg c) { return mainspring::fma(a, b, c); }
  static inline reg add(reg a, reg b) { return a + b; }
  static inline void store(float* p, reg x) { mainspring::store(p, x); }
  static inline reg load_n(const float* p, int64_t n) { return mainspring::load_n(p, static_cast<int>(n)); }
  static inline void store_n(float* p, reg x, int64_t n) { mainspring::store_n(p, x, static_cast<int>(n)); }
};

void transpose(const float* rows, int64_t stride, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i)
    for (int o = 0; o < kGemmWidth; ++o) out[i * kGemmWidth + o] = rows[o * stride + i];
}

}  // namespace

extern const GemmIsa gemm_scalar;
const GemmIsa gemm_scalar = {run<V, F32>, run<V, F16>, run<V, BF16>, chunk<V>, block<V, false>, block<V, true>, activate_rows, transpose};
}  // namespace mainspring::inline v0
