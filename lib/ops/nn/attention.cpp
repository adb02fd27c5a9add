// Attention(q [B,Hq,L,d] or [B,L,Hq*d], k [B,Hkv,S,d] or [B,S,Hkv*d], v, mask?, past_key? [B,Hkv,P,d], past_value?, nonpad_kv_seqlen? i64 [B])
//   -> y, present_key?, present_value?, scores? [B,Hq,L,P+S]
//   attrs q_num_heads, kv_num_heads (3-D operands), scale (1/sqrt(d)), is_causal, left_window_size, right_window_size (-1: none), softcap,
//   qk_matmul_output_mode, softmax_precision. A query's position is its index + P, or + (nonpad - L).
// RotaryEmbedding(x [B,H,L,d] or [B,L,H*d], cos, sin [max,r/2] or [B,L,r/2], position_ids? i64 [B,L]) -> as x
//   attrs interleaved, num_heads, rotary_embedding_dim (0: all of a head)
// LinearAttention(q [B,L,Hq*dk], k [B,L,Hkv*dk], v [B,L,Hkv*dv], past? [B,Hkv,dk,dv], decay? [B,L,Hkv or Hkv*dk], beta? [B,L,Hkv or 1]) -> y [B,L,Hq*dv], state
//   attrs q_num_heads, kv_num_heads, scale, update_rule (linear, gated, delta, gated_delta)
//   S = e^g S + k ⊗ (β (v - (e^g S)ᵀ k)), y = scale Sᵀ q; without gate g is 0, without delta the update is k ⊗ v
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/nn/heads.h"
#include "ops/onnx_dtype.h"
#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// Extents of q, k or v as [batch, heads, length, size].
struct HeadDims {
  Dim batch = Dim::unknown(), heads = Dim::unknown(), length = Dim::unknown(), size = Dim::unknown();
};

Result<Dim> divided(const char* op, const char* name, Dim d, int64_t by) {
  if (d.is_constant() && d.times % by != 0) return invalid("{}: {} has {} elements, which {} heads do not share", op, name, d.times, by);
  return map_dim(d, [by](int64_t n) { return n / by; });
}

Result<HeadDims> head_dims(const char* op, const ValueInfo& v, const char* name, int64_t heads) {
  MAINSPRING_TRY_VOID(want_rank(op, v, name, 3, 4));
  if (!v.ranked) return HeadDims{};
  if (v.dims.size() == 4) return HeadDims{v.dims[0], v.dims[1], v.dims[2], v.dims[3]};
  if (heads < 1) return invalid("{}: {} is {}, which needs the attribute of its heads", op, name, text_of(v));
  MAINSPRING_TRY(const Dim size, divided(op, name, v.dims[2], heads));
  return HeadDims{v.dims[0], heads, v.dims[1], size};
}

Result<std::vector<ValueInfo>> infer_Attention(const OpCall& c) {
  const char* op = "Attention";
  MAINSPRING_TRY(const ValueInfo* q, need_float(op, c, 0, "q"));
  MAINSPRING_TRY(const ValueInfo* k, need_float(op, c, 1, "k"));
  MAINSPRING_TRY(const ValueInfo* v, need_float(op, c, 2, "v"));
  MAINSPRING_TRY(const HeadDims qd, head_dims(op, *q, "q", c.attrs.i("q_num_heads")));
  MAINSPRING_TRY(const HeadDims kd, head_dims(op, *k, "k", c.attrs.i("kv_num_heads")));
  MAINSPRING_TRY(const HeadDims vd, head_dims(op, *v, "v", c.attrs.i("kv_num_heads")));
  MAINSPRING_TRY_VOID(int_attr(op, c.attrs, "qk_matmul_output_mode", 0, 0, 3));
  for (const char* side : {"left_window_size", "right_window_size"}) MAINSPRING_TRY_VOID(int_attr(op, c.attrs, side, -1, -1, int64_t{1} << 40));
  if (has(c, 4) != has(c, 5)) return invalid("Attention: past_key and past_value come together");
  MAINSPRING_TRY_VOID(want_equal(op, "batch of k", kd.batch, qd.batch));
  MAINSPRING_TRY_VOID(want_equal(op, "batch of v", vd.batch, qd.batch));
  MAINSPRING_TRY_VOID(want_equal(op, "head size of k", kd.size, qd.size));
  MAINSPRING_TRY_VOID(want_equal(op, "heads of v", vd.heads, kd.heads));
  MAINSPRING_TRY_VOID(want_equal(op, "length of v", vd.length, kd.length));
  if (qd.heads.is_constant() && kd.heads.is_constant() && (kd.heads.times < 1 || qd.heads.times % kd.heads.times != 0))
    return invalid("Attention: {} heads of q do not share {} of k", qd.heads.times, kd.heads.times);
  Dim past = 0;
  if (has(c, 4)) {
    MAINSPRING_TRY_VOID(want_dims(op, c, 4, "past_key", {kd.batch, kd.heads, Dim::unknown(), kd.size}));
    past = dim_of(c.in[4], 2);
    MAINSPRING_TRY_VOID(want_dims(op, c, 5, "past_value", {vd.batch, vd.heads, past, vd.size}));
  }
  const Dim total = plus(past, kd.length);
  MAINSPRING_TRY_VOID(want_dims(op, c, 6, "nonpad_kv_seqlen", {qd.batch}));
  if (has(c, 3)) {
    MAINSPRING_TRY(const ValueInfo* mask, need_number(op, c, 3, "mask"));
    MAINSPRING_TRY_VOID(want_rank(op, *mask, "mask", 1, 4));
    const Dim to[] = {qd.batch, qd.heads, qd.length};
    for (size_t i = 0; mask->ranked && i + 1 < mask->dims.size(); ++i)
      if (mask->dims[i] != Dim(1)) MAINSPRING_TRY_VOID(want_equal(op, "extent of the mask", mask->dims[i], to[4 - mask->dims.size() + i]));
    const Dim last = mask->ranked ? mask->dims.back() : Dim::unknown();
    if (last.is_constant() && total.is_constant() && last.times > total.times) return invalid("Attention: a mask over {} keys, of {}", last.times, total.times);
  }
  ValueInfo y = unranked(q->dtype);
  if (q->ranked) y = tensor_of(q->dtype, q->dims.size() == 4 ? Dims{qd.batch, qd.heads, qd.length, vd.size} : Dims{qd.batch, qd.length, times(qd.heads, vd.size)});
  return first_outputs(c, {std::move(y), tensor_of(k->dtype, {kd.batch, kd.heads, total, kd.size}), tensor_of(v->dtype, {vd.batch, vd.heads, total, vd.size}),
                           tensor_of(q->dtype, {qd.batch, qd.heads, qd.length, total})});
}

void reference_Attention(const OpArgs& a) {
  const Heads q = heads_of(a.in[0], a.attrs.i("q_num_heads"));
  Heads k = heads_of(a.in[1], a.attrs.i("kv_num_heads")), v = heads_of(a.in[2], a.attrs.i("kv_num_heads"));
  const int64_t past = has(a, 4) ? a.in[4].shape[2] : 0;
  if (past > 0) k = joined(heads_of(a.in[4], 0), k), v = joined(heads_of(a.in[5], 0), v);
  if (wanted(a, 1)) put_heads(a.out[1], k);
  if (wanted(a, 2)) put_heads(a.out[2], v);
  const std::vector<int64_t> valid = has(a, 6) ? ints_of(a.in[6]) : std::vector<int64_t>();
  const std::vector<double> mask = has(a, 3) ? numbers_of(a.in[3]) : std::vector<double>();
  const Shape ms = a.in[3].shape;
  const bool allows = has(a, 3) && a.in[3].dtype == DType::boolean;
  const bool causal = a.attrs.i("is_causal") != 0;
  const int64_t left = a.attrs.i("left_window_size", -1), right = a.attrs.i("right_window_size", -1);
  AttentionRule rule;
  rule.scale = a.attrs.f("scale", 1 / std::sqrt(static_cast<double>(q.size)));
  rule.softcap = a.attrs.f("softcap");
  rule.narrow = a.in[0].dtype;
  rule.softmax = dtype_of_onnx(a.attrs.i("softmax_precision", onnx_of_dtype(rule.narrow))).value_or(DType::f64);
  rule.bias = [&](int64_t b, int64_t h, int64_t i, std::span<double> bias) {
    const int64_t n = static_cast<int64_t>(bias.size()), ours = valid.empty() ? n : valid[at(b)];
    const int64_t position = i + (has(a, 4) ? past : valid.empty() ? 0 : ours - q.length);
    if (!mask.empty()) {
      int64_t row = 0;
      const int64_t index[] = {b, h, i}, m = ms.back();
      for (int d = 0; d + 1 < ms.rank(); ++d) row = row * ms[d] + (ms[d] == 1 ? 0 : index[4 - ms.rank() + d]);
      for (int64_t j = 0; j < n; ++j) {
        const double x = j < m ? mask[at(row * m + (j))] : allows ? 0 : -kInf;
        bias[at(j)] = allows ? (x != 0 ? 0 : -kInf) : x;
      }
    }
    for (int64_t j = 0; j < n; ++j)
      if ((causal && j > position) || (left >= 0 && j < position - left) || (right >= 0 && j > position + right) || j >= ours) bias[at(j)] = -kInf;
  };
  std::vector<double> shown(wanted(a, 3) ? at(a.out[3].shape.elements()) : 0);
  const int64_t mode = a.attrs.i("qk_matmul_output_mode");
  if (!shown.empty())
    rule.look = [&](int stage, int64_t b, int64_t h, int64_t i, std::span<const double> row) {
      if (stage == mode) std::copy(row.begin(), row.end(), shown.data() + ((b * q.heads + h) * q.length + i) * k.length);
    };
  put_heads(a.out[0], attend_heads(q, k, v, rule));
  if (wanted(a, 3)) put_numbers(a.out[3], shown);
}

// ---- RotaryEmbedding --------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_RotaryEmbedding(const OpCall& c) {
  const char* op = "RotaryEmbedding";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY(const HeadDims d, head_dims(op, *x, "x", c.attrs.i("num_heads")));
  const int64_t given = c.attrs.i("rotary_embedding_dim");
  if (given < 0 || given % 2 || (d.size.is_constant() && (given > d.size.times || (given == 0 && d.size.times % 2))))
    return invalid("RotaryEmbedding: rotary_embedding_dim is {} for heads of {}", given, d.size.is_constant() ? d.size.times : -1);
  const Dim half = given ? Dim(given / 2) : map_dim(d.size, [](int64_t n) { return n / 2; });
  for (const size_t i : {1u, 2u}) {
    MAINSPRING_TRY_VOID(need_float(op, c, i, i == 1 ? "cos_cache" : "sin_cache"));
    MAINSPRING_TRY_VOID(want_dims(op, c, i, i == 1 ? "cos_cache" : "sin_cache", has(c, 3) ? Dims{Dim::unknown(), half} : Dims{d.batch, d.length, half}));
  }
  if (has(c, 3)) {
    MAINSPRING_TRY_VOID(need_int(op, c, 3, "position_ids"));
    MAINSPRING_TRY_VOID(want_dims(op, c, 3, "position_ids", {d.batch, d.length}));
    MAINSPRING_TRY_VOID(want_equal(op, "rows of sin_cache", dim_of(c.in[2], 0), dim_of(c.in[1], 0)));
  }
  ValueInfo y = *x;
  y.value = nullptr;
  return one(std::move(y));
}

void reference_RotaryEmbedding(const OpArgs& a) {
  Heads x = heads_of(a.in[0], a.attrs.i("num_heads"));
  const std::vector<double> cosines = numbers_of(a.in[1]), sines = numbers_of(a.in[2]);
  const int64_t half = a.in[1].shape.back(), rows = half ? static_cast<int64_t>(cosines.size()) / half : 0;
  for (int64_t b = 0; b < x.batch; ++b)
    for (int64_t i = 0; i < x.length; ++i) {
      const int64_t place = b * x.length + i, row = has(a, 3) ? load_int(a.in[3], place) : place;
      if (row < 0 || row >= rows) continue;  // a position beyond the tables turns nothing
      for (int64_t h = 0; h < x.heads; ++h) rotate_row(x.row(b, h, i), cosines.data() + row * half, sines.data() + row * half, 2 * half, a.attrs.i("interleaved") != 0);
    }
  put_heads(a.out[0], x);
}

// ---- LinearAttention --------------------------------------------------------------------------------------------------------

constexpr std::string_view kRules[] = {"linear", "gated", "delta", "gated_delta"};

Result<std::vector<ValueInfo>> infer_LinearAttention(const OpCall& c) {
  const char* op = "LinearAttention";
  MAINSPRING_TRY(const size_t rule, choice_attr(op, c.attrs, "update_rule", "gated_delta", kRules));
  MAINSPRING_TRY(const int64_t q_heads, int_attr(op, c.attrs, "q_num_heads", 0, 1, int64_t{1} << 40));
  MAINSPRING_TRY(const int64_t kv_heads, int_attr(op, c.attrs, "kv_num_heads", 0, 1, int64_t{1} << 40));
  if (q_heads % kv_heads != 0) return invalid("LinearAttention: {} heads of q do not share {} of k", q_heads, kv_heads);
  const char* names[] = {"q", "k", "v"};
  const ValueInfo* in[3];
  Dim size[3];
  for (size_t i = 0; i < 3; ++i) {
    MAINSPRING_TRY(in[i], need_float(op, c, i, names[i]));
    MAINSPRING_TRY_VOID(want_rank(op, *in[i], names[i], 3, 3));
    MAINSPRING_TRY(size[i], divided(op, names[i], dim_of(*in[i], 2), i == 0 ? q_heads : kv_heads));
    MAINSPRING_TRY_VOID(want_equal(op, "batch", dim_of(*in[i], 0), dim_of(*in[0], 0)));
    MAINSPRING_TRY_VOID(want_equal(op, "length", dim_of(*in[i], 1), dim_of(*in[0], 1)));
  }
  MAINSPRING_TRY_VOID(want_equal(op, "head size of k", size[1], size[0]));
  const Dim b = dim_of(*in[0], 0), l = dim_of(*in[0], 1);
  const Dims state{b, Dim(kv_heads), size[0], size[2]};
  MAINSPRING_TRY_VOID(want_dims(op, c, 3, "past_state", state));
  const bool gated = rule == 1 || rule == 3, delta = rule >= 2;
  if (has(c, 4) != gated) return invalid("LinearAttention: decay is {}, which update_rule {} does not go with", gated ? "absent" : "there", kRules[rule]);
  if (has(c, 5) != delta) return invalid("LinearAttention: beta is {}, which update_rule {} does not go with", delta ? "absent" : "there", kRules[rule]);
  if (gated) {
    const Dim last = dim_of(c.in[4], 2);
    MAINSPRING_TRY_VOID(want_dims(op, c, 4, "decay", {b, l, last.is_constant() && last.times == kv_heads ? last : times(size[0], kv_heads)}));
  }
  if (delta) MAINSPRING_TRY_VOID(want_dims(op, c, 5, "beta", {b, l, dim_of(c.in[5], 2) == Dim(1) ? Dim(1) : Dim(kv_heads)}));
  return first_outputs(c, {tensor_of(in[0]->dtype, {b, l, times(size[2], q_heads)}), tensor_of(has(c, 3) ? c.in[3].dtype : in[0]->dtype, state)});
}

void reference_LinearAttention(const OpArgs& a) {
  const int64_t q_heads = a.attrs.i("q_num_heads"), kv_heads = a.attrs.i("kv_num_heads");
  const Heads q = heads_of(a.in[0], q_heads), k = heads_of(a.in[1], kv_heads);
  const Heads v = heads_of(a.in[2], kv_heads);
  Heads y(q.batch, q_heads, q.length, v.size), state(q.batch, kv_heads, k.size, v.size);  // state: one row for each element of a key
  if (has(a, 3)) state.values = numbers_of(a.in[3]);
  const std::vector<double> decay = has(a, 4) ? numbers_of(a.in[4]) : std::vector<double>(), beta = has(a, 5) ? numbers_of(a.in[5]) : std::vector<double>();
  const int64_t decays = has(a, 4) ? a.in[4].shape[2] : 0, betas = has(a, 5) ? a.in[5].shape[2] : 0, each = decays / kv_heads;
  const double given = a.attrs.f("scale"), scale = given != 0 ? given : 1 / std::sqrt(static_cast<double>(q.size));
  std::vector<double> update(at(v.size));
  for (int64_t b = 0; b < q.batch; ++b)
    for (int64_t h = 0; h < kv_heads; ++h)
      for (int64_t t = 0; t < q.length; ++t) {
        const double *key = k.row(b, h, t), *value = v.row(b, h, t);
        std::copy_n(value, v.size, update.begin());
        for (int64_t e = 0; e < k.size; ++e) {
          double* s = state.row(b, h, e);
          const double keep = decays ? std::exp(decay[at((b * q.length + t) * decays + h * each + (each == 1 ? 0 : e))]) : 1;
          for (int64_t j = 0; j < v.size; ++j) {
            s[j] *= keep;
            if (betas) update[at(j)] -= s[j] * key[e];
          }
        }
        const double rate = betas ? beta[at((b * q.length + t) * betas + (betas == 1 ? 0 : h))] : 1;
        for (int64_t e = 0; e < k.size; ++e)
          for (int64_t j = 0; j < v.size; ++j) state.row(b, h, e)[j] += key[e] * rate * update[at(j)];
        for (int64_t g = h * (q_heads / kv_heads); g < (h + 1) * (q_heads / kv_heads); ++g)
          for (int64_t e = 0; e < k.size; ++e)
            for (int64_t j = 0; j < v.size; ++j) y.row(b, g, t)[j] += scale * q.row(b, g, t)[e] * state.row(b, h, e)[j];
      }
  put_heads(a.out[0], y);
  if (wanted(a, 1)) put_numbers(a.out[1], state.values);
}

}  // namespace

constinit const OpDef op_Attention{.name = "Attention", .min_in = 3, .max_in = 7, .n_out = 4, .infer = infer_Attention, .reference = reference_Attention};
constinit const OpDef op_RotaryEmbedding{
    .name = "RotaryEmbedding", .min_in = 3, .max_in = 4, .n_out = 1, .infer = infer_RotaryEmbedding, .reference = reference_RotaryEmbedding};
constinit const OpDef op_LinearAttention{
    .name = "LinearAttention", .min_in = 3, .max_in = 6, .n_out = 2, .infer = infer_LinearAttention, .reference = reference_LinearAttention};

}  // namespace mainspring::inline v0
