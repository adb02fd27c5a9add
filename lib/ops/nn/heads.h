// Softmax attention and rotations over heads, in double: what Attention of ONNX and the attentions of com.microsoft share.
#pragma once

#include <functional>
#include <vector>

#include "ops/nn/numbers.h"

namespace mainspring::inline v0 {

/// [batch, heads, length, size], row-major.
struct Heads {
  int64_t batch = 0, heads = 0, length = 0, size = 0;
  std::vector<double> values;
  Heads() = default;
  Heads(int64_t b, int64_t h, int64_t l, int64_t s) : batch(b), heads(h), length(l), size(s), values(at(b * h * l * s), 0.0) {}
  int64_t row_at(int64_t b, int64_t h, int64_t i) const { return ((b * heads + h) * length + i) * size; }
  const double* row(int64_t b, int64_t h, int64_t i) const { return values.data() + row_at(b, h, i); }
  double* row(int64_t b, int64_t h, int64_t i) { return values.data() + row_at(b, h, i); }
};
/// Of a tensor [B, H, L, S], or [B, L, H × S] with that many heads.
Heads heads_of(const TensorView& v, int64_t heads);
/// Of numbers that lie as [B, L, parts, H, S], one part of them.
Heads heads_of(std::span<const double> values, int64_t batch, int64_t length, int64_t heads, int64_t size, int64_t stride, int64_t first);
/// `now` behind `past` along the length.
Heads joined(const Heads& past, const Heads& now);
/// Into a tensor of rank 4 [B, H, L, S] or 3 [B, L, H × S].
void put_heads(const TensorView& to, const Heads& from);

struct AttentionRule {
  /// f16 or bf16: queries and keys (each times √scale), scores and probabilities are rounded to it, as ONNX's basic operators would. `softmax`: the same inside it.
  DType narrow = DType::f64, softmax = DType::f64;
  double scale = 1;
  double softcap = 0;  ///< 0: none; else scores become softcap × tanh(score / softcap)
  /// Adds to the scores of query i; -inf: that key is not seen. A query that sees none gives zeros.
  std::function<void(int64_t b, int64_t h, int64_t i, std::span<double> bias)> bias;
  /// Is shown each row of scores: 0 raw, 1 capped, 2 with the bias, 3 as probabilities.
  std::function<void(int stage, int64_t b, int64_t h, int64_t i, std::span<const double> row)> look;
  /// One more score a query head, which takes its share of the probabilities and gives nothing; empty: none.
  std::vector<double> sinks;
};
/// softmax(scale × q·kᵀ …)·v. q's heads are a multiple of k's: neighbours share.
Heads attend_heads(const Heads& q, const Heads& k, const Heads& v, const AttentionRule& rule);

/// Turns pairs of the first `turned` elements: (x, y) -> (x cos - y sin, x sin + y cos). Pairs are neighbours (interleaved) or halves.
void rotate_row(double* row, const double* cosines, const double* sines, int64_t turned, bool interleaved);

}  // namespace mainspring::inline v0
