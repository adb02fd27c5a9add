// A run of panels by rows. For many rows a panel is made plain first: its codes as bytes, its scales as floats, unpacked once instead of for
// each tile of rows. What the tile computes from it is the same to the bit. 64 rows, GOP/s without and with (Xeon, Emerald Rapids, one thread,
// 2026-11): AVX2 q4_1 161 -> 177, q5_0 134 -> 164, q4_k 157 -> 174, q6_k 114 -> 129, q8_0 the same; AVX-512 VNNI q5_0 285 -> 344,
// q6_k 231 -> 264, the others 3 % more.
#pragma once

#include "cpu/kernels/qgemm/tile.h"

namespace mainspring::inline v0 {
namespace {

/// A format after expand: what tile.h wants of a format. Many formats become the same one, and share its code.
template <class S, int max, bool two_scales, bool has_min, bool signed_codes>
struct Plain {
  using Sums = S;
  static constexpr int kMax = max;
  static constexpr bool kTwoScales = two_scales, kHasMin = has_min, kSigned = signed_codes, kNear = true;
  static constexpr int kFloats = kTwoScales ? 4 : kHasMin ? 2 : 1;
  static constexpr PanelLayout kLayout = plain_layout(kFloats);

  template <int g>
  static MAINSPRING_INLINE Int group(const uint8_t* q) {
    return load_int(q + 4 * kWidth * g);
  }
  static MAINSPRING_INLINE Scales scales(const uint8_t* record, int) {
    const float* f = reinterpret_cast<const float*>(record);
    const Float d0 = load_float(f);
    if constexpr (kTwoScales) return {d0, load_float(f + 2 * kWidth), load_float(f + kWidth), load_float(f + 3 * kWidth)};
    else if constexpr (kHasMin) return {d0, d0, load_float(f + kWidth), d0};
    else return {d0, d0, d0, d0};
  }
  static MAINSPRING_INLINE void store_scales(uint8_t* record, const Scales& s) {
    float* f = reinterpret_cast<float*>(record);
    store_float(f, s.d0);
    if constexpr (kFloats > 1) store_float(f + kWidth, s.m0);
    if constexpr (kTwoScales) store_float(f + 2 * kWidth, s.d1), store_float(f + 3 * kWidth, s.m1);
  }
};

/// Sums that take 255 ask no format for its greatest code.
template <class F>
using Expanded = Plain<typename F::Sums, F::Sums::kSignedOffset ? 255 : F::kMax, F::kTwoScales, F::kHasMin, F::kSigned>;

/// A panel of codes 0..max with offsets, made of source rows (from_rows.cpp).
template <class S, int max, int scales>
using FromRows = Plain<S, S::kSignedOffset != 0 ? 255 : max, scales == 2, true, false>;

template <class F, int... g>
MAINSPRING_INLINE void expand_groups(const uint8_t* q, uint8_t* to, Groups<g...>) {
  (store_int(to + 4 * kWidth * g, F::template group<g>(q)), ...);
}

/// One panel to `to`, panel_stride<Expanded<F>>(k) bytes.
template <class F>
void expand(const uint8_t* panel, int64_t k, uint8_t* to) {
  each_block<F>(panel, k, [&](const uint8_t* q, const uint8_t* record, int sub) __attribute__((always_inline)) {
    prefetch_ahead<F::kLayout.quants * kWidth>(q);
    Expanded<F>::store_scales(to, F::scales(record, sub));
    to += records_bytes(Expanded<F>::kLayout, 1);
    expand_groups<F>(q, to, AllGroups{});
    to += 32 * kWidth;
  });
}

/// P panels that follow each other, as they are.
struct AsTheyAre {
  template <class F, bool wide, int P>
  static void run(const QgemmArgs& a, const uint8_t* panel, int64_t stride, int64_t first_output, NextColumn next) {
    column<F, wide, P>(a, panel, stride, first_output, next);
  }
};

/// What is done with plain panels, and from how many rows on a panel is made plain. 16 rows, GOP/s without and with: AVX2 q4_1 157 -> 167, q5_0
/// 127 -> 152, q6_k 109 -> 118, q8_0 103 -> 95; AVX-512 VNNI, whose tile unpacks two panels for six rows, q4_1 359 -> 288.
struct ManyRows : AsTheyAre {
  template <class F>
  static constexpr int64_t kFrom = kWidth == 8 && F::kLayout.quants < 32 ? 12 : 32;
};

template <class Many, class F>
bool has_many(const QgemmArgs& a) {
  return a.scratch != nullptr && a.rows >= Many::template kFrom<F>;
}

/// P panels that were just written to scratch: there is nothing behind them to ask memory for.
struct FromScratch {
  template <class F, bool wide, int P>
  static void run(const QgemmArgs& a, const uint8_t* panel, int64_t stride, int64_t first_output, NextColumn) {
    column<F, wide, P>(a, panel, stride, first_output, {nullptr, 0});
  }
};

/// P panels that follow each other, made plain in scratch.
template <class Many>
struct MadePlain {
  template <class F, bool wide, int P>
  static void run(const QgemmArgs& a, const uint8_t* panel, int64_t stride, int64_t first_output, NextColumn next) {
    const int64_t plain = panel_stride<Expanded<F>>(a.k);
    uint8_t* to = reinterpret_cast<uint8_t*>(a.scratch);
    for (int p = 0; p < P; ++p) expand<F>(panel + p * stride, a.k, to + p * plain);
    Many::template run<Expanded<F>, wide, P>(a, to, plain, first_output, next);
  }
};

template <class F, class How, bool wide>
void run_as(const QgemmArgs& a) {
  constexpr int P = F::Sums::kPanels;
  const int64_t stride = panel_stride<F>(a.k);
  const uint8_t* panel = reinterpret_cast<const uint8_t*>(a.panels);
  const int64_t tiles = tiles_of<F, wide>(a.rows), blocks = tiles * (a.k / 32);
  const auto lines_of = [&](int panels) { return tiles > 1 ? (panels * stride + blocks * 64 - 1) / (blocks * 64) : 0; };
  int64_t p = 0;
  // One row is bound by memory, and two streams read slower than one.
  if (a.rows > 1) {
    const int64_t lines = lines_of(P);
    for (; p + P <= a.panels_count; p += P, panel += P * stride) How::template run<F, wide, P>(a, panel, stride, p * kWidth, {panel + P * stride, lines});
  }
  const int64_t lines = lines_of(1);
  for (; p < a.panels_count; ++p, panel += stride) How::template run<F, wide, 1>(a, panel, stride, p * kWidth, {panel + stride, lines});
}

template <class F, class How>
void run_how(const QgemmArgs& a) {
  if (a.wide) run_as<F, How, true>(a);
  else run_as<F, How, false>(a);
}

template <class F>
void run(const QgemmArgs& a) {
  if (has_many<ManyRows, F>(a)) run_how<F, MadePlain<ManyRows>>(a);
  else run_how<F, AsTheyAre>(a);
}

}  // namespace
}  // namespace mainspring::inline v0
