// Vec for machines without a kernel file of their own: four floats through the compiler's vector extension, which every target has.
// The same operations as vec_avx2.h and vec_avx512.h; fma() rounds twice here. Semantics are documented in this file only.
//
// Include exactly one vec_*.h in a source file. Everything has internal linkage (an ISA file must not emit shared code).
#pragma once

#include <cstddef>
#include <cstdint>

// As in intrinsics.h, word for word, which this header does not include: a target without x86 intrinsics has this Vec too.
#if defined(__clang__)
#define MAINSPRING_UNROLL _Pragma("unroll")
#else
#define MAINSPRING_UNROLL _Pragma("GCC unroll 16")
#endif
#define MAINSPRING_INLINE inline __attribute__((always_inline))

namespace mainspring::inline v0 {
namespace {

struct Vec {
  typedef float Reg __attribute__((vector_size(16)));
  static constexpr int width = 4;
  static constexpr int registers = 16;
  Reg v;
};
struct Mask {
  typedef int32_t Reg __attribute__((vector_size(16)));
  Reg v;
};

/// To f16 of one value, to nearest even, subnormals kept, NaN payload kept and made quiet: what F16C does (and lib/quant/half.h).
inline uint16_t f16_bits(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x), sign = bits >> 16 & 0x8000u, a = bits & 0x7fffffffu;
  if (a > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | (a >> 13 & 0x3ffu));
  if (a >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (a >= 0x38800000u) return static_cast<uint16_t>(sign | ((a - 0x38000000u + 0xfffu + (a >> 13 & 1u)) >> 13));
  if (a <= 0x33000000u) return static_cast<uint16_t>(sign);
  const uint32_t shift = 126 - (a >> 23), significand = (a & 0x7fffffu) | 0x800000u;
  return static_cast<uint16_t>(sign | ((significand + (1u << (shift - 1)) - 1 + (significand >> shift & 1u)) >> shift));
}

inline Vec set1(float x) { return {Vec::Reg{x, x, x, x}}; }
inline void keep(Vec&) {}
inline Vec zero() { return set1(0.0f); }
/// Any alignment.
inline Vec load(const float* p) { return {Vec::Reg{p[0], p[1], p[2], p[3]}}; }
inline void store(float* p, Vec a) {
  for (int i = 0; i < 4; ++i) p[i] = a.v[i];
}
/// The first n (0..width) elements; the others are zero and their memory isn't touched.
inline Vec load_n(const float* p, int n) {
  float t[4] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
inline void store_n(float* p, Vec a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.v[i];
}
/// Exact; a NaN becomes quiet. Subnormals are counts of 2^-24, of all others the exponent moves, and further for infinity and NaN.
inline Vec load(const uint16_t* p) {
  typedef uint16_t Half __attribute__((vector_size(8)));
  Half h;
  __builtin_memcpy(&h, p, sizeof h);
  const Mask::Reg bits = __builtin_convertvector(h, Mask::Reg), mantissa = bits & 0x3ff;
  const Mask::Reg is_tiny = (bits & 0x7c00) == 0, is_top = (bits & 0x7c00) == 0x7c00;
  const Mask::Reg tiny = (Mask::Reg)(__builtin_convertvector(mantissa, Vec::Reg) * 0x1p-24f);
  const Mask::Reg moved = ((bits & 0x7fff) << 13) + (112 << 23) + (is_top & (112 << 23));
  const Mask::Reg quiet = is_top & (mantissa != 0) & 0x400000;
  return {(Vec::Reg)((is_tiny & tiny) | (~is_tiny & moved) | quiet | ((bits & 0x8000) << 16))};
}
inline Vec load_n(const uint16_t* p, int n) {
  uint16_t t[4] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
inline Vec load(const int8_t* p) { return {Vec::Reg{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]), static_cast<float>(p[3])}}; }
inline Vec load_n(const int8_t* p, int n) {
  int8_t t[4] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
inline void store(uint16_t* p, Vec a) {
  for (int i = 0; i < 4; ++i) p[i] = f16_bits(a.v[i]);
}
inline void store_n(uint16_t* p, Vec a, int n) {
  for (int i = 0; i < n; ++i) p[i] = f16_bits(a.v[i]);
}

inline Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
inline Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
inline Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
inline Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
/// a * b + c. Kernels write every multiply-add so, and never leave one to the compiler's contraction: bits must not depend on inlining.
inline Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
/// c - a * b.
inline Vec fnma(Vec a, Vec b, Vec c) { return {c.v - a.v * b.v}; }

inline Mask less(Vec a, Vec b) { return {a.v < b.v}; }          ///< false where either is NaN
inline Mask equal(Vec a, Vec b) { return {a.v == b.v}; }        ///< false where either is NaN
inline Vec select(Mask m, Vec yes, Vec no) {
  return {(Vec::Reg)((m.v & (Mask::Reg)yes.v) | (~m.v & (Mask::Reg)no.v))};
}
inline Vec min(Vec a, Vec b) { return select(less(a, b), a, b); }  ///< b where either is NaN
inline Vec max(Vec a, Vec b) { return select(less(b, a), a, b); }  ///< b where either is NaN
inline Vec abs(Vec a) { return {(Vec::Reg)((Mask::Reg)a.v & 0x7fffffff)}; }
/// |magnitude| with the sign of `sign`.
inline Vec copysign(Vec magnitude, Vec sign) {
  return {(Vec::Reg)(((Mask::Reg)magnitude.v & 0x7fffffff) | ((Mask::Reg)sign.v & ~0x7fffffff))};
}
inline Vec sqrt(Vec a) {
  for (int i = 0; i < 4; ++i) a.v[i] = __builtin_sqrtf(a.v[i]);
  return a;
}
/// To the nearest integer, ties to even; |a| < 2^22.
inline Vec round(Vec a) {
  const Vec magic = set1(12582912.0f);  // 1.5 * 2^23: the sum's last bit has weight one
  return (a + magic) - magic;
}
/// a * 2^n for integral n in [-252, 254], with gradual underflow.
inline Vec scale2(Vec a, Vec n) {
  const Vec half = round(n * set1(0.5f)), rest = n - half;
  const Mask::Reg h = __builtin_convertvector(half.v, Mask::Reg), r = __builtin_convertvector(rest.v, Mask::Reg);
  return {a.v * (Vec::Reg)((h + 127) << 23) * (Vec::Reg)((r + 127) << 23)};
}
/// a = m * 2^e with m in [2/3, 4/3), for normal positive a: returns m, and e as a float.
inline Vec split2(Vec a, Vec* e) {
  const Mask::Reg bits = (Mask::Reg)a.v, exponent = (bits - 0x3f2aaaab) >> 23;
  e->v = __builtin_convertvector(exponent, Vec::Reg);
  return {(Vec::Reg)(bits - (exponent << 23))};
}
/// [1, 0, 3, 2, …].
inline Vec swap_pairs(Vec a) { return {Vec::Reg{a.v[1], a.v[0], a.v[3], a.v[2]}}; }
/// 0, 1, 2, …
inline Vec iota() { return {Vec::Reg{0, 1, 2, 3}}; }
/// Sum and maximum over the lanes, always in the same tree.
inline float reduce_add(Vec a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
inline float reduce_max(Vec a) {
  const float x = a.v[0] > a.v[2] ? a.v[0] : a.v[2], y = a.v[1] > a.v[3] ? a.v[1] : a.v[3];
  return x > y ? x : y;
}
inline float first(Vec a) { return a.v[0]; }

}  // namespace
}  // namespace mainspring::inline v0

#include "cpu/simd/vec_math.h"
