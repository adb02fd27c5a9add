// y = x w^T, bf16 × bf16 → f32 in tiles. 32 rows × 2 panels: 4 tiles of sums, 2 of x, 2 of weights, all eight. A step of 32 k is 4 products of 16
// cycles and 4 KiB of loads, 32 cycles from the level 1 cache: bound by the products. One row is bound by reading the panels: a product that waits
// for the sum before it (52 cycles) still takes 2 KiB, more than memory gives in that time. So few rows go the same way, as tiles of fewer rows.
#include "cpu/simd/amx.h"
#include "cpu/kernels/bgemm/bgemm_args.h"
#include "cpu/simd/prefetch.h"

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kStepBytes = kBgemmDepth * kBgemmWidth * 2;  // of a panel
constexpr int kPairRows = kBgemmDepth / 2;                     // rows of a weight tile

/// Tiles: sums 0 1 (first 16 rows, panels side by side), 2 3 (the other rows), x 4 and 5, weights 6 and 7.
constexpr TileConfig config_of(int64_t rows) {
  const int upper = static_cast<int>(rows < kTileRows ? rows : kTileRows), lower = static_cast<int>(rows) - upper;
  TileConfig c;
  c.set(0, upper, kTileRowBytes).set(1, upper, kTileRowBytes).set(4, upper, kTileRowBytes);
  if (lower > 0) c.set(2, lower, kTileRowBytes).set(3, lower, kTileRowBytes).set(5, lower, kTileRowBytes);
  return c.set(6, kPairRows, kTileRowBytes).set(7, kPairRows, kTileRowBytes);
}

struct Sums {
  alignas(64) float row[kTileRows][kBgemmWidth];
};

/// A tile's sums to `rows` rows of y, of which `outputs` columns count.
void put_rows(const Sums& sums, const float* bias, float* y, int64_t y_stride, int64_t rows, int64_t outputs) {
  alignas(64) float b[kBgemmWidth] = {};
  if (bias)
    for (int64_t i = 0; i < outputs && i < kBgemmWidth; ++i) b[i] = bias[i];
  for (int64_t r = 0; r < rows; ++r, y += y_stride) {
    if (outputs >= kBgemmWidth)
      for (int i = 0; i < kBgemmWidth; ++i) y[i] = bias ? sums.row[r][i] + b[i] : sums.row[r][i];
    else
      for (int64_t i = 0; i < outputs; ++i) y[i] = bias ? sums.row[r][i] + b[i] : sums.row[r][i];
  }
}

template <int t>
void put(const BgemmArgs& a, int64_t row, int64_t rows, int64_t output) {
  Sums sums;
  store_tile<t>(sums.row, kTileRowBytes);
  put_rows(sums, a.bias ? a.bias + output : nullptr, a.y + row * a.y_stride + output, a.y_stride, rows, a.outputs - output);
}

/// `rows` rows, more than 16 where R is 2, over P panels.
template <int R, int P>
void tile(const BgemmArgs& a, int64_t row, int64_t rows, int64_t panel) {
  const int64_t panel_bytes = a.k * kBgemmWidth * 2;
  const std::byte* w = a.panels + panel * panel_bytes;
  const std::byte* x = a.x + row * a.x_stride;
  const int64_t k_end = a.k, stride = a.x_stride;
  zero_tile<0>();
  if constexpr (P > 1) zero_tile<1>();
  if constexpr (R > 1) zero_tile<2>();
  if constexpr (R > 1 && P > 1) zero_tile<3>();
  for (int64_t k = 0; k < k_end; k += kBgemmDepth, w += kStepBytes, x += kBgemmDepth * 2) {
    prefetch_ahead<kStepBytes>(w);
    load_tile<6>(w, kTileRowBytes);
    load_tile<4>(x, stride);
    add_bf16<0, 4, 6>();
    if constexpr (P > 1) {
      prefetch_ahead<kStepBytes>(w + panel_bytes);
      load_tile<7>(w + panel_bytes, kTileRowBytes);
      add_bf16<1, 4, 7>();
    }
    if constexpr (R > 1) {
      load_tile<5>(x + kTileRows * stride, stride);
      add_bf16<2, 5, 6>();
      if constexpr (P > 1) add_bf16<3, 5, 7>();
    }
  }
  const int64_t upper = R > 1 ? kTileRows : rows, output = panel * kBgemmWidth;
  put<0>(a, row, upper, output);
  if constexpr (P > 1) put<1>(a, row, upper, output + kBgemmWidth);
  if constexpr (R > 1) put<2>(a, row + kTileRows, rows - kTileRows, output);
  if constexpr (R > 1 && P > 1) put<3>(a, row + kTileRows, rows - kTileRows, output + kBgemmWidth);
}

template <int P>
void rows_of(const BgemmArgs& a, int64_t row, int64_t rows, int64_t panel) {
  if (rows > kTileRows)
    tile<2, P>(a, row, rows, panel);
  else
    tile<1, P>(a, row, rows, panel);
}

}  // namespace

// Row tiles inside panels: a panel comes from memory once and meets all rows.
void bgemm_amx(const BgemmArgs& a) {
  constexpr int64_t kMost = 2 * kTileRows;
  if (a.rows <= 0) return;
  int64_t configured = 0;
  for (int64_t panel = 0; panel < a.panels_count; panel += 2) {
    for (int64_t row = 0; row < a.rows; row += kMost) {
      const int64_t rows = a.rows - row < kMost ? a.rows - row : kMost;
      if (rows != configured) configure_tiles(config_of(rows));
      configured = rows;
      if (panel + 1 < a.panels_count)
        rows_of<2>(a, row, rows, panel);
      else
        rows_of<1>(a, row, rows, panel);
    }
  }
  release_tiles();
}

}  // namespace mainspring::inline v0
