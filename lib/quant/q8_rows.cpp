#include "quant/q8_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mainspring::inline v0 {
namespace {

void fill(int8_t* q, float* d, float* s, float value) {
  std::fill_n(q, 32, int8_t{0});
  d[0] = s[0] = s[1] = value;
}

void quantise_32(const float* x, int8_t* q, float* d, float* s) {
  uint32_t amax_bits = 0;
  for (int i = 0; i < 32; ++i) amax_bits = std::max(amax_bits, std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
  if (amax_bits >= 0x7f800000u) return fill(q, d, s, std::bit_cast<float>(kQ8RowsNanBits));
  if (amax_bits < kQ8RowsLeastBits) return fill(q, d, s, 0.0f);

  const float amax = std::bit_cast<float>(amax_bits);
  const float inverse = 127.0f / amax;
  d[0] = amax / 127.0f;
  for (int half = 0; half < 2; ++half) {
    int sum = 0;
    for (int i = 16 * half; i < 16 * half + 16; ++i) {
      const int v = static_cast<int>(std::nearbyint(x[i] * inverse));  // |v| <= 127: amax * (127 / amax) is within one rounding of 127
      q[i] = static_cast<int8_t>(v);
      sum += v;
    }
    s[half] = d[0] * static_cast<float>(sum);
  }
}

}  // namespace

void quantise_q8_rows(const float* x, int64_t x_stride, int64_t n_rows, int64_t k, void* rows) {
  for (int64_t r = 0; r < n_rows; ++r) {
    char* row = static_cast<char*>(rows) + static_cast<size_t>(r) * q8_rows_stride(k);
    int8_t* q = reinterpret_cast<int8_t*>(row);
    float* d = reinterpret_cast<float*>(row + q8_rows_d(k));
    float* s = reinterpret_cast<float*>(row + q8_rows_s(k));
    for (int64_t b = 0; b < k / 32; ++b) quantise_32(x + r * x_stride + 32 * b, q + 32 * b, d + b, s + 2 * b);
  }
}

void decode_q8_row(const void* row, int64_t k, float* out) {
  const int8_t* q = static_cast<const int8_t*>(row);
  const float* d = reinterpret_cast<const float*>(q + q8_rows_d(k));
  for (int64_t i = 0; i < k; ++i) out[i] = static_cast<float>(q[i]) * d[i / 32];
}

}  // namespace mainspring::inline v0
