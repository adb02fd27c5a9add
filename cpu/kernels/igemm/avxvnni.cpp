// Integer products with vpdpbusd on 256-bit registers: a panel's quad is two of them; 4 rows × 1 panel are 8 sums, enough for 2 a cycle at a latency of 4.
#include "cpu/simd/intrinsics.h"

#include "cpu/kernels/igemm/loops.h"
#include "cpu/kernels/igemm/rows256.h"

namespace mainspring::inline v0 {
namespace {

MAINSPRING_INLINE __m256i dot(__m256i sum, __m256i u, __m256i s) {
#if defined(MAINSPRING_EMULATE_ISA)
  return _mm256_dpbusd_epi32(sum, u, s);  // SIMDe knows the EVEX form of the same instruction
#else
  return _mm256_dpbusd_avx_epi32(sum, u, s);
#endif
}

struct Panels256 {
  struct Sums {
    __m256i low, high;
  };
  using Row = __m256i;
  static constexpr int element = 1, rows = 4, beside = 1, beside_2 = 2, beside_1 = 4;
  static MAINSPRING_INLINE Sums zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static MAINSPRING_INLINE Row row(const std::byte* p) {
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    return _mm256_set1_epi32(quad);
  }
  template <bool lanes_signed, int R, int B>
  static MAINSPRING_INLINE_LOOPS void add(const std::byte* at, const Row (&x)[R], Sums (&sums)[R][B], int b) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32));
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) {
      Sums& s = sums[r][b];
      s.low = lanes_signed ? dot(s.low, x[r], low) : dot(s.low, low, x[r]);
      s.high = lanes_signed ? dot(s.high, x[r], high) : dot(s.high, high, x[r]);
    }
  }
  static MAINSPRING_INLINE void store(int32_t* y, Sums s) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), s.low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + 8), s.high);
  }
};

}  // namespace

extern const IgemmIsa igemm_avxvnni;
const IgemmIsa igemm_avxvnni = igemm_table<Panels256>();
}  // namespace mainspring::inline v0
