// Internal to lib/quant: eight codes of a byte each at a time. Nothing here carries from byte to byte.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "quant/iq_grids.h"

namespace mainspring::inline v0 {

inline constexpr uint64_t kOnes = 0x0101010101010101u;  ///< times v < 256: eight v

/// Row b: byte j is 0xff where bit j of b is set, else 0.
constexpr Grid<uint64_t, 256> make_bit_masks() {
  Grid<uint64_t, 256> g{};
  for (unsigned b = 0; b < 256; ++b)
    for (unsigned j = 0; j < 8; ++j)
      if (b >> j & 1) g.row[b] |= uint64_t{0xff} << 8 * j;
  return g;
}
inline constexpr Grid<uint64_t, 256> kBitMasks = make_bit_masks();

inline uint64_t load_octet(const uint8_t* p) {
  uint64_t v = 0;
  if constexpr (std::endian::native == std::endian::little) std::memcpy(&v, p, 8);
  else for (int j = 0; j < 8; ++j) v |= uint64_t{p[j]} << 8 * j;
  return v;
}
inline void store_octet(uint64_t v, uint8_t* p) {
  if constexpr (std::endian::native == std::endian::little) std::memcpy(p, &v, 8);
  else for (int j = 0; j < 8; ++j) p[j] = static_cast<uint8_t>(v >> 8 * j);
}

}  // namespace mainspring::inline v0
