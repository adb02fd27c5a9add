// BatchNormalization(x [N,C,…], scale [C], b [C], mean [C], var [C]) -> y, running_mean?, running_var?   attrs epsilon, momentum, training_mode
// InstanceNormalization(x [N,C,…], scale [C], b [C]) -> y        attrs epsilon          each plane by its own moments
// GroupNormalization(x [N,C,…], scale [C], b [C]) -> y           attrs epsilon, num_groups, stash_type
// LayerNormalization(x, scale, b?) -> y, mean?, inv_std_dev?     attrs axis (-1), epsilon, stash_type: over the extents from axis on
// RMSNormalization(x, scale) -> y                                attrs axis (-1), epsilon, stash_type
// LRN(x [N,C,…]) -> y                                            attrs alpha, beta, bias, size: x / (bias + alpha/size × Σ of squares of near channels)^beta
// LpNormalization(x) -> y                                        attrs axis (-1), p (2): x / norm along the axis
// MeanVarianceNormalization(x) -> y                              attrs axes ([0,2,3]): (x - mean) / (sqrt(var) + 1e-9)
#include "ops/nn/norms.h"

#include <algorithm>
#include <cmath>

#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

constexpr double kEps = 1e-5;

Result<const ValueInfo*> infer_channels(const char* op, const OpCall& c, size_t least_rank, std::initializer_list<size_t> vectors) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", least_rank));
  for (const size_t i : vectors) {
    MAINSPRING_TRY_VOID(need_float(op, c, i, "vector"));
    MAINSPRING_TRY_VOID(want_dims(op, c, i, "vector of channels", {x->ranked && x->dims.size() == 1 ? Dim(1) : dim_of(*x, 1)}));
  }
  return x;
}

ValueInfo as(const ValueInfo& x) {
  ValueInfo y = x;
  y.value = nullptr;
  return y;
}

// ---- by channel -------------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_BatchNormalization(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, infer_channels("BatchNormalization", c, 1, {1, 2, 3, 4}));
  return first_outputs(c, {as(*x), as(c.in[3]), as(c.in[4])});
}

void reference_BatchNormalization(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const std::vector<double> scale = numbers_of(a.in[1]), bias = numbers_of(a.in[2]);
  std::vector<double> mean = numbers_of(a.in[3]), var = numbers_of(a.in[4]);
  const Split p = a.in[0].shape.rank() == 1 ? Split{a.in[0].shape[0], 1, 1} : split_at(a.in[0].shape, 1);
  const double eps = a.attrs.f("epsilon", kEps), momentum = a.attrs.f("momentum", 0.9);
  const auto each = [&](int64_t ch, auto f) {
    for (int64_t o = 0; o < p.outer; ++o)
      for (int64_t e = 0; e < p.inner; ++e) f(x[at((o * p.axis + ch) * p.inner + e)]);
  };
  for (int64_t ch = 0; ch < p.axis; ++ch) {
    double &m = mean[at(ch)], &v = var[at(ch)];
    double used_mean = m, used_var = v;
    if (a.attrs.i("training_mode")) {
      const double n = static_cast<double>(p.outer * p.inner);
      used_mean = used_var = 0;
      each(ch, [&](double e) { used_mean += e; });
      used_mean /= n;
      each(ch, [&](double e) { used_var += (e - used_mean) * (e - used_mean); });
      used_var /= n;
      m = m * momentum + used_mean * (1 - momentum);
      v = v * momentum + used_var * (1 - momentum);
    }
    const double factor = scale[at(ch)] / std::sqrt(used_var + eps);
    each(ch, [&](double& e) { e = (e - used_mean) * factor + bias[at(ch)]; });
  }
  put_numbers(a.out[0], x);
  if (wanted(a, 1)) put_numbers(a.out[1], mean);
  if (wanted(a, 2)) put_numbers(a.out[2], var);
}

/// Instance (a group each channel) and group norm.
void by_group(const OpArgs& a, int64_t groups) {
  std::vector<double> x = numbers_of(a.in[0]);
  const std::vector<double> scale = numbers_of(a.in[1]), bias = numbers_of(a.in[2]);
  const Split p = split_at(a.in[0].shape, 1);
  if (groups < 1 || x.empty()) return;
  normalise_rows(x, p.axis / groups * p.inner, a.attrs.f("epsilon", kEps), true, {}, {});
  for (int64_t r = 0; r < p.outer * p.axis; ++r)
    for (int64_t e = 0; e < p.inner; ++e) x[at(r * p.inner + e)] = x[at(r * p.inner + e)] * scale[at(r % p.axis)] + bias[at(r % p.axis)];
  put_numbers(a.out[0], x);
}

Result<std::vector<ValueInfo>> infer_InstanceNormalization(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, infer_channels("InstanceNormalization", c, 2, {1, 2}));
  return one(as(*x));
}
void reference_InstanceNormalization(const OpArgs& a) { by_group(a, a.in[0].shape[1]); }

Result<std::vector<ValueInfo>> infer_GroupNormalization(const OpCall& c) {
  const char* op = "GroupNormalization";
  MAINSPRING_TRY(const ValueInfo* x, infer_channels(op, c, 2, {1, 2}));
  MAINSPRING_TRY(const int64_t groups, int_attr(op, c.attrs, "num_groups", 0, 1, int64_t{1} << 40));
  if (dim_of(*x, 1).is_constant() && x->dims[1].times % groups != 0) return invalid("{}: {} channels do not make {} groups", op, x->dims[1].times, groups);
  return one(as(*x));
}
void reference_GroupNormalization(const OpArgs& a) { by_group(a, a.attrs.i("num_groups")); }

// ---- over trailing extents --------------------------------------------------------------------------------------------------

/// x, and the axis from which on it is normalised; what is broadcast to x must not make it larger.
Result<std::vector<ValueInfo>> infer_layer(const char* op, const OpCall& c, size_t vectors) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(need_float(op, c, 1, "scale"));
  const int64_t stash = c.attrs.i("stash_type", 1);
  if (stash != 1 && stash != 10 && stash != 11 && stash != 16) return invalid("{}: attribute stash_type is {}, expected a floating-point type (1, 10, 11, 16)", op, stash);
  ValueInfo mean = as(*x);
  mean.dtype = stash == 16 ? DType::bf16 : stash == 11 ? DType::f64 : stash == 10 ? DType::f16 : DType::f32;
  if (!x->ranked) return first_outputs(c, {as(*x), mean, mean});
  MAINSPRING_TRY(const size_t axis, axis_of(op, c.attrs.i("axis", -1), x->dims.size()));
  for (size_t i = axis; i < mean.dims.size(); ++i) mean.dims[i] = 1;
  for (size_t i = 1; i <= vectors; ++i) {
    if (!has(c, i)) continue;
    MAINSPRING_TRY_VOID(need_float(op, c, i, "bias"));
    if (!c.in[i].ranked) continue;
    MAINSPRING_TRY_VOID(want_rank(op, c.in[i], "scale or bias", 0, x->dims.size()));
    const size_t behind = x->dims.size() - c.in[i].dims.size();
    for (size_t d = 0; d < c.in[i].dims.size(); ++d)
      if (c.in[i].dims[d] != Dim(1)) MAINSPRING_TRY_VOID(want_equal(op, "extent of scale or bias", c.in[i].dims[d], x->dims[behind + d]));
  }
  return first_outputs(c, {as(*x), mean, mean});
}

void layer(const OpArgs& a, bool centre) {
  std::vector<double> x = numbers_of(a.in[0]);
  const Shape& s = a.in[0].shape;
  const int axis = static_cast<int>(a.attrs.i("axis", -1) + (a.attrs.i("axis", -1) < 0 ? s.rank() : 0));
  const Split p = split_at(s, axis);
  const int64_t length = p.axis * p.inner;
  const double eps = a.attrs.f("epsilon", kEps);
  const std::vector<double> scale = broadcast_numbers(a.in[1], s), bias = has(a, 2) ? broadcast_numbers(a.in[2], s) : std::vector<double>();
  for (int64_t r = 0; r < p.outer && length > 0; ++r) {
    const std::span<double> row = std::span(x).subspan(at(r * length), at(length));
    const RowMoments m = moments_of(row, eps, centre);
    if (wanted(a, 1)) store(a.out[1], r, m.mean);
    if (wanted(a, 2)) store(a.out[2], r, m.factor);
    for (size_t i = 0, e = at(r * length); i < row.size(); ++i, ++e) row[i] = (row[i] - m.mean) * m.factor * scale[e] + (bias.empty() ? 0 : bias[e]);
  }
  put_numbers(a.out[0], x);
}

Result<std::vector<ValueInfo>> infer_LayerNormalization(const OpCall& c) { return infer_layer("LayerNormalization", c, 2); }
void reference_LayerNormalization(const OpArgs& a) { layer(a, true); }
Result<std::vector<ValueInfo>> infer_RMSNormalization(const OpCall& c) {
  MAINSPRING_TRY(auto y, infer_layer("RMSNormalization", c, 1));
  y.resize(1);
  return y;
}
void reference_RMSNormalization(const OpArgs& a) { layer(a, false); }

// ---- others -----------------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_LRN(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, infer_channels("LRN", c, 2, {}));
  MAINSPRING_TRY_VOID(int_attr("LRN", c.attrs, "size", 0, 1, int64_t{1} << 40));
  return one(as(*x));
}

void reference_LRN(const OpArgs& a) {
  const std::vector<double> x = numbers_of(a.in[0]);
  const Split p = split_at(a.in[0].shape, 1);
  const int64_t size = a.attrs.i("size", 1), before = (size - 1) / 2, after = size - 1 - before;
  const double alpha = a.attrs.f("alpha", 1e-4) / static_cast<double>(size), beta = a.attrs.f("beta", 0.75), bias = a.attrs.f("bias", 1);
  std::vector<double> y(x.size());
  for (int64_t o = 0; o < p.outer; ++o)
    for (int64_t ch = 0; ch < p.axis; ++ch)
      for (int64_t e = 0; e < p.inner; ++e) {
        const auto index = [&](int64_t of) { return at((o * p.axis + of) * p.inner + e); };
        double sum = 0;
        for (int64_t k = std::max<int64_t>(0, ch - before); k <= std::min(p.axis - 1, ch + after); ++k) sum += x[index(k)] * x[index(k)];
        y[index(ch)] = x[index(ch)] / std::pow(bias + alpha * sum, beta);
      }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_LpNormalization(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, infer_channels("LpNormalization", c, 1, {}));
  MAINSPRING_TRY_VOID(int_attr("LpNormalization", c.attrs, "p", 2, 1, 2));
  if (x->ranked) MAINSPRING_TRY_VOID(axis_of("LpNormalization", c.attrs.i("axis", -1), x->dims.size()));
  return one(as(*x));
}

void reference_LpNormalization(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const int64_t axis = a.attrs.i("axis", -1), p = a.attrs.i("p", 2);
  const Split s = split_at(a.in[0].shape, static_cast<int>(axis < 0 ? axis + a.in[0].shape.rank() : axis));
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t e = 0; e < s.inner; ++e) {
      const auto element = [&](int64_t i) -> double& { return x[at((o * s.axis + i) * s.inner + e)]; };
      double norm = 0;
      for (int64_t i = 0; i < s.axis; ++i) norm += p == 1 ? std::fabs(element(i)) : element(i) * element(i);
      if (p == 2) norm = std::sqrt(norm);
      for (int64_t i = 0; i < s.axis; ++i) element(i) = norm == 0 ? 0 : element(i) / norm;
    }
  put_numbers(a.out[0], x);
}

constexpr int64_t kMvnAxes[] = {0, 2, 3};

Result<std::vector<ValueInfo>> infer_MeanVarianceNormalization(const OpCall& c) {
  const char* op = "MeanVarianceNormalization";
  MAINSPRING_TRY(const ValueInfo* x, infer_channels(op, c, 1, {}));
  if (x->ranked)
    for (const int64_t axis : c.attrs.has("axes") ? c.attrs.is("axes") : std::span<const int64_t>(kMvnAxes)) MAINSPRING_TRY_VOID(axis_of(op, axis, x->dims.size()));
  return one(as(*x));
}

void reference_MeanVarianceNormalization(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  Shape kept = a.in[0].shape;  // extents of the moments: 1 along the axes
  for (int64_t axis : a.attrs.has("axes") ? a.attrs.is("axes") : std::span<const int64_t>(kMvnAxes)) kept[static_cast<int>(axis < 0 ? axis + kept.rank() : axis)] = 1;
  std::vector<double> mean(at(kept.elements()), 0.0), var(mean.size(), 0.0);
  const double n = static_cast<double>(x.size()) / static_cast<double>(std::max<size_t>(mean.size(), 1));
  const auto each = [&](auto f) {
    Walk walk(a.in[0].shape, {&kept, 1});
    for (int64_t i = 0; i < walk.elements(); ++i, walk.next()) f(x[at(i)], at(walk.at(0)));
  };
  each([&](double e, size_t m) { mean[m] += e / n; });
  each([&](double e, size_t m) { var[m] += (e - mean[m]) * (e - mean[m]) / n; });
  each([&](double& e, size_t m) { e = (e - mean[m]) / (std::sqrt(var[m]) + 1e-9); });
  put_numbers(a.out[0], x);
}

}  // namespace

RowMoments moments_of(std::span<const double> row, double eps, bool centre) {
  RowMoments m;
  const double n = static_cast<double>(row.size());
  if (centre) {
    for (const double x : row) m.mean += x;
    m.mean /= n;
  }
  double var = 0;
  for (const double x : row) var += (x - m.mean) * (x - m.mean);
  m.factor = 1 / std::sqrt(var / n + eps);
  return m;
}

void normalise_rows(std::span<double> x, int64_t length, double eps, bool centre, std::span<const double> scale, std::span<const double> bias) {
  for (size_t first = 0; length > 0 && first + at(length) <= x.size(); first += at(length)) {
    const std::span<double> row = x.subspan(first, at(length));
    const RowMoments m = moments_of(row, eps, centre);
    for (size_t i = 0; i < row.size(); ++i) row[i] = (row[i] - m.mean) * m.factor * (scale.empty() ? 1 : scale[i]) + (bias.empty() ? 0 : bias[i]);
  }
}

std::vector<double> broadcast_numbers(const TensorView& source, const Shape& shape) {
  const std::vector<double> from = numbers_of(source);
  std::vector<double> to(at(shape.elements()));
  Walk walk(shape, {&source.shape, 1});
  for (size_t i = 0; i < to.size(); ++i, walk.next()) to[i] = from[at(walk.at(0))];
  return to;
}

constinit const OpDef op_BatchNormalization{
    .name = "BatchNormalization", .min_in = 5, .max_in = 5, .n_out = 3, .infer = infer_BatchNormalization, .reference = reference_BatchNormalization};
constinit const OpDef op_InstanceNormalization{
    .name = "InstanceNormalization", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_InstanceNormalization, .reference = reference_InstanceNormalization};
constinit const OpDef op_GroupNormalization{
    .name = "GroupNormalization", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_GroupNormalization, .reference = reference_GroupNormalization};
constinit const OpDef op_LayerNormalization{
    .name = "LayerNormalization", .min_in = 2, .max_in = 3, .n_out = 3, .infer = infer_LayerNormalization, .reference = reference_LayerNormalization};
constinit const OpDef op_RMSNormalization{
    .name = "RMSNormalization", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_RMSNormalization, .reference = reference_RMSNormalization};
constinit const OpDef op_LRN{.name = "LRN", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_LRN, .reference = reference_LRN};
constinit const OpDef op_LpNormalization{
    .name = "LpNormalization", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_LpNormalization, .reference = reference_LpNormalization};
constinit const OpDef op_MeanVarianceNormalization{.name = "MeanVarianceNormalization", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_MeanVarianceNormalization,
                                                   .reference = reference_MeanVarianceNormalization};

}  // namespace mainspring::inline v0
