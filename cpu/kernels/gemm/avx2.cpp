// y = x w^T, f32, AVX2 + FMA + F16C. Tile: 6 rows × 16 outputs = 12 sums + 2 weights + 1 broadcast = 15 of 16 registers; 12 FMAs a k on two
// ports take 6 cycles, more than their latency of 4, and the 8 loads take 4. One row: 4 panels side by side (generic.h).
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/gemm/block.h"
#include "cpu/kernels/gemm/transpose_x86.h"

namespace mainspring::inline v0 {
namespace {

struct V {
  using reg = __m256;
  static constexpr int lanes = 8, row_tile = 6, max_sums = 12;
  static inline reg zero() { return _mm256_setzero_ps(); }
  static inline reg load(const float* p) { return _mm256_loadu_ps(p); }
  static inline reg load_f16(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static inline reg load_bf16(const uint16_t* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
  }
  static inline reg set1(float x) { return _mm256_set1_ps(x); }
  static inline reg fma(reg a, reg b, reg c) { return _mm256_fmadd_ps(a, b, c); }
  static inline reg add(reg a, reg b) { return _mm256_add_ps(a, b); }
  static inline void store(float* p, reg x) { _mm256_storeu_ps(p, x); }
  static inline __m256i first(int64_t n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
  static inline reg load_n(const float* p, int64_t n) { return _mm256_maskload_ps(p, first(n)); }
  static inline void store_n(float* p, reg x, int64_t n) { _mm256_maskstore_ps(p, first(n), x); }
};

}  // namespace

extern const GemmIsa gemm_avx2;
const GemmIsa gemm_avx2 = {run<V, F32>, run<V, F16>, run<V, BF16>, chunk<V>, block<V, false>, block<V, true>, activate_rows, transpose};
}  // namespace mainspring::inline v0
