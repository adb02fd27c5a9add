// SimplifiedLayerNormalization(x, scale) -> y, inv_std_dev?       attrs axis (-1), epsilon: RMSNormalization as ONNX Runtime names it
// com.microsoft, norms of a sum over the last extent d:
// SkipLayerNormalization(x […,d], skip, gamma [d], beta? [d], bias? [d]) -> y, mean?, inv_std_dev?, sum?      attr epsilon (1e-12); sum = x + skip + bias
// SkipSimplifiedLayerNormalization(x, skip, gamma, bias?) -> y, mean? (unused), inv_std_dev?, sum?            without a mean
// EmbedLayerNormalization(ids i32 [B,S], segments? i32 [B,S], words [V,d], positions [P,d], segment_table? [·,d], gamma [d], beta [d], mask? i32 [B,S],
//   position_ids? i32 [B or 1,S]) -> y [B,S,d], mask_index? i32 [B], sum? [B,S,d]                             attrs epsilon, mask_index_type
// QEmbedLayerNormalization(…, scales and zero points of the five tables)                                      the same of u8 or i8 tables
// GroupNorm(x [N,…,C], gamma [C], beta [C]) -> y     attrs groups, epsilon, activation (1: silu), channels_last (1)
// SkipGroupNorm(x, gamma, beta, skip, bias? [C]) -> y, sum?
#include "ops/nn/norms.h"

#include <algorithm>

#include "ops/activation.h"
#include "ops/nn/quantised.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

ValueInfo plain(ValueInfo v) {
  v.value = nullptr;
  return v;
}

/// Moments of rows: the extents from `axis` on are 1.
ValueInfo moments(const ValueInfo& x, size_t axis) {
  ValueInfo m = plain(x);
  m.dtype = DType::f32;
  for (size_t i = axis; i < m.dims.size(); ++i) m.dims[i] = 1;
  return m;
}

Result<std::vector<ValueInfo>> infer_SimplifiedLayerNormalization(const OpCall& c) {
  const char* op = "SimplifiedLayerNormalization";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(need_float(op, c, 1, "scale"));
  if (!x->ranked) return first_outputs(c, {plain(*x), unranked(DType::f32)});
  MAINSPRING_TRY(const size_t axis, axis_of(op, c.attrs.i("axis", -1), x->dims.size()));
  const Dim length = product(x->dims, axis, x->dims.size());
  if (c.in[1].ranked) MAINSPRING_TRY_VOID(want_equal(op, "elements of scale", product(c.in[1].dims, 0, c.in[1].dims.size()), length));
  return first_outputs(c, {plain(*x), moments(*x, axis)});
}

/// Rows of `sum` normalised into y; their moments and the sum itself where the node wants them.
void norm_of(const OpArgs& a, std::vector<double>& sum, int64_t length, double eps, bool centre, const std::vector<double>& scale, const std::vector<double>& bias, size_t mean, size_t inv) {
  for (int64_t r = 0; length > 0 && r < static_cast<int64_t>(sum.size()) / length; ++r) {
    const RowMoments m = moments_of(std::span(sum).subspan(at(r * length), at(length)), eps, centre);
    if (wanted(a, mean) && centre) store(a.out[mean], r, m.mean);
    if (wanted(a, inv)) store(a.out[inv], r, m.factor);
  }
  normalise_rows(sum, length, eps, centre, scale, bias);
  put_numbers(a.out[0], sum);
}

void reference_SimplifiedLayerNormalization(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const std::vector<double> scale = numbers_of(a.in[1]);
  norm_of(a, x, static_cast<int64_t>(scale.size()), a.attrs.f("epsilon", 1e-5), false, scale, {}, SIZE_MAX, 1);
}

Result<std::vector<ValueInfo>> infer_skip(const char* op, const OpCall& c, std::initializer_list<size_t> vectors) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 2, 3));
  MAINSPRING_TRY(const ValueInfo* skip, need_float(op, c, 1, "skip"));
  MAINSPRING_TRY_VOID(need_float(op, c, 2, "gamma"));
  if (!x->ranked) return first_outputs(c, {plain(*x), unranked(DType::f32), unranked(DType::f32), plain(*x)});
  for (const size_t i : vectors) MAINSPRING_TRY_VOID(want_dims(op, c, i, "vector", {x->dims.back()}));
  if (skip->ranked) {  // as x, or the same for all of the batch
    MAINSPRING_TRY_VOID(want_rank(op, *skip, "skip", 2, x->dims.size()));
    for (size_t i = 0; i < skip->dims.size(); ++i) {
      const size_t axis = x->dims.size() - skip->dims.size() + i;
      if (axis != 0 || skip->dims[i] != Dim(1)) MAINSPRING_TRY_VOID(want_equal(op, "extent of skip", skip->dims[i], x->dims[axis]));
    }
  }
  const ValueInfo m = moments(*x, x->dims.size() - 1);
  return first_outputs(c, {plain(*x), m, m, plain(*x)});
}

void skip_norm(const OpArgs& a, bool centre, size_t beta, size_t bias) {
  std::vector<double> x = numbers_of(a.in[0]);
  const std::vector<double> skip = numbers_of(a.in[1]), b = has(a, bias) ? numbers_of(a.in[bias]) : std::vector<double>();
  for (size_t i = 0; i < x.size(); ++i) x[i] += skip[i % skip.size()] + (b.empty() ? 0 : b[i % b.size()]);
  if (wanted(a, 3)) put_numbers(a.out[3], x);
  norm_of(a, x, a.in[0].shape.back(), a.attrs.f("epsilon", 1e-12), centre, numbers_of(a.in[2]), beta && has(a, beta) ? numbers_of(a.in[beta]) : std::vector<double>(), 1, 2);
}

Result<std::vector<ValueInfo>> infer_SkipLayerNormalization(const OpCall& c) { return infer_skip("com.microsoft.SkipLayerNormalization", c, {2, 3, 4}); }
void reference_SkipLayerNormalization(const OpArgs& a) { skip_norm(a, true, 3, 4); }
Result<std::vector<ValueInfo>> infer_SkipSimplifiedLayerNormalization(const OpCall& c) { return infer_skip("com.microsoft.SkipSimplifiedLayerNormalization", c, {2, 3}); }
void reference_SkipSimplifiedLayerNormalization(const OpArgs& a) { skip_norm(a, false, 0, 3); }

// ---- embeddings -------------------------------------------------------------------------------------------------------------

/// The five tables stand at 2 to 6 (words, positions, segments, gamma, beta). Quantised ones have scale and zero point at 8 + t and 13 + t.
Result<std::vector<ValueInfo>> infer_embed(const char* op, const OpCall& c, bool quantised) {
  MAINSPRING_TRY(const ValueInfo* ids, need_int(op, c, 0, "ids"));
  MAINSPRING_TRY_VOID(want_rank(op, *ids, "ids", 2, 2));
  MAINSPRING_TRY(const ValueInfo* words, need_number(op, c, 2, "words"));
  MAINSPRING_TRY_VOID(need_number(op, c, 3, "positions"));
  const Dim d = dim_of(*words, 1), b = dim_of(*ids, 0), s = dim_of(*ids, 1);
  MAINSPRING_TRY_VOID(want_dims(op, c, 1, "segments", {b, s}));
  for (const size_t t : {2u, 3u, 4u}) MAINSPRING_TRY_VOID(want_dims(op, c, t, "table", {Dim::unknown(), d}));
  for (const size_t t : {5u, 6u}) {
    MAINSPRING_TRY_VOID(need_number(op, c, t, t == 5 ? "gamma" : "beta"));
    MAINSPRING_TRY_VOID(want_dims(op, c, t, "vector", {d}));
  }
  MAINSPRING_TRY_VOID(want_dims(op, c, 7, "mask", {b, s}));
  if (has(c, 1) && !has(c, 4)) return invalid("{}: segments without their table", op);
  if (!quantised) MAINSPRING_TRY_VOID(want_dims(op, c, 8, "position_ids", {Dim::unknown(), s}));
  if (!quantised && has(c, 8) && dim_of(c.in[8], 0) != Dim(1)) MAINSPRING_TRY_VOID(want_equal(op, "rows of position_ids", dim_of(c.in[8], 0), b));
  for (size_t i = 8; quantised && i < 18; ++i) MAINSPRING_TRY_VOID(want_one(op, c, i, "scale or zero point"));
  if (dim_of(c.in[3], 0).is_constant() && s.is_constant() && !(!quantised && has(c, 8)) && c.in[3].dims[0].times < s.times)
    return invalid("{}: {} positions for sequences of {}", op, c.in[3].dims[0].times, s.times);
  const DType out = quantised ? DType::f32 : words->dtype;
  const ValueInfo y = tensor_of(out, {b, s, d});
  return first_outputs(c, {y, tensor_of(DType::i32, {b}), y});
}

void embed(const OpArgs& a, bool quantised) {
  const auto table = [&](size_t t) { return quantised ? dequantised(a.in[t], a.in[6 + t], a.in[11 + t]) : numbers_of(a.in[t]); };
  const std::vector<double> words = table(2), positions = table(3), segments = has(a, 4) ? table(4) : std::vector<double>();
  const int64_t batch = a.in[0].shape[0], length = a.in[0].shape[1], d = a.in[2].shape[1];
  std::vector<double> y(at(batch * length * d), 0.0);
  const auto add = [&](const std::vector<double>& from, int64_t row, int64_t to) {  // a row that is not there adds nothing
    if (row < 0 || (row + 1) * d > static_cast<int64_t>(from.size())) return;
    for (int64_t i = 0; i < d; ++i) y[at(to * d + i)] += from[at(row * d + i)];
  };
  const bool own_positions = !quantised && has(a, 8);
  for (int64_t r = 0; r < batch * length; ++r) {
    add(words, load_int(a.in[0], r), r);
    add(positions, own_positions ? load_int(a.in[8], r % a.in[8].shape.elements()) : r % length, r);
    if (has(a, 1)) add(segments, load_int(a.in[1], r), r);
  }
  if (wanted(a, 2)) put_numbers(a.out[2], y);
  for (int64_t b = 0; wanted(a, 1) && b < batch; ++b) {
    int64_t count = 0;
    for (int64_t i = 0; has(a, 7) && i < length; ++i) count += load_int(a.in[7], b * length + i) == 1;
    store_int(DType::i32, a.out[1].data, b, count);
  }
  norm_of(a, y, d, a.attrs.f("epsilon", 1e-12), true, table(5), table(6), SIZE_MAX, SIZE_MAX);
}

Result<std::vector<ValueInfo>> infer_EmbedLayerNormalization(const OpCall& c) { return infer_embed("com.microsoft.EmbedLayerNormalization", c, false); }
void reference_EmbedLayerNormalization(const OpArgs& a) { embed(a, false); }
Result<std::vector<ValueInfo>> infer_QEmbedLayerNormalization(const OpCall& c) {
  MAINSPRING_TRY(auto out, infer_embed("com.microsoft.QEmbedLayerNormalization", c, true));
  if (out.size() > 2) out.resize(2);
  return out;
}
void reference_QEmbedLayerNormalization(const OpArgs& a) { embed(a, true); }

// ---- groups -----------------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_group(const char* op, const OpCall& c, bool skip) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 3));
  MAINSPRING_TRY_VOID(need_float(op, c, 1, "gamma"));
  MAINSPRING_TRY_VOID(need_float(op, c, 2, "beta"));
  MAINSPRING_TRY(const int64_t groups, int_attr(op, c.attrs, "groups", 0, 1, int64_t{1} << 40));
  MAINSPRING_TRY_VOID(int_attr(op, c.attrs, "activation", 0, 0, 1));
  if (x->ranked) {
    const Dim channels = x->dims[c.attrs.i("channels_last", 1) ? x->dims.size() - 1 : 1];
    if (channels.is_constant() && channels.times % groups != 0) return invalid("{}: {} channels do not make {} groups", op, channels.times, groups);
    for (const size_t i : {1u, 2u}) MAINSPRING_TRY_VOID(want_dims(op, c, i, "vector of channels", {channels}));
    if (skip) {
      MAINSPRING_TRY_VOID(need_float(op, c, 3, "skip"));
      MAINSPRING_TRY_VOID(want_dims(op, c, 4, "bias", {channels}));
      if (c.in[3].ranked) {  // as x, or one value for all places: [N, C], [N, 1, 1, C]
        const Dim elements = product(c.in[3].dims, 0, c.in[3].dims.size()), all = product(x->dims, 0, x->dims.size()), few = times(x->dims[0], channels);
        if (elements.is_constant() && all.is_constant() && few.is_constant() && elements != all && elements != few) return invalid("{}: skip is not as x", op);
      }
    }
  }
  return first_outputs(c, {plain(*x), plain(*x)});
}

void group_norm(const OpArgs& a, bool skip) {
  std::vector<double> x = numbers_of(a.in[0]);
  const Shape& s = a.in[0].shape;
  const bool last = a.attrs.i("channels_last", 1) != 0;
  const int64_t batch = s[0], channels = s[last ? s.rank() - 1 : 1], plane = batch * channels != 0 ? s.elements() / (batch * channels) : 0;
  const auto index = [&](int64_t n, int64_t ch, int64_t p) { return at(last ? (n * plane + p) * channels + ch : (n * channels + ch) * plane + p); };
  const auto each = [&](auto f) {
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t ch = 0; ch < channels; ++ch)
        for (int64_t p = 0; p < plane; ++p) f(n, ch, p);
  };
  if (skip) {
    const std::vector<double> more = numbers_of(a.in[3]), bias = has(a, 4) ? numbers_of(a.in[4]) : std::vector<double>();
    each([&](int64_t n, int64_t ch, int64_t p) {
      const size_t i = index(n, ch, p);
      x[i] += more[more.size() == x.size() ? i : at(n * channels + ch)] + (bias.empty() ? 0 : bias[at(ch)]);
    });
    if (wanted(a, 1)) put_numbers(a.out[1], x);
  }
  std::vector<double> rows(x.size());  // [n, group, channels of it, plane]
  each([&](int64_t n, int64_t ch, int64_t p) { rows[at((n * channels + ch) * plane + p)] = x[index(n, ch, p)]; });
  normalise_rows(rows, channels / std::max<int64_t>(a.attrs.i("groups"), 1) * plane, a.attrs.f("epsilon", 1e-5), true, {}, {});
  const std::vector<double> gamma = numbers_of(a.in[1]), beta = numbers_of(a.in[2]);
  const bool silu = a.attrs.i("activation") == 1;
  each([&](int64_t n, int64_t ch, int64_t p) {
    const double y = rows[at((n * channels + ch) * plane + p)] * gamma[at(ch)] + beta[at(ch)];
    x[index(n, ch, p)] = silu ? activation::silu(y) : y;
  });
  put_numbers(a.out[0], x);
}

Result<std::vector<ValueInfo>> infer_GroupNorm(const OpCall& c) {
  MAINSPRING_TRY(auto out, infer_group("com.microsoft.GroupNorm", c, false));
  out.resize(1);
  return out;
}
void reference_GroupNorm(const OpArgs& a) { group_norm(a, false); }
Result<std::vector<ValueInfo>> infer_SkipGroupNorm(const OpCall& c) { return infer_group("com.microsoft.SkipGroupNorm", c, true); }
void reference_SkipGroupNorm(const OpArgs& a) { group_norm(a, true); }

}  // namespace

constinit const OpDef op_SimplifiedLayerNormalization{.name = "SimplifiedLayerNormalization", .min_in = 2, .max_in = 2, .n_out = 2, .infer = infer_SimplifiedLayerNormalization,
                                                      .reference = reference_SimplifiedLayerNormalization};
constinit const OpDef op_ms_SkipLayerNormalization{.name = "com.microsoft.SkipLayerNormalization", .min_in = 3, .max_in = 5, .n_out = 4, .infer = infer_SkipLayerNormalization,
                                                   .reference = reference_SkipLayerNormalization};
constinit const OpDef op_ms_SkipSimplifiedLayerNormalization{.name = "com.microsoft.SkipSimplifiedLayerNormalization", .min_in = 3, .max_in = 4, .n_out = 4,
                                                             .infer = infer_SkipSimplifiedLayerNormalization, .reference = reference_SkipSimplifiedLayerNormalization};
constinit const OpDef op_ms_EmbedLayerNormalization{.name = "com.microsoft.EmbedLayerNormalization", .min_in = 1, .max_in = 9, .n_out = 3, .infer = infer_EmbedLayerNormalization,
                                                    .reference = reference_EmbedLayerNormalization};
constinit const OpDef op_ms_QEmbedLayerNormalization{.name = "com.microsoft.QEmbedLayerNormalization", .min_in = 1, .max_in = 18, .n_out = 2,
                                                     .infer = infer_QEmbedLayerNormalization, .reference = reference_QEmbedLayerNormalization};
constinit const OpDef op_ms_GroupNorm{.name = "com.microsoft.GroupNorm", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_GroupNorm, .reference = reference_GroupNorm};
constinit const OpDef op_ms_SkipGroupNorm{.name = "com.microsoft.SkipGroupNorm", .min_in = 4, .max_in = 5, .n_out = 2, .infer = infer_SkipGroupNorm, .reference = reference_SkipGroupNorm};

}  // namespace mainspring::inline v0
