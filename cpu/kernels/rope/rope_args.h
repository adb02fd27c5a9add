// What a rope kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// Rotates the first 2 * pairs elements of each head of one row; the others are copied. y may be x, but must not overlap it otherwise.
struct RopeRow {
  const float* x;     ///< [heads, d]
  float* y;           ///< [heads, d]
  int64_t heads, d, pairs;
  bool neox;          ///< pairs are (i, i + pairs), else (2i, 2i + 1)
  const float* table; ///< from `angles`
};

struct RopeIsa {
  /// Writes rope_table_floats(pairs) floats: cosines and sines of position * step[i] turns / 2^64, times `magnitude`.
  void (*angles)(const uint64_t* steps, int64_t pairs, int32_t position, float magnitude, bool neox, float* table);
  void (*rotate)(const RopeRow&);
};

constexpr int64_t rope_table_floats(int64_t pairs) { return 4 * ((pairs + 15) / 16 * 16); }

}  // namespace mainspring::inline v0
