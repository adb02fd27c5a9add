// Integer products, for machines without a file of their own: what the others must equal, to the bit.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/kernels/igemm/igemm_args.h"

namespace mainspring::inline v0 {
namespace {

int16_t element_of(const std::byte* row, int64_t i) {
  int16_t v;
  std::memcpy(&v, row + 2 * i, 2);
  return v;
}

template <class Lane>
void run(const IgemmArgs& a) {
  for (int64_t r = 0; r < a.row_count; ++r)
    for (int64_t p = 0; p < a.panels; ++p) {
      uint32_t sums[kIgemmLanes] = {};
      for (int64_t q = 0; q < a.quads; ++q) {
        const std::byte* at = a.lanes + p * a.panel_bytes + (a.offsets ? a.offsets[q] : q * kIgemmQuadBytes);
        for (int64_t j = 0; j < 4; ++j) {
          const int32_t x = element_of(a.rows + r * a.row_bytes, 4 * q + j);
          for (int64_t o = 0; o < kIgemmLanes; ++o) sums[o] += static_cast<uint32_t>(x * static_cast<Lane>(at[4 * o + j]));
        }
      }
      std::memcpy(a.y + r * a.y_stride + p * kIgemmLanes, sums, sizeof sums);
    }
}

/// value(i) as a prepared row of i16, zeros up to whole quads.
template <class Value>
int32_t put_row(std::byte* out, int64_t n, Value value) {
  int32_t sum = 0;
  for (int64_t i = 0; i < (n + 3) / 4 * 4; ++i) {
    const int16_t v = i < n ? value(i) : int16_t{0};
    std::memcpy(out + 2 * i, &v, 2);
    sum += v;
  }
  return sum;
}

int32_t row(const IgemmRow& a) {
  return put_row(a.out, a.n, [&](int64_t i) { return static_cast<int16_t>(static_cast<uint8_t>(a.x[i]) ^ a.flip); });
}

uint8_t quantized(const IgemmQuantize& a, int64_t i) {
  const float q = a.x[i] / a.scale, zero = static_cast<float>(a.zero);
  if (q != q) return static_cast<uint8_t>(a.zero);
  return static_cast<uint8_t>(std::nearbyint(std::clamp(q, 0.0f - zero, 255.0f - zero)) + zero);
}
int32_t quantize(const IgemmQuantize& a) {
  return put_row(a.out, a.n, [&](int64_t i) { return static_cast<int16_t>(quantized(a, i)); });
}
void bytes(const IgemmQuantize& a) {
  for (int64_t i = 0; i < a.n; ++i) a.out[i] = static_cast<std::byte>(quantized(a, i) ^ a.flip);
}
void dequantize(const IgemmDequantize& a) {
  for (int64_t i = 0; i < a.n; ++i) a.y[i] = static_cast<float>((static_cast<uint8_t>(a.x[i]) ^ a.flip) - a.zero) * a.scale;
}
void interleave(const IgemmInterleave& a) {
  for (int64_t i = 0; i < a.n; ++i)
    for (int64_t j = 0; j < 4; ++j) a.out[4 * i + j] = a.rows[j][i];
}

int32_t corrected(const IgemmFinish& a, int64_t i) {
  uint32_t v = static_cast<uint32_t>(a.sums[i]) + static_cast<uint32_t>(a.constant);
  if (a.factor != 0) v -= static_cast<uint32_t>(a.factor) * static_cast<uint32_t>(a.lane_sums[i]);
  if (a.lane_zeros) v += static_cast<uint32_t>(a.row_factor) * static_cast<uint32_t>(a.lane_zeros[i]);
  return static_cast<int32_t>(v);
}
float scaled(const IgemmFinish& a, int64_t i) {
  const float v = static_cast<float>(corrected(a, i)) * (a.scales ? a.scale * a.scales[i] : a.scale) + a.offset;
  return a.bias ? v + a.bias[i] : v;
}

void finish_i32(const IgemmFinish& a) {
  for (int64_t i = 0; i < a.n; ++i) static_cast<int32_t*>(a.y)[i] = corrected(a, i);
}
void finish_f32(const IgemmFinish& a) {
  for (int64_t i = 0; i < a.n; ++i) static_cast<float*>(a.y)[i] = scaled(a, i);
}
void finish_bytes(const IgemmFinish& a) {
  const auto low = static_cast<float>(a.low - a.zero), high = static_cast<float>(a.high - a.zero);
  for (int64_t i = 0; i < a.n; ++i) {
    const float v = scaled(a, i);
    static_cast<uint8_t*>(a.y)[i] = static_cast<uint8_t>(static_cast<int32_t>(std::nearbyint(std::min(v > low ? v : low, high))) + a.zero);
  }
}

void range(IgemmRange& a) {
  a.least = a.most = 0;
  for (int64_t i = 0; i < a.n; ++i) {
    if (a.x[i] < a.least) a.least = a.x[i];
    if (a.x[i] > a.most) a.most = a.x[i];
  }
}

}  // namespace

extern const IgemmIsa igemm_scalar;
const IgemmIsa igemm_scalar = {run<int8_t>, run<uint8_t>, row, quantize, bytes, dequantize, interleave, finish_i32, finish_f32, finish_bytes, range};
}  // namespace mainspring::inline v0
