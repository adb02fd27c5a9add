// What the softmax of attention is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// One query against a block of keys. In: q·k of the first n. Out: w = scale * q·k, or softcap * tanh(scale * q·k / softcap), plus the mask, as
/// exp(w - top), and 0 for the keys from n on. `top` and `sum` are of this block and all before it.
struct AttendRow {
  float* scores;      ///< [padded], at a multiple of 64 bytes
  int64_t n;          ///< keys that the query may see
  int64_t padded;     ///< n <= padded, a multiple of 16
  const float* mask;  ///< null, or [n]
  float scale;
  float softcap;      ///< 0: none
  float* top;         ///< largest w, -inf before the first block
  float* sum;         ///< sum of exp(w - top), 0 before the first block
};

/// The functions of one instruction set, a table that its ISA file defines.
struct AttendIsa {
  /// Returns the factor by which the results of the blocks before must be scaled.
  float (*soften)(const AttendRow&);
  /// out[i] = seen[i] ? 0 : -inf
  void (*mask_of)(const uint8_t* seen, int64_t n, float* out);
};

}  // namespace mainspring::inline v0
