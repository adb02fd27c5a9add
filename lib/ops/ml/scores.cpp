#include "ops/ml/scores.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <numbers>

#include "ops/activation.h"

namespace mainspring::inline v0 {
namespace {

/// The approximation that ONNX's operators of this name are defined by.
double probit(double p) {
  const double x = 2 * p - 1, product = (1 - x) * (1 + x);
  if (!(product > 0)) return 0;
  const double log = std::log(product), half = 2 / (std::numbers::pi * 0.147) + 0.5 * log;
  const double root = std::sqrt(-half + std::sqrt(half * half - log / 0.147));
  return 1.41421356 * (x < 0 ? -root : root);
}

void softmax(std::span<double> row, bool zeros_stay) {
  if (row.empty()) return;
  const double most = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& s : row) {
    s = zeros_stay && std::fabs(s) <= 1e-7 ? s * std::exp(-most) : std::exp(s - most);
    sum += s;
  }
  for (double& s : row) s = sum == 0 ? 0.5 : s / sum;
}

}  // namespace

Result<Transform> transform_of(const char* op, const Attrs& attrs) {
  constexpr std::string_view kNames[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  MAINSPRING_TRY(const size_t i, choice_attr(op, attrs, "post_transform", "NONE", kNames));
  return static_cast<Transform>(i);
}

void transform(Transform t, std::span<double> row) {
  switch (t) {
    case Transform::none: return;
    case Transform::softmax: return softmax(row, false);
    case Transform::softmax_zero: return softmax(row, true);
    case Transform::logistic:
      for (double& s : row) s = activation::sigmoid(s);
      return;
    case Transform::probit:
      for (double& s : row) s = probit(s);
  }
}

void two_scores(Transform t, double s, bool complement, std::span<double> to) {
  if (t == Transform::probit) s = probit(s);
  to[0] = complement || t == Transform::probit ? 1 - s : -s;
  to[1] = s;
  if (!complement && t != Transform::probit) transform(t, to.first(2));
}

void Labels::put(const TensorView& to, int64_t i, size_t index) const {
  if (strings_.empty()) return store_int(DType::i64, to.data, i, index < ints_.size() ? ints_[index] : ints_.empty() ? static_cast<int64_t>(index) : 0);
  new (to.data + at(i) * sizeof(std::string_view)) std::string_view(index < strings_.size() ? std::string_view(strings_[index]) : std::string_view());
}

Result<Features> features_of(const char* op, const OpCall& c) {
  Features f;
  MAINSPRING_TRY(f.x, need_number(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *f.x, "x", 1, 2));
  if (f.x->ranked) f.rows = f.x->dims.size() == 2 ? f.x->dims[0] : Dim(1), f.columns = f.x->dims.back();
  return f;
}

std::pair<int64_t, int64_t> extents_of(const Shape& x) { return {x.rank() == 2 ? x[0] : 1, x.back()}; }

size_t largest(std::span<const double> row) { return static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin()); }

}  // namespace mainspring::inline v0
