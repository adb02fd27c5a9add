#include "quant/iq.h"

#include "quant/iq_grids.h"
#include "quant/rows.h"

namespace mainspring::inline v0 {
namespace {

uint32_t word32(const uint8_t* p) {
  return uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
}
int nibble(const uint8_t* p, int i) { return p[i / 2] >> 4 * (i % 2) & 15; }

/// out[j] = (scale * byte j of row), negated where bit j of signs is set.
template <class Row>
void put_row(Row row, unsigned signs, float scale, float* out) {
  for (unsigned j = 0; j < sizeof(Row); ++j) {
    const float v = scale * static_cast<float>(row >> 8 * j & 0xff);
    out[j] = signs >> j & 1 ? -v : v;
  }
}

/// iq1: out[j] = scale * (signed byte j of row + shift).
void put_shifted(uint64_t row, float shift, float scale, float* out) {
  for (int j = 0; j < 8; ++j) out[j] = scale * (static_cast<float>(static_cast<int8_t>(row >> 8 * j & 0xff)) + shift);
}

constexpr float kShift = 0.125f;

void iq2_xxs(const BlockIQ2_XXS& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const Le16* q = b.qs + 4 * g;
    const uint32_t aux = bits_of(q[2]) | static_cast<uint32_t>(bits_of(q[3])) << 16;
    const float scale = d * (0.5f + static_cast<float>(aux >> 28)) * 0.25f;
    for (int o = 0; o < 4; ++o)
      put_row(kGridIq2Xxs.row[q[o / 2].byte[o % 2]], kSignBytes.row[aux >> 7 * o & 127], scale, out + 32 * g + 8 * o);
  }
}

void iq2_xs(const BlockIQ2_XS& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) {
    const float scale = d * (0.5f + static_cast<float>(nibble(b.scales, i / 2))) * 0.25f;
    const unsigned q = bits_of(b.qs[i]);
    put_row(kGridIq2Xs.row[q & 511], kSignBytes.row[q >> 9], scale, out + 8 * i);
  }
}

void iq2_s(const BlockIQ2_S& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) {
    const float scale = d * (0.5f + static_cast<float>(nibble(b.scales, i / 2))) * 0.25f;
    const int index = b.qs[i] | (b.qh[i / 4] >> 2 * (i % 4) & 3) << 8;
    put_row(kGridIq2S.row[index], b.signs[i], scale, out + 8 * i);
  }
}

void iq3_xxs(const BlockIQ3_XXS& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const uint32_t aux = word32(b.aux + 4 * g);
    const float scale = d * (0.5f + static_cast<float>(aux >> 28)) * 0.5f;
    for (int o = 0; o < 4; ++o) {
      const unsigned signs = kSignBytes.row[aux >> 7 * o & 127];
      const int quad = 8 * g + 2 * o;
      put_row(kGridIq3Xxs.row[b.qs[quad]], signs, scale, out + 4 * quad);
      put_row(kGridIq3Xxs.row[b.qs[quad + 1]], signs >> 4, scale, out + 4 * quad + 4);
    }
  }
}

void iq3_s(const BlockIQ3_S& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 64; ++i) {
    const float scale = d * static_cast<float>(1 + 2 * nibble(b.scales, i / 8));
    const int index = b.qs[i] | (b.qh[i / 8] >> i % 8 & 1) << 8;
    put_row(kGridIq3S.row[index], static_cast<unsigned>(b.signs[i / 2] >> 4 * (i % 2)), scale, out + 4 * i);
  }
}

void iq1_s(const BlockIQ1_S& b, float* out) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) {
    const int h = bits_of(b.qh[i / 4]);
    const float scale = d * static_cast<float>(2 * (h >> 12 & 7) + 1);
    const int index = b.qs[i] | (h >> 3 * (i % 4) & 7) << 8;
    put_shifted(kGridIq1.row[index], h & 0x8000 ? -kShift : kShift, scale, out + 8 * i);
  }
}

void iq1_m(const BlockIQ1_M& b, float* out) {
  unsigned scale_bits = 0;
  for (int w = 0; w < 4; ++w) scale_bits |= static_cast<unsigned>(bits_of(b.scales[w]) >> 12) << 4 * w;
  const float d = f16_to_f32(static_cast<uint16_t>(scale_bits));
  for (int i = 0; i < 32; ++i) {
    const int half_group = i / 2;
    const int s = bits_of(b.scales[half_group / 4]) >> 3 * (half_group % 4) & 7;
    const int h = nibble(b.qh, i);
    put_shifted(kGridIq1.row[b.qs[i] | (h & 7) << 8], h & 8 ? -kShift : kShift, d * static_cast<float>(2 * s + 1), out + 8 * i);
  }
}

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

void decode_iq1_s(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ1_S, 256>(blocks, n, out, iq1_s); }
void decode_iq1_m(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ1_M, 256>(blocks, n, out, iq1_m); }
void decode_iq2_xxs(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ2_XXS, 256>(blocks, n, out, iq2_xxs); }
void decode_iq2_xs(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ2_XS, 256>(blocks, n, out, iq2_xs); }
void decode_iq2_s(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ2_S, 256>(blocks, n, out, iq2_s); }
void decode_iq3_xxs(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ3_XXS, 256>(blocks, n, out, iq3_xxs); }
void decode_iq3_s(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ3_S, 256>(blocks, n, out, iq3_s); }
void decode_iq4_nl(const void* blocks, int64_t n, float* out) {
  for_blocks<BlockIQ4_NL, 32>(blocks, n, out, [](const BlockIQ4_NL& b, float* y) { put_iq4(b.qs, f16_to_f32(b.d), y); });
}
void decode_iq4_xs(const void* blocks, int64_t n, float* out) { for_blocks<BlockIQ4_XS, 256>(blocks, n, out, iq4_xs); }

}  // namespace mainspring::inline v0
