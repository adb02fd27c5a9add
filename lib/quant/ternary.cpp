#include "quant/ternary.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "quant/fit.h"
#include "quant/k_scales.h"
#include "quant/rows.h"

namespace mainspring::inline v0 {
namespace {

constexpr unsigned kPow3[] = {1, 3, 9, 27, 81};

/// Digit n of a tq1_0 byte, 0..2 for every byte.
int digit(uint8_t byte, int n) { return static_cast<int>((byte * kPow3[n] & 0xff) * 3 >> 8); }

/// Byte and digit of element i.
struct Place {
  int byte;  ///< below 48: qs, else 48 + index in qh
  int n;
};
Place place_of(int i) {
  if (i < 160) return {i % 32, i / 32};
  if (i < 240) return {32 + i % 16, (i - 160) / 16};
  return {48 + i % 4, (i - 240) / 4};
}

/// The d that leaves the least squared error when each x goes to -d, 0 or d: the mean of the k greatest magnitudes, for the k that
/// maximises (their sum)^2 / k. Weights that are ternary already keep their scale exactly.
float ternary_scale(const float* x) {
  float a[256];
  std::transform(x, x + 256, a, [](float v) { return std::fabs(v); });
  std::sort(a, a + 256, std::greater<float>());
  double sum = 0, best = 0, scale = 0;
  for (int k = 1; k <= 256; ++k) {
    sum += a[k - 1];
    if (sum * sum > best * k) best = sum * sum / k, scale = sum / k;
  }
  return static_cast<float>(scale);
}

/// Digits 0..2.
bool encode_ternary(const float* x, Le16& d, int* t) {
  if (!store_f16(ternary_scale(x), d)) return false;
  const float inverse = inverse_of(f16_to_f32(d));
  for (int i = 0; i < 256; ++i) t[i] = level_of(x[i], inverse, {-1, 1}) + 1;
  return true;
}

}  // namespace

void decode_tq1_0(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockTQ1_0, 256>(blocks, n, out, [](const BlockTQ1_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 256; ++i) {
      const Place p = place_of(i);
      y[i] = d * static_cast<float>(digit(p.byte < 48 ? b.qs[p.byte] : b.qh[p.byte - 48], p.n) - 1);
    }
  });
}

void decode_tq2_0(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockTQ2_0, 256>(blocks, n, out, [](const BlockTQ2_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 256; ++i) y[i] = d * static_cast<float>(two_bits(b.qs, i) - 1);
  });
}

void decode_q1_0(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockQ1_0, 128>(blocks, n, out, [](const BlockQ1_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 128; ++i) y[i] = b.qs[i / 8] >> i % 8 & 1 ? d : -d;
  });
}

bool encode_tq1_0(const float* in, int64_t n, void* blocks) {
  return fill_blocks<BlockTQ1_0, 256>(in, n, blocks, [](const float* x, BlockTQ1_0& b) {
    int t[256];
    if (!encode_ternary(x, b.d, t)) return false;
    unsigned number[52] = {};  // of five digits, the first the greatest; qh lacks the last
    for (int i = 0; i < 256; ++i) {
      const Place p = place_of(i);
      number[p.byte] += static_cast<unsigned>(t[i]) * kPow3[4 - p.n];
    }
    // number / 243 as a fraction of 256, rounded up so that no digit falls short.
    auto fraction = [&](int i) { return static_cast<uint8_t>((number[i] * 256 + 242) / 243); };
    for (int i = 0; i < 48; ++i) b.qs[i] = fraction(i);
    for (int i = 0; i < 4; ++i) b.qh[i] = fraction(48 + i);
    return true;
  });
}

bool encode_tq2_0(const float* in, int64_t n, void* blocks) {
  return fill_blocks<BlockTQ2_0, 256>(in, n, blocks, [](const float* x, BlockTQ2_0& b) {
    int t[256];
    b = {};
    if (!encode_ternary(x, b.d, t)) return false;
    for (int i = 0; i < 256; ++i) put_two_bits(b.qs, i, t[i]);
    return true;
  });
}

bool encode_q1_0(const float* in, int64_t n, void* blocks) {
  return fill_blocks<BlockQ1_0, 128>(in, n, blocks, [](const float* x, BlockQ1_0& b) {
    b = {};
    double sum = 0;
    for (int i = 0; i < 128; ++i) {
      sum += std::fabs(x[i]);
      if (x[i] >= 0) b.qs[i / 8] = static_cast<uint8_t>(b.qs[i / 8] | 1 << i % 8);
    }
    return store_f16(static_cast<float>(sum / 128), b.d);  // the mean magnitude is the least-squares scale
  });
}

}  // namespace mainspring::inline v0
