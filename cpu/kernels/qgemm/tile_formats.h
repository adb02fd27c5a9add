// The formats as the tile sees them: what the codes of a code group are, as one vector (lane 4 * output + t for k = 4g + t), and what a
// scale record is worth. Restates the arithmetic of formats.h in vectors. `S` is the ISA's Sums (tile.h).
//
// kMax is the greatest unsigned code; kSigned formats give signed values instead, -128..127 (never where S::kSignedOffset is not 0).
#pragma once

#include "cpu/kernels/qgemm/run.h"

namespace mainspring::inline v0 {
namespace {

constexpr int kRow = 4 * kWidth;  // bytes of one row of words in the quants

template <int g>
MAINSPRING_INLINE Int nibble_group(const uint8_t* q) {
  return bit_and(shift<g / 4 * 4>(load_int(q + g % 4 * kRow)), bytes_of(15));
}
// Bit g of each byte, moved to bit `to`.
template <int g, int to>
MAINSPRING_INLINE Int bit_group(const uint8_t* q) {
  return bit_and(shift<g - to>(load_int(q)), bytes_of(1 << to));
}
// Bit pair g % 4 of each byte of row g / 4, moved to bits `to` and `to` + 1.
template <int g, int to>
MAINSPRING_INLINE Int crumb_group(const uint8_t* q) {
  return bit_and(shift<g % 4 * 2 - to>(load_int(q + g / 4 * kRow)), bytes_of(3 << to));
}

MAINSPRING_INLINE Scales d_and_m(Float d, Float m) { return {d, d, m, m}; }
// -8 * d and the like; the sign of a product that is 0 matters to no sum.
MAINSPRING_INLINE Float times(int factor, Float v) { return mul(floats_of(static_cast<float>(factor)), v); }
MAINSPRING_INLINE Float negative(Float v) { return mul(floats_of(-1.0f), v); }

template <class S, int max>
struct OneScale {
  using Sums = S;
  static constexpr int kMax = max;
  static constexpr bool kTwoScales = false, kHasMin = true, kSigned = false, kNear = false;
};
template <class S, int max>
struct TwoScales : OneScale<S, max> {
  static constexpr bool kTwoScales = true;
};
/// Signed values; where the ISA wants unsigned ones, an offset goes through the activations' sums.
template <class S>
struct SignedCodes : OneScale<S, S::kSignedOffset ? 255 : 127> {
  static constexpr bool kSigned = S::kSignedOffset == 0, kHasMin = !kSigned;
  static MAINSPRING_INLINE Scales with_offset(Float d) { return d_and_m(d, times(-S::kSignedOffset, d)); }
};

struct NibbleCodes {
  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return nibble_group<g>(q);
  }
};
struct FiveBitCodes {
  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return bit_or(nibble_group<g>(q), bit_group<g, 4>(q + 4 * kRow));
  }
};
template <class S>
struct Iq4Codes {
  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return look_up(S::kSignedOffset ? kPanelIq4Raised : kPanelIq4Values, nibble_group<g>(q));
  }
};

// d f16; d f16, m f16; 8 x (scale u8, min u8), d, dmin; 16 x scale i8, d.
template <int offset>
struct HalfRecord {
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int) {
    const Float d = load_half(record);
    return d_and_m(d, times(-offset, d));
  }
};
struct HalfPairRecord {
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int) { return d_and_m(load_half(record), load_half(record + 2 * kWidth)); }
};
struct BytePairsRecord {
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int sub) {
    const uint8_t* p = record + 2 * sub * kWidth;
    const Float d = load_half(record + 16 * kWidth), dmin = load_half(record + 18 * kWidth);
    return d_and_m(mul(d, to_float(words_of_u8(p))), negative(mul(dmin, to_float(words_of_u8(p + kWidth)))));
  }
};
template <int offset>
struct SignedBytesRecord {
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int sub) {
    const uint8_t* p = record + 2 * sub * kWidth;
    const Float d = load_half(record + 16 * kWidth);
    const Float d0 = mul(d, to_float(words_of_i8(p))), d1 = mul(d, to_float(words_of_i8(p + kWidth)));
    return {d0, d1, times(-offset, d0), times(-offset, d1)};
  }
};

template <class S>
struct Q4_0 : OneScale<S, 15>, NibbleCodes, HalfRecord<8> {
  static constexpr PanelLayout kLayout = kLayoutQ4_0;
};
template <class S>
struct Q4_1 : OneScale<S, 15>, NibbleCodes, HalfPairRecord {
  static constexpr PanelLayout kLayout = kLayoutQ4_1;
};
template <class S>
struct Q5_0 : OneScale<S, 31>, FiveBitCodes, HalfRecord<16> {
  static constexpr PanelLayout kLayout = kLayoutQ5_0;
};
template <class S>
struct Q5_1 : OneScale<S, 31>, FiveBitCodes, HalfPairRecord {
  static constexpr PanelLayout kLayout = kLayoutQ5_1;
};
template <class S>
struct Q8_0 : SignedCodes<S> {
  static constexpr PanelLayout kLayout = kLayoutQ8_0;
  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return load_int(q + g * kRow);
  }
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int) { return Q8_0::with_offset(load_half(record)); }
};
/// The panel's codes have the offset.
template <class S>
struct Q8_0Raised : Q8_0<S> {
  static_assert(S::kSignedOffset == 128);
};
template <class S>
struct Iq4Nl : SignedCodes<S>, Iq4Codes<S> {
  static constexpr PanelLayout kLayout = kLayoutIq4Nl;
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int) { return Iq4Nl::with_offset(load_half(record)); }
};
template <class S>
struct Iq4Xs : SignedCodes<S>, Iq4Codes<S> {
  static constexpr PanelLayout kLayout = kLayoutIq4Xs;
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int sub) {
    return Iq4Xs::with_offset(mul(load_half(record + 8 * kWidth), to_float(words_of_i8(record + sub * kWidth))));
  }
};
template <class S>
struct Mxfp4 : OneScale<S, 24> {  // values -12..12, plus 12
  static constexpr PanelLayout kLayout = kLayoutMxfp4;
  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return add_bytes(look_up(kPanelMxfp4Values, nibble_group<g>(q)), bytes_of(12));
  }
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int) {
    const Float d = power_of_two(words_of_u8(record));
    return d_and_m(d, times(-12, d));
  }
};
template <class S>
struct Q4K : OneScale<S, 15>, NibbleCodes, BytePairsRecord {
  static constexpr PanelLayout kLayout = kLayoutQ4K;
};
template <class S>
struct Q5K : OneScale<S, 31>, FiveBitCodes, BytePairsRecord {
  static constexpr PanelLayout kLayout = kLayoutQ5K;
};
template <class S>
struct Q6K : TwoScales<S, 63>, SignedBytesRecord<32> {
  static constexpr PanelLayout kLayout = kLayoutQ6K;
  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return bit_or(nibble_group<g>(q), crumb_group<g, 4>(q + 4 * kRow));
  }
};
template <class S>
struct Q3K : TwoScales<S, 7>, SignedBytesRecord<4> {
  static constexpr PanelLayout kLayout = kLayoutQ3K;
  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return bit_or(crumb_group<g, 0>(q), bit_group<g, 2>(q + 2 * kRow));
  }
};
template <class S>
struct Q2K : TwoScales<S, 3> {
  static constexpr PanelLayout kLayout = kLayoutQ2K;
  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return crumb_group<g, 0>(q);
  }
  // 16 x (scale in the low, min in the high nibble), d, dmin. A byte's min counts in sixteenths: 16 * min is its upper part.
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int sub) {
    const uint8_t* p = record + 2 * sub * kWidth;
    const Float d = load_half(record + 16 * kWidth), dmin = mul(load_half(record + 18 * kWidth), floats_of(-0.0625f));
    const Int a = words_of_u8(p), b = words_of_u8(p + kWidth), low = words_of(15), high = words_of(240);
    return {mul(d, to_float(bit_and(a, low))), mul(d, to_float(bit_and(b, low))), mul(dmin, to_float(bit_and(a, high))),
            mul(dmin, to_float(bit_and(b, high)))};
  }
};

}  // namespace
}  // namespace mainspring::inline v0

/// Defines the kernel function of one ISA and format.
#define MAINSPRING_QGEMM_RUN(isa, dtype, Format, Sums) \
  void qgemm_##isa##_##dtype(const QgemmArgs& a) { run<Format<Sums>>(a); }
/// The same for plain panels of codes up to `max`, with one scale or two for 32 k.
#define MAINSPRING_QGEMM_RUN_PLAIN(isa, max, scales, Sums) \
  void qgemm_##isa##_plain##max##x##scales(const QgemmArgs& a) { run_how<FromRows<Sums, max, scales>, FromScratch>(a); }
