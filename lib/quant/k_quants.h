// The k-quants: super-blocks of 256 weights, cut into sub-blocks of 16 or 32 that have small integer scales (and mins) of their own,
// themselves multiples of the super-block's f16 scale d (and dmin).
// In: rows of super-blocks, at any address. Out: f32. Contract of decode_* and encode_*: see quant.h.
#pragma once

#include "quant/half.h"

namespace mainspring::inline v0 {

// Order of the two-bit planes (q2_k, q3_k and the upper bits of q6_k): the super-block is two halves of 128, a half is four runs of 32;
// element l of run r of half h is bits 2r and 2r+1 of byte 32h + l.

/// 16 sub-blocks of 16: x = (d s) q - (dmin m), s = scales & 15, m = scales >> 4, q in 0..3.
struct BlockQ2_K {
  uint8_t scales[16], qs[64];
  Le16 d, dmin;
};
static_assert(sizeof(BlockQ2_K) == 84);

/// 16 sub-blocks of 16: x = (d (s - 32)) (q - 4), q in 0..7: low two bits in qs, third bit of element 32g + l is bit g of hmask[l].
/// s has six bits: the low four in nibbles of scales[0..7] (low halves: sub-blocks 0..7, high halves: 8..15), the upper two of
/// sub-block j in bits 2(j/4).. of scales[8 + j % 4].
struct BlockQ3_K {
  uint8_t hmask[32], qs[64], scales[12];
  Le16 d;
};
static_assert(sizeof(BlockQ3_K) == 110);

/// 8 sub-blocks of 32: x = (d s) q - (dmin m), q in 0..15. Sub-blocks 2p and 2p+1 are the low and the high nibbles of qs[32p..].
/// scales holds 8 six-bit s and 8 six-bit m: for j < 4 s is scales[j] & 63 and m scales[4+j] & 63; for j >= 4 the low four bits are the
/// low (s) and high (m) nibble of scales[4+j], the upper two bits 6..7 of scales[j-4] (s) and scales[j] (m).
struct BlockQ4_K {
  Le16 d, dmin;
  uint8_t scales[12], qs[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

/// As q4_k with q in 0..31; the fifth bit of element l of sub-block j is bit j of qh[l].
struct BlockQ5_K {
  Le16 d, dmin;
  uint8_t scales[12], qh[32], qs[128];
};
static_assert(sizeof(BlockQ5_K) == 176);

/// 16 sub-blocks of 16: x = (d s) (q - 32), q in 0..63. Low nibbles: a half of 128 uses ql[64h..]: its first 64 elements are the low
/// nibbles, its last 64 the high ones. Upper two bits: the two-bit order above, in qh.
struct BlockQ6_K {
  uint8_t ql[128], qh[64];
  int8_t scales[16];
  Le16 d;
};
static_assert(sizeof(BlockQ6_K) == 210);

void decode_q2_k(const void* blocks, int64_t n, float* out);
void decode_q3_k(const void* blocks, int64_t n, float* out);
void decode_q4_k(const void* blocks, int64_t n, float* out);
void decode_q5_k(const void* blocks, int64_t n, float* out);
void decode_q6_k(const void* blocks, int64_t n, float* out);

bool encode_q2_k(const float* in, int64_t n, void* blocks);
bool encode_q3_k(const float* in, int64_t n, void* blocks);
bool encode_q4_k(const float* in, int64_t n, void* blocks);
bool encode_q5_k(const float* in, int64_t n, void* blocks);
bool encode_q6_k(const float* in, int64_t n, void* blocks);

}  // namespace mainspring::inline v0
