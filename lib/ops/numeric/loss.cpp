// NegativeLogLikelihoodLoss (x, target, weight?)            x [n, classes, d…], target [n, d…] integers, weight [classes]
// SoftmaxCrossEntropyLoss (scores, target, weight?) -> loss, log_prob    the same of log softmax over the classes, which is the second output
//   attrs ignore_index (none), reduction ("mean", "sum", "none"). loss = -x[target]·weight[target]; the mean divides by the weights' sum. A target that is no class
//   and not ignored counts as ignored: references have no error to give.
#include <cmath>

#include "ops/numeric/runs.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

Result<std::vector<ValueInfo>> infer_loss(const char* name, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need(name, c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* target, need(name, c, 1, "target"));
  MAINSPRING_TRY_VOID(want_rank(name, *x, "x", 2));
  if (!is_float(x->dtype) || !is_int(target->dtype)) return invalid("{}: x is {} and target {}, expected floats and integers", name, name_of(x->dtype), name_of(target->dtype));
  const std::string_view reduction = c.attrs.s("reduction", "mean");
  if (reduction != "mean" && reduction != "sum" && reduction != "none") return invalid("{}: reduction is '{}', expected 'mean', 'sum' or 'none'", name, reduction);
  ValueInfo loss = tensor_of(x->dtype, {});
  if (x->ranked) {
    Dims dims = x->dims;
    dims.erase(dims.begin() + 1);
    if (all_constant(*x) && all_constant(*target) && dims != target->dims) return invalid("{}: target's extents are not those of x without its classes", name);
    if (has(c, 2) && all_constant(c.in[2]) && x->dims[1].is_constant() && product(c.in[2].dims, 0, c.in[2].dims.size()) != x->dims[1])
      return invalid("{}: weight has not one element for each of {} classes", name, x->dims[1].times);
    if (reduction == "none") loss.dims = std::move(dims);
    if (x->dims[1] == Dim(0)) return invalid("{}: x has no classes", name);
  } else if (reduction == "none") {
    loss = unranked(x->dtype);
  }
  std::vector<ValueInfo> all{std::move(loss)};
  if (c.n_out > 1) all.push_back(x->ranked ? tensor_of(x->dtype, x->dims) : unranked(x->dtype));
  return all;
}

void reference_loss(const OpArgs& a, bool softmax) {
  const TensorView &x = a.in[0], &loss = a.out[0];
  const Lanes lanes(x.shape, 1);
  const std::vector<double> weights = has(a, 2) ? load_all<double>(a.in[2]) : std::vector<double>();
  const std::string_view reduction = a.attrs.s("reduction", "mean");
  const bool ignores = a.attrs.has("ignore_index");
  const int64_t ignored = a.attrs.i("ignore_index");
  std::vector<double> lane(static_cast<size_t>(lanes.n));
  double sum = 0, weight_sum = 0;
  for (int64_t i = 0; i < lanes.count(); ++i) {
    load_run(x.dtype, x.data, lanes.first(i), lanes.inner, lanes.n, lane.data());
    if (softmax) {
      const double most = *std::max_element(lane.begin(), lane.end());
      double total = 0;
      for (const double v : lane) total += std::exp(v - most);
      for (double& v : lane) v = v - most - std::log(total);
      if (a.out.size() > 1 && a.out[1]) store_run(x.dtype, a.out[1].data, lanes.first(i), lanes.inner, lanes.n, lane.data());
    }
    const int64_t target = load_int(a.in[1], i);
    const bool counts = target >= 0 && target < lanes.n && !(ignores && target == ignored);
    const auto at = static_cast<size_t>(counts ? target : 0);
    const double weight = !counts ? 0 : weights.empty() ? 1 : weights[at], value = counts ? -lane[at] * weight : 0;
    if (reduction == "none") store_one(loss, i, value);
    sum += value;
    weight_sum += weight;
  }
  if (reduction != "none") store_one(loss, 0, reduction == "sum" ? sum : sum / weight_sum);
}

}  // namespace

constinit const OpDef op_NegativeLogLikelihoodLoss{.name = "NegativeLogLikelihoodLoss",
                                                   .min_in = 2,
                                                   .max_in = 3,
                                                   .n_out = 1,
                                                   .infer = [](const OpCall& c) { return infer_loss("NegativeLogLikelihoodLoss", c); },
                                                   .reference = [](const OpArgs& a) { reference_loss(a, false); }};
constinit const OpDef op_SoftmaxCrossEntropyLoss{.name = "SoftmaxCrossEntropyLoss",
                                                 .min_in = 2,
                                                 .max_in = 3,
                                                 .n_out = 2,
                                                 .infer = [](const OpCall& c) { return infer_loss("SoftmaxCrossEntropyLoss", c); },
                                                 .reference = [](const OpArgs& a) { reference_loss(a, true); }};

}  // namespace mainspring::inline v0
