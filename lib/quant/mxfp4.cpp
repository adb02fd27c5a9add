#include "quant/mxfp4.h"

#include <algorithm>
#include <cmath>

#include "quant/rows.h"

namespace mainspring::inline v0 {

constexpr int8_t kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

namespace {

/// Code of the magnitude nearest to a >= 0, in units of kMxfp4Values.
int magnitude_code(float a) {
  constexpr float upper[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5.0f, 7.0f, 10.0f};  // half-way to the next
  return static_cast<int>(std::lower_bound(upper, upper + 7, a) - upper);
}

/// Codes for one exponent; returns the squared error.
double encode_at(const float* x, int e, int* codes) {
  const float d = mxfp4_half_scale(static_cast<uint8_t>(e));
  double error = 0;
  for (int i = 0; i < 32; ++i) {
    const int code = magnitude_code(std::fabs(x[i]) / d);
    codes[i] = x[i] < 0 && code ? code + 8 : code;
    // As it will decode: near the end of f32 the next value up may be infinite, and then so is the error.
    const double miss = static_cast<double>(x[i]) - d * static_cast<float>(kMxfp4Values[codes[i]]);
    error += miss * miss;
  }
  return error;
}

bool encode_block(const float* x, BlockMXFP4& b) {
  float amax = 0;
  for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(x[i]));
  int exponent = 0;
  std::frexp(amax, &exponent);
  // The standard's choice puts amax into [4, 8), above 6 clipped. One more or one less is often better for the block as a whole.
  const int usual = amax > 0 ? exponent - 1 - 2 + 127 : 0;
  double least = -1;
  for (int e = usual - 1; e <= usual + 1; ++e) {
    if (e < 0 || e > 254) continue;
    int codes[32];
    const double error = encode_at(x, e, codes);
    if (least >= 0 && error >= least) continue;
    least = error;
    b.e = static_cast<uint8_t>(e);
    for (int i = 0; i < 16; ++i) b.qs[i] = static_cast<uint8_t>(codes[i] | codes[i + 16] << 4);
  }
  if (least >= 0) return true;
  b = {};  // so small that every exponent of the format is too great: zeros
  return true;
}

}  // namespace

bool encode_mxfp4(const float* in, int64_t n, void* blocks) { return fill_blocks<BlockMXFP4, 32>(in, n, blocks, encode_block); }

void decode_mxfp4(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockMXFP4, 32>(blocks, n, out, [](const BlockMXFP4& b, float* y) {
    const float d = mxfp4_half_scale(b.e);
    for (int i = 0; i < 16; ++i) {
      y[i] = d * static_cast<float>(kMxfp4Values[b.qs[i] & 15]);
      y[i + 16] = d * static_cast<float>(kMxfp4Values[b.qs[i] >> 4]);
    }
  });
}

}  // namespace mainspring::inline v0
