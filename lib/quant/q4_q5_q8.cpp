#include "quant/q4_q5_q8.h"

#include <algorithm>
#include <cmath>

#include "quant/fit.h"
#include "quant/rows.h"

namespace mainspring::inline v0 {
namespace {

int nibble(const uint8_t* qs, int i) { return i < 16 ? qs[i] & 15 : qs[i - 16] >> 4; }
int fifth(const uint8_t* qh, int i) { return (qh[i / 8] >> i % 8 & 1) << 4; }

/// Set element i; the bytes must be zero before.
void put_nibble(uint8_t* qs, int i, int q) { qs[i % 16] = static_cast<uint8_t>(qs[i % 16] | (q & 15) << 4 * (i / 16)); }
void put_fifth(uint8_t* qh, int i, int q) { qh[i / 8] = static_cast<uint8_t>(qh[i / 8] | (q >> 4 & 1) << i % 8); }

bool encode_affine(const float* x, int top, Le16& d, Le16& m, int* q) {
  const ScaleOffset fit = fit_scale_offset(x, 32, top, false);
  if (!store_f16(fit.scale, d) || !store_f16(fit.offset, m)) return false;
  const float inverse = inverse_of(f16_to_f32(d)), offset = f16_to_f32(m);
  for (int i = 0; i < 32; ++i) q[i] = level_of(x[i] - offset, inverse, {0, top});
  return true;
}

/// q in 0..-2 lo - 1, that is with the offset that is stored.
bool encode_symmetric(const float* x, int lo, Le16& d, int* q) {
  if (!store_f16(fit_scale(x, 32, {lo, -lo - 1}), d)) return false;
  const float inverse = inverse_of(f16_to_f32(d));
  for (int i = 0; i < 32; ++i) q[i] = level_of(x[i], inverse, {lo, -lo - 1}) - lo;
  return true;
}

}  // namespace

void decode_q4_0(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockQ4_0, 32>(blocks, n, out, [](const BlockQ4_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(nibble(b.qs, i) - 8);
  });
}

void decode_q4_1(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockQ4_1, 32>(blocks, n, out, [](const BlockQ4_1& b, float* y) {
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(nibble(b.qs, i)) + m;
  });
}

void decode_q5_0(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockQ5_0, 32>(blocks, n, out, [](const BlockQ5_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>((nibble(b.qs, i) | fifth(b.qh, i)) - 16);
  });
}

void decode_q5_1(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockQ5_1, 32>(blocks, n, out, [](const BlockQ5_1& b, float* y) {
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(nibble(b.qs, i) | fifth(b.qh, i)) + m;
  });
}

void decode_q8_0(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockQ8_0, 32>(blocks, n, out, [](const BlockQ8_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(b.qs[i]);
  });
}

bool encode_q4_0(const float* in, int64_t n, void* blocks) {
  return fill_blocks<BlockQ4_0, 32>(in, n, blocks, [](const float* x, BlockQ4_0& b) {
    int q[32];
    b = {};
    if (!encode_symmetric(x, -8, b.d, q)) return false;
    for (int i = 0; i < 32; ++i) put_nibble(b.qs, i, q[i]);
    return true;
  });
}

bool encode_q4_1(const float* in, int64_t n, void* blocks) {
  return fill_blocks<BlockQ4_1, 32>(in, n, blocks, [](const float* x, BlockQ4_1& b) {
    int q[32];
    b = {};
    if (!encode_affine(x, 15, b.d, b.m, q)) return false;
    for (int i = 0; i < 32; ++i) put_nibble(b.qs, i, q[i]);
    return true;
  });
}

bool encode_q5_0(const float* in, int64_t n, void* blocks) {
  return fill_blocks<BlockQ5_0, 32>(in, n, blocks, [](const float* x, BlockQ5_0& b) {
    int q[32];
    b = {};
    if (!encode_symmetric(x, -16, b.d, q)) return false;
    for (int i = 0; i < 32; ++i) put_nibble(b.qs, i, q[i]), put_fifth(b.qh, i, q[i]);
    return true;
  });
}

bool encode_q5_1(const float* in, int64_t n, void* blocks) {
  return fill_blocks<BlockQ5_1, 32>(in, n, blocks, [](const float* x, BlockQ5_1& b) {
    int q[32];
    b = {};
    if (!encode_affine(x, 31, b.d, b.m, q)) return false;
    for (int i = 0; i < 32; ++i) put_nibble(b.qs, i, q[i]), put_fifth(b.qh, i, q[i]);
    return true;
  });
}

bool encode_q8_0(const float* in, int64_t n, void* blocks) {
  // No search: with 255 levels it gains less than a percent of an error that nobody sees.
  return fill_blocks<BlockQ8_0, 32>(in, n, blocks, [](const float* x, BlockQ8_0& b) {
    float amax = 0;
    for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(x[i]));
    if (!store_f16(amax / 127.0f, b.d)) return false;
    const float inverse = inverse_of(f16_to_f32(b.d));
    for (int i = 0; i < 32; ++i) b.qs[i] = static_cast<int8_t>(level_of(x[i], inverse, {-127, 127}));
    return true;
  });
}

}  // namespace mainspring::inline v0
