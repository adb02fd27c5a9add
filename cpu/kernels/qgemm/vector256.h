// The 256-bit vectors that tile.h is written in: eight outputs, 4 k of each. Included by the avx2 and avxvnni files, each for itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/simd/intrinsics.h"

namespace mainspring::inline v0 {
namespace {

using Int = __m256i;
using Float = __m256;
constexpr int kWidth = 8;

MAINSPRING_INLINE Int load_int(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
MAINSPRING_INLINE void store_int(uint8_t* p, Int v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
MAINSPRING_INLINE Int bytes_of(int v) { return _mm256_set1_epi8(static_cast<char>(v)); }
MAINSPRING_INLINE Int words_of(int v) { return _mm256_set1_epi32(v); }
MAINSPRING_INLINE Int bit_and(Int a, Int b) { return _mm256_and_si256(a, b); }
MAINSPRING_INLINE Int bit_or(Int a, Int b) { return _mm256_or_si256(a, b); }
MAINSPRING_INLINE Int add_bytes(Int a, Int b) { return _mm256_add_epi8(a, b); }
MAINSPRING_INLINE Int times_256(Int words) { return _mm256_slli_epi32(words, 8); }
MAINSPRING_INLINE Int add_words(Int a, Int b) { return _mm256_add_epi32(a, b); }
/// 16-bit lanes, to the right for n > 0, to the left for n < 0.
template <int n>
MAINSPRING_INLINE Int shift(Int a) {
  if constexpr (n > 0) return _mm256_srli_epi16(a, n);
  else if constexpr (n < 0) return _mm256_slli_epi16(a, -n);
  else return a;
}
/// table[code] of 16 bytes, codes 0..15.
MAINSPRING_INLINE Int look_up(const int8_t* table, Int codes) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), codes);
}

MAINSPRING_INLINE Float zero_float() { return _mm256_setzero_ps(); }
MAINSPRING_INLINE Float floats_of(float v) { return _mm256_set1_ps(v); }
MAINSPRING_INLINE Float to_float(Int words) { return _mm256_cvtepi32_ps(words); }
MAINSPRING_INLINE Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
MAINSPRING_INLINE Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
MAINSPRING_INLINE Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
MAINSPRING_INLINE Float load_float(const float* p) { return _mm256_loadu_ps(p); }
MAINSPRING_INLINE void store_float(float* p, Float v) { _mm256_storeu_ps(p, v); }
// One item of a scale record: kWidth f16, u8 or i8.
MAINSPRING_INLINE Float load_half(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
MAINSPRING_INLINE Int words_of_u8(const uint8_t* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
MAINSPRING_INLINE Int words_of_i8(const uint8_t* p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
/// 2^(e - 128): the exponent field is e - 1; e = 0 and 1 are the subnormals 2^-128 and 2^-127.
MAINSPRING_INLINE Float power_of_two(Int e) {
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, words_of(1)), 23);
  const __m256i tiny = _mm256_sllv_epi32(words_of(0x00200000), e);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, tiny, _mm256_cmpgt_epi32(words_of(2), e)));
}

}  // namespace
}  // namespace mainspring::inline v0
