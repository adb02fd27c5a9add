// One struct a format: how its source blocks become panel codes and scales, and back, and what a code and a scale are worth.
// In: GGUF blocks (layouts: lib/quant). Used by packing and by the scalar kernel; the ISA files restate only the arithmetic.
//
// A format F has: kLayout, kBlock (bytes of a source block of kLayout.unit weights), planes (kNibbles, kBits, kCrumbs, kBytes: the shift
// of that plane within a code, or -1), load/store (source block, 32-k sub-block <-> Codes), put/get (source block <-> scale record),
// value(code), and factors(record, sub) = what the kernels multiply with.
#pragma once

#include <cstring>

#include "cpu/kernels/qgemm/panel_layout.h"
#include "quant/half.h"

namespace mainspring::inline v0::qgemm {

/// The codes of 32 weights: byte t of w[g] is the code of k = 4g + t.
struct Codes {
  uint32_t w[8];
};

/// What one 32-k block of one output contributes: d over k 0..15 and 16..31, and what the activation sums are multiplied with.
struct Factors {
  float d[2];
  float m[2];
};

inline uint32_t load_u32(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
inline void store_u32(uint8_t* p, uint32_t v) { std::memcpy(p, &v, 4); }

inline float half_to_float(const uint8_t* p) { return f16_to_f32(static_cast<uint16_t>(p[0] | p[1] << 8)); }

/// A scale record inside a panel: items are `width` apart, this view is of output o. Byte items first, then f16 items.
template <class Byte>
struct Record {
  Byte* base;
  int width;
  int o;
  Byte& byte(int item) const { return base[item * width + o]; }
  /// Item i of four bytes, among others such.
  Byte* word(int i) const { return base + 4 * (i * width + o); }
  /// f16 item i behind `bytes` byte items.
  Byte* half(int bytes, int i) const { return base + (bytes + 2 * i) * width + 2 * o; }
};

// Four bits, one to each byte of a word, and back.
inline uint32_t spread(uint32_t four_bits) { return four_bits * 0x00204081u & 0x01010101u; }
inline uint32_t gather(uint32_t word) { return (word & 0x01010101u) * 0x01020408u >> 24 & 15u; }

// ---- parts that formats share ----

constexpr uint32_t kLow4 = 0x0f0f0f0f, kLow2 = 0x03030303;

// 16 bytes: element i in the low, i + 16 in the high nibble of byte i.
inline void load_split_nibbles(const uint8_t* qs, Codes& c) {
  for (int j = 0; j < 4; ++j) {
    const uint32_t v = load_u32(qs + 4 * j);
    c.w[j] = v & kLow4;
    c.w[j + 4] = v >> 4 & kLow4;
  }
}
inline void store_split_nibbles(uint8_t* qs, const Codes& c) {
  for (int j = 0; j < 4; ++j) store_u32(qs + 4 * j, (c.w[j] & kLow4) | (c.w[j + 4] & kLow4) << 4);
}
inline void load_fifth_bits(const uint8_t* qh, Codes& c) {
  const uint32_t bits = load_u32(qh);
  for (int g = 0; g < 8; ++g) c.w[g] |= spread(bits >> 4 * g & 15) << 4;
}
inline void store_fifth_bits(uint8_t* qh, const Codes& c) {
  uint32_t bits = 0;
  for (int g = 0; g < 8; ++g) bits |= gather(c.w[g] >> 4) << 4 * g;
  store_u32(qh, bits);
}
// `bits` bits at `shift` of 32 consecutive bytes: the arrangement inside super-blocks.
inline void load_field(const uint8_t* p, int shift, uint32_t mask, int up, Codes& c) {
  for (int g = 0; g < 8; ++g) c.w[g] |= (load_u32(p + 4 * g) >> shift & mask) << up;
}
inline void store_field(uint8_t* p, int shift, uint32_t mask, int up, const Codes& c) {
  for (int g = 0; g < 8; ++g) store_u32(p + 4 * g, (load_u32(p + 4 * g) & ~(mask << shift)) | (c.w[g] >> up & mask) << shift);
}

inline void copy_half(uint8_t* to, const uint8_t* from) { to[0] = from[0], to[1] = from[1]; }

// The 12 bytes that hold eight 6-bit scales and eight 6-bit mins of q4_k and q5_k.
inline void load_scales_6(const uint8_t* s, uint8_t (&sc)[8], uint8_t (&mn)[8]) {
  for (int i = 0; i < 4; ++i) {
    sc[i] = s[i] & 63;
    mn[i] = s[i + 4] & 63;
    sc[i + 4] = static_cast<uint8_t>((s[i + 8] & 15) | s[i] >> 6 << 4);
    mn[i + 4] = static_cast<uint8_t>(s[i + 8] >> 4 | s[i + 4] >> 6 << 4);
  }
}
inline void store_scales_6(uint8_t* s, const uint8_t (&sc)[8], const uint8_t (&mn)[8]) {
  for (int i = 0; i < 4; ++i) {
    s[i] = static_cast<uint8_t>(sc[i] | sc[i + 4] >> 4 << 6);
    s[i + 4] = static_cast<uint8_t>(mn[i] | mn[i + 4] >> 4 << 6);
    s[i + 8] = static_cast<uint8_t>((sc[i + 4] & 15) | (mn[i + 4] & 15) << 4);
  }
}

struct NoPlanes {
  static constexpr int kNibbles = -1, kBits = -1, kCrumbs = -1, kBytes = -1;
  static int value(uint32_t code) { return static_cast<int>(code); }
  static constexpr bool kTwoScales = false;  // one scale over 32 k, or one over each 16
  static constexpr bool kHasMin = true;      // is there a term with the activations' sums
};

// ---- 32-weight blocks ----

struct Q4_0 : NoPlanes {
  static constexpr PanelLayout kLayout = kLayoutQ4_0;
  static constexpr size_t kBlock = 18;
  static constexpr int kNibbles = 0;
  static void load(const uint8_t* b, int, Codes& c) { load_split_nibbles(b + 2, c); }
  static void store(uint8_t* b, int, const Codes& c) { store_split_nibbles(b + 2, c); }
  static void put(const uint8_t* b, Record<uint8_t> r) { copy_half(r.half(0, 0), b); }
  static void get(uint8_t* b, Record<const uint8_t> r) { copy_half(b, r.half(0, 0)); }
  static Factors factors(Record<const uint8_t> r, int) {
    const float d = half_to_float(r.half(0, 0));
    return {{d, d}, {-8 * d, 0}};
  }
};

struct Q4_1 : NoPlanes {
  static constexpr PanelLayout kLayout = kLayoutQ4_1;
  static constexpr size_t kBlock = 20;
  static constexpr int kNibbles = 0;
  static void load(const uint8_t* b, int, Codes& c) { load_split_nibbles(b + 4, c); }
  static void store(uint8_t* b, int, const Codes& c) { store_split_nibbles(b + 4, c); }
  static void put(const uint8_t* b, Record<uint8_t> r) { copy_half(r.half(0, 0), b), copy_half(r.half(0, 1), b + 2); }
  static void get(uint8_t* b, Record<const uint8_t> r) { copy_half(b, r.half(0, 0)), copy_half(b + 2, r.half(0, 1)); }
  static Factors factors(Record<const uint8_t> r, int) {
    const float d = half_to_float(r.half(0, 0));
    return {{d, d}, {half_to_float(r.half(0, 1)), 0}};
  }
};

struct Q5_0 : Q4_0 {
  static constexpr PanelLayout kLayout = kLayoutQ5_0;
  static constexpr size_t kBlock = 22;
  static constexpr int kBits = 4;
  static void load(const uint8_t* b, int, Codes& c) { load_split_nibbles(b + 6, c), load_fifth_bits(b + 2, c); }
  static void store(uint8_t* b, int, const Codes& c) { store_split_nibbles(b + 6, c), store_fifth_bits(b + 2, c); }
  static Factors factors(Record<const uint8_t> r, int) {
    const float d = half_to_float(r.half(0, 0));
    return {{d, d}, {-16 * d, 0}};
  }
};

struct Q5_1 : Q4_1 {
  static constexpr PanelLayout kLayout = kLayoutQ5_1;
  static constexpr size_t kBlock = 24;
  static constexpr int kBits = 4;
  static void load(const uint8_t* b, int, Codes& c) { load_split_nibbles(b + 8, c), load_fifth_bits(b + 4, c); }
  static void store(uint8_t* b, int, const Codes& c) { store_split_nibbles(b + 8, c), store_fifth_bits(b + 4, c); }
};

struct Q8_0 : Q4_0 {
  static constexpr PanelLayout kLayout = kLayoutQ8_0;
  static constexpr size_t kBlock = 34;
  static constexpr int kNibbles = -1, kBytes = 0;
  static constexpr bool kHasMin = false;
  static int value(uint32_t code) { return static_cast<int8_t>(code); }
  static void load(const uint8_t* b, int, Codes& c) { std::memcpy(c.w, b + 2, 32); }
  static void store(uint8_t* b, int, const Codes& c) { std::memcpy(b + 2, c.w, 32); }
  static Factors factors(Record<const uint8_t> r, int) {
    const float d = half_to_float(r.half(0, 0));
    return {{d, d}, {0, 0}};
  }
};

/// With 128 added: for instruction sets that multiply unsigned codes.
struct Q8_0Raised : Q8_0 {
  static int value(uint32_t code) { return static_cast<int>(code) - 128; }
  static void load(const uint8_t* b, int sub, Codes& c) { Q8_0::load(b, sub, c), turn(c); }
  static void store(uint8_t* b, int sub, Codes c) { turn(c), Q8_0::store(b, sub, c); }

 private:
  static void turn(Codes& c) {
    for (uint32_t& word : c.w) word ^= 0x80808080u;
  }
};

struct Iq4Nl : Q4_0 {
  static constexpr PanelLayout kLayout = kLayoutIq4Nl;
  static constexpr bool kHasMin = false;
  static int value(uint32_t code) { return kPanelIq4Values[code]; }
  static Factors factors(Record<const uint8_t> r, int s) { return Q8_0::factors(r, s); }
};

struct Mxfp4 : NoPlanes {
  static constexpr PanelLayout kLayout = kLayoutMxfp4;
  static constexpr size_t kBlock = 17;
  static constexpr int kNibbles = 0;
  static int value(uint32_t code) { return kPanelMxfp4Values[code] + 12; }
  static void load(const uint8_t* b, int, Codes& c) { load_split_nibbles(b + 1, c); }
  static void store(uint8_t* b, int, const Codes& c) { store_split_nibbles(b + 1, c); }
  static void put(const uint8_t* b, Record<uint8_t> r) { r.byte(0) = b[0]; }
  static void get(uint8_t* b, Record<const uint8_t> r) { b[0] = r.byte(0); }
  static Factors factors(Record<const uint8_t> r, int) {
    const uint32_t e = r.byte(0);
    const uint32_t bits = e < 2 ? 0x00200000u << e : (e - 1) << 23;  // 2^(e - 128): the values are in halves
    float d;
    std::memcpy(&d, &bits, 4);
    return {{d, d}, {-12 * d, 0}};
  }
};

// ---- 256-weight super-blocks ----

struct Q4K : NoPlanes {
  static constexpr PanelLayout kLayout = kLayoutQ4K;
  static constexpr size_t kBlock = 144;
  static constexpr int kNibbles = 0;
  static void load(const uint8_t* b, int sub, Codes& c) {
    c = {};
    load_field(b + 16 + sub / 2 * 32, sub % 2 * 4, kLow4, 0, c);
  }
  static void store(uint8_t* b, int sub, const Codes& c) { store_field(b + 16 + sub / 2 * 32, sub % 2 * 4, kLow4, 0, c); }
  static void put(const uint8_t* b, Record<uint8_t> r) {
    uint8_t sc[8], mn[8];
    load_scales_6(b + 4, sc, mn);
    for (int i = 0; i < 8; ++i) r.byte(2 * i) = sc[i], r.byte(2 * i + 1) = mn[i];
    copy_half(r.half(16, 0), b), copy_half(r.half(16, 1), b + 2);
  }
  static void get(uint8_t* b, Record<const uint8_t> r) {
    uint8_t sc[8], mn[8];
    for (int i = 0; i < 8; ++i) sc[i] = r.byte(2 * i), mn[i] = r.byte(2 * i + 1);
    store_scales_6(b + 4, sc, mn);
    copy_half(b, r.half(16, 0)), copy_half(b + 2, r.half(16, 1));
  }
  static Factors factors(Record<const uint8_t> r, int sub) {
    const float d = half_to_float(r.half(16, 0)) * r.byte(2 * sub);
    return {{d, d}, {-(half_to_float(r.half(16, 1)) * r.byte(2 * sub + 1)), 0}};
  }
};

struct Q5K : Q4K {
  static constexpr PanelLayout kLayout = kLayoutQ5K;
  static constexpr size_t kBlock = 176;
  static constexpr int kBits = 4;
  static void load(const uint8_t* b, int sub, Codes& c) {
    c = {};
    load_field(b + 48 + sub / 2 * 32, sub % 2 * 4, kLow4, 0, c);
    load_field(b + 16, sub, 0x01010101, 4, c);
  }
  static void store(uint8_t* b, int sub, const Codes& c) {
    store_field(b + 48 + sub / 2 * 32, sub % 2 * 4, kLow4, 0, c);
    store_field(b + 16, sub, 0x01010101, 4, c);
  }
};

struct Q6K : NoPlanes {
  static constexpr PanelLayout kLayout = kLayoutQ6K;
  static constexpr size_t kBlock = 210;
  static constexpr int kNibbles = 0, kCrumbs = 4;
  static constexpr bool kTwoScales = true;
  // Sub-blocks 0..3 and 4..7 each share 64 bytes of low nibbles and 32 of high pairs.
  static size_t low(int sub) { return static_cast<size_t>(sub / 4 * 64 + sub % 2 * 32); }
  static size_t high(int sub) { return static_cast<size_t>(128 + sub / 4 * 32); }
  static void load(const uint8_t* b, int sub, Codes& c) {
    c = {};
    load_field(b + low(sub), sub % 4 / 2 * 4, kLow4, 0, c);
    load_field(b + high(sub), sub % 4 * 2, kLow2, 4, c);
  }
  static void store(uint8_t* b, int sub, const Codes& c) {
    store_field(b + low(sub), sub % 4 / 2 * 4, kLow4, 0, c);
    store_field(b + high(sub), sub % 4 * 2, kLow2, 4, c);
  }
  static void put(const uint8_t* b, Record<uint8_t> r) {
    for (int i = 0; i < 16; ++i) r.byte(i) = b[192 + i];
    copy_half(r.half(16, 0), b + 208);
  }
  static void get(uint8_t* b, Record<const uint8_t> r) {
    for (int i = 0; i < 16; ++i) b[192 + i] = r.byte(i);
    copy_half(b + 208, r.half(16, 0));
  }
  static Factors factors(Record<const uint8_t> r, int sub) { return signed_factors(r, sub, -32); }
  static Factors signed_factors(Record<const uint8_t> r, int sub, float offset) {
    const float d = half_to_float(r.half(16, 0));
    const float d0 = d * static_cast<int8_t>(r.byte(2 * sub)), d1 = d * static_cast<int8_t>(r.byte(2 * sub + 1));
    return {{d0, d1}, {offset * d0, offset * d1}};
  }
};

struct Q2K : NoPlanes {
  static constexpr PanelLayout kLayout = kLayoutQ2K;
  static constexpr size_t kBlock = 84;
  static constexpr int kCrumbs = 0;
  static constexpr bool kTwoScales = true;
  static void load(const uint8_t* b, int sub, Codes& c) {
    c = {};
    load_field(b + 16 + sub / 4 * 32, sub % 4 * 2, kLow2, 0, c);
  }
  static void store(uint8_t* b, int sub, const Codes& c) { store_field(b + 16 + sub / 4 * 32, sub % 4 * 2, kLow2, 0, c); }
  static void put(const uint8_t* b, Record<uint8_t> r) {
    for (int i = 0; i < 16; ++i) r.byte(i) = b[i];
    copy_half(r.half(16, 0), b + 80), copy_half(r.half(16, 1), b + 82);
  }
  static void get(uint8_t* b, Record<const uint8_t> r) {
    for (int i = 0; i < 16; ++i) b[i] = r.byte(i);
    copy_half(b + 80, r.half(16, 0)), copy_half(b + 82, r.half(16, 1));
  }
  static Factors factors(Record<const uint8_t> r, int sub) {
    const float d = half_to_float(r.half(16, 0)), dmin = half_to_float(r.half(16, 1));
    const uint8_t a = r.byte(2 * sub), b = r.byte(2 * sub + 1);
    return {{d * (a & 15), d * (b & 15)}, {-(dmin * (a >> 4)), -(dmin * (b >> 4))}};
  }
};

struct Q3K : NoPlanes {
  static constexpr PanelLayout kLayout = kLayoutQ3K;
  static constexpr size_t kBlock = 110;
  static constexpr int kCrumbs = 0, kBits = 2;
  static constexpr bool kTwoScales = true;
  static void load(const uint8_t* b, int sub, Codes& c) {
    c = {};
    load_field(b + 32 + sub / 4 * 32, sub % 4 * 2, kLow2, 0, c);
    load_field(b, sub, 0x01010101, 2, c);
  }
  static void store(uint8_t* b, int sub, const Codes& c) {
    store_field(b + 32 + sub / 4 * 32, sub % 4 * 2, kLow2, 0, c);
    store_field(b, sub, 0x01010101, 2, c);
  }
  // Twelve bytes: sixteen low nibbles, then the sixteen upper pairs; a scale is its 6 bits minus 32.
  static void put(const uint8_t* b, Record<uint8_t> r) {
    const uint8_t* s = b + 96;
    for (int i = 0; i < 16; ++i)
      r.byte(i) = static_cast<uint8_t>((s[i % 8] >> i / 8 * 4 & 15) + (s[8 + i % 4] >> i / 4 * 2 & 3) * 16 - 32);
    copy_half(r.half(16, 0), b + 108);
  }
  static void get(uint8_t* b, Record<const uint8_t> r) {
    uint8_t* s = b + 96;
    std::memset(s, 0, 12);
    for (int i = 0; i < 16; ++i) {
      const int v = static_cast<int8_t>(r.byte(i)) + 32;
      s[i % 8] = static_cast<uint8_t>(s[i % 8] | (v & 15) << i / 8 * 4);
      s[8 + i % 4] = static_cast<uint8_t>(s[8 + i % 4] | v >> 4 << i / 4 * 2);
    }
    copy_half(b + 108, r.half(16, 0));
  }
  static Factors factors(Record<const uint8_t> r, int sub) { return Q6K::signed_factors(r, sub, -4); }
};

struct Iq4Xs : NoPlanes {
  static constexpr PanelLayout kLayout = kLayoutIq4Xs;
  static constexpr size_t kBlock = 136;
  static constexpr int kNibbles = 0;
  static constexpr bool kHasMin = false;
  static int value(uint32_t code) { return kPanelIq4Values[code]; }
  static void load(const uint8_t* b, int sub, Codes& c) { load_split_nibbles(b + 8 + 16 * sub, c); }
  static void store(uint8_t* b, int sub, const Codes& c) { store_split_nibbles(b + 8 + 16 * sub, c); }
  // u16 of upper pairs at 2, low nibbles at 4; a scale is its 6 bits minus 32.
  static void put(const uint8_t* b, Record<uint8_t> r) {
    const int upper = b[2] | b[3] << 8;
    for (int i = 0; i < 8; ++i)
      r.byte(i) = static_cast<uint8_t>((b[4 + i / 2] >> i % 2 * 4 & 15) + (upper >> 2 * i & 3) * 16 - 32);
    copy_half(r.half(8, 0), b);
  }
  static void get(uint8_t* b, Record<const uint8_t> r) {
    int upper = 0;
    std::memset(b + 4, 0, 4);
    for (int i = 0; i < 8; ++i) {
      const int v = static_cast<int8_t>(r.byte(i)) + 32;
      b[4 + i / 2] = static_cast<uint8_t>(b[4 + i / 2] | (v & 15) << i % 2 * 4);
      upper |= v >> 4 << 2 * i;
    }
    b[2] = static_cast<uint8_t>(upper), b[3] = static_cast<uint8_t>(upper >> 8);
    copy_half(b, r.half(8, 0));
  }
  static Factors factors(Record<const uint8_t> r, int sub) {
    const float d = half_to_float(r.half(8, 0)) * static_cast<int8_t>(r.byte(sub));
    return {{d, d}, {0, 0}};
  }
};

// ---- plain panels: no source block is like them, from_rows.cpp writes them ----

template <int scales>
struct Plain : NoPlanes {
  static constexpr PanelLayout kLayout = plain_layout(2 * scales);
  static constexpr int kBytes = 0;
  static constexpr bool kTwoScales = scales == 2;
  static void put(const Factors& f, Record<uint8_t> r) {
    for (int i = 0; i < scales; ++i) std::memcpy(r.word(2 * i), &f.d[i], 4), std::memcpy(r.word(2 * i + 1), &f.m[i], 4);
  }
  static Factors factors(Record<const uint8_t> r, int) {
    Factors f = {};
    for (int i = 0; i < scales; ++i) std::memcpy(&f.d[i], r.word(2 * i), 4), std::memcpy(&f.m[i], r.word(2 * i + 1), 4);
    return f;
  }
};

// ---- codes in the quant plane ----

/// Writes / reads the codes of output o in a 32-k block of the quant plane that starts at q.
template <class F>
void put_codes(uint8_t* q, int width, int o, const Codes& c) {
  uint8_t* at = q + 4 * o;
  const int row = 4 * width;
  if constexpr (F::kNibbles >= 0) {
    for (int j = 0; j < 4; ++j, at += row) store_u32(at, (c.w[j] & kLow4) | (c.w[j + 4] & kLow4) << 4);
  }
  if constexpr (F::kCrumbs >= 0) {
    for (int v = 0; v < 2; ++v, at += row) {
      uint32_t word = 0;
      for (int i = 0; i < 4; ++i) word |= (c.w[4 * v + i] >> F::kCrumbs & kLow2) << 2 * i;
      store_u32(at, word);
    }
  }
  if constexpr (F::kBits >= 0) {
    uint32_t word = 0;
    for (int g = 0; g < 8; ++g) word |= (c.w[g] >> F::kBits & 0x01010101u) << g;
    store_u32(at, word);
  }
  if constexpr (F::kBytes >= 0) {
    for (int g = 0; g < 8; ++g, at += row) store_u32(at, c.w[g]);
  }
}

template <class F>
void get_codes(const uint8_t* q, int width, int o, Codes& c) {
  c = {};
  const uint8_t* at = q + 4 * o;
  const int row = 4 * width;
  if constexpr (F::kNibbles >= 0) {
    for (int j = 0; j < 4; ++j, at += row) {
      const uint32_t v = load_u32(at);
      c.w[j] = v & kLow4;
      c.w[j + 4] = v >> 4 & kLow4;
    }
  }
  if constexpr (F::kCrumbs >= 0) {
    for (int v = 0; v < 2; ++v, at += row)
      for (int i = 0; i < 4; ++i) c.w[4 * v + i] |= (load_u32(at) >> 2 * i & kLow2) << F::kCrumbs;
  }
  if constexpr (F::kBits >= 0) {
    for (int g = 0; g < 8; ++g) c.w[g] |= (load_u32(at) >> g & 0x01010101u) << F::kBits;
  }
  if constexpr (F::kBytes >= 0) {
    for (int g = 0; g < 8; ++g, at += row) c.w[g] = load_u32(at);
  }
}

// ---- places in a panel ----

/// Bytes of the records of n units that stand together, for one output.
template <class F>
constexpr int64_t records_bytes(int64_t n) {
  return (n * F::kLayout.scales + 3) / 4 * 4;
}

template <class F>
size_t panel_size(int width, int64_t k) {
  const int64_t units = k / F::kLayout.unit, group = F::kLayout.group;
  const int64_t an_output = units / group * records_bytes<F>(group) + records_bytes<F>(units % group) + k / 32 * F::kLayout.quants;
  return static_cast<size_t>(width * an_output);
}

/// Byte offsets of unit `unit`: its record, and its first quants.
struct Place {
  size_t record, quants;
};
template <class F>
Place place_of(int width, int64_t k, int64_t unit) {
  constexpr PanelLayout layout = F::kLayout;
  constexpr int64_t unit_quants = layout.unit / 32 * layout.quants;
  const int64_t first = unit / layout.group * layout.group, left = k / layout.unit - first;
  const int64_t start = first / layout.group * records_bytes<F>(layout.group) + first * unit_quants;
  const int64_t record = start + (unit - first) * layout.scales;
  const int64_t quants = start + records_bytes<F>(left < layout.group ? left : layout.group) + (unit - first) * unit_quants;
  return {static_cast<size_t>(width * record), static_cast<size_t>(width * quants)};
}

}  // namespace mainspring::inline v0::qgemm
