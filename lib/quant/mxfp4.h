// MXFP4 (OCP Microscaling Formats 1.0): 32 weights of four bits (E2M1) share a power of two (E8M0).
// In: rows of blocks, at any address. Out: f32. Contract of decode_mxfp4 and encode_mxfp4: see quant.h.
#pragma once

#include <bit>
#include <cstdint>

namespace mainspring::inline v0 {

/// x = 2^(e-127) v, v = 0, 0.5, 1, 1.5, 2, 3, 4, 6 and, with the nibble's top bit, their negatives. Element i < 16 is the low half of
/// qs[i], element i + 16 its high half. e = 255, NaN in the standard, is 2^128 here as in every GGUF reader: the values stay defined.
struct BlockMXFP4 {
  uint8_t e, qs[16];
};
static_assert(sizeof(BlockMXFP4) == 17);

extern const int8_t kMxfp4Values[16];  ///< 2v, so that kernels can stay with integers

/// 2^(e-128), the factor of kMxfp4Values; finite for every e, subnormal for e < 2.
constexpr float mxfp4_half_scale(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

void decode_mxfp4(const void* blocks, int64_t n, float* out);
bool encode_mxfp4(const float* in, int64_t n, void* blocks);

}  // namespace mainspring::inline v0
