// f32 rows to q8_rows with AVX2: the same bits as lib/quant/q8_rows.cpp, whose header says what they are.
#include "cpu/kernels/qgemm/qgemm_args.h"
#include "cpu/simd/intrinsics.h"

namespace mainspring::inline v0 {
namespace {

constexpr uint32_t kNotFinite = 0x7f800000, kNan = 0x7fc00000, kLeast = (127u - 118u) << 23;

MAINSPRING_INLINE void store_float(std::byte* p, float f) { __builtin_memcpy(p, &f, 4); }
MAINSPRING_INLINE float float_of(uint32_t bits) {
  float f;
  __builtin_memcpy(&f, &bits, 4);
  return f;
}

// The greatest bit pattern without its sign: as integers, so that a NaN is never lost.
MAINSPRING_INLINE uint32_t greatest(__m256 a, __m256 b, __m256 c, __m256 d) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  const __m256i ab = _mm256_max_epu32(_mm256_and_si256(_mm256_castps_si256(a), magnitude), _mm256_and_si256(_mm256_castps_si256(b), magnitude));
  const __m256i cd = _mm256_max_epu32(_mm256_and_si256(_mm256_castps_si256(c), magnitude), _mm256_and_si256(_mm256_castps_si256(d), magnitude));
  const __m256i all = _mm256_max_epu32(ab, cd);
  __m128i m = _mm_max_epu32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
}

MAINSPRING_INLINE int sum_16(__m256i a, __m256i b) {
  const __m256i ab = _mm256_add_epi32(a, b);
  __m128i m = _mm_add_epi32(_mm256_castsi256_si128(ab), _mm256_extracti128_si256(ab, 1));
  m = _mm_add_epi32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_add_epi32(m, _mm_shuffle_epi32(m, 0xb1));
  return _mm_cvtsi128_si32(m);
}

void fill(std::byte* q, std::byte* d, std::byte* s, float value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), _mm256_setzero_si256());
  store_float(d, value);
  store_float(s, value);
  store_float(s + 4, value);
}

MAINSPRING_INLINE void quantize_32(const float* x, std::byte* q, std::byte* d, std::byte* s) {
  const __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(x + 8), c = _mm256_loadu_ps(x + 16), e = _mm256_loadu_ps(x + 24);
  const uint32_t bits = greatest(a, b, c, e);
  if (bits >= kNotFinite) return fill(q, d, s, float_of(kNan));
  if (bits < kLeast) return fill(q, d, s, 0.0f);
  const float amax = float_of(bits);
  const float scale = amax / 127.0f;
  const __m256 inverse = _mm256_set1_ps(127.0f / amax);
  constexpr int kNearestEven = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;  // whatever the host's rounding mode is
  const __m256i i0 = _mm256_cvtps_epi32(_mm256_round_ps(_mm256_mul_ps(a, inverse), kNearestEven));
  const __m256i i1 = _mm256_cvtps_epi32(_mm256_round_ps(_mm256_mul_ps(b, inverse), kNearestEven));
  const __m256i i2 = _mm256_cvtps_epi32(_mm256_round_ps(_mm256_mul_ps(c, inverse), kNearestEven));
  const __m256i i3 = _mm256_cvtps_epi32(_mm256_round_ps(_mm256_mul_ps(e, inverse), kNearestEven));
  // The packs work within 128-bit halves; the permutation puts the 4-byte pieces back in order.
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(i0, i1), _mm256_packs_epi32(i2, i3));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
  store_float(d, scale);
  store_float(s, scale * static_cast<float>(sum_16(i0, i1)));
  store_float(s + 4, scale * static_cast<float>(sum_16(i2, i3)));
}

}  // namespace

void quantize_q8_avx2(const float* x, int64_t k, std::byte* row) {
  for (int64_t b = 0; b < k / 32; ++b) quantize_32(x + 32 * b, row + 32 * b, row + k + 4 * b, row + k + k / 8 + 8 * b);
}

}  // namespace mainspring::inline v0
