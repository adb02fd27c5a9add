// y = x w^T, f32, AVX-512. A panel is one register wide. Tile: 8 rows × 2 panels = 16 sums + 2 weights + broadcasts from memory; the 16 FMAs a k
// take 8 cycles on two ports, the 10 loads 5. (12 × 1 has 13 loads to 12 FMAs and waits for them.) GFLOP/s for 512 rows, against 12 × 1 and 12 × 2: f32
// 168, 127, 154; f16 131, 127, 138; bf16 132, 126, 135 (Xeon, Emerald Rapids, one thread, peak about 180): 16-bit weights are decoded again for each 8
// rows, on the ports of the FMAs. One row: 4 panels side by side.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/gemm/block.h"
#include "cpu/kernels/gemm/transpose_x86.h"

namespace mainspring::inline v0 {
namespace {

struct V {
  using reg = Vec;
  static constexpr int lanes = 16, row_tile = 8, max_sums = 16;
  static inline reg zero() { return mainspring::zero(); }
  static inline reg load(const float* p) { return mainspring::load(p); }
  static inline reg load_f16(const uint16_t* p) { return mainspring::load(p); }
#if defined(MAINSPRING_EMULATE_ISA)
  static inline reg load_bf16(const uint16_t* p) {
    alignas(64) uint32_t wide[16];
    for (int i = 0; i < 16; ++i) wide[i] = static_cast<uint32_t>(p[i]) << 16;
    return mainspring::load(reinterpret_cast<const float*>(wide));
  }
#else
  static inline reg load_bf16(const uint16_t* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16))};
  }
#endif
  static inline reg set1(float x) { return mainspring::set1(x); }
  static inline reg fma(reg a, reg b, reg c) { return mainspring::fma(a, b, c); }
  static inline reg add(reg a, reg b) { return a + b; }
  static inline void store(float* p, reg x) { mainspring::store(p, x); }
  static inline reg load_n(const float* p, int64_t n) { return mainspring::load_n(p, static_cast<int>(n)); }
  static inline void store_n(float* p, reg x, int64_t n) { mainspring::store_n(p, x, static_cast<int>(n)); }
};

}  // namespace

extern const GemmIsa gemm_avx512;
const GemmIsa gemm_avx512 = {run<V, F32>, run<V, F16>, run<V, BF16>, chunk<V>, block<V, false>, block<V, true>, activate_rows, transpose};
}  // namespace mainspring::inline v0
