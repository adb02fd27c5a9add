// com.microsoft, softmax attention of N heads (attr num_heads, scale (1/sqrt(d))):
// Attention(x [B,S,I], w [I,Hq+Hk+Hv], bias?, mask_index?, past? [2,B,N,P,d], attention_bias?, past_length?) -> y [B,S,Hv], present? [2,B,N,P+S,d]
//   attrs qkv_hidden_sizes, unidirectional, mask_filter_value (-10000)
// QAttention(x i8/u8 [B,S,I], w i8/u8, bias, x_scale, w_scale, mask_index?, x_zero?, w_zero?, past?) -> the same
// MultiHeadAttention(q [B,S,H], k? [B,L,H] or [B,N,L,d], v?, bias? [2H+Hv], key_padding_mask?, attention_bias?, past_key? [B,N,P,d], past_value?) -> y, present_key?, present_value?, qk?
//   or q as [B,S,N,3,d], or k as [B,L,N,2,d]
// mask: i32 [B] (length), [2B] (ends, then starts), [B,T], [B,S,T], [B,1,M,M]: what it hides gets mask_filter_value. attention_bias [B|1,N|1,S,T] is added.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/contrib/product.h"
#include "ops/nn/heads.h"
#include "ops/nn/quantised.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

TensorView view(const OpArgs& a, size_t i) { return has(a, i) ? a.in[i] : TensorView(); }

Result<void> want_no(const char* op, const Attrs& attrs, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (attrs.i(name) != 0) return unsupported("{}: attribute {} is not supported", op, name);
  return {};
}

/// Masks of all forms and the added bias: extents as far as they are known.
Result<void> want_masks(const char* op, const OpCall& c, size_t mask, size_t bias, Dim batch, Dim heads, Dim queries, Dim keys) {
  if (has(c, mask)) {
    MAINSPRING_TRY(const ValueInfo* m, need_int(op, c, mask, "mask"));
    MAINSPRING_TRY_VOID(want_rank(op, *m, "mask", 1, 4));
    const size_t rank = m->ranked ? m->dims.size() : 0;
    if (rank == 1 && m->dims[0].is_constant() && batch.is_constant() && m->dims[0].times != batch.times && m->dims[0].times != 2 * batch.times)
      return unsupported("{}: a mask of {} indices for a batch of {}", op, m->dims[0].times, batch.times);
    if (rank == 2 || rank == 3) MAINSPRING_TRY_VOID(want_equal(op, "batch of the mask", m->dims[0], batch));
    if (rank == 3) MAINSPRING_TRY_VOID(want_equal(op, "queries of the mask", m->dims[1], queries));
    if (rank == 2 || rank == 3) MAINSPRING_TRY_VOID(want_equal(op, "keys of the mask", m->dims[rank - 1], keys));
    if (rank == 4) {
      MAINSPRING_TRY_VOID(want_equal(op, "batch of the mask", m->dims[0], batch));
      MAINSPRING_TRY_VOID(want_equal(op, "heads of the mask", m->dims[1], Dim(1)));
      for (const size_t axis : {2u, 3u})
        if (m->dims[axis].is_constant() && keys.is_constant() && m->dims[axis].times < keys.times) return invalid("{}: a mask over {} positions, of {}", op, m->dims[axis].times, keys.times);
    }
  }
  if (!has(c, bias)) return {};
  MAINSPRING_TRY(const ValueInfo* b, need_float(op, c, bias, "attention_bias"));
  return want_dims(op, c, bias, "attention_bias", {dim_of(*b, 0) == Dim(1) ? Dim(1) : batch, dim_of(*b, 1) == Dim(1) ? Dim(1) : heads, queries, keys});
}

/// Adds mask, causality and attention_bias to rows of scores.
struct Masks {
  TensorView mask;
  std::vector<double> mask_values, bias;
  Shape bias_shape;
  double filter;
  bool causal;
  int64_t batch, past;

  Masks(const OpArgs& a, size_t mask_at, size_t bias_at, int64_t batch_, int64_t past_)
      : mask(view(a, mask_at)), mask_values(numbers_of(mask)), filter(a.attrs.f("mask_filter_value", -10000)), causal(a.attrs.i("unidirectional") != 0), batch(batch_), past(past_) {
    if (bias_at < a.in.size() && a.in[bias_at]) bias = numbers_of(a.in[bias_at]), bias_shape = a.in[bias_at].shape;
  }
  void add(int64_t b, int64_t h, int64_t i, std::span<double> row) const {
    const auto n = static_cast<int64_t>(row.size());
    for (int64_t j = 0; j < n; ++j) {
      double& s = row[at(j)];
      if (!mask_values.empty() && !shows(b, i, j, n)) s += filter;
      if (!bias.empty()) s += bias[at(((bias_shape[0] == 1 ? 0 : b) * bias_shape[1] + (bias_shape[1] == 1 ? 0 : h)) * bias_shape[2] * n + i * n + j)];
      if (causal && j > past + i) s = -kInf;
    }
  }
  bool shows(int64_t b, int64_t i, int64_t j, int64_t n) const {
    const auto value = [&](int64_t k) { return mask_values[at(k)]; };
    switch (mask.shape.rank()) {
      case 1: return static_cast<double>(j) < value(b) && (mask.shape[0] != 2 * batch || static_cast<double>(j) >= value(batch + b));
      case 2: return value(b * n + j) != 0;
      case 3: return value((b * mask.shape[1] + i) * n + j) != 0;
      default: return value((b * mask.shape[2] + past + i) * mask.shape[3] + j) != 0;
    }
  }
};

// ---- Attention, QAttention --------------------------------------------------------------------------------------------------

struct Split3 {
  Dim q = Dim::unknown(), k = Dim::unknown(), v = Dim::unknown();
};
Result<Split3> hidden_sizes(const char* op, const OpCall& c, int64_t heads) {
  const Dim all = dim_of(c.in[1], 1);
  const std::span<const int64_t> given = c.attrs.is("qkv_hidden_sizes");
  Split3 s;
  if (given.size() == 3) {
    for (const int64_t n : given)
      if (n < 1 || n % heads != 0 || n > int64_t{1} << 40) return invalid("{}: attribute qkv_hidden_sizes has {} for {} heads", op, n, heads);
    if (given[0] != given[1]) return invalid("{}: q and k of different sizes {} and {}", op, given[0], given[1]);
    MAINSPRING_TRY_VOID(want_equal(op, "columns of the weights", all, given[0] + given[1] + given[2]));
    return Split3{given[0], given[1], given[2]};
  }
  if (all.is_constant() && all.times % (3 * heads) != 0) return invalid("{}: {} columns of weights do not make q, k and v of {} heads", op, all.times, heads);
  s.q = s.k = s.v = map_dim(all, [](int64_t n) { return n / 3; });
  return s;
}

Result<std::vector<ValueInfo>> infer_projected(const char* op, const OpCall& c, DType out, size_t mask, size_t past, size_t bias) {
  const ValueInfo &x = c.in[0], &w = c.in[1];
  MAINSPRING_TRY_VOID(want_rank(op, x, "x", 3, 3));
  MAINSPRING_TRY_VOID(want_rank(op, w, "weights", 2, 2));
  MAINSPRING_TRY(const int64_t heads, int_attr(op, c.attrs, "num_heads", 0, 1, int64_t{1} << 30));
  MAINSPRING_TRY_VOID(want_no(op, c.attrs, {"do_rotary", "past_present_share_buffer"}));
  MAINSPRING_TRY_VOID(want_equal(op, "rows of the weights", dim_of(w, 0), dim_of(x, 2)));
  MAINSPRING_TRY_VOID(want_dims(op, c, 2, "bias", {dim_of(w, 1)}));
  MAINSPRING_TRY(const Split3 sizes, hidden_sizes(op, c, heads));
  const Dim b = dim_of(x, 0), s = dim_of(x, 1), d = map_dim(sizes.k, [&](int64_t n) { return n / heads; });
  Dim before = 0;
  if (has(c, past)) {
    MAINSPRING_TRY_VOID(need_float(op, c, past, "past"));
    before = dim_of(c.in[past], 3);
    MAINSPRING_TRY_VOID(want_dims(op, c, past, "past", {Dim(2), b, Dim(heads), before, d}));
  }
  const Dim total = plus(before, s);
  MAINSPRING_TRY_VOID(want_masks(op, c, mask, bias, b, heads, s, total));
  return first_outputs(c, {tensor_of(out, {b, s, sizes.v}), tensor_of(out, {Dim(2), b, Dim(heads), total, d})});
}

/// qkv: the projected rows [B, S, Hq + Hk + Hv].
void projected(const OpArgs& a, std::vector<double> qkv, int64_t columns, const std::vector<double>& bias, size_t mask, size_t past_at, size_t bias_at) {
  add_row(qkv, bias);
  const int64_t b = a.in[0].shape[0], s = a.in[0].shape[1], heads = a.attrs.i("num_heads"), hv = a.out[0].shape[2], h = (columns - hv) / 2;
  const Heads q = heads_of(qkv, b, s, heads, h / heads, columns, 0);
  Heads k = heads_of(qkv, b, s, heads, h / heads, columns, h), v = heads_of(qkv, b, s, heads, hv / heads, columns, 2 * h);
  int64_t before = 0;
  if (has(a, past_at)) {
    before = a.in[past_at].shape[3];
    const std::vector<double> past = numbers_of(a.in[past_at]);
    Heads parts[2] = {Heads(b, heads, before, k.size), Heads(b, heads, before, v.size)};
    for (size_t i = 0; i < 2; ++i) parts[i].values.assign(past.begin() + static_cast<std::ptrdiff_t>(i * past.size() / 2), past.begin() + static_cast<std::ptrdiff_t>((i + 1) * past.size() / 2));
    k = joined(parts[0], k), v = joined(parts[1], v);
  }
  if (wanted(a, 1)) {
    std::vector<double> present = k.values;
    present.insert(present.end(), v.values.begin(), v.values.end());
    present.resize(at(a.out[1].shape.elements()));
    put_numbers(a.out[1], present);
  }
  const Masks masks(a, mask, bias_at, b, before);
  AttentionRule rule;
  const double scale = a.attrs.f("scale");
  rule.scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(q.size));
  rule.bias = [&](int64_t n, int64_t head, int64_t i, std::span<double> row) { masks.add(n, head, i, row); };
  put_heads(a.out[0], attend_heads(q, k, v, rule));
}

Result<std::vector<ValueInfo>> infer_Attention(const OpCall& c) {
  const char* op = "com.microsoft.Attention";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(need_float(op, c, 1, "weights"));
  return infer_projected(op, c, x->dtype, 3, 4, 5);
}
void reference_Attention(const OpArgs& a) {
  projected(a, product_of(Matrices(a.in[0]), Matrices(a.in[1])), a.in[1].shape[1], numbers_of(view(a, 2)), 3, 4, 5);
}

Result<std::vector<ValueInfo>> infer_QAttention(const OpCall& c) {
  const char* op = "com.microsoft.QAttention";
  MAINSPRING_TRY_VOID(need_int(op, c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* w, need_int(op, c, 1, "weights"));
  MAINSPRING_TRY(const ValueInfo* bias, need_float(op, c, 2, "bias"));
  MAINSPRING_TRY_VOID(need_float(op, c, 3, "input_scale"));
  MAINSPRING_TRY_VOID(need_float(op, c, 4, "weight_scale"));
  for (const size_t i : {3u, 6u}) MAINSPRING_TRY_VOID(want_one(op, c, i, "scale or zero point of the input"));
  for (const size_t i : {4u, 7u}) MAINSPRING_TRY_VOID(want_one(op, c, i, "scale or zero point of the weights", dim_of(*w, 1)));
  return infer_projected(op, c, bias->dtype, 5, 8, SIZE_MAX);
}
void reference_QAttention(const OpArgs& a) {
  const Matrices x(dequantised(a.in[0], a.in[3], view(a, 6)), a.in[0].shape), w(dequantised(a.in[1], a.in[4], view(a, 7), 1), a.in[1].shape);
  projected(a, product_of(x, w), a.in[1].shape[1], numbers_of(a.in[2]), 5, 8, SIZE_MAX);
}

// ---- MultiHeadAttention -----------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_MultiHeadAttention(const OpCall& c) {
  const char* op = "com.microsoft.MultiHeadAttention";
  MAINSPRING_TRY(const ValueInfo* q, need_float(op, c, 0, "query"));
  MAINSPRING_TRY(const int64_t heads, int_attr(op, c.attrs, "num_heads", 0, 1, int64_t{1} << 30));
  if (has(c, 8) || has(c, 9)) return unsupported("{}: shared buffers of past and present are not supported", op);
  MAINSPRING_TRY_VOID(want_rank(op, *q, "query", 3, 5));
  if (!q->ranked) return first_outputs(c, {unranked(q->dtype), unranked(q->dtype), unranked(q->dtype), unranked(q->dtype)});
  const bool packed = q->dims.size() == 5;
  if (q->dims.size() == 4) return invalid("{}: query is of rank 4, expected 3 or 5", op);
  const Dim n = heads, b = q->dims[0], s = q->dims[1];
  const auto head = [&](Dim hidden) { return map_dim(hidden, [&](int64_t e) { return e / heads; }); };
  Dim d = packed ? q->dims[4] : head(q->dims[2]), dv = d, keys = s;
  if (packed) {
    MAINSPRING_TRY_VOID(want_dims(op, c, 0, "query", {b, s, n, Dim(3), d}));
    if (has(c, 1) || has(c, 2)) return invalid("{}: a packed query and a key", op);
  } else {
    if (q->dims[2].is_constant() && q->dims[2].times % heads != 0) return invalid("{}: {} elements do not make {} heads", op, q->dims[2].times, heads);
    MAINSPRING_TRY(const ValueInfo* k, need_float(op, c, 1, "key"));
    if (!k->ranked) return first_outputs(c, {of_rank(q->dtype, 3), of_rank(q->dtype, 4), of_rank(q->dtype, 4), of_rank(q->dtype, 4)});
    keys = dim_of(*k, k->dims.size() == 4 ? 2 : 1);
    if (k->dims.size() == 5) {
      MAINSPRING_TRY_VOID(want_dims(op, c, 1, "key", {b, keys, n, Dim(2), d}));
      if (has(c, 2)) return invalid("{}: a packed key and a value", op);
    } else {
      MAINSPRING_TRY_VOID(want_dims(op, c, 1, "key", k->dims.size() == 4 ? Dims{b, n, keys, d} : Dims{b, keys, q->dims[2]}));
      MAINSPRING_TRY(const ValueInfo* v, need_float(op, c, 2, "value"));
      dv = v->ranked && v->dims.size() == 4 ? v->dims[3] : head(dim_of(*v, 2));
      if (v->ranked && v->dims.size() == 3 && v->dims[2].is_constant() && v->dims[2].times % heads != 0) return invalid("{}: {} elements do not make {} heads", op, v->dims[2].times, heads);
      if (v->ranked) MAINSPRING_TRY_VOID(want_dims(op, c, 2, "value", v->dims.size() == 4 ? Dims{b, n, keys, dv} : Dims{b, keys, dim_of(*v, 2)}));
    }
  }
  MAINSPRING_TRY_VOID(want_dims(op, c, 3, "bias", {times(plus(plus(d, d), dv), heads)}));
  if (has(c, 6) != has(c, 7)) return invalid("{}: past_key and past_value come together", op);
  Dim past = 0;
  if (has(c, 6)) {
    past = dim_of(c.in[6], 2);
    MAINSPRING_TRY_VOID(want_dims(op, c, 6, "past_key", {b, n, past, d}));
    MAINSPRING_TRY_VOID(want_dims(op, c, 7, "past_value", {b, n, past, dv}));
  }
  const Dim total = plus(past, keys);
  MAINSPRING_TRY_VOID(want_masks(op, c, 4, 5, b, n, s, total));
  return first_outputs(c, {tensor_of(q->dtype, {b, s, times(dv, heads)}), tensor_of(q->dtype, {b, n, total, d}), tensor_of(q->dtype, {b, n, total, dv}), tensor_of(q->dtype, {b, n, s, total})});
}

void reference_MultiHeadAttention(const OpArgs& a) {
  const Shape& qs = a.in[0].shape;
  const int64_t heads = a.attrs.i("num_heads"), b = qs[0], s = qs[1];
  Heads q, k, v;
  // Packed rows are [heads, parts, size]: a part's heads lie parts × size apart, so each head is read as if it stood alone.
  const auto unpacked = [&](const TensorView& from, int64_t parts, int64_t part) {
    const std::vector<double> x = numbers_of(from);
    Heads to(from.shape[0], heads, from.shape[1], from.shape[4]);
    for (int64_t n = 0; n < to.batch; ++n)
      for (int64_t i = 0; i < to.length; ++i)
        for (int64_t h = 0; h < heads; ++h) std::copy_n(x.data() + (((n * to.length + i) * heads + h) * parts + part) * to.size, to.size, to.row(n, h, i));
    return to;
  };
  if (qs.rank() == 5) {
    q = unpacked(a.in[0], 3, 0), k = unpacked(a.in[0], 3, 1), v = unpacked(a.in[0], 3, 2);
  } else {
    q = heads_of(a.in[0], heads);
    const bool packed = a.in[1].shape.rank() == 5;
    k = packed ? unpacked(a.in[1], 2, 0) : heads_of(a.in[1], heads);
    v = packed ? unpacked(a.in[1], 2, 1) : heads_of(a.in[2], heads);
  }
  if (has(a, 3)) {
    const std::vector<double> bias = numbers_of(a.in[3]);
    size_t first = 0;
    for (Heads* part : {&q, &k, &v}) {
      for (int64_t n = 0; n < part->batch; ++n)
        for (int64_t h = 0; h < heads; ++h)
          for (int64_t i = 0; i < part->length; ++i)
            for (int64_t e = 0; e < part->size; ++e) part->row(n, h, i)[e] += bias[first + at(h * part->size + e)];
      first += at(heads * part->size);
    }
  }
  int64_t past = 0;
  if (has(a, 6)) past = a.in[6].shape[2], k = joined(heads_of(a.in[6], heads), k), v = joined(heads_of(a.in[7], heads), v);
  if (wanted(a, 1)) put_heads(a.out[1], k);
  if (wanted(a, 2)) put_heads(a.out[2], v);
  const Masks masks(a, 4, 5, b, past);
  AttentionRule rule;
  const double scale = a.attrs.f("scale");
  rule.scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(q.size));
  rule.bias = [&](int64_t n, int64_t h, int64_t i, std::span<double> row) { masks.add(n, h, i, row); };
  std::vector<double> shown(wanted(a, 3) ? at(b * heads * s * k.length) : 0);
  if (!shown.empty())
    rule.look = [&](int stage, int64_t n, int64_t h, int64_t i, std::span<const double> row) {
      if (stage == 3) std::copy(row.begin(), row.end(), shown.data() + ((n * heads + h) * s + i) * k.length);
    };
  put_heads(a.out[0], attend_heads(q, k, v, rule));
  if (wanted(a, 3)) put_numbers(a.out[3], shown);
}

}  // namespace

constinit const OpDef op_ms_Attention{.name = "com.microsoft.Attention", .min_in = 2, .max_in = 7, .n_out = 2, .infer = infer_Attention, .reference = reference_Attention};
constinit const OpDef op_ms_QAttention{.name = "com.microsoft.QAttention", .min_in = 5, .max_in = 9, .n_out = 2, .infer = infer_QAttention, .reference = reference_QAttention};
constinit const OpDef op_ms_MultiHeadAttention{
    .name = "com.microsoft.MultiHeadAttention", .min_in = 1, .max_in = 10, .n_out = 4, .infer = infer_MultiHeadAttention, .reference = reference_MultiHeadAttention};

}  // namespace mainspring::inline v0
