// Sums of byte products with VNNI: vpdpbusd adds four u8 x i8 products to int32, and nothing can overflow. The ISA file includes its vectors
// first and defines dot_4.
#pragma once

#include "cpu/kernels/qgemm/tile.h"

namespace mainspring::inline v0 {
namespace {

/// Signed values come with 128 added; what that adds to the sums leaves again through the activations' sums.
template <int rows, int panels>
struct Vnni {
  static constexpr int kRows = rows, kPanels = panels;
  static constexpr int kSignedOffset = 128;

  template <class F, int P, int R, int... g>
  static MAINSPRING_INLINE_LOOPS void dot(const uint8_t* q, int64_t stride, const uint8_t* const (&x)[R], int64_t at, Groups<g...>, Int (&sum)[P][R]) {
    // Few outputs: two chains of half the length, since each instruction waits for the one before.
    constexpr bool two = P * R < 4;
    Int other[P][R];
    MAINSPRING_UNROLL
    for (int p = 0; p < P; ++p) {
      MAINSPRING_UNROLL
      for (int r = 0; r < R; ++r) sum[p][r] = other[p][r] = words_of(0);
    }
    step<F, P, R, 0, two, g...>(q, stride, x, at, sum, other);
    if constexpr (two) {
      MAINSPRING_UNROLL
      for (int p = 0; p < P; ++p) {
        MAINSPRING_UNROLL
        for (int r = 0; r < R; ++r) sum[p][r] = add_words(sum[p][r], other[p][r]);
      }
    }
  }

 private:
  template <class F, int P, int R, int i, bool two, int g, int... rest>
  static MAINSPRING_INLINE_LOOPS void step(const uint8_t* q, int64_t stride, const uint8_t* const (&x)[R], int64_t at, Int (&sum)[P][R],
                                     Int (&other)[P][R]) {
    static_assert(!F::kSigned);
    Int w[P];
    MAINSPRING_UNROLL
    for (int p = 0; p < P; ++p) w[p] = F::template group<g>(q + p * stride);
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) {
      const Int four = broadcast_4(x[r] + at + 4 * g);
      MAINSPRING_UNROLL
      for (int p = 0; p < P; ++p) {
        if constexpr (two && i % 2 == 1) other[p][r] = dot_4(other[p][r], w[p], four);
        else sum[p][r] = dot_4(sum[p][r], w[p], four);
      }
    }
    if constexpr (sizeof...(rest) > 0) step<F, P, R, i + 1, two, rest...>(q, stride, x, at, sum, other);
  }
};

}  // namespace
}  // namespace mainspring::inline v0
