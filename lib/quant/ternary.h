// One scale and one or two bits a weight: ternary (tq1_0, tq2_0) and binary (q1_0) weights.
// In: rows of blocks, at any address. Out: f32. Contract of decode_* and encode_*: see quant.h.
#pragma once

#include "quant/half.h"

namespace mainspring::inline v0 {

/// 256 weights: x = d (t - 1), t in 0..2, five base-3 digits a byte. A byte b stands for the fraction b / 256: digit n is the n-th place
/// after the point, ((b 3^n mod 256) 3) >> 8. Elements 0..159: digit n of qs[m] is element 32n + m. 160..239: digit n of qs[32 + m] is
/// 160 + 16n + m. 240..255: digit n (of four) of qh[m] is 240 + 4n + m.
struct BlockTQ1_0 {
  uint8_t qs[48], qh[4];
  Le16 d;
};
static_assert(sizeof(BlockTQ1_0) == 54);

/// 256 weights: x = d (q - 1), q in 0..3 (encoders keep to 0..2); element l of run r of half h is bits 2r.. of qs[32h + l].
struct BlockTQ2_0 {
  uint8_t qs[64];
  Le16 d;
};
static_assert(sizeof(BlockTQ2_0) == 66);

/// 128 weights: x = d where bit i%8 of qs[i/8] is set, else -d.
struct BlockQ1_0 {
  Le16 d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ1_0) == 18);

void decode_tq1_0(const void* blocks, int64_t n, float* out);
void decode_tq2_0(const void* blocks, int64_t n, float* out);
void decode_q1_0(const void* blocks, int64_t n, float* out);

bool encode_tq1_0(const float* in, int64_t n, void* blocks);
bool encode_tq2_0(const float* in, int64_t n, void* blocks);
bool encode_q1_0(const float* in, int64_t n, void* blocks);

}  // namespace mainspring::inline v0
