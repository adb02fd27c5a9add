// What an attention kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// Tokens of a KV block, and of a split: partial softmaxes begin afresh at absolute positions that are multiples of kAttentionSplit.
/// 256: a single row at a depth of a few hundred tokens already falls into tiles for several workers; merging costs 1 % of the walk.
inline constexpr int64_t kAttentionBlock = 64;
inline constexpr int64_t kAttentionGroup = 32;  ///< elements of a scale in q8_0
inline constexpr int64_t kAttentionSplit = 256;

/// The running softmax of one query over some keys, in a slot of floats, 64-byte aligned: [0] the largest score m, [1] the sum l of
/// exp(score - m), and from kAttentionSums on the sums of exp(score - m) * value, dv of them, padded to a multiple of 16.
inline constexpr int64_t kAttentionSums = 16;
constexpr int64_t attention_slot_floats(int64_t dv) { return kAttentionSums + (dv + 15) / 16 * 16; }

/// Queries of one kv head against the keys of one split. Query i sees the positions [begin[i], end[i]), a range that is not empty inside
/// [64 * first_block, 64 * last_block); neither bound falls from one query to the next. Nothing outside a query's range reaches its slot.
struct AttentionWalk {
  const float* const* q;      ///< [queries] rows of dk floats
  float* const* slots;        ///< [queries]: written
  const int32_t* begin;
  const int32_t* end;
  int64_t queries;
  int64_t first_block, last_block;
  const int32_t* blocks;      ///< block of the state for each 64 positions of the sequence
  const std::byte* keys;      ///< this head's keys in block 0 of the state: [dk, 64], in q8_0 then scales (lib/quant/kv_block.h)
  const std::byte* values;    ///< this head's values in block 0: [64, dv], in q8_0 then scales
  const std::byte* next_keys;  ///< what is read after this walk, to ask memory for ahead of time: only its time depends on it
  int64_t key_stride;         ///< bytes from block to block of the state
  int64_t value_stride;
  int64_t dk, dv;
  float scale;                ///< scores are q·k * scale, or cap * tanh(q·k * scale / cap)
  float softcap;              ///< 0: none
  float* scores;              ///< scratch: queries * 64 floats, 64-byte aligned
  float* decoded;             ///< scratch: 64 * (dk + padded dv) floats, 64-byte aligned
};

struct AttentionIsa {
  void (*walk_f32)(const AttentionWalk&);
  void (*walk_f16)(const AttentionWalk&);
  void (*walk_q8)(const AttentionWalk&);
  /// Merges the slot of the next split into the slot of all splits before it.
  void (*absorb)(float* slot, const float* next, int64_t dv);
  /// Writes the dv results of a slot. `sink` (may be null): one more score, without a value.
  void (*finish)(const float* slot, const float* sink, float* out, int64_t dv);
  /// f32 to f16, to nearest even.
  void (*to_f16)(const float* x, uint16_t* out, int64_t n);
};

}  // namespace mainspring::inline v0
