#include "quant/ternary.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "quant/codes.h"
#include "quant/fit.h"
#include "quant/k_scales.h"
#include "quant/octets.h"
#include "quant/rows.h"

namespace mainspring::inline v0 {
namespace {

constexpr uint64_t kPow3[] = {1, 3, 9, 27, 81};

/// Digit n of each byte of tq1_0, 0..2 for every byte. Every other byte at a time, with room for the products.
uint64_t digits(uint64_t bytes, int n) {
  constexpr uint64_t kEven = 0x00ff00ff00ff00ffu;
  const uint64_t even = (bytes & kEven) * kPow3[n] & kEven, odd = (bytes >> 8 & kEven) * kPow3[n] & kEven;
  return (3 * even >> 8 & kEven) | (3 * odd & ~kEven);
}

/// run(first, byte, count, n): elements from `first` on are digit n of `count` bytes from `byte` on (below 48 in qs, else 48 + the index in qh).
template <class Run>
void each_run(Run run) {
  for (int n = 0; n < 5; ++n) run(32 * n, 0, 32, n);
  for (int n = 0; n < 5; ++n) run(160 + 16 * n, 32, 16, n);
  for (int n = 0; n < 4; ++n) run(240 + 4 * n, 48, 4, n);
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

void split_tq1_0(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockTQ1_0*>(block);
  std::fill_n(scales, 8, f16_to_f32(b.d));
  each_run([&](int first, int byte, int count, int n) {
    if (byte == 48) {
      for (int m = 0; m < 4; ++m) codes[first + m] = static_cast<uint8_t>(digits(b.qh[m], n));
    } else {
      for (int m = 0; m < count; m += 8) store_octet(digits(load_octet(b.qs + byte + m), n), codes + first + m);
    }
  });
}

void split_tq2_0(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockTQ2_0*>(block);
  std::fill_n(scales, 8, f16_to_f32(b.d));
  for (int i = 0; i < 256; i += 8) store_octet(load_octet(b.qs + 32 * (i / 128) + i % 32) >> 2 * (i / 32 % 4) & 3 * kOnes, codes + i);
}

void split_q1_0(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockQ1_0*>(block);
  std::fill_n(scales, 4, f16_to_f32(b.d));
  for (int i = 0; i < 16; ++i) store_octet(kBitMasks.row[b.qs[i]] & 2 * kOnes, codes + 8 * i);
}

bool encode_tq1_0(const float* in, int64_t n, void* blocks) {
  return fill_blocks<BlockTQ1_0, 256>(in, n, blocks, [](const float* x, BlockTQ1_0& b) {
    int t[256];
    if (!encode_ternary(x, b.d, t)) return false;
    unsigned number[52] = {};  // of five digits, the first the greatest; qh lacks the last
    each_run([&](int first, int byte, int count, int place) {
      for (int m = 0; m < count; ++m) number[byte + m] += static_cast<unsigned>(t[first + m]) * static_cast<unsigned>(kPow3[4 - place]);
    });
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
