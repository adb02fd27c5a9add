// Integer products with AVX2. vpmaddubsw saturates at 16 bits, so bytes are widened to 16 bits and go through vpmaddwd, which is exact: lanes as they are
// loaded, rows once when they are prepared. A panel's quad is four registers, each of four outputs' pairs; pairs meet at the end.
// 2 rows × 1 panel: 8 sums, 4 widenings and 16 products and additions a quad, 19 multiply-adds a cycle.
#include "cpu/simd/intrinsics.h"

#include "cpu/kernels/igemm/loops.h"
#include "cpu/kernels/igemm/rows256.h"

namespace mainspring::inline v0 {
namespace {

struct PanelsWide {
  struct Sums {
    __m256i pairs[4];
  };
  using Row = __m256i;
  static constexpr int element = 2, rows = 2, beside = 1, beside_2 = 1, beside_1 = 2;
  static MAINSPRING_INLINE Sums zero() { return {{_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()}}; }
  static MAINSPRING_INLINE Row row(const std::byte* p) {
    long long quad;
    __builtin_memcpy(&quad, p, 8);
    return _mm256_set1_epi64x(quad);
  }
  template <bool lanes_signed, int R, int B>
  static MAINSPRING_INLINE_LOOPS void add(const std::byte* at, const Row (&x)[R], Sums (&sums)[R][B], int b) {
    MAINSPRING_UNROLL
    for (int i = 0; i < 4; ++i) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
      const __m256i lanes = lanes_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
      MAINSPRING_UNROLL
      for (int r = 0; r < R; ++r) sums[r][b].pairs[i] = _mm256_add_epi32(sums[r][b].pairs[i], _mm256_madd_epi16(lanes, x[r]));
    }
  }
  static MAINSPRING_INLINE void store(int32_t* y, const Sums& s) {
    MAINSPRING_UNROLL
    for (int i = 0; i < 2; ++i) {
      const __m256i both = _mm256_hadd_epi32(s.pairs[2 * i], s.pairs[2 * i + 1]);  // within halves of 128 bits: outputs 0 1 4 5, 2 3 6 7
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + 8 * i), _mm256_permute4x64_epi64(both, 0xd8));
    }
  }
};

}  // namespace

extern const IgemmIsa igemm_avx2;
const IgemmIsa igemm_avx2 = igemm_table<PanelsWide>();
}  // namespace mainspring::inline v0
