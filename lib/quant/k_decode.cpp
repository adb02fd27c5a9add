#include "quant/k_quants.h"
#include "quant/k_scales.h"
#include "quant/rows.h"

namespace mainspring::inline v0 {
namespace {

void q2_k(const BlockQ2_K& b, float* out) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int i = 0; i < 256; ++i) {
    const int s = b.scales[i / 16];
    const float scale = d * static_cast<float>(s & 15), min = dmin * static_cast<float>(s >> 4);
    out[i] = scale * static_cast<float>(two_bits(b.qs, i)) - min;
  }
}

void q3_k(const BlockQ3_K& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 256; ++i) {
    const float scale = d * static_cast<float>(q3_scale(b.scales, i / 16) - 32);
    const int third = b.hmask[i % 32] >> i / 32 & 1;
    out[i] = scale * static_cast<float>((two_bits(b.qs, i) | third << 2) - 4);
  }
}

void q4_k(const BlockQ4_K& b, float* out) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int j = 0; j < 8; ++j) {
    const ScaleMin sm = q4_scale_min(b.scales, j);
    const float scale = d * static_cast<float>(sm.scale), min = dmin * static_cast<float>(sm.min);
    for (int l = 0; l < 32; ++l) {
      const int q = b.qs[32 * (j / 2) + l] >> 4 * (j % 2) & 15;
      out[32 * j + l] = scale * static_cast<float>(q) - min;
    }
  }
}

void q5_k(const BlockQ5_K& b, float* out) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int j = 0; j < 8; ++j) {
    const ScaleMin sm = q4_scale_min(b.scales, j);
    const float scale = d * static_cast<float>(sm.scale), min = dmin * static_cast<float>(sm.min);
    for (int l = 0; l < 32; ++l) {
      const int q = (b.qs[32 * (j / 2) + l] >> 4 * (j % 2) & 15) | (b.qh[l] >> j & 1) << 4;
      out[32 * j + l] = scale * static_cast<float>(q) - min;
    }
  }
}

void q6_k(const BlockQ6_K& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, e = i % 128;
    const int low = b.ql[64 * half + e % 64] >> 4 * (e / 64) & 15;
    out[i] = d * static_cast<float>(b.scales[i / 16]) * static_cast<float>((low | two_bits(b.qh, i) << 4) - 32);
  }
}

}  // namespace

void decode_q2_k(const void* blocks, int64_t n, float* out) { for_blocks<BlockQ2_K, 256>(blocks, n, out, q2_k); }
void decode_q3_k(const void* blocks, int64_t n, float* out) { for_blocks<BlockQ3_K, 256>(blocks, n, out, q3_k); }
void decode_q4_k(const void* blocks, int64_t n, float* out) { for_blocks<BlockQ4_K, 256>(blocks, n, out, q4_k); }
void decode_q5_k(const void* blocks, int64_t n, float* out) { for_blocks<BlockQ5_K, 256>(blocks, n, out, q5_k); }
void decode_q6_k(const void* blocks, int64_t n, float* out) { for_blocks<BlockQ6_K, 256>(blocks, n, out, q6_k); }

}  // namespace mainspring::inline v0
