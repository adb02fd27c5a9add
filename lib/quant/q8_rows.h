// Activations in int8: DType::q8_rows. In: a row of k floats, k a positive multiple of 32. Out: one row of planes, q8_rows_stride(k) bytes,
//   int8  q[k]        x / d, rounded to nearest even, -127..127
//   float d[k / 32]   scale of each 32
//   float s[k / 16]   d * (sum of the 16 q's): what formats with a min or an offset multiply it with
// then padding to 64 bytes that nothing writes or reads. A row is aligned to 64. Rows do not depend on each other.
// The functions here are the reference; a fast kernel must give the same bits in q, d and s, on every input. To the letter, for each 32:
//   amax  the greatest of the bit patterns of x with the sign bit cleared, compared as integers (so that a NaN is never lost)
//   amax not finite: every q is 0, d and both s are the NaN 0x7fc00000: a bad activation poisons what it meets instead of hiding
//   amax < 2^-118:   every q is 0, d and both s are +0: below, 127 / amax would overflow; what is above keeps d a normal number, so that
//                    modes that flush subnormals change nothing
//   else             d = amax / 127, id = 127 / amax, q = round_even(x * id), each operation rounded on its own (no reciprocal estimates, no
//                    FMA); s = d * float(sum of 16 q), the sum exact. s may overflow to infinity where amax > 2^124.
//
// DType::q16_rows, the same in int16, for the few layers where eight bits cost most: planes
//   int8  high[k], low[k]   v = 256 * high + low = x / d, rounded to nearest even; low -127..127 (where it would be -128, v is one more)
//   float d[k / 32], s[k / 16]   as above, with sums of v
// d = amax / 32512, id = 32512 / amax (32512 = 127 * 256); zero below 2^-110 instead of 2^-118, so that d stays a normal number.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mainspring/types.h"

namespace mainspring::inline v0 {

/// Smallest amax of a block that is not taken as zero: 2^-118, as a float's bits.
inline constexpr uint32_t kQ8RowsLeastBits = (127u - 118u) << 23;
inline constexpr uint32_t kQ8RowsNanBits = 0x7fc00000u;

inline constexpr uint32_t kQ16RowsLeastBits = (127u - 110u) << 23;

/// Bytes from row to row of q8_rows or q16_rows: 1 or 2 planes of k, k/8, k/4, rounded up to 64.
constexpr size_t quantised_row_bytes(DType t, int64_t k) {
  return (static_cast<size_t>(t == DType::q16_rows ? 2 * k : k) + static_cast<size_t>(k) / 8 + static_cast<size_t>(k) / 4 + 63) / 64 * 64;
}
constexpr size_t q8_rows_stride(int64_t k) { return quantised_row_bytes(DType::q8_rows, k); }
/// Byte offset of plane d, and of plane s, in a row.
constexpr size_t q8_rows_d(int64_t k) { return static_cast<size_t>(k); }
constexpr size_t q8_rows_s(int64_t k) { return static_cast<size_t>(k) + static_cast<size_t>(k) / 8; }

/// What the activations of a linear layer may be lowered to: q8_rows, q16_rows, and plain bf16.
constexpr bool is_lowered_rows(DType t) { return is_quantised_rows(t) || t == DType::bf16; }
constexpr int64_t lowered_row_bytes(DType t, int64_t k) { return t == DType::bf16 ? 2 * k : static_cast<int64_t>(quantised_row_bytes(t, k)); }

/// n_rows rows of k floats, x_stride floats apart, to rows q8_rows_stride(k) bytes apart.
void quantise_q8_rows(const float* x, int64_t x_stride, int64_t n_rows, int64_t k, void* rows);

/// One row of k floats to a row of q8_rows, q16_rows or bf16 (half.h says how that rounds).
void quantise_row(DType t, const float* x, int64_t k, void* row);
/// Its blocks [first, first + count) of 32 alone; x[0] is the first of these blocks' floats.
void quantise_blocks(DType t, const float* x, int64_t k, int64_t first, int64_t count, void* row);

/// One row back to k floats: x = q * d, or v * d.
void decode_q8_row(const void* row, int64_t k, float* out);
void decode_quantised_row(DType t, const void* row, int64_t k, float* out);

}  // namespace mainspring::inline v0
