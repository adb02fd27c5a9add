// The loops of attention over Vec (include a cpu/simd/vec_*.h before). Everything has internal linkage.
//
// One micro-kernel does both products: out[r][c] += Σ_k a[r][k] * b[k][c], k ascending, one FMA for each term.
//   scores: a = queries, k over d, b = the transposed key block;   results: a = probabilities, k over tokens, b = the value block.
// b is read through a cursor, which stands at row k and turns what is stored into floats: the same ones as a block decoded before.
#pragma once

#include "cpu/kernels/attention/attention_args.h"

namespace mainspring::inline v0 {
namespace {

constexpr int kBlock = static_cast<int>(kAttentionBlock);
constexpr int kRows = 6;                  // most queries of a register tile
constexpr int64_t kDecodeFrom = 12;       // queries from which on a block of f16 is decoded once instead of at each use: same values
constexpr float kMinusInf = -__builtin_huge_valf();

/// Vectors side by side for R rows: enough sums to hide the FMA's latency, no more than the registers hold.
template <int R>
constexpr int columns_of() {
  if (Vec::registers >= 32) return 4;
  return R >= 4 ? 2 : R >= 2 ? 4 : 8;
}

/// Rows of f32 or f16.
template <class T>
struct Plain {
  const T* x;
  int64_t stride;
  Vec at(int c) const { return load(x + c * Vec::width); }
  Vec first(int n) const { return load_n(x, n); }
  void next() { x += stride; }
};

/// Keys in q8_0 from k = 0 on: scales side by side as the keys are, another row of them for every 32 elements.
struct ScaledKeys {
  const int8_t* x;
  const float* scales;
  uint64_t k;
  Vec at(int c) const { return load(x + c * Vec::width) * load(scales + k / uint64_t{kAttentionGroup} * kBlock + c * Vec::width); }
  void next() { x += kBlock, ++k; }
};

/// Values in q8_0, from a column on that is a multiple of C vectors: no vector lies in two groups, and all C in one where they are 32 or less.
struct ScaledValues {
  const int8_t* x;
  int64_t stride;
  const float* scales;
  int64_t groups;
  Vec at(int c) const { return load(x + c * Vec::width) * set1(scales[c * Vec::width / kAttentionGroup]); }
  Vec first(int n) const { return load_n(x, n) * set1(*scales); }
  void next() { x += stride, scales += groups; }
};

/// What a product asks memory for while it computes: as it goes through its own part of a block, what is read next is gone through in the same
/// proportion. In address order, so that the processor's prefetcher joins in, and only as far as the level 2 cache: the fill buffers of the first
/// alone carry half of what memory gives.
struct Ahead {
  const char* base;
  int64_t step64;  ///< bytes for 64 bytes of what is computed
  int64_t steps(int64_t bytes) const { return bytes * step64 / 64; }
};

template <int R, int C, class B>
MAINSPRING_INLINE void product(const float* const* a, int64_t k0, int64_t k1, B b, Ahead ahead, float* const* out, bool fresh) {
  constexpr int kBytes = C * Vec::width * static_cast<int>(sizeof *b.x);  // of a row of b
  const int64_t step = ahead.steps(kBytes);
  const char* soon = ahead.base;
  const float* row[R];
  Vec sum[R][C];
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) {
    row[r] = a[r];
    MAINSPRING_UNROLL
    for (int c = 0; c < C; ++c) sum[r][c] = fresh ? zero() : load(out[r] + c * Vec::width);
  }
  for (int64_t k = k0; k < k1; ++k, b.next(), soon += step) {
    MAINSPRING_UNROLL
    for (int i = 0; i < kBytes; i += 64) __builtin_prefetch(soon + i, 0, 2);
    // The shorter side is kept in registers: beside R * C sums there is room for it and one more.
    if constexpr (R < C) {
      Vec y[R];
      MAINSPRING_UNROLL
      for (int r = 0; r < R; ++r) y[r] = set1(row[r][k]);
      MAINSPRING_UNROLL
      for (int c = 0; c < C; ++c) {
        const Vec x = b.at(c);
        MAINSPRING_UNROLL
        for (int r = 0; r < R; ++r) sum[r][c] = fma(y[r], x, sum[r][c]);
      }
    } else {
      Vec x[C];
      MAINSPRING_UNROLL
      for (int c = 0; c < C; ++c) x[c] = b.at(c);
      MAINSPRING_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vec y = set1(row[r][k]);
        MAINSPRING_UNROLL
        for (int c = 0; c < C; ++c) sum[r][c] = fma(y, x[c], sum[r][c]);
      }
    }
  }
  MAINSPRING_UNROLL
  for (int r = 0; r < R; ++r) {
    MAINSPRING_UNROLL
    for (int c = 0; c < C; ++c) store(out[r] + c * Vec::width, sum[r][c]);
  }
}

/// The last n < width elements of rows that end there: the same sums, without touching what lies behind.
template <class B>
void product_tail(const float* a, int64_t k0, int64_t k1, B b, float* out, int n) {
  Vec sum = load(out);
  for (int64_t k = k0; k < k1; ++k, b.next()) sum = fma(set1(a[k]), b.first(n), sum);
  store(out, sum);
}

/// One block as a step of the walk sees it: stored elements or decoded ones.
template <class T>
struct Block {
  const T* keys;        ///< [dk, 64]
  const T* values;      ///< [64, value_stride]
  int64_t value_stride;
  int64_t vectors;      ///< whole vectors of a value row
  int tail;             ///< elements after them
  Ahead keys_ahead, values_ahead;          ///< what to ask for while keys, values are computed with
  const float *key_scales, *value_scales;  ///< q8_0
  int64_t value_groups;

  Ahead keys_ahead_from(int64_t t, int64_t dk) const {
    return {keys_ahead.base + keys_ahead.steps(t * dk * static_cast<int64_t>(sizeof(T))), keys_ahead.step64};
  }
  Ahead values_ahead_from(int64_t column) const {
    return {values_ahead.base + values_ahead.steps(column * kBlock * static_cast<int64_t>(sizeof(T))), values_ahead.step64};
  }
  auto keys_from(int64_t t) const {
    if constexpr (sizeof(T) == 1) return ScaledKeys{keys + t, key_scales + t, 0};
    else return Plain<T>{keys + t, kBlock};
  }
  auto values_from(int64_t t, int64_t column) const {
    const T* x = values + t * value_stride + column;
    if constexpr (sizeof(T) == 1) return ScaledValues{x, value_stride, value_scales + t * value_groups + column / kAttentionGroup, value_groups};
    else return Plain<T>{x, value_stride};
  }
};

/// Part of a block that a query sees: tokens [from, to), 0 <= from < to <= 64.
struct Seen {
  int from, to;
};
MAINSPRING_INLINE Seen seen_of(const AttentionWalk& w, int64_t i, int64_t position) {
  const int64_t from = w.begin[i] - position, to = w.end[i] - position;
  return {from > 0 ? static_cast<int>(from) : 0, to < kBlock ? static_cast<int>(to) : kBlock};
}

/// Scores of queries [i, i + R) against the keys that any of them sees; other elements may come out as garbage or not at all.
template <int R, class T>
void score_rows(const AttentionWalk& w, int64_t i, const Block<T>& block, int64_t position) {
  constexpr int C = columns_of<R>(), kStep = C * Vec::width < kBlock ? C * Vec::width : kBlock, kC = kStep / Vec::width;
  const int from = seen_of(w, i, position).from / kStep * kStep, to = seen_of(w, i + R - 1, position).to;
  for (int t = from; t < to; t += kStep) {
    float* out[R];
    for (int r = 0; r < R; ++r) out[r] = w.scores + (i + r) * kBlock + t;
    product<R, kC>(w.q + i, 0, w.dk, block.keys_from(t), block.keys_ahead_from(t, w.dk), out, true);
  }
}

/// Turns the scores of a query into probabilities relative to its new largest score, and rescales what its slot holds.
void soften(const AttentionWalk& w, int64_t i, Seen seen) {
  float* s = w.scores + i * kBlock;
  float* slot = w.slots[i];
  const int first_vec = seen.from / Vec::width * Vec::width;
  const Vec scale = set1(w.softcap != 0 ? w.scale / w.softcap : w.scale), none = set1(kMinusInf);
  Vec top = none;
  for (int t = first_vec; t < seen.to; t += Vec::width) {
    Vec x = load(s + t) * scale;
    if (w.softcap != 0) x = set1(w.softcap) * tanh(x);
    if (t < seen.from || t + Vec::width > seen.to) {
      const Vec index = iota() + set1(static_cast<float>(t));
      x = select(less(index, set1(static_cast<float>(seen.to))), x, none);
      x = select(less(index, set1(static_cast<float>(seen.from))), none, x);
    }
    store(s + t, x);
    top = max(top, x);
  }
  const float largest = reduce_max(top), before = slot[0];
  const float now = largest > before ? largest : before;
  Vec keep = set1(1.0f);
  if (now != before) {
    keep = exp(set1(before) - set1(now));
    slot[0] = now;
    for (int64_t d = 0; d < w.dv; d += Vec::width) store(slot + kAttentionSums + d, load(slot + kAttentionSums + d) * keep);
  }
  Vec sum = zero();
  for (int t = first_vec; t < seen.to; t += Vec::width) {
    const Vec p = exp(load(s + t) - set1(now));
    store(s + t, p);
    sum = sum + p;
  }
  slot[1] = first(fma(set1(slot[1]), keep, set1(reduce_add(sum))));
}

/// Adds probabilities times values of tokens [from, to), which all R queries see.
template <int R, class T>
void mix_tokens(const AttentionWalk& w, int64_t i, const Block<T>& block, int from, int to) {
  constexpr int C = columns_of<R>();
  const float* a[R];
  float* out[R];
  for (int r = 0; r < R; ++r) {
    a[r] = w.scores + (i + r) * kBlock;
    out[r] = w.slots[i + r] + kAttentionSums;
  }
  int64_t v = 0;
  auto advance = [&](int n) {
    for (int r = 0; r < R; ++r) out[r] += n * Vec::width;
    v += n;
  };
  for (; v + C <= block.vectors; advance(C))
    product<R, C>(a, from, to, block.values_from(from, v * Vec::width), block.values_ahead_from(v * Vec::width), out, false);
  for (; v < block.vectors; advance(1))
    product<R, 1>(a, from, to, block.values_from(from, v * Vec::width), block.values_ahead_from(v * Vec::width), out, false);
  if (block.tail)
    for (int r = 0; r < R; ++r) product_tail(a[r], from, to, block.values_from(from, v * Vec::width), out[r], block.tail);
}

/// Queries [i, i + R): together over the tokens that all see, one by one at the ragged ends. Each adds its tokens in ascending order.
template <int R, class T>
void mix_rows(const AttentionWalk& w, int64_t i, const Block<T>& block, int64_t position) {
  const int from = seen_of(w, i + R - 1, position).from, to = seen_of(w, i, position).to;
  if (R == 1 || from >= to) {
    for (int r = 0; r < R; ++r) {
      const Seen own = seen_of(w, i + r, position);
      mix_tokens<1>(w, i + r, block, own.from, own.to);
    }
    return;
  }
  for (int r = 0; r < R; ++r) {
    const Seen own = seen_of(w, i + r, position);
    if (own.from < from) mix_tokens<1>(w, i + r, block, own.from, from);
  }
  mix_tokens<R>(w, i, block, from, to);
  for (int r = 0; r < R; ++r) {
    const Seen own = seen_of(w, i + r, position);
    if (to < own.to) mix_tokens<1>(w, i + r, block, to, own.to);
  }
}

/// Rows of the next register tile when n are left: sixes, and then what leaves no single row behind.
inline int rows_of(int64_t n) {
  if (n == 6 || n >= 9) return kRows;
  if (n >= 7) return 4;
  return n == 5 ? 3 : static_cast<int>(n);
}

template <class T>
void queries_with_block(const AttentionWalk& w, int64_t first_query, int64_t last_query, const Block<T>& block, int64_t position) {
  for (int64_t i = first_query; i < last_query;) {
    const int rows = rows_of(last_query - i);
    switch (rows) {
      case 1: score_rows<1>(w, i, block, position); break;
      case 2: score_rows<2>(w, i, block, position); break;
      case 3: score_rows<3>(w, i, block, position); break;
      case 4: score_rows<4>(w, i, block, position); break;
      default: score_rows<kRows>(w, i, block, position); break;
    }
    i += rows;
  }
  for (int64_t i = first_query; i < last_query; ++i) soften(w, i, seen_of(w, i, position));
  for (int64_t i = first_query; i < last_query;) {
    const int rows = rows_of(last_query - i);
    switch (rows) {
      case 1: mix_rows<1>(w, i, block, position); break;
      case 2: mix_rows<2>(w, i, block, position); break;
      case 3: mix_rows<3>(w, i, block, position); break;
      case 4: mix_rows<4>(w, i, block, position); break;
      default: mix_rows<kRows>(w, i, block, position); break;
    }
    i += rows;
  }
}

/// Decodes the keys and the values of tokens [from, to) to f32, value rows padded with zeros to whole vectors.
template <class T>
Block<float> decode(const AttentionWalk& w, const Block<T>& block, int from, int to) {
  float* keys = w.decoded;
  float* values = keys + w.dk * kBlock;
  const int64_t stride = (block.vectors + (block.tail ? 1 : 0)) * Vec::width;
  const int first_vec = from / Vec::width * Vec::width;
  auto key = block.keys_from(first_vec);
  for (int64_t d = 0; d < w.dk; ++d, key.next())
    for (int t = first_vec; t < to; t += Vec::width) store(keys + d * kBlock + t, key.at((t - first_vec) / Vec::width));
  for (int64_t t = from; t < to; ++t) {
    float* y = values + t * stride;
    for (int64_t v = 0; v < block.vectors; ++v) store(y + v * Vec::width, block.values_from(t, v * Vec::width).at(0));
    if (block.tail) store(y + block.vectors * Vec::width, block.values_from(t, block.vectors * Vec::width).first(block.tail));
  }
  const Ahead nothing{reinterpret_cast<const char*>(keys), 0};
  return {keys, values, stride, stride / Vec::width, 0, nothing, nothing, nullptr, nullptr, 0};
}

/// Bytes of a token's keys or values, d of them, with their scales.
template <class T>
constexpr int64_t row_bytes(int64_t d) {
  return d * static_cast<int64_t>(sizeof(T)) +
         (sizeof(T) == 1 ? (d + kAttentionGroup - 1) / kAttentionGroup * static_cast<int64_t>(sizeof(float)) : 0);
}

/// Block `at` of the state; its values are read after its keys, and then `next_keys`.
template <class T>
Block<T> block_at(const AttentionWalk& w, int64_t at, const std::byte* next_keys) {
  Block<T> b{};
  b.keys = reinterpret_cast<const T*>(w.keys + at * w.key_stride);
  b.values = reinterpret_cast<const T*>(w.values + at * w.value_stride);
  b.value_stride = w.dv;
  b.vectors = w.dv / Vec::width;
  b.tail = static_cast<int>(w.dv % Vec::width);
  if constexpr (sizeof(T) == 1) {
    b.key_scales = reinterpret_cast<const float*>(b.keys + w.dk * kBlock);
    b.value_scales = reinterpret_cast<const float*>(b.values + w.dv * kBlock);
    b.value_groups = (w.dv + kAttentionGroup - 1) / kAttentionGroup;
  }
  b.keys_ahead = {reinterpret_cast<const char*>(b.values), 64 * row_bytes<T>(w.dv) / (w.dk * static_cast<int64_t>(sizeof(T)))};
  b.values_ahead = {reinterpret_cast<const char*>(next_keys), 64 * row_bytes<T>(w.dk) / (w.dv * static_cast<int64_t>(sizeof(T)))};
  return b;
}

template <class T>
void walk(const AttentionWalk& w) {
  const int64_t padded = attention_slot_floats(w.dv);
  for (int64_t i = 0; i < w.queries; ++i) {
    w.slots[i][0] = kMinusInf;
    for (int64_t d = 1; d < padded; ++d) w.slots[i][d] = 0;
  }
  int64_t first_query = 0, last_query = 0;  // those that see something of the block: as bounds never fall, an interval that only moves up
  for (int64_t b = w.first_block; b < w.last_block; ++b) {
    const int64_t position = b * kBlock;
    while (first_query < w.queries && w.end[first_query] <= position) ++first_query;
    if (last_query < first_query) last_query = first_query;
    while (last_query < w.queries && w.begin[last_query] < position + kBlock) ++last_query;
    if (first_query == last_query) continue;
    const std::byte* next = b + 1 < w.last_block ? w.keys + w.blocks[b + 1] * w.key_stride : w.next_keys;
    const Block<T> block = block_at<T>(w, w.blocks[b], next);
    if (sizeof(T) == sizeof(float) || last_query - first_query < kDecodeFrom) {
      queries_with_block(w, first_query, last_query, block, position);
      continue;
    }
    const int from = seen_of(w, first_query, position).from, to = seen_of(w, last_query - 1, position).to;
    queries_with_block(w, first_query, last_query, decode(w, block, from, to), position);
  }
}

void absorb(float* slot, const float* next, int64_t dv) {
  const float now = slot[0] > next[0] ? slot[0] : next[0];
  const Vec keep = exp(set1(slot[0]) - set1(now)), take = exp(set1(next[0]) - set1(now));
  slot[0] = now;
  slot[1] = first(fma(set1(slot[1]), keep, set1(next[1]) * take));
  for (int64_t d = kAttentionSums; d < kAttentionSums + dv; d += Vec::width) store(slot + d, fma(load(slot + d), keep, load(next + d) * take));
}

void finish(const float* slot, const float* sink, float* out, int64_t dv) {
  Vec sum = set1(slot[1]), keep = set1(1.0f);
  if (sink) {
    const float now = slot[0] > *sink ? slot[0] : *sink;
    keep = exp(set1(slot[0]) - set1(now));
    sum = fma(sum, keep, exp(set1(*sink) - set1(now)));
  }
  const Vec factor = keep / sum;
  const float* x = slot + kAttentionSums;
  int64_t d = 0;
  for (; d + Vec::width <= dv; d += Vec::width) store(out + d, load(x + d) * factor);
  if (d < dv) store_n(out + d, load(x + d) * factor, static_cast<int>(dv - d));
}

void to_f16(const float* x, uint16_t* out, int64_t n) {
  int64_t i = 0;
  for (; i + Vec::width <= n; i += Vec::width) store(out + i, load(x + i));
  if (i < n) store_n(out + i, load_n(x + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}

}  // namespace
}  // namespace mainspring::inline v0
