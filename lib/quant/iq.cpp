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
/// iq1: codes[j] = 8 * (1 + signed byte j of row) + (2 or 0), so that 9 is nothing.
void put_shifted(uint64_t row, bool down, uint8_t* codes) {
  const uint64_t digits = (row ^ 0x80 * kOnes) - 0x7f * kOnes;  // 0, 1, 2
  store_octet(8 * digits + (down ? 0 : 2 * kOnes), codes);
}

}  // namespace

void split_iq2_xxs(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ2_XXS*>(block);
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const Le16* q = b.qs + 4 * g;
    const uint32_t aux = bits_of(q[2]) | static_cast<uint32_t>(bits_of(q[3])) << 16;
    scales[g] = d * (0.5f + static_cast<float>(aux >> 28)) * 0.25f;
    for (int o = 0; o < 4; ++o) put_signed(kGridIq2Xxs.row[q[o / 2].byte[o % 2]], kSignBytes.row[aux >> 7 * o & 127], 43, codes + 32 * g + 8 * o);
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
  for (int i = 0; i < 32; ++i) {
    const int index = b.qs[i] | (b.qh[i / 4] >> 2 * (i % 4) & 3) << 8;
    put_signed(kGridIq2S.row[index], b.signs[i], 43, codes + 8 * i);
  }
}

void split_iq3_xxs(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ3_XXS*>(block);
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const uint32_t aux = word32(b.aux + 4 * g);
    scales[g] = d * (0.5f + static_cast<float>(aux >> 28)) * 0.5f;
    for (int o = 0; o < 4; ++o) {
      const uint8_t* quads = b.qs + 8 * g + 2 * o;
      const uint64_t row = kGridIq3Xxs.row[quads[0]] | uint64_t{kGridIq3Xxs.row[quads[1]]} << 32;
      put_signed(row, kSignBytes.row[aux >> 7 * o & 127], 62, codes + 32 * g + 8 * o);
    }
  }
}

void split_iq3_s(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ3_S*>(block);
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) scales[g] = d * static_cast<float>(1 + 2 * nibble(b.scales, g));
  const auto quad = [&](int q) -> uint64_t { return kGridIq3S.row[b.qs[q] | (b.qh[q / 8] >> q % 8 & 1) << 8]; };
  for (int i = 0; i < 32; ++i) put_signed(quad(2 * i) | quad(2 * i + 1) << 32, b.signs[i], 15, codes + 8 * i);
}

void split_iq1_s(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ1_S*>(block);
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const int h = bits_of(b.qh[g]);
    scales[g] = d * static_cast<float>(2 * (h >> 12 & 7) + 1) * 0.125f;
    for (int i = 4 * g; i < 4 * g + 4; ++i) put_shifted(kGridIq1.row[b.qs[i] | (h >> 3 * (i % 4) & 7) << 8], h & 0x8000, codes + 8 * i);
  }
}

void split_iq1_m(const void* block, uint8_t* codes, float* scales) {
  const auto& b = *static_cast<const BlockIQ1_M*>(block);
  unsigned d_bits = 0;
  for (int w = 0; w < 4; ++w) d_bits |= static_cast<unsigned>(bits_of(b.scales[w]) >> 12) << 4 * w;
  const float d = f16_to_f32(static_cast<uint16_t>(d_bits));
  for (int j = 0; j < 16; ++j) scales[j] = d * static_cast<float>(2 * (bits_of(b.scales[j / 4]) >> 3 * (j % 4) & 7) + 1) * 0.125f;
  for (int i = 0; i < 32; ++i) {
    const int h = nibble(b.qh, i);
    put_shifted(kGridIq1.row[b.qs[i] | (h & 7) << 8], h & 8, codes + 8 * i);
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
