// The grid formats: super-blocks of 256 weights in groups of 8 (iq1, iq2) or 4 (iq3) that are rows of a fixed grid (iq_grids.h),
// with sign bits and small scales; and the two formats of 4-bit indexes into 16 unevenly spaced values.
// In: rows of blocks, at any address. Out: f32. Contract of decode_*: see quant.h. Every bit pattern indexes inside its grid.
#pragma once

#include "quant/half.h"

namespace mainspring::inline v0 {

// Below, "octet i" is elements 8i..8i+7, "quad i" elements 4i..4i+3, "group g" elements 32g..32g+31, "half-group j" elements 16j..16j+15.
// A sign byte negates element b where bit b is set; a 7-bit sign code stands for the byte kSignBytes[code].
// Words are little-endian.

/// Group g: word qs[4g..4g+3] holds four grid indexes (octets 4g..4g+3, low byte first) in its first two 16-bit words; its last two make
/// a 32-bit word: four 7-bit sign codes from bit 0, and s in bits 28..31. x = (d (0.5 + s) / 4) grid.
struct BlockIQ2_XXS {
  Le16 d;
  Le16 qs[32];
};
static_assert(sizeof(BlockIQ2_XXS) == 66);

/// Octet i: qs[i] is a 9-bit grid index and above it a 7-bit sign code. Half-group j: s is nibble j of scales. x = (d (0.5 + s) / 4) grid.
struct BlockIQ2_XS {
  Le16 d;
  Le16 qs[32];
  uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2_XS) == 74);

/// Octet i: 10-bit grid index, low byte qs[i], upper bits 2(i%4).. of qh[i/4]; sign byte signs[i]. Scales as in iq2_xs.
struct BlockIQ2_S {
  Le16 d;
  uint8_t qs[32], signs[32], qh[8], scales[8];
};
static_assert(sizeof(BlockIQ2_S) == 82);

/// Quad i: grid index qs[i]. Group g: the 32-bit word at aux[4g] has four 7-bit sign codes (one an octet) and s in bits 28..31.
/// x = (d (0.5 + s) / 2) grid.
struct BlockIQ3_XXS {
  Le16 d;
  uint8_t qs[64], aux[32];
};
static_assert(sizeof(BlockIQ3_XXS) == 98);

/// Quad i: 9-bit grid index, low byte qs[i], top bit i%8 of qh[i/8]. Octet i: sign byte signs[i]. Group g: s is nibble g of scales.
/// x = (d (1 + 2s)) grid.
struct BlockIQ3_S {
  Le16 d;
  uint8_t qs[64], qh[8], signs[32], scales[4];
};
static_assert(sizeof(BlockIQ3_S) == 110);

/// Octet i of group g: 11-bit grid index, low byte qs[i], upper bits 3(i%4).. of qh[g]. qh[g] bits 12..14 are s, bit 15 says shift -1/8
/// instead of +1/8. x = (d (2s + 1)) (grid + shift), grid in -1, 0, 1.
struct BlockIQ1_S {
  Le16 d;
  uint8_t qs[32];
  Le16 qh[8];
};
static_assert(sizeof(BlockIQ1_S) == 50);

/// Octet i: nibble i of qh has three upper index bits and the shift's sign in its top bit. Half-group j: s is bits 3(j%4).. of
/// scales[j/4]. The four top nibbles of scales are the f16 d, lowest nibble first. x as in iq1_s.
struct BlockIQ1_M {
  uint8_t qs[32], qh[16];
  Le16 scales[4];
};
static_assert(sizeof(BlockIQ1_M) == 56);

/// Blocks of 32: x = d kIq4Values[nibble]; element i < 16 is the low half of qs[i], element i + 16 its high half.
struct BlockIQ4_NL {
  Le16 d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockIQ4_NL) == 18);

/// Group g: as a block of iq4_nl at qs[16g] with scale d (s - 32); s has six bits: nibble g of scales_l and bits 2g.. of scales_h.
struct BlockIQ4_XS {
  Le16 d, scales_h;
  uint8_t scales_l[4], qs[128];
};
static_assert(sizeof(BlockIQ4_XS) == 136);

void decode_iq1_s(const void* blocks, int64_t n, float* out);
void decode_iq1_m(const void* blocks, int64_t n, float* out);
void decode_iq2_xxs(const void* blocks, int64_t n, float* out);
void decode_iq2_xs(const void* blocks, int64_t n, float* out);
void decode_iq2_s(const void* blocks, int64_t n, float* out);
void decode_iq3_xxs(const void* blocks, int64_t n, float* out);
void decode_iq3_s(const void* blocks, int64_t n, float* out);
void decode_iq4_nl(const void* blocks, int64_t n, float* out);
void decode_iq4_xs(const void* blocks, int64_t n, float* out);

}  // namespace mainspring::inline v0
