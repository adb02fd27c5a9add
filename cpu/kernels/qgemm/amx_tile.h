// Many rows with AMX int8, over the panels of avx512vnni and with its bits. Few rows are left to that kernel, and what is left of a
// multiple of kAmxRows goes the way of tile.h with VNNI.
//
// A word row of a plain panel (run.h) is a row of a B tile: four k of sixteen outputs. For eight rows at a time tiles sum the products of a 32-k
// block (A is eight rows of 32 bytes as they stand in x, or of 16 where a scale covers 16 k); int32 sums go through a buffer, and block_rows of
// tile.h makes f32 of them as it does of VNNI's.
//
// Why eight rows by two panels: the f32 sums take 16 of 32 registers, and a row's d and its two s serve two panels. For a row, a panel and a block
// that is 4.5 f32 instructions (convert, scale by d, two FMAs, half an add) at two a cycle, so 2.25 cycles; loads are one of sums, 1.5 of d and s,
// 0.5 of A and 1 of B at two a cycle, stores one, and the product takes a cycle for a row of A: all of these hide. VNNI adds four cycles for its
// eight dot products to the same f32 work, hence at most 2.7 times as fast. Where a scale covers 16 k one panel at a time: eight f32 instructions and
// eight loads are four cycles either way, and with two panels GCC keeps 32 sums in memory; at most twice as fast. A product is waited for some 52
// cycles, so those of the next block begin before the f32 work of this one. Reckoned, not measured: no machine of the project has had AMX so far.
#pragma once

#include "cpu/kernels/qgemm/avx512vnni_dot.h"  // before tile.h
#include "cpu/kernels/qgemm/sums_vnni.h"
#include "cpu/kernels/qgemm/tile_formats.h"
#include "cpu/simd/amx.h"

namespace mainspring::inline v0 {
namespace {

constexpr int kAmxRows = 8;
constexpr int kA = 6, kB = 4;  // tiles: 0..3 sums, 4 and 5 codes, 6 rows

/// What tiles left behind, [half of k][panel][byte row], taken for a sum: `q` points there.
struct StoredSums {
  template <class F, int P, int X, int... g>
  static MAINSPRING_INLINE_LOOPS void dot(const uint8_t* q, int64_t, const uint8_t* const (&)[X], int64_t, Groups<g...> groups, Int (&sum)[P][X]) {
    q += half_of(groups) * P * X * kTileRowBytes;
    MAINSPRING_UNROLL
    for (int p = 0; p < P; ++p) {
      MAINSPRING_UNROLL
      for (int r = 0; r < X; ++r) sum[p][r] = load_int(q + (p * X + r) * kTileRowBytes);
    }
  }

 private:
  static constexpr int half_of(AllGroups) { return 0; }
  static constexpr int half_of(FirstHalf) { return 0; }
  static constexpr int half_of(SecondHalf) { return 1; }
};

/// E: an expanded format, whose sums have been made.
template <class E>
struct Summed : E {
  using Sums = StoredSums;
};

/// Eight rows by P plain panels.
template <class E, bool wide, int P>
struct AmxTile {
  static constexpr int kPlanes = wide ? 2 : 1, X = kAmxRows * kPlanes, kHalves = E::kTwoScales ? 2 : 1;
  static constexpr int64_t kRecord = records_bytes(E::kLayout, 1), kBlock = kRecord + 32 * kWidth;
  alignas(64) uint8_t sums[2][kHalves][P][X][kTileRowBytes];  // of this block and of the next

  template <int half, int plane, int p>
  MAINSPRING_INLINE void product(int64_t block) {
    constexpr int c = plane * P + p;
    zero_tile<c>();
    add_i8_u8<c, kA, kB + p>();
    store_tile<c>(sums[block % 2][half][p][plane], kPlanes * kTileRowBytes);  // the byte rows of a wide row follow each other
  }
  template <int half, int plane>
  MAINSPRING_INLINE void plane_products(int64_t block, const uint8_t* x, int64_t x_stride, int64_t k) {
    load_tile<kA>(x + plane * k + half * 16, x_stride);
    product<half, plane, 0>(block);
    if constexpr (P == 2) product<half, plane, 1>(block);
  }
  template <int half>
  MAINSPRING_INLINE void half_products(int64_t block, const uint8_t* codes, int64_t stride, const uint8_t* x, int64_t x_stride, int64_t k) {
    load_tile<kB>(codes + half * 16 * kWidth, kTileRowBytes);
    if constexpr (P == 2) load_tile<kB + 1>(codes + stride + half * 16 * kWidth, kTileRowBytes);
    plane_products<half, 0>(block, x, x_stride, k);
    if constexpr (wide) plane_products<half, 1>(block, x, x_stride, k);
  }
  /// The sums of block `block`; x: the first row.
  MAINSPRING_INLINE void products(int64_t block, const uint8_t* plain, int64_t stride, const uint8_t* x, int64_t x_stride, int64_t k) {
    const uint8_t* codes = plain + block * kBlock + kRecord;
    half_products<0>(block, codes, stride, x + 32 * block, x_stride, k);
    if constexpr (E::kTwoScales) half_products<1>(block, codes, stride, x + 32 * block, x_stride, k);
  }

  void run(const QgemmArgs& a, const uint8_t* plain, int64_t stride, int64_t first_output, int64_t first_row, NextColumn& next) {
    const uint8_t* x[X];
    Float acc[P][kAmxRows];
    begin_tile<wide>(a, first_row, x, acc);
    const int64_t blocks = a.k / 32, d = kPlanes * a.k, s = d + a.k / 8;
    products(0, plain, stride, x[0], a.x_stride, a.k);
    for (int64_t block = 0; block < blocks; ++block) {
      next.ask();
      if (block + 1 < blocks) products(block + 1, plain, stride, x[0], a.x_stride, a.k);
      block_rows<Summed<E>, wide>(sums[block % 2][0][0][0], plain + block * kBlock, stride, 0, x, 32 * block, d + 4 * block, s + 8 * block, acc);
    }
    end_tile(a, first_output, first_row, acc);
  }
};

struct AmxRows {
  template <class F>
  static constexpr int64_t kFrom = 16;  // two tiles pay for making a panel plain
  template <class E, bool wide, int P>
  static void run(const QgemmArgs& a, const uint8_t* plain, int64_t stride, int64_t first_output, NextColumn next) {
    constexpr int together = E::kTwoScales ? 1 : P;
    AmxTile<E, wide, together> tile;
    int64_t r = 0;
    for (; r + kAmxRows <= a.rows; r += kAmxRows)
      for (int p = 0; p < P; p += together) tile.run(a, plain + p * stride, stride, first_output + p * kWidth, r, next);
    QgemmArgs rest = a;
    rest.x += r * a.x_stride, rest.y += r * a.y_stride, rest.rows -= r;
    column<E, wide, P>(rest, plain, stride, first_output, next);
  }
};

/// How: what becomes of panels of F on the way to the tiles.
template <class F, class How>
void run_in_tiles(const QgemmArgs& a) {
  constexpr int bytes = F::kTwoScales ? 16 : 32;  // k of a product
  constexpr TileConfig config = [] {
    TileConfig c;
    for (int t = 0; t < kB; ++t) c.set(t, kAmxRows, kTileRowBytes);
    return c.set(kB, bytes / 4, kTileRowBytes).set(kB + 1, bytes / 4, kTileRowBytes).set(kA, kAmxRows, bytes);
  }();
  configure_tiles(config);
  run_how<F, How>(a);
  release_tiles();
}

/// few: the kernel of avx512vnni, whose panels these are.
template <class F>
void run_amx(const QgemmArgs& a, QgemmFn few) {
  if (!has_many<AmxRows, F>(a)) return few(a);
  run_in_tiles<F, MadePlain<AmxRows>>(a);
}
template <class F>
void run_plain_amx(const QgemmArgs& a, QgemmFn few) {
  if (a.rows < kAmxRows) return few(a);
  run_in_tiles<F, AmxRows>(a);
}

}  // namespace
}  // namespace mainspring::inline v0

#define MAINSPRING_QGEMM_RUN_AMX(dtype, Format)      \
  void qgemm_avx512vnni_##dtype(const QgemmArgs& a); \
  void qgemm_amx_##dtype(const QgemmArgs& a) { run_amx<Format<VnniTile>>(a, qgemm_avx512vnni_##dtype); }
#define MAINSPRING_QGEMM_RUN_PLAIN_AMX(max, scales)              \
  void qgemm_avx512vnni_plain##max##x##scales(const QgemmArgs& a); \
  void qgemm_amx_plain##max##x##scales(const QgemmArgs& a) { run_plain_amx<FromRows<VnniTile, max, scales>>(a, qgemm_avx512vnni_plain##max##x##scales); }
