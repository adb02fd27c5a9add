// AMX tiles: eight registers of sixteen rows of 64 bytes, and the products that sum into them. For files named amx*; a thread that uses tiles begins
// with configure_tiles and ends with release_tiles, so that nobody pays for saving them afterwards. With MAINSPRING_EMULATE_ISA the same in plain
// C++.
//
// The instructions stand here in asm: GCC 12's own names take a register's number only as a literal, and do not say that they read and write memory.
#pragma once

#include <cstdint>

#include "cpu/simd/intrinsics.h"

namespace mainspring::inline v0 {
namespace {

constexpr int kTiles = 8, kTileRows = 16, kTileRowBytes = 64;

/// What ldtilecfg reads: palette 1, and for each tile its rows and the bytes of a row.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
  constexpr TileConfig& set(int tile, int n_rows, int bytes) {
    rows[tile] = static_cast<uint8_t>(n_rows), row_bytes[tile] = static_cast<uint16_t>(bytes);
    return *this;
  }
};
static_assert(sizeof(TileConfig) == 64);

#if defined(MAINSPRING_EMULATE_ISA)

struct EmulatedTiles {
  TileConfig config;
  uint8_t data[kTiles][kTileRows][kTileRowBytes];
};
thread_local EmulatedTiles g_tiles;

inline void configure_tiles(const TileConfig& config) {
  g_tiles = {};
  g_tiles.config = config;
}
inline void release_tiles() {  // what uses a tile afterwards finds none of its rows
  g_tiles.config = {};
}
template <int t>
void zero_tile() {
  __builtin_memset(g_tiles.data[t], 0, sizeof g_tiles.data[t]);
}
template <int t>
void load_tile(const void* p, int64_t stride) {
  zero_tile<t>();
  for (int r = 0; r < g_tiles.config.rows[t]; ++r)
    __builtin_memcpy(g_tiles.data[t][r], static_cast<const uint8_t*>(p) + r * stride, g_tiles.config.row_bytes[t]);
}
template <int t>
void store_tile(void* p, int64_t stride) {
  for (int r = 0; r < g_tiles.config.rows[t]; ++r)
    __builtin_memcpy(static_cast<uint8_t*>(p) + r * stride, g_tiles.data[t][r], g_tiles.config.row_bytes[t]);
}
/// c[m][n] += sum over words kk of dot(a[m][kk], b[kk][n]), word by word of 4 bytes.
template <int c, int a, int b, class Sum, class Dot>
void emulated_product(Dot dot) {
  const TileConfig& config = g_tiles.config;
  for (int m = 0; m < config.rows[c]; ++m) {
    for (int kk = 0; kk < config.row_bytes[a] / 4; ++kk) {
      for (int n = 0; n < config.row_bytes[c] / 4; ++n) {
        Sum sum;
        __builtin_memcpy(&sum, g_tiles.data[c][m] + 4 * n, 4);
        sum = dot(sum, g_tiles.data[a][m] + 4 * kk, g_tiles.data[b][kk] + 4 * n);
        __builtin_memcpy(g_tiles.data[c][m] + 4 * n, &sum, 4);
      }
    }
  }
}
template <int c, int a, int b, class A, class B>
void emulated_bytes() {
  emulated_product<c, a, b, int32_t>([](int32_t sum, const uint8_t* x, const uint8_t* y) {
    for (int i = 0; i < 4; ++i) sum += static_cast<A>(x[i]) * static_cast<B>(y[i]);
    return sum;
  });
}
template <int c, int a, int b>
void add_i8_i8() {
  emulated_bytes<c, a, b, int8_t, int8_t>();
}
template <int c, int a, int b>
void add_i8_u8() {
  emulated_bytes<c, a, b, int8_t, uint8_t>();
}
/// As the instruction does: the even products of a row first, then the odd ones, each fused; inputs and sums below the normal range are zero.
template <int c, int a, int b>
void add_bf16() {
  const auto flushed = [](uint32_t bits) {
    if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u;
    float f;
    __builtin_memcpy(&f, &bits, 4);
    return f;
  };
  const auto item = [&](const uint8_t* p) { return flushed(static_cast<uint32_t>(p[0] << 16) | static_cast<uint32_t>(p[1]) << 24); };
  const auto flush = [&](float f) {
    uint32_t bits;
    __builtin_memcpy(&bits, &f, 4);
    return flushed(bits);
  };
  const TileConfig& config = g_tiles.config;
  for (int m = 0; m < config.rows[c]; ++m) {
    for (int n = 0; n < config.row_bytes[c] / 4; ++n) {
      float even = 0, odd = 0, sum;
      for (int kk = 0; kk < config.row_bytes[a] / 4; ++kk) {
        const uint8_t *x = g_tiles.data[a][m] + 4 * kk, *y = g_tiles.data[b][kk] + 4 * n;
        even = flush(__builtin_fmaf(item(x), item(y), even));
        odd = flush(__builtin_fmaf(item(x + 2), item(y + 2), odd));
      }
      __builtin_memcpy(&sum, g_tiles.data[c][m] + 4 * n, 4);
      sum = flush(flush(sum) + flush(even + odd));
      __builtin_memcpy(g_tiles.data[c][m] + 4 * n, &sum, 4);
    }
  }
}

#else

MAINSPRING_INLINE void configure_tiles(const TileConfig& config) { __asm__ volatile("ldtilecfg %0" ::"m"(config)); }
MAINSPRING_INLINE void release_tiles() { __asm__ volatile("tilerelease"); }
template <int t>
MAINSPRING_INLINE void zero_tile() {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(t));
}
template <int t>
MAINSPRING_INLINE void load_tile(const void* p, int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(stride), "i"(t) : "memory");
}
template <int t>
MAINSPRING_INLINE void store_tile(void* p, int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(p), "r"(stride), "i"(t) : "memory");
}
/// c += a * b: a is rows of bytes, b words of four k for each column; int32 sums. i8 by i8, and i8 by u8.
template <int c, int a, int b>
MAINSPRING_INLINE void add_i8_i8() {
  __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}
template <int c, int a, int b>
MAINSPRING_INLINE void add_i8_u8() {
  __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}
/// c += a * b: a is rows of bf16, b pairs of k for each column; f32 sums.
template <int c, int a, int b>
MAINSPRING_INLINE void add_bf16() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}

#endif

}  // namespace
}  // namespace mainspring::inline v0
