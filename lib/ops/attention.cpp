// Attention over the paged cache. Block b of a sequence (64 tokens, cut at absolute positions) is block_table[sequence, b] of the state.
//
// kv_store(state kv_keys [B,h,d,64] or kv_values [B,h,64,d], f32, f16 or q8_0 (quant/kv_block.h); x [n,h,d]) -> state'
//   attrs values (0): 1 where the state holds values; needed where d is 64, when the two layouts look alike
//   writes each row at its position; f16 rounds to nearest even, q8_0 as q8_rows
// attention(q [n,H,dk], keys [B,h,dk,64], values [B,h,64,dv], sinks? [H]) -> [n,H,dv]
//   attrs scale (1), window (0: none), softcap (0: none), causal (1)
//   s_j = scale * q·k_j, or softcap * tanh(s_j / softcap); y = Σ exp(s_j) v_j / (Σ exp(s_j) + exp(sinks[head])) over the visible j:
//   j <= p where causal, else j up to the last position of the row's segment; p - j < window where there is one. Head i reads head i/(H/h).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"
#include "quant/half.h"
#include "quant/kv_block.h"

namespace mainspring::inline v0 {
namespace {

/// One cache of keys or values: rows of d floats in and out. Blocks lie row_stride elements apart; inside they are dense.
class Cache {
 public:
  Cache(const TensorView& v, bool values, const StepInfo& step) : view_(v), step_(step), values_(values), d_(v.shape[values ? 3 : 2]) {}

  void read(int32_t sequence, int64_t position, int64_t head, float* x) const {
    const std::byte* base = head_of(sequence, position, head);
    const int64_t t = position % kKvBlock, groups = kv_groups(d_);
    const float* scales = reinterpret_cast<const float*>(base + kKvBlock * d_);
    for (int64_t i = 0; i < d_; ++i) {
      const int64_t at = index(t, i, d_);
      if (view_.dtype == DType::f16) x[i] = f16_to_f32(reinterpret_cast<const uint16_t*>(base)[at]);
      else if (view_.dtype == DType::q8_0) x[i] = static_cast<float>(reinterpret_cast<const int8_t*>(base)[at]) * scales[index(t, i / kKvGroup, groups)];
      else x[i] = reinterpret_cast<const float*>(base)[at];
    }
  }
  void write(int32_t sequence, int64_t position, int64_t head, const float* x) const {
    std::byte* base = head_of(sequence, position, head);
    const int64_t t = position % kKvBlock, groups = kv_groups(d_), padded = groups * kKvGroup;
    if (view_.dtype != DType::q8_0) {
      for (int64_t i = 0; i < d_; ++i)
        if (view_.dtype == DType::f16) reinterpret_cast<uint16_t*>(base)[index(t, i, d_)] = f32_to_f16(x[i]);
        else reinterpret_cast<float*>(base)[index(t, i, d_)] = x[i];
      return;
    }
    std::vector<float> filled(x, x + d_), row(q8_rows_stride(padded) / sizeof(float));
    filled.resize(static_cast<size_t>(padded));
    quantise_row(DType::q8_rows, filled.data(), padded, row.data());
    const auto* bytes = reinterpret_cast<const std::byte*>(row.data());
    for (int64_t i = 0; i < d_; ++i) base[index(t, i, d_)] = bytes[i];
    for (int64_t g = 0; g < groups; ++g)
      std::memcpy(base + kKvBlock * d_ + index(t, g, groups) * static_cast<int64_t>(sizeof(float)), bytes + q8_rows_d(padded) + static_cast<size_t>(g) * sizeof(float), sizeof(float));
  }

 private:
  std::byte* head_of(int32_t sequence, int64_t position, int64_t head) const {
    const int64_t block = step_.block_table[int64_t{sequence} * step_.blocks_per_sequence + position / kKvBlock];
    return view_.data + block * kv_block_bytes(view_.dtype, view_.row_stride, d_) + head * kv_head_bytes(view_.dtype, d_);
  }
  /// Where element i of `of` of token t lies in its plane.
  int64_t index(int64_t t, int64_t i, int64_t of) const { return values_ ? t * of + i : i * kKvBlock + t; }

  const TensorView& view_;
  const StepInfo& step_;
  bool values_;
  int64_t d_;
};

/// Extents of a cache of either kind: heads and head size.
Result<void> check_cache(const Want& want, const char* name, const ValueInfo& v) {
  const size_t slots = v.state == StateKind::kv_values ? 2 : 3;
  if (v.dims[slots] != Dim(kKvBlock) || !constant_elements(v.dims, 1))
    return want.fail("{} is {}, expected constant extents and {} tokens in a block, at extent {}", name, text_of(v), kKvBlock, slots);
  return {};
}

Result<std::vector<ValueInfo>> infer_kv_store(const OpCall& c) {
  const Want want("kv_store", c);
  const bool values = want.has(0) && want.in(0).state == StateKind::kv_values;
  MAINSPRING_TRY(const ValueInfo* state, want.state(0, "state", values ? StateKind::kv_values : StateKind::kv_keys, 4));
  MAINSPRING_TRY_VOID(check_cache(want, "state", *state));
  MAINSPRING_TRY(const ValueInfo* x, want.rows(1, "x", 3, 3));
  const Dim d = state->dims[values ? 3 : 2];
  if (x->dims[1] != state->dims[1] || x->dims[2] != d)
    return want.fail("x is {}, expected {} heads of {} (state is {})", text_of(*x), state->dims[1].times, d.times, text_of(*state));
  const bool told = c.attrs.has("values");
  if (told ? (c.attrs.i("values") != 0) != values : values && d == Dim(kKvBlock))
    return want.fail("attribute values is {}, expected {}, as the state {} holds {}", told ? std::to_string(c.attrs.i("values")) : "absent",
                     values ? 1 : 0, text_of(*state), values ? "values" : "keys");
  return std::vector<ValueInfo>{*state};
}

void reference_kv_store(const OpArgs& a) {
  const TensorView& state = a.out[0];
  const Rows<float> x(a.in[1]);
  const int64_t heads = a.in[1].shape[1];
  const bool values = a.attrs.has("values") ? a.attrs.i("values") != 0 : state.shape[3] != kKvBlock;
  const Cache cache(state, values, a.step);
  for (const Segment& s : a.step.segments)
    for (int64_t t = 0; t < s.rows; ++t)
      for (int64_t h = 0; h < heads; ++h) cache.write(s.sequence, s.first_position + t, h, x[(s.first_row + t) * heads + h]);
}

Result<std::vector<ValueInfo>> infer_attention(const OpCall& c) {
  const Want want("attention", c);
  MAINSPRING_TRY(const ValueInfo* q, want.rows(0, "q", 3, 3));
  MAINSPRING_TRY(const ValueInfo* keys, want.state(1, "keys", StateKind::kv_keys, 4));
  MAINSPRING_TRY(const ValueInfo* values, want.state(2, "values", StateKind::kv_values, 4));
  MAINSPRING_TRY_VOID(check_cache(want, "keys", *keys));
  MAINSPRING_TRY_VOID(check_cache(want, "values", *values));
  if (keys->dims[0] != values->dims[0] || keys->dims[1] != values->dims[1])
    return want.fail("values are {}, expected the blocks and heads of keys, {}", text_of(*values), text_of(*keys));
  if (q->dims[2] != keys->dims[2] || !q->dims[1].is_constant() || q->dims[1].times % keys->dims[1].times != 0)
    return want.fail("q is {}, expected heads of {} and a multiple of {} of them (keys are {})", text_of(*q), keys->dims[2].times,
                     keys->dims[1].times, text_of(*keys));
  MAINSPRING_TRY_VOID(want.maybe(3, "sinks", {q->dims[1]}));
  MAINSPRING_TRY_VOID(want.number("scale", 1, std::numeric_limits<double>::lowest()));
  MAINSPRING_TRY_VOID(want.number("softcap", 0, 0));
  MAINSPRING_TRY_VOID(want.integer("window", 0, 0, std::numeric_limits<int64_t>::max()));
  MAINSPRING_TRY_VOID(want.integer("causal", 1, 0, 1));
  return yields({q->dims[0], q->dims[1], values->dims[3]});
}

/// Visible keys of a row at position p: [first, last].
struct Visible {
  int64_t first, last;
};

/// One head of one row. `scores` is scratch.
void attend(const OpArgs& a, const Segment& s, Visible seen, const float* q, int64_t head, std::vector<double>& scores, float* y) {
  const Cache keys(a.in[1], false, a.step), values(a.in[2], true, a.step);
  const int64_t dk = a.in[0].shape[2], dv = a.in[2].shape[3], kv_head = head / (a.in[0].shape[1] / a.in[1].shape[1]);
  const double scale = a.attrs.f("scale", 1), softcap = a.attrs.f("softcap", 0);
  const float* sinks = a.in[3].as<float>();
  double top = sinks ? static_cast<double>(sinks[head]) : -std::numeric_limits<double>::infinity();
  std::vector<float> row(static_cast<size_t>(std::max(dk, dv)));
  scores.clear();
  for (int64_t j = seen.first; j <= seen.last; ++j) {
    double score = 0;
    keys.read(s.sequence, j, kv_head, row.data());
    for (int64_t i = 0; i < dk; ++i) score += static_cast<double>(q[i]) * static_cast<double>(row[static_cast<size_t>(i)]);
    score *= scale;
    if (softcap != 0) score = softcap * std::tanh(score / softcap);
    scores.push_back(score);
    top = std::max(top, score);
  }
  double sum = sinks ? std::exp(static_cast<double>(sinks[head]) - top) : 0;
  for (double& score : scores) sum += score = std::exp(score - top);
  std::vector<double> mix(static_cast<size_t>(dv));
  for (int64_t j = seen.first; j <= seen.last; ++j) {
    values.read(s.sequence, j, kv_head, row.data());
    for (size_t i = 0; i < mix.size(); ++i) mix[i] += scores[static_cast<size_t>(j - seen.first)] * static_cast<double>(row[i]);
  }
  for (int64_t i = 0; i < dv; ++i) y[i] = static_cast<float>(mix[static_cast<size_t>(i)] / sum);
}

void reference_attention(const OpArgs& a) {
  const Rows<float> q(a.in[0]), y(a.out[0]);
  const int64_t heads = a.in[0].shape[1], window = a.attrs.i("window", 0);
  const bool causal = a.attrs.i("causal", 1) != 0;
  std::vector<double> scores;
  for (const Segment& s : a.step.segments)
    for (int64_t t = 0; t < s.rows; ++t) {
      const int64_t p = s.first_position + t;
      const Visible seen{window ? std::max<int64_t>(0, p - window + 1) : 0, causal ? p : int64_t{s.first_position} + s.rows - 1};
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t r = (s.first_row + t) * heads + h;
        attend(a, s, seen, q[r], h, scores, y[r]);
      }
    }
}

}  // namespace

constinit const OpDef op_kv_store{.name = "kv_store", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_kv_store, .reference = reference_kv_store};
constinit const OpDef op_attention{
    .name = "attention", .min_in = 3, .max_in = 4, .n_out = 1, .infer = infer_attention, .reference = reference_attention};

}  // namespace mainspring::inline v0
