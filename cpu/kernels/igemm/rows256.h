// Rows before and after integer products, on 256-bit registers: what all x86 kernels share. Included by the ISA files only.
#pragma once

#include "cpu/kernels/igemm/loops.h"
#include "cpu/simd/intrinsics.h"

namespace mainspring::inline v0 {
namespace {

MAINSPRING_INLINE __m256i load_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

/// The sum of 4 words of 64 bits.
MAINSPRING_INLINE int32_t sum_of(__m256i v) {
  const __m128i s = _mm_add_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  return static_cast<int32_t>(_mm_cvtsi128_si64(s) + _mm_extract_epi64(s, 1));
}

/// 32 bytes of a prepared row.
template <int element>
MAINSPRING_INLINE void store_row(std::byte* out, int64_t i, __m256i bytes) {
  if constexpr (element == 1) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), bytes);
  } else {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 2 * i), _mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 2 * i + 32), _mm256_cvtepu8_epi16(_mm256_extracti128_si256(bytes, 1)));
  }
}

/// The last n < 32 bytes of a row, padded to whole quads.
template <int element>
MAINSPRING_INLINE void store_rest(std::byte* out, int64_t i, const uint8_t* bytes, int64_t n) {
  for (int64_t j = 0; j < (n + 3) / 4 * 4; ++j) {
    const uint16_t v = j < n ? bytes[j] : 0;
    __builtin_memcpy(out + (i + j) * element, &v, element);
  }
}

template <int element>
int32_t prepare_row(const IgemmRow& a) {
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(a.flip));
  __m256i sums = _mm256_setzero_si256();
  int64_t i = 0;
  for (; i + 32 <= a.n; i += 32) {
    const __m256i v = _mm256_xor_si256(load_bytes(a.x + i), flip);
    sums = _mm256_add_epi64(sums, _mm256_sad_epu8(v, _mm256_setzero_si256()));
    store_row<element>(a.out, i, v);
  }
  int32_t sum = sum_of(sums);
  uint8_t rest[32];
  for (int64_t j = i; j < a.n; ++j) {
    rest[j - i] = static_cast<uint8_t>(static_cast<uint8_t>(a.x[j]) ^ a.flip);
    sum += rest[j - i];
  }
  store_rest<element>(a.out, i, rest, a.n - i);
  return sum;
}

/// 8 floats to words in 0..255. The quotient is clamped before it is made an integer, so that none is out of range; NaN becomes `zero`.
MAINSPRING_INLINE __m256i quantize_8(const float* x, __m256 scale, __m256 zero, __m256i zero_word) {
  const __m256 q = _mm256_div_ps(_mm256_loadu_ps(x), scale);
  const __m256 number = _mm256_cmp_ps(q, q, _CMP_ORD_Q);
  const __m256 inside = _mm256_min_ps(_mm256_max_ps(_mm256_and_ps(q, number), _mm256_sub_ps(_mm256_setzero_ps(), zero)), _mm256_sub_ps(_mm256_set1_ps(255.0f), zero));
  return _mm256_add_epi32(_mm256_cvtps_epi32(inside), zero_word);
}
MAINSPRING_INLINE __m256i quantize_32(const float* x, __m256 scale, __m256 zero, __m256i zero_word) {
  const __m256i a = quantize_8(x, scale, zero, zero_word), b = quantize_8(x + 8, scale, zero, zero_word);
  const __m256i c = quantize_8(x + 16, scale, zero, zero_word), d = quantize_8(x + 24, scale, zero, zero_word);
  const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));  // in pieces of 4 bytes, halves apart
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/// put(i, 32 bytes) for whole blocks, then the rest, zeros behind it.
template <class Put>
MAINSPRING_INLINE int64_t quantize_blocks(const IgemmQuantize& a, uint8_t (&rest)[32], Put put) {
  const __m256 scale = _mm256_set1_ps(a.scale), zero = _mm256_set1_ps(static_cast<float>(a.zero));
  const __m256i zero_word = _mm256_set1_epi32(a.zero);
  int64_t i = 0;
  for (; i + 32 <= a.n; i += 32) put(i, quantize_32(a.x + i, scale, zero, zero_word));
  if (i < a.n) {
    float x[32] = {};
    __builtin_memcpy(x, a.x + i, static_cast<size_t>(a.n - i) * sizeof(float));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(rest), quantize_32(x, scale, zero, zero_word));
  }
  return i;
}

template <int element>
int32_t quantize_row(const IgemmQuantize& a) {
  __m256i sums = _mm256_setzero_si256();
  uint8_t rest[32];
  const int64_t i = quantize_blocks(a, rest, [&](int64_t at, __m256i v) {
    sums = _mm256_add_epi64(sums, _mm256_sad_epu8(v, _mm256_setzero_si256()));
    store_row<element>(a.out, at, v);
  });
  int32_t sum = sum_of(sums);
  for (int64_t j = 0; j < a.n - i; ++j) sum += rest[j];
  store_rest<element>(a.out, i, rest, a.n - i);
  return sum;
}

void quantize_bytes(const IgemmQuantize& a) {
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(a.flip));
  uint8_t rest[32];
  const int64_t i = quantize_blocks(a, rest, [&](int64_t at, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(a.out + at), _mm256_xor_si256(v, flip)); });
  for (int64_t j = 0; j < a.n - i; ++j) a.out[i + j] = static_cast<std::byte>(rest[j] ^ a.flip);
}

MAINSPRING_INLINE __m256 dequantize_8(const void* bytes, const IgemmDequantize& a) {
  const __m256i words = _mm256_xor_si256(_mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(bytes))), _mm256_set1_epi32(a.flip));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(words, _mm256_set1_epi32(a.zero))), _mm256_set1_ps(a.scale));
}
void dequantize(const IgemmDequantize& a) {
  int64_t i = 0;
  for (; i + 8 <= a.n; i += 8) _mm256_storeu_ps(a.y + i, dequantize_8(a.x + i, a));
  if (i == a.n) return;
  std::byte x[8] = {};
  float y[8];
  __builtin_memcpy(x, a.x + i, static_cast<size_t>(a.n - i));
  _mm256_storeu_ps(y, dequantize_8(x, a));
  __builtin_memcpy(a.y + i, y, static_cast<size_t>(a.n - i) * sizeof(float));
}

void interleave(const IgemmInterleave& a) {
  int64_t i = 0;
  for (; i + 16 <= a.n; i += 16) {
    __m128i r[4];
    MAINSPRING_UNROLL
    for (int j = 0; j < 4; ++j) r[j] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a.rows[j] + i));
    const __m128i low_a = _mm_unpacklo_epi8(r[0], r[1]), low_b = _mm_unpacklo_epi8(r[2], r[3]);
    const __m128i high_a = _mm_unpackhi_epi8(r[0], r[1]), high_b = _mm_unpackhi_epi8(r[2], r[3]);
    __m128i* out = reinterpret_cast<__m128i*>(a.out + 4 * i);
    _mm_storeu_si128(out, _mm_unpacklo_epi16(low_a, low_b));
    _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(low_a, low_b));
    _mm_storeu_si128(out + 2, _mm_unpacklo_epi16(high_a, high_b));
    _mm_storeu_si128(out + 3, _mm_unpackhi_epi16(high_a, high_b));
  }
  for (; i < a.n; ++i)
    for (int j = 0; j < 4; ++j) a.out[4 * i + j] = a.rows[j][i];
}

void range_of(IgemmRange& a) {
  __m256 least = _mm256_setzero_ps(), most = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 8 <= a.n; i += 8) {
    const __m256 x = _mm256_loadu_ps(a.x + i);
    least = _mm256_min_ps(x, least);  // the second operand where x is NaN
    most = _mm256_max_ps(x, most);
  }
  alignas(32) float low[8], high[8];
  _mm256_store_ps(low, least);
  _mm256_store_ps(high, most);
  for (int j = 1; j < 8; ++j) {
    low[0] = low[j] < low[0] ? low[j] : low[0];
    high[0] = high[j] > high[0] ? high[j] : high[0];
  }
  for (; i < a.n; ++i) {
    low[0] = a.x[i] < low[0] ? a.x[i] : low[0];
    high[0] = a.x[i] > high[0] ? a.x[i] : high[0];
  }
  a.least = low[0];
  a.most = high[0];
}

// ---- what sums become ------------------------------------------------------------------------------------------------------

/// Eight v's from element i.
MAINSPRING_INLINE __m256i corrected(const IgemmFinish& a, int64_t i) {
  __m256i v = _mm256_add_epi32(load_bytes(a.sums + i), _mm256_set1_epi32(a.constant));
  if (a.factor != 0) v = _mm256_sub_epi32(v, _mm256_mullo_epi32(load_bytes(a.lane_sums + i), _mm256_set1_epi32(a.factor)));
  if (a.lane_zeros) v = _mm256_add_epi32(v, _mm256_mullo_epi32(load_bytes(a.lane_zeros + i), _mm256_set1_epi32(a.row_factor)));
  return v;
}
MAINSPRING_INLINE __m256 scaled(const IgemmFinish& a, int64_t i) {
  __m256 s = _mm256_set1_ps(a.scale);
  if (a.scales) s = _mm256_mul_ps(s, _mm256_loadu_ps(a.scales + i));
  const __m256 v = _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(corrected(a, i)), s), _mm256_set1_ps(a.offset));
  return a.bias ? _mm256_add_ps(v, _mm256_loadu_ps(a.bias + i)) : v;
}
MAINSPRING_INLINE __m256i requantized(const IgemmFinish& a, int64_t i) {
  const __m256 low = _mm256_set1_ps(static_cast<float>(a.low - a.zero)), high = _mm256_set1_ps(static_cast<float>(a.high - a.zero));
  return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(scaled(a, i), low), high)), _mm256_set1_epi32(a.zero));
}

/// whole(a, i) does 8 elements at i; the last ones go through copies of their operands.
template <class T, class Whole>
MAINSPRING_INLINE void finish_with(const IgemmFinish& a, Whole whole) {
  int64_t i = 0;
  for (; i + 8 <= a.n; i += 8) whole(a, i, static_cast<T*>(a.y) + i);
  if (i == a.n) return;
  const auto bytes = static_cast<size_t>(a.n - i) * 4;
  int32_t sums[8] = {}, lane_sums[8] = {}, lane_zeros[8] = {};
  float scales[8] = {}, bias[8] = {};
  T y[8];
  IgemmFinish last = a;
  const auto copy = [&](const auto*& from, auto* to) {
    if (from) __builtin_memcpy(to, from + i, bytes), from = to;
  };
  copy(last.sums, sums);
  copy(last.lane_sums, lane_sums);
  copy(last.lane_zeros, lane_zeros);
  copy(last.scales, scales);
  copy(last.bias, bias);
  whole(last, 0, y);
  __builtin_memcpy(static_cast<T*>(a.y) + i, y, static_cast<size_t>(a.n - i) * sizeof(T));
}

void finish_i32(const IgemmFinish& a) {
  finish_with<int32_t>(a, [](const IgemmFinish& f, int64_t i, int32_t* y) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), corrected(f, i)); });
}
void finish_f32(const IgemmFinish& a) {
  finish_with<float>(a, [](const IgemmFinish& f, int64_t i, float* y) { _mm256_storeu_ps(y, scaled(f, i)); });
}
void finish_bytes(const IgemmFinish& a) {
  finish_with<uint8_t>(a, [](const IgemmFinish& f, int64_t i, uint8_t* y) {
    alignas(32) int32_t words[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(words), requantized(f, i));
    for (int j = 0; j < 8; ++j) y[j] = static_cast<uint8_t>(words[j]);
  });
}

template <class P>
constexpr IgemmIsa igemm_table() {
  return {igemm_run<P, true>, igemm_run<P, false>, prepare_row<P::element>, quantize_row<P::element>, quantize_bytes, dequantize, interleave, finish_i32, finish_f32, finish_bytes, range_of};
}

}  // namespace
}  // namespace mainspring::inline v0
