// Vec of sixteen floats: AVX-512 F, BW, VL, DQ. Semantics: vec_scalar.h. The emulated build (SIMDe) lacks some conversions and masked
// accesses: there they go through halves and loops, with the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/simd/intrinsics.h"

namespace mainspring::inline v0 {
namespace {

struct Vec {
  static constexpr int width = 16;
  static constexpr int registers = 32;
  __m512 v;
};
struct Mask {
  __mmask16 v;
};

inline Vec set1(float x) { return {_mm512_set1_ps(x)}; }
/// Keeps a in a register: compilers read what they have loaded from memory again for each use, since an operand in memory costs no instruction.
#if defined(MAINSPRING_EMULATE_ISA)
inline void keep(Vec&) {}
#else
inline void keep(Vec& a) { asm("" : "+v"(a.v)); }
#endif
inline Vec zero() { return {_mm512_setzero_ps()}; }
inline Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
inline __m256 low_half(Vec a) { return _mm512_castps512_ps256(a.v); }
inline __m256 high_half(Vec a) { return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1)); }

#if defined(MAINSPRING_EMULATE_ISA)
inline Vec load_n(const float* p, int n) {
  float t[16] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
inline void store_n(float* p, Vec a, int n) {
  float t[16];
  store(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
inline Vec load(const uint16_t* p) {
  float t[16];
  for (int i = 0; i < 16; i += 8) _mm256_storeu_ps(t + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i))));
  return load(t);
}
inline void store(uint16_t* p, Vec a) {
  float t[16];
  store(t, a);
  for (int i = 0; i < 16; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + i), _mm256_cvtps_ph(_mm256_loadu_ps(t + i), _MM_FROUND_TO_NEAREST_INT));
}
inline Vec load(const int8_t* p) {
  float t[16];
  for (int i = 0; i < 16; ++i) t[i] = static_cast<float>(p[i]);
  return load(t);
}
inline Vec round(Vec a) {
  float t[16];
  store(t, a);
  for (int i = 0; i < 16; ++i) t[i] = __builtin_rintf(t[i]);
  return load(t);
}
inline Vec split2(Vec a, Vec* e) {
  float t[16], x[16];
  store(t, a);
  for (int i = 0; i < 16; ++i) {
    const int32_t bits = __builtin_bit_cast(int32_t, t[i]), exponent = (bits - 0x3f2aaaab) >> 23;
    x[i] = static_cast<float>(exponent);
    t[i] = __builtin_bit_cast(float, bits - exponent * (1 << 23));
  }
  *e = load(x);
  return load(t);
}
inline Vec swap_pairs(Vec a) {
  float t[16], x[16];
  store(t, a);
  for (int i = 0; i < 16; ++i) x[i] = t[i ^ 1];
  return load(x);
}
#else
inline __mmask16 first_lanes(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
inline Vec load_n(const float* p, int n) { return {_mm512_maskz_loadu_ps(first_lanes(n), p)}; }
inline void store_n(float* p, Vec a, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), a.v); }
inline Vec load(const uint16_t* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}; }
inline void store(uint16_t* p, Vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline Vec load(const int8_t* p) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))}; }
inline Vec round(Vec a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline Vec split2(Vec a, Vec* e) {
  const __m512i bits = _mm512_castps_si512(a.v), exponent = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f2aaaab)), 23);
  e->v = _mm512_cvtepi32_ps(exponent);
  return {_mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(exponent, 23)))};
}
inline Vec swap_pairs(Vec a) { return {_mm512_permute_ps(a.v, 0xb1)}; }
#endif
inline Vec load_n(const uint16_t* p, int n) {
  uint16_t t[16] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
inline Vec load_n(const int8_t* p, int n) {
  int8_t t[16] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
inline void store_n(uint16_t* p, Vec a, int n) {
  uint16_t t[16];
  store(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}

inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }

inline Mask less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
inline Mask equal(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
inline Vec select(Mask m, Vec yes, Vec no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vec abs(Vec a) { return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a.v), _mm512_set1_epi32(0x7fffffff)))}; }
inline Vec copysign(Vec magnitude, Vec sign) {
  const __m512i bit = _mm512_set1_epi32(static_cast<int>(0x80000000u));
  return {_mm512_castsi512_ps(_mm512_or_si512(_mm512_andnot_si512(bit, _mm512_castps_si512(magnitude.v)),
                                              _mm512_and_si512(bit, _mm512_castps_si512(sign.v))))};
}
inline Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
#if defined(MAINSPRING_EMULATE_ISA)  // SIMDe multiplies by 2^n, which is infinite before the product is
inline Vec scale2(Vec a, Vec n) {
  const Vec half = round(n * set1(0.5f));
  return {_mm512_scalef_ps(_mm512_scalef_ps(a.v, half.v), (n - half).v)};
}
#else
inline Vec scale2(Vec a, Vec n) { return {_mm512_scalef_ps(a.v, n.v)}; }
#endif
inline Vec iota() { return {_mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)}; }
inline float reduce_add(Vec a) {
  const __m256 y = _mm256_add_ps(low_half(a), high_half(a));
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
inline float reduce_max(Vec a) {
  const __m256 y = _mm256_max_ps(low_half(a), high_half(a));
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
}
inline float first(Vec a) { return _mm_cvtss_f32(_mm512_castps512_ps128(a.v)); }

}  // namespace
}  // namespace mainspring::inline v0

#include "cpu/simd/vec_math.h"
