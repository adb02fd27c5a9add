// f32 rows to q8_rows, q16_rows and bf16 with AVX2: the same bits as lib/quant/q8_rows.cpp, whose header says what they are.
#include "cpu/kernels/qgemm/qgemm_args.h"
#include "cpu/simd/intrinsics.h"

namespace mainspring::inline v0 {
namespace {

constexpr uint32_t kNotFinite = 0x7f800000, kNan = 0x7fc00000, kLeast = (127u - 118u) << 23, kLeastWide = (127u - 110u) << 23;

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

/// Where the planes of a block of 32 stand; low is null in q8_rows.
struct Block {
  std::byte *high, *low, *d, *s;
};

void fill(const Block& b, float value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(b.high), _mm256_setzero_si256());
  if (b.low) _mm256_storeu_si256(reinterpret_cast<__m256i*>(b.low), _mm256_setzero_si256());
  store_float(b.d, value);
  store_float(b.s, value);
  store_float(b.s + 4, value);
}

/// 32 words as bytes. The packs work within 128-bit halves; the permutation puts the 4-byte pieces back in order.
MAINSPRING_INLINE void store_bytes(std::byte* p, const __m256i (&v)[4]) {
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}

/// Splits values into high and low bytes; values become what the bytes hold.
MAINSPRING_INLINE void split(__m256i (&v)[4], __m256i (&low)[4]) {
  MAINSPRING_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m256i high = _mm256_srai_epi32(_mm256_add_epi32(v[i], _mm256_set1_epi32(128)), 8), top = _mm256_slli_epi32(high, 8);
    low[i] = _mm256_max_epi32(_mm256_sub_epi32(v[i], top), _mm256_set1_epi32(-127));
    v[i] = _mm256_add_epi32(top, low[i]);
  }
}

template <bool wide>
MAINSPRING_INLINE void quantize_32(const float* x, const Block& b) {
  const __m256 f[4] = {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8), _mm256_loadu_ps(x + 16), _mm256_loadu_ps(x + 24)};
  const uint32_t bits = greatest(f[0], f[1], f[2], f[3]);
  if (bits >= kNotFinite) return fill(b, float_of(kNan));
  if (bits < (wide ? kLeastWide : kLeast)) return fill(b, 0.0f);
  const float amax = float_of(bits), most = wide ? 32512.0f : 127.0f;
  const float scale = amax / most;
  const __m256 inverse = _mm256_set1_ps(most / amax);
  constexpr int kNearestEven = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;  // whatever the host's rounding mode is
  __m256i v[4];
  MAINSPRING_UNROLL
  for (int i = 0; i < 4; ++i) v[i] = _mm256_cvtps_epi32(_mm256_round_ps(_mm256_mul_ps(f[i], inverse), kNearestEven));
  if constexpr (wide) {
    __m256i low[4], high[4];
    split(v, low);
    MAINSPRING_UNROLL
    for (int i = 0; i < 4; ++i) high[i] = _mm256_srai_epi32(_mm256_sub_epi32(v[i], low[i]), 8);
    store_bytes(b.high, high);
    store_bytes(b.low, low);
  } else {
    store_bytes(b.high, v);
  }
  store_float(b.d, scale);
  store_float(b.s, scale * static_cast<float>(sum_16(v[0], v[1])));
  store_float(b.s + 4, scale * static_cast<float>(sum_16(v[2], v[3])));
}

/// The upper halves of 8 floats, rounded to nearest even; a NaN becomes a quiet one.
MAINSPRING_INLINE __m256i bf16_of(const float* x) {
  const __m256 f = _mm256_loadu_ps(x);
  const __m256i bits = _mm256_castps_si256(f), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000)), nan = _mm256_castps_si256(_mm256_cmp_ps(f, f, _CMP_UNORD_Q));
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
}

}  // namespace

void quantize_q8_avx2(const float* x, int64_t k, int64_t first, int64_t count, std::byte* row) {
  for (int64_t b = first; b < first + count; ++b, x += 32) quantize_32<false>(x, {row + 32 * b, nullptr, row + k + 4 * b, row + k + k / 8 + 8 * b});
}
void quantize_q16_avx2(const float* x, int64_t k, int64_t first, int64_t count, std::byte* row) {
  for (int64_t b = first; b < first + count; ++b, x += 32) quantize_32<true>(x, {row + 32 * b, row + k + 32 * b, row + 2 * k + 4 * b, row + 2 * k + k / 8 + 8 * b});
}

void quantize_bf16_avx2(const float* x, int64_t, int64_t first, int64_t count, std::byte* row) {
  row += 64 * first;
  for (int64_t i = 0; i < 32 * count; i += 16) {
    const __m256i both = _mm256_packus_epi32(bf16_of(x + i), bf16_of(x + i + 8));  // by 128-bit halves: 0-3, 8-11, 4-7, 12-15
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + 2 * i), _mm256_permute4x64_epi64(both, 0xd8));
  }
}

}  // namespace mainspring::inline v0
