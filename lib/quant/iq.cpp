#include "quant/iq.h"

#include "quant/codes.h"
#include "quant/iq_grids.h"
#include "quant/octets.h"
#include "quant/rows.h"

namespace mainspring::inline v0 {
namespace {

uint32_t word32(const uint8_t* p) {
  return uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
}
int nibble(const uint8_t* p, int i) { return p[i / 2] >> 4 * (i % 2) & 15; }

/// codes[j] = middle + byte j of row, or middle - it where bit j of signs is set; at most middle is in row.
void put_signed(uint64_t row, unsigned signs, uint64_t middle, uint8_t* codes) {
  store_octet(middle * kOnes + row - 2 * (row & kBitMasks.row[signs]), codes);
}
/// iq1: codes[j] = 8 * (1 + signed byte j of row) + 2, or + 0 where the shift is down (1, not 0), so that 9 is nothing.
void put_shifted(uint64_t row, unsigned down, uint8_t* codes) {
  const uint64_t digits = (row ^ 0x80 * kOnes) - 0x7f * kOnes;  // 0, 1, 2
  store_octet(8 * digits + 2 * kOnes - down * 2 * kOnes, codes);
}

}  // namespace

void split_iq2_xxs(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ2_XXS*>(block);
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const Le16* q = b.qs + 4 * g;
    uint32_t aux = bits_of(q[2]) | static_cast<uint32_t>(bits_of(q[3])) << 16;
    scales[g] = d * (0.5f + static_cast<float>(aux >> 28)) * 0.25f;
    for (int o = 0; o < 4; ++o, aux >>= 7, codes += 8) put_signed(kGridIq2Xxs.row[q[o / 2].byte[o % 2]], kSignBytes.row[aux & 127], 43, codes);
  }
}

void split_iq2_xs(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ2_XS*>(block);
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) scales[j] = d * (0.5f + static_cast<float>(nibble(b.scales, j))) * 0.25f;
  for (int i = 0; i < 32; ++i) {
    const unsigned q = bits_of(b.qs[i]);
    put_signed(kGridIq2Xs.row[q & 511], kSignBytes.row[q >> 9], 43, codes + 8 * i);
  }
}

void split_iq2_s(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ2_S*>(block);
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) scales[j] = d * (0.5f + static_cast<float>(nibble(b.scales, j))) * 0.25f;
  for (int g = 0; g < 8; ++g) {
    int h = b.qh[g];
    for (int i = 4 * g; i < 4 * g + 4; ++i, h >>= 2) put_signed(kGridIq2S.row[b.qs[i] | (h & 3) << 8], b.signs[i], 43, codes + 8 * i);
  }
}

void split_iq3_xxs(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ3_XXS*>(block);
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    uint32_t aux = word32(b.aux + 4 * g);
    scales[g] = d * (0.5f + static_cast<float>(aux >> 28)) * 0.5f;
    for (int i = 4 * g; i < 4 * g + 4; ++i, aux >>= 7) {
      const uint64_t row = kGridIq3Xxs.row[b.qs[2 * i]] | uint64_t{kGridIq3Xxs.row[b.qs[2 * i + 1]]} << 32;
      put_signed(row, kSignBytes.row[aux & 127], 62, codes + 8 * i);
    }
  }
}

void split_iq3_s(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ3_S*>(block);
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    scales[g] = d * static_cast<float>(1 + 2 * nibble(b.scales, g));
    int h = b.qh[g];
    for (int i = 4 * g; i < 4 * g + 4; ++i, h >>= 2) {
      const uint64_t row = kGridIq3S.row[b.qs[2 * i] | (h & 1) << 8] | uint64_t{kGridIq3S.row[b.qs[2 * i + 1] | (h & 2) << 7]} << 32;
      put_signed(row, b.signs[i], 15, codes + 8 * i);
    }
  }
}

void split_iq1_s(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ1_S*>(block);
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    unsigned h = bits_of(b.qh[g]);
    const unsigned down = h >> 15;
    scales[g] = d * static_cast<float>(2 * (h >> 12 & 7) + 1) * 0.125f;
    for (int i = 4 * g; i < 4 * g + 4; ++i, h >>= 3) put_shifted(kGridIq1.row[b.qs[i] | (h & 7) << 8], down, codes + 8 * i);
  }
}

void split_iq1_m(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ1_M*>(block);
  unsigned d_bits = 0;
  for (int w = 0; w < 4; ++w) d_bits |= static_cast<unsigned>(bits_of(b.scales[w]) >> 12) << 4 * w;
  const float d = f16_to_f32(static_cast<uint16_t>(d_bits));
  for (int j = 0; j < 16; ++j) scales[j] = d * static_cast<float>(2 * (bits_of(b.scales[j / 4]) >> 3 * (j % 4) & 7) + 1) * 0.125f;
  for (int j = 0; j < 16; ++j) {
    const unsigned h = b.qh[j];
    put_shifted(kGridIq1.row[b.qs[2 * j] | (h & 7) << 8], h >> 3 & 1, codes + 16 * j);
    put_shifted(kGridIq1.row[b.qs[2 * j + 1] | (h & 0x70) << 4], h >> 7, codes + 16 * j + 8);
  }
}

namespace {

void put_iq4(const uint8_t* qs, float scale, float* out) {
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(kIq4Values[qs[i] & 15]);
    out[i + 16] = scale * static_cast<float>(kIq4Values[qs[i] >> 4]);
  }
}

void iq4_xs(const BlockIQ4_XS& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const int s = nibble(b.scales_l, g) | (bits_of(b.scales_h) >> 2 * g & 3) << 4;
    put_iq4(b.qs + 16 * g, d * static_cast<float>(s - 32), out + 32 * g);
  }
}

}  // namespace

void decode_iq4_nl(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockIQ4_NL, 32>(blocks, n, out, [](const BlockIQ4_NL& b, float* y) { put_iq4(b.qs, f16_to_f32(b.d), y); });
}
void decode_iq4_xs(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ4_XS, 256>(blocks, n, out, iq4_xs); }

}  // namespace mainspring::inline v0
