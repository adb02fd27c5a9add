// com.microsoft.GroupQueryAttention(q [B,S,Hq] or packed [B,S,Hq+2Hk], k? [B,S,Hk], v?, past_key? [B,Nk,P,d], past_value?, seqlens_k i32 [B], total_length i32 scalar,
//   cos?, sin? [max,r/2], position_ids? i64 [B,S], attention_bias? [B|1,N|1,S,T], head_sink? [N], -, -, q_norm?, k_norm? [d]) -> y [B,S,Hq], present_key?, present_value?, qk?
//   attrs num_heads, kv_num_heads, scale, softcap, causal (1), local_window_size (-1), do_rotary, rotary_interleaved, smooth_softmax, qk_output, qk_norm_epsilon
//   Sequence b has seqlens_k[b] + 1 positions, the last S of them are new; where S is the total length they are all new (the rest of a row is padding).
// com.microsoft.RotaryEmbedding(x [B,S,H] or [B,N,S,d], position_ids i64 [1] or [B,S], cos, sin [max,r/2]) -> as x      attrs interleaved, num_heads, rotary_embedding_dim, scale (1)
// com.microsoft.RelativePositionBias(table [buckets,N], q_length i64, k_length i64) -> [1,N,Lq,Lk]     attrs is_bidirectional, max_distance      arXiv:1910.10683
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/nn/heads.h"
#include "ops/nn/norms.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr const char* kGqa = "com.microsoft.GroupQueryAttention";

std::optional<int64_t> scalar_of(const OpCall& c, size_t i) {
  const auto v = has(c, i) ? ints_of(c.in[i]) : std::nullopt;
  return v && v->size() == 1 ? std::optional((*v)[0]) : std::nullopt;
}

Result<std::vector<ValueInfo>> infer_GroupQueryAttention(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* q, need_float(kGqa, c, 0, "query"));
  MAINSPRING_TRY_VOID(want_rank(kGqa, *q, "query", 3, 3));
  MAINSPRING_TRY(const int64_t heads, int_attr(kGqa, c.attrs, "num_heads", 0, 1, 1 << 20));
  MAINSPRING_TRY(const int64_t kv_heads, int_attr(kGqa, c.attrs, "kv_num_heads", 0, 1, 1 << 20));
  if (heads % kv_heads != 0) return invalid("{}: {} heads of q do not share {} of k", kGqa, heads, kv_heads);
  if (c.attrs.i("sliding_window_cache") || has(c, 12) || has(c, 13) || c.attrs.s("k_quant_type", "NONE") != "NONE" || c.attrs.s("v_quant_type", "NONE") != "NONE")
    return unsupported("{}: windowed and quantised caches are not supported", kGqa);
  const bool packed = !has(c, 1);
  if (has(c, 1) != has(c, 2) || has(c, 3) != has(c, 4) || has(c, 14) != has(c, 15)) return invalid("{}: key and value, past_key and past_value, q_norm and k_norm come together", kGqa);
  const Dim b = dim_of(*q, 0), s = dim_of(*q, 1), all = dim_of(*q, 2);
  const int64_t parts = packed ? heads + 2 * kv_heads : heads;
  if (all.is_constant() && all.times % parts != 0) return invalid("{}: {} elements do not make {} heads", kGqa, all.times, parts);
  const Dim d = map_dim(all, [&](int64_t n) { return n / parts; });
  for (const size_t i : {1u, 2u}) MAINSPRING_TRY_VOID(want_dims(kGqa, c, i, i == 1 ? "key" : "value", {b, s, times(d, kv_heads)}));
  Dim past = 0;
  if (has(c, 3)) {
    MAINSPRING_TRY_VOID(need_float(kGqa, c, 3, "past_key"));
    past = dim_of(c.in[3], 2);
    for (const size_t i : {3u, 4u}) MAINSPRING_TRY_VOID(want_dims(kGqa, c, i, "past", {b, Dim(kv_heads), past, d}));
  }
  MAINSPRING_TRY(const ValueInfo* lengths, need_int(kGqa, c, 5, "seqlens_k"));
  if (lengths->ranked) MAINSPRING_TRY_VOID(want_equal(kGqa, "elements of seqlens_k", product(lengths->dims, 0, lengths->dims.size()), b));
  MAINSPRING_TRY_VOID(need_int(kGqa, c, 6, "total_sequence_length"));
  const auto total = scalar_of(c, 6);
  if (total && *total < 0) return invalid("{}: total_sequence_length is {}", kGqa, *total);
  if (total && past.is_constant() && s.is_constant() && *total < s.times) return invalid("{}: total_sequence_length is {}, less than the {} new positions", kGqa, *total, s.times);
  if (c.attrs.i("do_rotary")) {
    const Dim half = map_dim(d, [](int64_t n) { return n / 2; });
    for (const size_t i : {7u, 8u}) {
      MAINSPRING_TRY(const ValueInfo* table, need_float(kGqa, c, i, "cos_cache or sin_cache"));
      MAINSPRING_TRY_VOID(want_rank(kGqa, *table, "cos_cache or sin_cache", 2, 2));
      if (dim_of(*table, 1).is_constant() && half.is_constant() && table->dims[1].times > half.times) return invalid("{}: tables for {} pairs, heads of {}", kGqa, table->dims[1].times, d.times);
    }
    MAINSPRING_TRY_VOID(want_dims(kGqa, c, 8, "sin_cache", {dim_of(c.in[7], 0), dim_of(c.in[7], 1)}));
  }
  if (has(c, 9)) MAINSPRING_TRY_VOID(need_int(kGqa, c, 9, "position_ids"));
  if (has(c, 9) && c.in[9].ranked) MAINSPRING_TRY_VOID(want_dims(kGqa, c, 9, "position_ids", {b, s}));
  const Dim keys = total ? Dim(*total) : Dim::unknown();
  if (has(c, 10)) {
    const ValueInfo& bias = c.in[10];
    MAINSPRING_TRY_VOID(want_dims(kGqa, c, 10, "attention_bias", {dim_of(bias, 0) == Dim(1) ? Dim(1) : b, dim_of(bias, 1) == Dim(1) ? Dim(1) : Dim(heads), s, keys}));
  }
  MAINSPRING_TRY_VOID(want_dims(kGqa, c, 11, "head_sink", {Dim(heads)}));
  for (const size_t i : {14u, 15u}) MAINSPRING_TRY_VOID(want_dims(kGqa, c, i, "norm weight", {d}));
  const Dim present = total && past.is_constant() ? Dim(std::max(*total, past.times)) : Dim::unknown();
  const ValueInfo cache = tensor_of(has(c, 3) ? c.in[3].dtype : q->dtype, {b, Dim(kv_heads), present, d});
  return first_outputs(c, {tensor_of(q->dtype, {b, s, times(d, heads)}), cache, cache, tensor_of(q->dtype, {b, Dim(heads), s, keys})});
}

void reference_GroupQueryAttention(const OpArgs& a) {
  const int64_t heads = a.attrs.i("num_heads"), kv_heads = a.attrs.i("kv_num_heads"), b = a.in[0].shape[0], s = a.in[0].shape[1], all = a.in[0].shape[2];
  const int64_t d = a.out[0].shape[2] / heads, total = load_int(a.in[6], 0), kept = has(a, 3) ? a.in[3].shape[2] : 0;
  if (total < s) return put_numbers(a.out[0], std::vector<double>(at(a.out[0].shape.elements()), 0.0));
  Heads q, k, v;
  if (has(a, 1)) {
    q = heads_of(a.in[0], heads), k = heads_of(a.in[1], kv_heads), v = heads_of(a.in[2], kv_heads);
  } else {
    const std::vector<double> x = numbers_of(a.in[0]);
    q = heads_of(x, b, s, heads, d, all, 0), k = heads_of(x, b, s, kv_heads, d, all, heads * d), v = heads_of(x, b, s, kv_heads, d, all, (heads + kv_heads) * d);
  }
  if (has(a, 14)) {
    const double eps = a.attrs.f("qk_norm_epsilon", 1e-6);
    normalise_rows(q.values, d, eps, false, numbers_of(a.in[14]), {});
    normalise_rows(k.values, d, eps, false, numbers_of(a.in[15]), {});
  }
  const auto past_of = [&](int64_t n) { return s == total ? int64_t{0} : std::clamp<int64_t>(load_int(a.in[5], n) + 1 - s, 0, std::min(kept, total - s)); };
  if (a.attrs.i("do_rotary")) {
    const std::vector<double> cosines = numbers_of(a.in[7]), sines = numbers_of(a.in[8]);
    const int64_t half = a.in[7].shape[1], rows = a.in[7].shape[0];
    for (Heads* part : {&q, &k})
      for (int64_t n = 0; n < b; ++n)
        for (int64_t i = 0; i < s; ++i) {
          const int64_t row = has(a, 9) ? load_int(a.in[9], n * s + i) : past_of(n) + i;
          if (row < 0 || row >= rows) continue;  // a position beyond the tables turns nothing
          for (int64_t h = 0; h < part->heads; ++h) rotate_row(part->row(n, h, i), cosines.data() + row * half, sines.data() + row * half, 2 * half, a.attrs.i("rotary_interleaved") != 0);
        }
  }
  // The cache: old positions, then the new ones; what lies behind is zero.
  const auto grown = [&](const Heads& now, size_t past_at) {
    Heads to(b, kv_heads, std::max(total, kept), d);
    const Heads before = has(a, past_at) ? heads_of(a.in[past_at], kv_heads) : Heads();
    for (int64_t n = 0; n < b; ++n)
      for (int64_t h = 0; h < kv_heads; ++h) {
        const int64_t old = past_of(n);
        if (old > 0) std::copy_n(before.row(n, h, 0), old * d, to.row(n, h, 0));
        std::copy_n(now.row(n, h, 0), s * d, to.row(n, h, old));
      }
    return to;
  };
  Heads keys = grown(k, 3), values = grown(v, 4);
  if (wanted(a, 1)) put_heads(a.out[1], keys);
  if (wanted(a, 2)) put_heads(a.out[2], values);
  const std::vector<double> bias = has(a, 10) ? numbers_of(a.in[10]) : std::vector<double>();
  const Shape bs = has(a, 10) ? a.in[10].shape : Shape();
  const bool causal = a.attrs.i("causal", 1) != 0;
  const int64_t window = a.attrs.i("local_window_size", -1), show = a.attrs.i("qk_output");
  AttentionRule rule;
  const double scale = a.attrs.f("scale");
  rule.scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(d));
  rule.softcap = a.attrs.f("softcap");
  if (has(a, 11)) rule.sinks = numbers_of(a.in[11]);
  else if (a.attrs.i("smooth_softmax") == 1) rule.sinks.assign(at(heads), 0.0);
  rule.bias = [&](int64_t n, int64_t h, int64_t i, std::span<double> row) {
    const int64_t position = past_of(n) + i, last = causal ? position : std::max(position, load_int(a.in[5], n));
    for (int64_t j = 0; j < static_cast<int64_t>(row.size()); ++j) {
      if (j > last || j >= total || (window > 0 && j <= position - window)) row[at(j)] = -kInf;
      else if (!bias.empty()) row[at(j)] += bias[at((((bs[0] == 1 ? 0 : n) * bs[1] + (bs[1] == 1 ? 0 : h)) * s + i) * bs[3] + j)];
    }
  };
  std::vector<double> shown(wanted(a, 3) ? at(a.out[3].shape.elements()) : 0, 0.0);
  if (!shown.empty())
    rule.look = [&](int stage, int64_t n, int64_t h, int64_t i, std::span<const double> row) {
      if (stage == (show == 2 ? 3 : 2)) std::copy_n(row.data(), total, shown.data() + ((n * heads + h) * s + i) * total);
    };
  put_heads(a.out[0], attend_heads(q, keys, values, rule));
  if (wanted(a, 3)) put_numbers(a.out[3], shown);
}

// ---- RotaryEmbedding --------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_RotaryEmbedding(const OpCall& c) {
  const char* op = "com.microsoft.RotaryEmbedding";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 3, 4));
  MAINSPRING_TRY(const ValueInfo* ids, need_int(op, c, 1, "position_ids"));
  for (const size_t i : {2u, 3u}) {
    MAINSPRING_TRY_VOID(need_float(op, c, i, "cos_cache or sin_cache"));
    MAINSPRING_TRY_VOID(want_rank(op, c.in[i], "cos_cache or sin_cache", 2, 2));
  }
  MAINSPRING_TRY_VOID(want_dims(op, c, 3, "sin_cache", {dim_of(c.in[2], 0), dim_of(c.in[2], 1)}));
  ValueInfo y = *x;
  y.value = nullptr;
  if (!x->ranked) return one(std::move(y));
  const bool four = x->dims.size() == 4;
  const Dim half = dim_of(c.in[2], 1), last = x->dims.back(), s = x->dims[four ? 2 : 1];
  const int64_t heads = c.attrs.i("num_heads"), turned = c.attrs.i("rotary_embedding_dim");
  if (turned > 0 && heads < 1 && !four) return invalid("{}: rotary_embedding_dim needs num_heads", op);
  if (heads < 0 || turned < 0) return invalid("{}: attributes num_heads and rotary_embedding_dim are {} and {}", op, heads, turned);
  if (turned > 0) MAINSPRING_TRY_VOID(want_equal(op, "columns of cos_cache", half, turned / 2));
  if (last.is_constant() && half.is_constant()) {
    const int64_t size = four ? last.times : heads > 0 ? last.times / heads : 2 * half.times;  // without num_heads a head is what the tables turn
    if (size < 2 * half.times || size < 1 || (!four && last.times % size != 0)) return invalid("{}: tables for {} pairs, {} elements", op, half.times, last.times);
  }
  if (ids->ranked && ids->dims.size() == 2) MAINSPRING_TRY_VOID(want_dims(op, c, 1, "position_ids", {x->dims[0], s}));
  else if (ids->ranked) MAINSPRING_TRY_VOID(want_equal(op, "elements of position_ids", product(ids->dims, 0, ids->dims.size()), Dim(1)));
  return one(std::move(y));
}

void reference_RotaryEmbedding(const OpArgs& a) {
  const int64_t half = a.in[2].shape[1], rows = a.in[2].shape[0];
  int64_t heads = a.attrs.i("num_heads");
  if (heads < 1 && half > 0) heads = a.in[0].shape.back() / (2 * half);
  Heads x = heads_of(a.in[0], heads);
  const std::vector<double> cosines = numbers_of(a.in[2]), sines = numbers_of(a.in[3]);
  const bool each = a.in[1].shape.rank() == 2;
  for (int64_t b = 0; b < x.batch; ++b)
    for (int64_t i = 0; i < x.length; ++i) {
      const int64_t row = each ? load_int(a.in[1], b * x.length + i) : load_int(a.in[1], 0) + i;
      if (row < 0 || row >= rows) continue;
      for (int64_t h = 0; h < x.heads; ++h) rotate_row(x.row(b, h, i), cosines.data() + row * half, sines.data() + row * half, 2 * half, a.attrs.i("interleaved") != 0);
    }
  const double scale = a.attrs.f("scale", 1);
  for (double& e : x.values) e *= scale;
  put_heads(a.out[0], x);
}

// ---- RelativePositionBias ---------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_RelativePositionBias(const OpCall& c) {
  const char* op = "com.microsoft.RelativePositionBias";
  MAINSPRING_TRY(const ValueInfo* table, need_float(op, c, 0, "table"));
  MAINSPRING_TRY_VOID(want_rank(op, *table, "table", 2, 2));
  MAINSPRING_TRY_VOID(int_attr(op, c.attrs, "max_distance", 0, 1, int64_t{1} << 40));
  Dim length[2];
  for (size_t i = 0; i < 2; ++i) {
    MAINSPRING_TRY_VOID(need_int(op, c, i + 1, "length"));
    const auto n = scalar_of(c, i + 1);
    if (n && *n < 0) return invalid("{}: a length of {}", op, *n);
    length[i] = n ? Dim(*n) : Dim::unknown();
  }
  return one(tensor_of(table->dtype, {Dim(1), dim_of(*table, 1), length[0], length[1]}));
}

void reference_RelativePositionBias(const OpArgs& a) {
  const std::vector<double> table = numbers_of(a.in[0]);
  const bool both = a.attrs.i("is_bidirectional") != 0;
  const int64_t heads = a.in[0].shape[1], buckets = both ? a.in[0].shape[0] / 2 : a.in[0].shape[0], exact = std::max<int64_t>(buckets / 2, 1);
  const double reach = std::log(static_cast<double>(std::max<int64_t>(a.attrs.i("max_distance"), 1)) / static_cast<double>(exact));
  // Near distances have a bucket each; far ones share, on a logarithmic scale.
  const auto bucket = [&](int64_t distance) {
    if (distance < exact) return distance;
    const double far = reach > 0 ? std::log(static_cast<double>(distance) / static_cast<double>(exact)) / reach * static_cast<double>(buckets - exact) : 0;
    return std::min(exact + static_cast<int64_t>(std::min(far, 1e9)), buckets - 1);
  };
  const Shape& ys = a.out[0].shape;
  std::vector<double> y(at(ys.elements()));
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < ys[2]; ++i)
      for (int64_t j = 0; j < ys[3]; ++j) {
        const int64_t back = i - j, distance = both ? std::abs(back) : std::max<int64_t>(back, 0);
        const int64_t row = bucket(distance) + (both && back < 0 ? buckets : 0);
        y[at((h * ys[2] + i) * ys[3] + j)] = row >= 0 && row < a.in[0].shape[0] ? table[at(row * heads + h)] : 0;
      }
  put_numbers(a.out[0], y);
}

}  // namespace

constinit const OpDef op_ms_GroupQueryAttention{
    .name = kGqa, .min_in = 7, .max_in = 16, .n_out = 4, .infer = infer_GroupQueryAttention, .reference = reference_GroupQueryAttention};
constinit const OpDef op_ms_RotaryEmbedding{
    .name = "com.microsoft.RotaryEmbedding", .min_in = 4, .max_in = 4, .n_out = 1, .infer = infer_RotaryEmbedding, .reference = reference_RotaryEmbedding};
constinit const OpDef op_ms_RelativePositionBias{
    .name = "com.microsoft.RelativePositionBias", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_RelativePositionBias, .reference = reference_RelativePositionBias};

}  // namespace mainspring::inline v0
