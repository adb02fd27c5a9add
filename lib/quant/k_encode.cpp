// Encoders of the k-quants: fit each sub-block on its own, round the fitted scales to multiples of the super-block's, then go round:
// neighbouring sub-block scales are tried with the values as they will decode, and the super-block's scale is solved again for all 256.
#include <algorithm>
#include <cmath>

#include "quant/fit.h"
#include "quant/k_quants.h"
#include "quant/k_scales.h"
#include "quant/rows.h"

namespace mainspring::inline v0 {
namespace {

constexpr int kRounds = 2;  // of solving again; a third gains under 0.1 % of the error on random weights

/// Geometry of a format: x = (d s) q - (dmin m) with m = 0 where min_top is 0.
struct KShape {
  int length;     ///< of a sub-block
  Levels q, s;
  int min_top;    ///< m in 0..min_top
};

/// A super-block before it is packed. scale and min are as stored (rounded to f16).
struct KFit {
  Le16 d_bits, dmin_bits;
  float d = 0, dmin = 0;
  int s[16] = {}, m[16] = {}, q[256] = {};
};

/// q of one sub-block for given s and m; returns the squared error.
double requantise(const float* x, const KShape& shape, const KFit& f, int s, int m, int* q) {
  const float scale = f.d * static_cast<float>(s), min = f.dmin * static_cast<float>(m);
  const float inverse = inverse_of(scale);
  double error = 0;
  for (int i = 0; i < shape.length; ++i) {
    q[i] = level_of(x[i] + min, inverse, shape.q);
    const double miss = x[i] - (static_cast<double>(scale) * q[i] - min);
    error += miss * miss;
  }
  return error;
}

/// Tries the neighbours of each sub-block's s and m; returns the super-block's squared error.
double polish(const float* x, const KShape& shape, KFit& f) {
  double total = 0;
  for (int j = 0; j < 256 / shape.length; ++j) {
    const float* sub = x + j * shape.length;
    const int s0 = f.s[j], m0 = f.m[j];
    double least = -1;
    for (int s = std::max(s0 - 1, shape.s.lo); s <= std::min(s0 + 1, shape.s.hi); ++s)
      for (int m = std::max(m0 - 1, 0); m <= std::min(m0 + 1, shape.min_top); ++m) {
        int q[32];
        const double error = requantise(sub, shape, f, s, m, q);
        if (least >= 0 && error >= least) continue;
        least = error;
        f.s[j] = s;
        f.m[j] = m;
        std::copy_n(q, shape.length, f.q + j * shape.length);
      }
    total += least;
  }
  return total;
}

bool store_scales(KFit& f, double d, double dmin) {
  if (!store_f16(static_cast<float>(d), f.d_bits) || !store_f16(static_cast<float>(dmin), f.dmin_bits)) return false;
  f.d = f16_to_f32(f.d_bits);
  f.dmin = f16_to_f32(f.dmin_bits);
  return true;
}

/// d and dmin that fit all 256 best, given s, m and q.
bool solve_again(const float* x, const KShape& shape, KFit& f) {
  double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;  // x = d a - dmin b
  for (int i = 0; i < 256; ++i) {
    const int j = i / shape.length;
    const double a = static_cast<double>(f.s[j]) * f.q[i], b = f.m[j];
    aa += a * a;
    ab += a * b;
    bb += b * b;
    ax += a * x[i];
    bx += b * x[i];
  }
  const double det = aa * bb - ab * ab;
  if (det > 1e-9 * aa * bb) return store_scales(f, (ax * bb - bx * ab) / det, std::max(0.0, (ax * ab - bx * aa) / det));
  if (aa == 0) return true;
  return store_scales(f, (ax + f.dmin * ab) / aa, f.dmin);
}

/// First guess: every sub-block by itself, the greatest scale on the last level.
bool first_fit(const float* x, const KShape& shape, KFit& f) {
  const int subs = 256 / shape.length;
  float scale[16], min[16] = {}, extreme = 0, greatest_min = 0;
  for (int j = 0; j < subs; ++j) {
    const float* sub = x + j * shape.length;
    if (shape.min_top) {
      const ScaleOffset fit = fit_scale_offset(sub, shape.length, shape.q.hi, true);
      scale[j] = fit.scale;
      min[j] = -fit.offset;
    } else {
      scale[j] = fit_scale(sub, shape.length, shape.q);
    }
    if (std::fabs(scale[j]) > std::fabs(extreme)) extreme = scale[j];
    greatest_min = std::max(greatest_min, min[j]);
  }
  // Signed scales: the extreme one goes to the low end, which reaches further.
  const int end = shape.s.lo < 0 ? shape.s.lo : shape.s.hi;
  const float dmin = shape.min_top ? greatest_min / static_cast<float>(shape.min_top) : 0;
  if (!store_scales(f, extreme / static_cast<float>(end), dmin)) return false;
  for (int j = 0; j < subs; ++j) {
    f.s[j] = level_of(scale[j], inverse_of(f.d), shape.s);
    f.m[j] = level_of(min[j], inverse_of(f.dmin), {0, shape.min_top});
  }
  return true;
}

bool fit_super_block(const float* x, const KShape& shape, KFit& best) {
  if (!first_fit(x, shape, best)) return false;
  double least = polish(x, shape, best);
  for (int round = 0; round < kRounds; ++round) {
    KFit next = best;
    if (!solve_again(x, shape, next)) return true;  // what was found before fits
    const double error = polish(x, shape, next);
    if (error >= least) break;
    least = error;
    best = next;
  }
  return true;
}

bool q2_k(const float* x, BlockQ2_K& b) {
  KFit f;
  if (!fit_super_block(x, {16, {0, 3}, {0, 15}, 15}, f)) return false;
  b = {};
  b.d = f.d_bits;
  b.dmin = f.dmin_bits;
  for (int j = 0; j < 16; ++j) b.scales[j] = static_cast<uint8_t>(f.s[j] | f.m[j] << 4);
  for (int i = 0; i < 256; ++i) put_two_bits(b.qs, i, f.q[i]);
  return true;
}

bool q3_k(const float* x, BlockQ3_K& b) {
  KFit f;
  if (!fit_super_block(x, {16, {-4, 3}, {-32, 31}, 0}, f)) return false;
  b = {};
  b.d = f.d_bits;
  for (int j = 0; j < 16; ++j) put_q3_scale(b.scales, j, f.s[j] + 32);
  for (int i = 0; i < 256; ++i) {
    const int q = f.q[i] + 4;
    put_two_bits(b.qs, i, q & 3);
    b.hmask[i % 32] = static_cast<uint8_t>(b.hmask[i % 32] | (q >> 2) << i / 32);
  }
  return true;
}

bool q4_k(const float* x, BlockQ4_K& b) {
  KFit f;
  if (!fit_super_block(x, {32, {0, 15}, {0, 63}, 63}, f)) return false;
  b = {};
  b.d = f.d_bits;
  b.dmin = f.dmin_bits;
  for (int j = 0; j < 8; ++j) put_q4_scale_min(b.scales, j, {f.s[j], f.m[j]});
  for (int i = 0; i < 256; ++i) {
    uint8_t& byte = b.qs[32 * (i / 64) + i % 32];
    byte = static_cast<uint8_t>(byte | f.q[i] << 4 * (i / 32 % 2));
  }
  return true;
}

bool q5_k(const float* x, BlockQ5_K& b) {
  KFit f;
  if (!fit_super_block(x, {32, {0, 31}, {0, 63}, 63}, f)) return false;
  b = {};
  b.d = f.d_bits;
  b.dmin = f.dmin_bits;
  for (int j = 0; j < 8; ++j) put_q4_scale_min(b.scales, j, {f.s[j], f.m[j]});
  for (int i = 0; i < 256; ++i) {
    uint8_t& byte = b.qs[32 * (i / 64) + i % 32];
    byte = static_cast<uint8_t>(byte | (f.q[i] & 15) << 4 * (i / 32 % 2));
    b.qh[i % 32] = static_cast<uint8_t>(b.qh[i % 32] | (f.q[i] >> 4) << i / 32);
  }
  return true;
}

bool q6_k(const float* x, BlockQ6_K& b) {
  KFit f;
  if (!fit_super_block(x, {16, {-32, 31}, {-128, 127}, 0}, f)) return false;
  b = {};
  b.d = f.d_bits;
  for (int j = 0; j < 16; ++j) b.scales[j] = static_cast<int8_t>(f.s[j]);
  for (int i = 0; i < 256; ++i) {
    const int q = f.q[i] + 32, half = i / 128, e = i % 128;
    uint8_t& byte = b.ql[64 * half + e % 64];
    byte = static_cast<uint8_t>(byte | (q & 15) << 4 * (e / 64));
    put_two_bits(b.qh, i, q >> 4);
  }
  return true;
}

}  // namespace

bool encode_q2_k(const float* in, int64_t n, void* blocks) { return fill_blocks<BlockQ2_K, 256>(in, n, blocks, q2_k); }
bool encode_q3_k(const float* in, int64_t n, void* blocks) { return fill_blocks<BlockQ3_K, 256>(in, n, blocks, q3_k); }
bool encode_q4_k(const float* in, int64_t n, void* blocks) { return fill_blocks<BlockQ4_K, 256>(in, n, blocks, q4_k); }
bool encode_q5_k(const float* in, int64_t n, void* blocks) { return fill_blocks<BlockQ5_K, 256>(in, n, blocks, q5_k); }
bool encode_q6_k(const float* in, int64_t n, void* blocks) { return fill_blocks<BlockQ6_K, 256>(in, n, blocks, q6_k); }

}  // namespace mainspring::inline v0
