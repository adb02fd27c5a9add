// The 512-bit vectors that tile.h is written in: sixteen outputs, 4 k of each. Included by the avx512vnni files, each for itself.
// Names and meanings: vector256.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/simd/intrinsics.h"

namespace mainspring::inline v0 {
namespace {

using Int = __m512i;
using Float = __m512;
constexpr int kWidth = 16;

MAINSPRING_INLINE Int load_int(const uint8_t* p) { return _mm512_loadu_si512(p); }
MAINSPRING_INLINE void store_int(uint8_t* p, Int v) { _mm512_storeu_si512(p, v); }
MAINSPRING_INLINE Int bytes_of(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
MAINSPRING_INLINE Int words_of(int v) { return _mm512_set1_epi32(v); }
MAINSPRING_INLINE Int bit_and(Int a, Int b) { return _mm512_and_si512(a, b); }
MAINSPRING_INLINE Int bit_or(Int a, Int b) { return _mm512_or_si512(a, b); }
MAINSPRING_INLINE Int add_bytes(Int a, Int b) { return _mm512_add_epi8(a, b); }
MAINSPRING_INLINE Int times_256(Int words) { return _mm512_slli_epi32(words, 8); }
MAINSPRING_INLINE Int add_words(Int a, Int b) { return _mm512_add_epi32(a, b); }
template <int n>
MAINSPRING_INLINE Int shift(Int a) {
  if constexpr (n > 0) return _mm512_srli_epi16(a, n);
  else if constexpr (n < 0) return _mm512_slli_epi16(a, -n);
  else return a;
}
MAINSPRING_INLINE Int look_up(const int8_t* table, Int codes) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), codes);
}

MAINSPRING_INLINE Float zero_float() { return _mm512_setzero_ps(); }
MAINSPRING_INLINE Float floats_of(float v) { return _mm512_set1_ps(v); }
MAINSPRING_INLINE Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
MAINSPRING_INLINE Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
MAINSPRING_INLINE Float load_float(const float* p) { return _mm512_loadu_ps(p); }
MAINSPRING_INLINE void store_float(float* p, Float v) { _mm512_storeu_ps(p, v); }

#if defined(MAINSPRING_EMULATE_ISA)
// SIMDe 0.7 lacks these, or does not round fma once: lane by lane.
MAINSPRING_INLINE Float to_float(Int words) {
  int32_t from[16];
  float to[16];
  _mm512_storeu_si512(from, words);
  for (int i = 0; i < 16; ++i) to[i] = static_cast<float>(from[i]);
  return load_float(to);
}
MAINSPRING_INLINE Float fma(Float a, Float b, Float c) {
  float x[16], y[16], z[16];
  store_float(x, a), store_float(y, b), store_float(z, c);
  for (int i = 0; i < 16; ++i) z[i] = __builtin_fmaf(x[i], y[i], z[i]);
  return load_float(z);
}
MAINSPRING_INLINE Float load_half(const uint8_t* p) {
  float to[16];
  for (int i = 0; i < 16; i += 8) _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 2 * i))));
  return load_float(to);
}
template <class T>
MAINSPRING_INLINE Int widened(const uint8_t* p) {
  int32_t to[16];
  for (int i = 0; i < 16; ++i) to[i] = static_cast<T>(p[i]);
  return _mm512_loadu_si512(to);
}
MAINSPRING_INLINE Int words_of_u8(const uint8_t* p) { return widened<uint8_t>(p); }
MAINSPRING_INLINE Int words_of_i8(const uint8_t* p) { return widened<int8_t>(p); }
#else
MAINSPRING_INLINE Float to_float(Int words) { return _mm512_cvtepi32_ps(words); }
MAINSPRING_INLINE Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
MAINSPRING_INLINE Float load_half(const uint8_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
MAINSPRING_INLINE Int words_of_u8(const uint8_t* p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
MAINSPRING_INLINE Int words_of_i8(const uint8_t* p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
#endif

MAINSPRING_INLINE Float power_of_two(Int e) {
  const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, words_of(1)), 23);
  const __m512i tiny = _mm512_sllv_epi32(words_of(0x00200000), e);
  return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, _mm512_cmpgt_epi32_mask(words_of(2), e), tiny));
}

}  // namespace
}  // namespace mainspring::inline v0
