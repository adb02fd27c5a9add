// Sums of byte products with AVX2: vpmaddubsw (two u8 x i8 products to int16), then vpmaddwd (two int16 to int32).
//
// No int16 sum wraps or saturates. |q| <= 127 in q8_rows; -128 is allowed for here. Unsigned codes: one vpmaddubsw is at most
// 2 * kMax * 128 = 256 * kMax in magnitude, so 32767 / (256 * kMax) of them may be added before they are widened: 8 for 4 bits
// (8 * 3840 = 30720, a whole 32-k block), 4 for 5 bits (4 * 7936 = 31744), 2 for 6 bits (2 * 16128 = 32256), 1 for 7 bits (32512). Signed values: |w| times q with
// the sign of w; |w| <= 128 and |q| <= 127 (a q of -128 would not survive the change of sign), so two products are at most 32512 and are
// widened at once.
#pragma once

#include "cpu/kernels/qgemm/vector256.h"  // before tile.h
#include "cpu/kernels/qgemm/tile.h"

namespace mainspring::inline v0 {
namespace {

struct Maddubs {
  // 6 int16 chains, 6 f32 sums, 1 of codes, 1 of activations: 14 of 16 registers. One panel: the codes of a group are unpacked once for six
  // rows instead of three, and six broadcasts are loads, which are not what this waits for. Against 3 x 2, GOP/s for 4 and 64 rows (Xeon, Sapphire
  // Rapids): q5_0 79 -> 106, 108 -> 114, q6_k 72 -> 91, 91 -> 112, q4_k 99 -> 125, 128 -> 130, q4_1 110 -> 105, 142 -> 140.
  static constexpr int kRows = 6, kPanels = 1;
  static constexpr int kSignedOffset = 0;

  template <class F, int P, int R, int... g>
  static MAINSPRING_INLINE_LOOPS void dot(const uint8_t* q, int64_t stride, const uint8_t* const (&x)[R], int64_t at, Groups<g...>, Int (&sum)[P][R]) {
    if constexpr (F::kSigned) {
      signed_step<F, P, R, true, g...>(q, stride, x, at, sum);
    } else {
      Int chain[P][R];
      unsigned_step<F, P, R, 0, g...>(q, stride, x, at, chain, sum);
    }
  }

 private:
  /// Left alone, GCC 12 puts off the additions of all chains to the end of the block and keeps 48 products in memory until then: a sum that has
  /// been made must stand in a register here.
  static MAINSPRING_INLINE void keep_here(Int& sum) { __asm__ volatile("" : "+x"(sum)); }

  /// The i-th code group, then the rest.
  template <class F, int P, int R, int i, int g, int... rest>
  static MAINSPRING_INLINE_LOOPS void unsigned_step(const uint8_t* q, int64_t stride, const uint8_t* const (&x)[R], int64_t at, Int (&chain)[P][R],
                                              Int (&sum)[P][R]) {
    constexpr int fit = 32767 / (256 * F::kMax);
    constexpr int length = fit >= 8 ? 8 : fit >= 4 ? 4 : fit >= 2 ? 2 : 1;
    static_assert(fit >= length);
    Int w[P];
    MAINSPRING_UNROLL
    for (int p = 0; p < P; ++p) w[p] = F::template group<g>(q + p * stride);
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) {
      const Int four = broadcast_4(x[r] + at + 4 * g);
      MAINSPRING_UNROLL
      for (int p = 0; p < P; ++p) {
        const Int two = _mm256_maddubs_epi16(w[p], four);
        if constexpr (i % length == 0) chain[p][r] = two;
        else keep_here(chain[p][r] = _mm256_add_epi16(chain[p][r], two));
      }
    }
    if constexpr (i % length == length - 1 || sizeof...(rest) == 0) widen<P, R, (i < length)>(chain, sum);
    if constexpr (sizeof...(rest) > 0) unsigned_step<F, P, R, i + 1, rest...>(q, stride, x, at, chain, sum);
  }

  template <int P, int R, bool first>
  static MAINSPRING_INLINE_LOOPS void widen(const Int (&chain)[P][R], Int (&sum)[P][R]) {
    MAINSPRING_UNROLL
    for (int p = 0; p < P; ++p) {
      MAINSPRING_UNROLL
      for (int r = 0; r < R; ++r) {
        const Int wide = _mm256_madd_epi16(chain[p][r], _mm256_set1_epi16(1));
        if constexpr (first) sum[p][r] = wide;
        else sum[p][r] = add_words(sum[p][r], wide);
      }
    }
  }

  template <class F, int P, int R, bool first, int g, int... rest>
  static MAINSPRING_INLINE_LOOPS void signed_step(const uint8_t* q, int64_t stride, const uint8_t* const (&x)[R], int64_t at, Int (&sum)[P][R]) {
    MAINSPRING_UNROLL
    for (int p = 0; p < P; ++p) {
      const Int w = F::template group<g>(q + p * stride);
      const Int magnitude = _mm256_abs_epi8(w);
      MAINSPRING_UNROLL
      for (int r = 0; r < R; ++r) {
        const Int turned = _mm256_sign_epi8(broadcast_4(x[r] + at + 4 * g), w);
        const Int wide = _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, turned), _mm256_set1_epi16(1));
        if constexpr (first) sum[p][r] = wide;
        else keep_here(sum[p][r] = add_words(sum[p][r], wide));
      }
    }
    if constexpr (sizeof...(rest) > 0) signed_step<F, P, R, false, rest...>(q, stride, x, at, sum);
  }
};

}  // namespace
}  // namespace mainspring::inline v0
