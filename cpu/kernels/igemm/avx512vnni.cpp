// Integer products with vpdpbusd on 512-bit registers: a panel's quad is one register, 8 rows × 2 panels are 16 sums, 2 multiply-adds of 64 a cycle.
#include "cpu/simd/intrinsics.h"

#include "cpu/kernels/igemm/loops.h"
#include "cpu/kernels/igemm/rows256.h"

namespace mainspring::inline v0 {
namespace {

struct Panels512 {
  using Sums = __m512i;
  using Row = __m512i;
  static constexpr int element = 1, rows = 8, beside = 2, beside_2 = 4, beside_1 = 4;
  static MAINSPRING_INLINE Sums zero() { return _mm512_setzero_si512(); }
  static MAINSPRING_INLINE Row row(const std::byte* p) {
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    return _mm512_set1_epi32(quad);
  }
  template <bool lanes_signed, int R, int B>
  static MAINSPRING_INLINE_LOOPS void add(const std::byte* at, const Row (&x)[R], Sums (&sums)[R][B], int b) {
    const __m512i lanes = _mm512_loadu_si512(at);
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) sums[r][b] = lanes_signed ? _mm512_dpbusd_epi32(sums[r][b], x[r], lanes) : _mm512_dpbusd_epi32(sums[r][b], lanes, x[r]);
  }
  static MAINSPRING_INLINE void store(int32_t* y, Sums s) { _mm512_storeu_si512(y, s); }
};

}  // namespace

extern const IgemmIsa igemm_avx512vnni;
const IgemmIsa igemm_avx512vnni = igemm_table<Panels512>();
}  // namespace mainspring::inline v0
