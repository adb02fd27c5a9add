#include "quant/q8_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "quant/half.h"

namespace mainspring::inline v0 {
namespace {

/// Where the four planes of a block of 32 stand; low is null in q8_rows.
struct Block {
  int8_t *high, *low;
  float *d, *s;
};

void fill(const Block& b, float value) {
  std::fill_n(b.high, 32, int8_t{0});
  if (b.low) std::fill_n(b.low, 32, int8_t{0});
  b.d[0] = b.s[0] = b.s[1] = value;
}

/// Puts round(v) into the planes; returns what they hold.
int put(const Block& b, int i, float v) {
  const int value = static_cast<int>(std::nearbyint(v));
  if (!b.low) {
    b.high[i] = static_cast<int8_t>(value);
    return value;
  }
  const int high = (value + 128) >> 8, low = std::max(value - 256 * high, -127);
  b.high[i] = static_cast<int8_t>(high);
  b.low[i] = static_cast<int8_t>(low);
  return 256 * high + low;
}

void quantise_32(const float* x, const Block& b) {
  const float most = b.low ? 32512.0f : 127.0f;
  uint32_t amax_bits = 0;
  for (int i = 0; i < 32; ++i) amax_bits = std::max(amax_bits, std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
  if (amax_bits >= 0x7f800000u) return fill(b, std::bit_cast<float>(kQ8RowsNanBits));
  if (amax_bits < (b.low ? kQ16RowsLeastBits : kQ8RowsLeastBits)) return fill(b, 0.0f);

  const float amax = std::bit_cast<float>(amax_bits);
  const float inverse = most / amax;
  b.d[0] = amax / most;
  for (int half = 0; half < 2; ++half) {
    int sum = 0;
    for (int i = 16 * half; i < 16 * half + 16; ++i) sum += put(b, i, x[i] * inverse);  // |v| <= most: amax * (most / amax) is within one rounding of it
    b.s[half] = b.d[0] * static_cast<float>(sum);
  }
}

}  // namespace

void quantise_row(DType t, const float* x, int64_t k, void* row) { quantise_blocks(t, x, k, 0, k / 32, row); }

void quantise_blocks(DType t, const float* x, int64_t k, int64_t first, int64_t count, void* row) {
  if (t == DType::bf16) {
    for (int64_t i = 0; i < 32 * count; ++i) static_cast<uint16_t*>(row)[32 * first + i] = f32_to_bf16(x[i]);
    return;
  }
  int8_t* high = static_cast<int8_t*>(row);
  int8_t* low = t == DType::q16_rows ? high + k : nullptr;
  float* d = reinterpret_cast<float*>(high + (low ? 2 * k : k));
  float* s = d + k / 32;
  for (int64_t b = first; b < first + count; ++b, x += 32) quantise_32(x, {high + 32 * b, low ? low + 32 * b : nullptr, d + b, s + 2 * b});
}

void quantise_q8_rows(const float* x, int64_t x_stride, int64_t n_rows, int64_t k, void* rows) {
  for (int64_t r = 0; r < n_rows; ++r) quantise_row(DType::q8_rows, x + r * x_stride, k, static_cast<char*>(rows) + static_cast<size_t>(r) * q8_rows_stride(k));
}

void decode_quantised_row(DType t, const void* row, int64_t k, float* out) {
  const int8_t* high = static_cast<const int8_t*>(row);
  const bool wide = t == DType::q16_rows;
  const float* d = reinterpret_cast<const float*>(high + (wide ? 2 * k : k));
  for (int64_t i = 0; i < k; ++i) out[i] = static_cast<float>(wide ? 256 * high[i] + high[k + i] : high[i]) * d[i / 32];
}

void decode_q8_row(const void* row, int64_t k, float* out) { decode_quantised_row(DType::q8_rows, row, k, out); }

}  // namespace mainspring::inline v0
