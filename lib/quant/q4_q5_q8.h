// The plain formats: 32 weights share one f16 scale d (and in the _1 formats an f16 offset m).
// In: rows of blocks, at any address. Out: f32. Contract of decode_* and encode_*: see quant.h.
#pragma once

#include "quant/half.h"

namespace mainspring::inline v0 {

// Nibbles: element i < 16 is the low half of qs[i], element i + 16 its high half. The fifth bit of element i is bit i of qh (little-endian).

/// x = d (q - 8), q in 0..15.
struct BlockQ4_0 {
  Le16 d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

/// x = d q + m, q in 0..15.
struct BlockQ4_1 {
  Le16 d, m;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_1) == 20);

/// x = d (q - 16), q in 0..31.
struct BlockQ5_0 {
  Le16 d;
  uint8_t qh[4], qs[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

/// x = d q + m, q in 0..31.
struct BlockQ5_1 {
  Le16 d, m;
  uint8_t qh[4], qs[16];
};
static_assert(sizeof(BlockQ5_1) == 24);

/// x = d q, q in -128..127 (encoders keep to -127..127), in order.
struct BlockQ8_0 {
  Le16 d;
  int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

void decode_q4_0(const void* blocks, int64_t n, float* out);
void decode_q4_1(const void* blocks, int64_t n, float* out);
void decode_q5_0(const void* blocks, int64_t n, float* out);
void decode_q5_1(const void* blocks, int64_t n, float* out);
void decode_q8_0(const void* blocks, int64_t n, float* out);

bool encode_q4_0(const float* in, int64_t n, void* blocks);
bool encode_q4_1(const float* in, int64_t n, void* blocks);
bool encode_q5_0(const float* in, int64_t n, void* blocks);
bool encode_q5_1(const float* in, int64_t n, void* blocks);
bool encode_q8_0(const float* in, int64_t n, void* blocks);

}  // namespace mainspring::inline v0
