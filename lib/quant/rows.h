// Internal to lib/quant: the loop over a row's blocks, shared by all codecs. Blocks are PODs of alignment 1, so any address will do.
#pragma once

#include <cmath>
#include <cstdint>

namespace mainspring::inline v0 {

/// one(block, out) for each whole block of N elements.
template <class Block, int N, class One>
void for_blocks(const void* blocks, int64_t n, float* out, One one) {
  static_assert(alignof(Block) == 1);
  const Block* b = static_cast<const Block*>(blocks);
  for (int64_t i = 0; i < n / N; ++i) one(b[i], out + i * N);
}

/// one(in, block) -> bool for each block; false at the first refusal, for a length that is no multiple of N, and for a value that is not finite.
template <class Block, int N, class One>
bool fill_blocks(const float* in, int64_t n, void* blocks, One one) {
  static_assert(alignof(Block) == 1);
  if (n < 0 || n % N != 0) return false;
  Block* b = static_cast<Block*>(blocks);
  for (int64_t i = 0; i < n / N; ++i) {
    for (int64_t j = 0; j < N; ++j)
      if (!std::isfinite(in[i * N + j])) return false;
    if (!one(in + i * N, b[i])) return false;
  }
  return true;
}

}  // namespace mainspring::inline v0
