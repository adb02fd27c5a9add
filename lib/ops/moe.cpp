// Mixtures of experts.
// moe_route(logits [n,E], bias? [E]) -> ids i32 [n,K], weights [n,K]
//   attrs n_used K, gating "softmax" | "sigmoid" | "softmax_weight", norm (0), scale (0: 1), groups (0), groups_used (0)
//   probability p = softmax or sigmoid of the logits ("softmax_weight": the logits themselves). The K largest p + bias are chosen, ties to
//   the lower id, in falling order. With groups > 1 only the groups_used best groups take part; a group counts the sum of its two best.
//   weights = p of the chosen ("softmax_weight": softmax over the K of them); norm divides by their sum (at least 2^-14); then times scale.
// moe_linear(x [n,k] or [n,K,k], f32, bf16, q8_rows or q16_rows, ids i32 [n,K], W [E,m,k] any weight format, bias? [E,m]) -> [n,K,m]
// moe_combine(y [n,K,m], weights [n,K]) -> [n,m]                  sum over K in order
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/activation.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

constexpr std::string_view kGating[] = {"softmax", "sigmoid", "softmax_weight"};
constexpr double kLeastSum = 0x1p-14;  // what GGUF models are run with elsewhere: the least normal f16

Result<std::vector<ValueInfo>> infer_moe_route(const OpCall& c) {
  const Want want("moe_route", c);
  MAINSPRING_TRY(const ValueInfo* logits, want.rows(0, "logits", 2, 2));
  const int64_t experts = logits->dims[1].times;
  if (experts > std::numeric_limits<int32_t>::max()) return want.fail("logits is {}, too many experts", text_of(*logits));
  MAINSPRING_TRY_VOID(want.maybe(1, "bias", {experts}));
  MAINSPRING_TRY_VOID(want.choice("gating", "softmax", kGating));
  MAINSPRING_TRY_VOID(want.number("scale", 0, std::numeric_limits<double>::lowest()));
  MAINSPRING_TRY_VOID(want.integer("norm", 0, 0, 1));
  MAINSPRING_TRY(const int64_t groups, want.integer("groups", 0, 0, experts));
  int64_t candidates = experts;
  if (groups > 1) {
    if (experts % groups != 0) return want.fail("attribute groups is {}, expected a divisor of {} experts", groups, experts);
    MAINSPRING_TRY(const int64_t used, want.integer("groups_used", 0, 1, groups));
    candidates = experts / groups * used;
  }
  MAINSPRING_TRY(const int64_t used, want.integer("n_used", 0, 1, candidates));
  ValueInfo ids, weights;
  ids.dtype = DType::i32;
  ids.dims = weights.dims = {logits->dims[0], used};
  return std::vector<ValueInfo>{ids, weights};
}

/// Indices of the `count` largest, in falling order, ties to the lower index.
std::vector<int32_t> largest(const std::vector<double>& x, int64_t count) {
  std::vector<int32_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&x](int32_t a, int32_t b) { return x[static_cast<size_t>(a)] > x[static_cast<size_t>(b)]; });
  order.resize(static_cast<size_t>(count));
  return order;
}

void softmax(std::vector<double>& x) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& v : x) sum += v = std::exp(v - top);
  for (double& v : x) v /= sum;
}

/// Excludes experts of all groups but the best ones.
void keep_groups(std::vector<double>& choice, int64_t groups, int64_t used) {
  const size_t size = choice.size() / static_cast<size_t>(groups);
  std::vector<double> score;
  for (size_t g = 0; g < static_cast<size_t>(groups); ++g) {
    std::vector<double> members(choice.begin() + static_cast<std::ptrdiff_t>(g * size), choice.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
    const auto best = largest(members, std::min<int64_t>(2, static_cast<int64_t>(size)));
    score.push_back(0);
    for (int32_t i : best) score.back() += members[static_cast<size_t>(i)];
  }
  std::vector<bool> kept(static_cast<size_t>(groups), false);
  for (int32_t g : largest(score, used)) kept[static_cast<size_t>(g)] = true;
  for (size_t e = 0; e < choice.size(); ++e)
    if (!kept[e / size]) choice[e] = -std::numeric_limits<double>::infinity();
}

void reference_moe_route(const OpArgs& a) {
  const Rows<float> logits(a.in[0]), weights(a.out[1]);
  const Rows<int32_t> ids(a.out[0]);
  const float* bias = a.in[1].as<float>();
  const std::string_view gating = a.attrs.s("gating", "softmax");
  const double scale = a.attrs.f("scale", 0);
  const int64_t used = a.attrs.i("n_used"), groups = a.attrs.i("groups", 0);
  for (int64_t r = 0; r < logits.count(); ++r) {
    std::vector<double> p(logits[r], logits[r] + logits.length());
    if (gating == "softmax") softmax(p);
    else if (gating == "sigmoid") std::transform(p.begin(), p.end(), p.begin(), activation::sigmoid);
    std::vector<double> choice = p;
    for (size_t e = 0; bias && e < choice.size(); ++e) choice[e] += static_cast<double>(bias[e]);
    if (groups > 1) keep_groups(choice, groups, a.attrs.i("groups_used"));
    const std::vector<int32_t> best = largest(choice, used);
    std::vector<double> w;
    for (int32_t e : best) w.push_back(p[static_cast<size_t>(e)]);
    if (gating == "softmax_weight") softmax(w);
    double factor = scale == 0 ? 1 : scale;
    if (a.attrs.i("norm", 0)) factor /= std::max(kLeastSum, std::accumulate(w.begin(), w.end(), 0.0));
    for (size_t i = 0; i < best.size(); ++i) {
      ids[r][i] = best[i];
      weights[r][i] = static_cast<float>(w[i] * factor);
    }
  }
}

Result<std::vector<ValueInfo>> infer_moe_linear(const OpCall& c) {
  const Want want("moe_linear", c);
  MAINSPRING_TRY(const ValueInfo* x, want.activations(0, "x", 2, 3));
  MAINSPRING_TRY(const ValueInfo* ids, want.tensor(1, "ids", DType::i32, 2, 2));
  MAINSPRING_TRY(const ValueInfo* w, want.weight(2, "weight", 3));
  const bool by_choice = x->dims.size() == 3;
  if (ids->dims[0] != x->dims[0] || !ids->dims[1].is_constant() || (by_choice && ids->dims[1] != x->dims[1]))
    return want.fail("ids is {}, expected the rows of x, {}", text_of(*ids), text_of(*x));
  if (w->dims[2] != x->dims.back()) return want.fail("weight is {}, expected rows of {} (x is {})", text_of(*w), x->dims.back().times, text_of(*x));
  MAINSPRING_TRY_VOID(want.maybe(3, "bias", {w->dims[0], w->dims[1]}));
  return yields({ids->dims[0], ids->dims[1], w->dims[1]});
}

void reference_moe_linear(const OpArgs& a) {
  const DecodedRows x(a.in[0]), w(a.in[2]);
  const Rows<int32_t> ids(a.in[1]);
  const Rows<float> y(a.out[0]);
  const int64_t k = x.length(), used = ids.length(), outputs = a.in[2].shape[1], experts = a.in[2].shape[0];
  const bool by_choice = a.in[0].shape.rank() == 3;
  std::vector<float> rows(static_cast<size_t>(x.count() * k)), weights(static_cast<size_t>(k));
  for (int64_t r = 0; r < x.count(); ++r) x.read(r, rows.data() + r * k);
  // Experts outside, so that a weight row is decoded once for all its tokens and never for none.
  std::vector<std::vector<int64_t>> takers(static_cast<size_t>(experts));
  for (int64_t i = 0; i < y.count(); ++i) takers[static_cast<size_t>(ids[i / used][i % used])].push_back(i);
  for (int64_t e = 0; e < experts; ++e)
    for (int64_t o = 0; o < outputs && !takers[static_cast<size_t>(e)].empty(); ++o) {
      w.read(e * outputs + o, weights.data());
      const double bias = a.in[3] ? static_cast<double>(Rows<float>(a.in[3])[e][o]) : 0.0;
      for (int64_t i : takers[static_cast<size_t>(e)])
        y[i][o] = static_cast<float>(dot(rows.data() + (by_choice ? i : i / used) * k, weights.data(), k) + bias);
    }
}

Result<std::vector<ValueInfo>> infer_moe_combine(const OpCall& c) {
  const Want want("moe_combine", c);
  MAINSPRING_TRY(const ValueInfo* y, want.rows(0, "y", 3, 3));
  MAINSPRING_TRY_VOID(want.exactly(1, "weights", {y->dims[0], y->dims[1]}));
  return yields({y->dims[0], y->dims[2]});
}

void reference_moe_combine(const OpArgs& a) {
  const Rows<float> y(a.in[0]), weights(a.in[1]), out(a.out[0]);
  for (int64_t r = 0; r < out.count(); ++r)
    for (int64_t i = 0; i < out.length(); ++i) {
      double sum = 0;
      for (int64_t j = 0; j < weights.length(); ++j) sum += static_cast<double>(weights[r][j]) * static_cast<double>(y[r * weights.length() + j][i]);
      out[r][i] = static_cast<float>(sum);
    }
}

}  // namespace

constinit const OpDef op_moe_route{
    .name = "moe_route", .min_in = 1, .max_in = 2, .n_out = 2, .infer = infer_moe_route, .reference = reference_moe_route};
constinit const OpDef op_moe_linear{
    .name = "moe_linear", .min_in = 3, .max_in = 4, .n_out = 1, .infer = infer_moe_linear, .reference = reference_moe_linear};
constinit const OpDef op_moe_combine{
    .name = "moe_combine", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_moe_combine, .reference = reference_moe_combine};

}  // namespace mainspring::inline v0
