// The loop of the integer products, templated on how an instruction set holds a panel (class P). Included by the ISA files only.
//
// P: Sums (a row's sums of one panel), Row (four k of a row, broadcast), element (its bytes), rows (of a tile) and beside, beside_2, beside_1 (panels that a
// tile of so many, two or one rows has); zero(), row(p), add(a panel's quad, rows, sums, panel), store(y, sums).
// A tile of R rows × B panels keeps its sums in registers over all of k; a panel stays in the level 2 cache while the rows pass.
#pragma once

#include "cpu/kernels/igemm/igemm_args.h"

namespace mainspring::inline v0 {
namespace {

template <class P, bool lanes_signed, int R, int B>
MAINSPRING_INLINE_LOOPS void igemm_tile(const IgemmArgs& a, int64_t row, int64_t panel) {
  typename P::Sums sums[R][B];
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) {
    MAINSPRING_UNROLL
    for (int b = 0; b < B; ++b) sums[r][b] = P::zero();
  }
  const std::byte* rows = a.rows + row * a.row_bytes;
  const std::byte* lanes = a.lanes + panel * a.panel_bytes;
  for (int64_t q = 0; q < a.quads; ++q) {
    const std::byte* at = lanes + (a.offsets ? a.offsets[q] : q * kIgemmQuadBytes);
    typename P::Row x[R];
    MAINSPRING_UNROLL
    for (int r = 0; r < R; ++r) x[r] = P::row(rows + r * a.row_bytes + q * 4 * P::element);
    MAINSPRING_UNROLL
    for (int b = 0; b < B; ++b) P::template add<lanes_signed, R, B>(at + b * a.panel_bytes, x, sums, b);
  }
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) {
    MAINSPRING_UNROLL
    for (int b = 0; b < B; ++b) P::store(a.y + (row + r) * a.y_stride + (panel + b) * kIgemmLanes, sums[r][b]);
  }
}

template <class P, bool lanes_signed, int R, int B>
void igemm_rows(const IgemmArgs& a, int64_t row) {
  int64_t panel = 0;
  for (; panel + B <= a.panels; panel += B) igemm_tile<P, lanes_signed, R, B>(a, row, panel);
  if constexpr (B > 1)
    for (; panel < a.panels; ++panel) igemm_tile<P, lanes_signed, R, 1>(a, row, panel);
}

template <class P, bool lanes_signed>
void igemm_run(const IgemmArgs& a) {
  int64_t row = 0;
  for (; row + P::rows <= a.row_count; row += P::rows) igemm_rows<P, lanes_signed, P::rows, P::beside>(a, row);
  if constexpr (P::rows > 2)
    for (; row + 2 <= a.row_count; row += 2) igemm_rows<P, lanes_signed, 2, P::beside_2>(a, row);
  for (; row < a.row_count; ++row) igemm_rows<P, lanes_signed, 1, P::beside_1>(a, row);
}

}  // namespace
}  // namespace mainspring::inline v0
