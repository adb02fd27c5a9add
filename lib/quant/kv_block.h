// One head's keys or values of a KV block: n = kKvBlock tokens of d elements, by the cache's dtype.
//   f32, f16   keys [d, n], values [n, d]
//   q8_0       int8 in the same order, then f32 scales: keys [groups, n], values [n, groups]; x = q * scale. A scale is of one token's 32
//              elements (the last group may be shorter): q and scale are those of q8_rows (q8_rows.h) of the row, filled up with zeros.
// What a token is stored as depends on its row alone: a scale over more tokens would change those before when one comes.
#pragma once

#include "mainspring/ext/graph.h"

namespace mainspring::inline v0 {

inline constexpr int64_t kKvGroup = 32;  ///< elements of a scale in q8_0

constexpr bool is_kv(StateKind kind) { return kind == StateKind::kv_keys || kind == StateKind::kv_values; }
constexpr bool is_kv_dtype(DType t) { return t == DType::f32 || t == DType::f16 || t == DType::q8_0; }

constexpr int64_t kv_groups(int64_t d) { return (d + kKvGroup - 1) / kKvGroup; }
/// Bytes of one head in a block. Whole cache lines, so that heads and planes are aligned as the state is.
constexpr int64_t kv_head_bytes(DType t, int64_t d) {
  return kKvBlock * (t == DType::q8_0 ? d + kv_groups(d) * static_cast<int64_t>(sizeof(float)) : d * info_of(t).bytes);
}
/// Bytes from block to block of a state whose blocks lie `row_stride` elements apart.
constexpr int64_t kv_block_bytes(DType t, int64_t row_stride, int64_t d) { return row_stride / (kKvBlock * d) * kv_head_bytes(t, d); }

}  // namespace mainspring::inline v0
