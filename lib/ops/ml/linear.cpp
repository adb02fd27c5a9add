// ai.onnx.ml.LinearRegressor(x [N,F]) -> f32 [N,targets]        attrs coefficients [targets × F], intercepts?, targets (1), post_transform
// ai.onnx.ml.LinearClassifier(x [N,F]) -> label [N], scores f32 [N,E]      attrs coefficients [E × F], intercepts, classlabels_ints or _strings, post_transform
// ai.onnx.ml.SVMRegressor(x [N,F]) -> f32 [N,1]                 attrs kernel_type, kernel_params (gamma, coef0, degree), support_vectors, coefficients, rho,
//   n_supports (0: linear), one_class, post_transform
// ai.onnx.ml.SVMClassifier(x [N,F]) -> label [N], scores f32    attrs as SVMRegressor, vectors_per_class (absent: linear), prob_a, prob_b, classlabels_ints or _strings
//   one vote a pair of classes; probabilities: pairwise coupling, Wu, Lin and Weng, JMLR 5 (2004)
#include <algorithm>
#include <cmath>

#include "ops/activation.h"
#include "ops/ml/scores.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// coefficients must be `rows` × the features.
Result<void> want_coefficients(const char* op, const Attrs& attrs, const char* name, int64_t rows, Dim columns) {
  const auto n = static_cast<int64_t>(attrs.fs(name).size());
  if (rows < 1 || n % rows != 0 || n == 0) return invalid("{}: attribute {} has {} numbers for {} rows", op, name, n, rows);
  return want_equal(op, "features of x", columns, Dim(n / rows));
}

// ---- linear -----------------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_LinearRegressor(const OpCall& c) {
  const char* op = "ai.onnx.ml.LinearRegressor";
  MAINSPRING_TRY(const Features f, features_of(op, c));
  MAINSPRING_TRY_VOID(transform_of(op, c.attrs));
  MAINSPRING_TRY(const int64_t targets, int_attr(op, c.attrs, "targets", 1, 1, int64_t{1} << 40));
  MAINSPRING_TRY_VOID(want_coefficients(op, c.attrs, "coefficients", targets, f.columns));
  return one(tensor_of(DType::f32, {f.rows, Dim(targets)}));
}

/// scores of one row: coefficients · x + intercepts.
void linear(const Attrs& attrs, const double* x, int64_t columns, std::span<double> to) {
  const std::span<const double> w = attrs.fs("coefficients"), b = attrs.fs("intercepts");
  for (size_t t = 0; t < to.size(); ++t) to[t] = dot(w.data() + static_cast<int64_t>(t) * columns, x, columns) + (t < b.size() ? b[t] : 0);
}

void reference_LinearRegressor(const OpArgs& a) {
  const auto t = transform_of("LinearRegressor", a.attrs);
  const auto [rows, columns] = extents_of(a.in[0].shape);
  const std::vector<double> x = numbers_of(a.in[0]);
  const size_t targets = at(a.out[0].shape[1]);
  std::vector<double> y(at(rows) * targets);
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<double> to = std::span(y).subspan(at(r) * targets, targets);
    linear(a.attrs, x.data() + r * columns, columns, to);
    if (t) transform(*t, to);
  }
  put_numbers(a.out[0], y);
}

int64_t linear_targets(const Attrs& attrs, const Labels& labels) {
  const size_t n = attrs.fs("intercepts").size();
  return static_cast<int64_t>(n ? n : std::max<size_t>(labels.count(), 1));
}

Result<std::vector<ValueInfo>> infer_LinearClassifier(const OpCall& c) {
  const char* op = "ai.onnx.ml.LinearClassifier";
  MAINSPRING_TRY(const Features f, features_of(op, c));
  MAINSPRING_TRY_VOID(transform_of(op, c.attrs));
  const Labels labels(c.attrs, "classlabels_ints", "classlabels_strings");
  const int64_t targets = linear_targets(c.attrs, labels);
  MAINSPRING_TRY_VOID(want_coefficients(op, c.attrs, "coefficients", targets, f.columns));
  return first_outputs(c, {tensor_of(labels.dtype(), {f.rows}), tensor_of(DType::f32, {f.rows, Dim(targets == 1 && labels.count() == 2 ? 2 : targets)})});
}

void reference_LinearClassifier(const OpArgs& a) {
  const auto t = transform_of("LinearClassifier", a.attrs);
  if (!t) return;
  const Labels labels(a.attrs, "classlabels_ints", "classlabels_strings");
  const auto [rows, columns] = extents_of(a.in[0].shape);
  const std::vector<double> x = numbers_of(a.in[0]);
  std::vector<double> scores(at(linear_targets(a.attrs, labels)));
  const bool two = scores.size() == 1 && labels.count() == 2;
  const size_t n = two ? 2 : scores.size();
  std::vector<double> all;
  for (int64_t r = 0; r < rows; ++r) {
    linear(a.attrs, x.data() + r * columns, columns, scores);
    if (two) {
      const double s = scores[0];
      double both[2];
      two_scores(*t, s, false, both);
      if (wanted(a, 0)) labels.put(a.out[0], r, s > 0);
      all.insert(all.end(), both, both + 2);
      continue;
    }
    const bool positive = scores[0] > 0;
    transform(*t, scores);
    if (wanted(a, 0)) n == 1 ? labels.put_whether(a.out[0], r, positive) : labels.put(a.out[0], r, largest(scores));
    all.insert(all.end(), scores.begin(), scores.end());
  }
  if (wanted(a, 1)) put_numbers(a.out[1], all);
}

// ---- support vectors --------------------------------------------------------------------------------------------------------

constexpr std::string_view kKernels[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};

struct Kernel {
  size_t kind;
  double gamma, coef0, degree;
  explicit Kernel(const Attrs& attrs) {
    kind = static_cast<size_t>(std::find(std::begin(kKernels), std::end(kKernels), attrs.s("kernel_type", "LINEAR")) - kKernels);
    const std::span<const double> p = attrs.fs("kernel_params");
    gamma = p.size() > 0 ? p[0] : 0, coef0 = p.size() > 1 ? p[1] : 0, degree = p.size() > 2 ? p[2] : 0;
  }
  double operator()(const double* a, const double* b, int64_t n) const {
    if (kind == 2) {
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
      return std::exp(-gamma * sum);
    }
    const double d = dot(a, b, n);
    return kind == 0 ? d : kind == 1 ? std::pow(gamma * d + coef0, degree) : std::tanh(gamma * d + coef0);
  }
};

Result<std::vector<ValueInfo>> infer_SVMRegressor(const OpCall& c) {
  const char* op = "ai.onnx.ml.SVMRegressor";
  MAINSPRING_TRY(const Features f, features_of(op, c));
  MAINSPRING_TRY_VOID(transform_of(op, c.attrs));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "kernel_type", "LINEAR", kKernels));
  const int64_t supports = c.attrs.i("n_supports");
  if (c.attrs.fs("rho").empty()) return invalid("{}: attribute rho is empty", op);
  if (supports > 0) {
    MAINSPRING_TRY_VOID(want_coefficients(op, c.attrs, "support_vectors", supports, f.columns));
    if (static_cast<int64_t>(c.attrs.fs("coefficients").size()) < supports) return invalid("{}: fewer coefficients than the {} support vectors", op, supports);
  } else {
    MAINSPRING_TRY_VOID(want_coefficients(op, c.attrs, "coefficients", 1, f.columns));
  }
  return one(tensor_of(DType::f32, {f.rows, Dim(1)}));
}

void reference_SVMRegressor(const OpArgs& a) {
  const auto t = transform_of("SVMRegressor", a.attrs);
  const auto [rows, columns] = extents_of(a.in[0].shape);
  const std::vector<double> x = numbers_of(a.in[0]);
  const std::span<const double> w = a.attrs.fs("coefficients"), vectors = a.attrs.fs("support_vectors");
  const Kernel kernel(a.attrs);
  const int64_t supports = a.attrs.i("n_supports");
  for (int64_t r = 0; r < rows; ++r) {
    const double* row = x.data() + r * columns;
    double s = a.attrs.fs("rho")[0];
    if (supports <= 0) s += dot(row, w.data(), columns);
    for (int64_t j = 0; j < supports; ++j) s += w[at(j)] * kernel(row, vectors.data() + j * columns, columns);
    if (a.attrs.i("one_class")) s = s > 0 ? 1 : -1;
    else if (t) transform(*t, {&s, 1});
    store(a.out[0], r, s);
  }
}

/// An SVMClassifier's attributes as numbers.
struct Machine {
  Labels labels;
  std::span<const double> w, vectors, rho, prob_a, prob_b;
  std::vector<int64_t> first;  ///< support vectors of class c: [first[c], first[c + 1])
  int64_t classes, supports = 0;

  explicit Machine(const Attrs& attrs)
      : labels(attrs, "classlabels_ints", "classlabels_strings"), w(attrs.fs("coefficients")), vectors(attrs.fs("support_vectors")), rho(attrs.fs("rho")), prob_a(attrs.fs("prob_a")),
        prob_b(attrs.fs("prob_b")), classes(static_cast<int64_t>(std::max<size_t>(labels.count(), 1))) {
    for (const int64_t n : attrs.is("vectors_per_class")) first.push_back(supports), supports += n;
    first.push_back(supports);
  }
  bool linear() const { return supports == 0; }
  int64_t pairs() const { return classes * (classes - 1) / 2; }
  bool probabilities() const { return !linear() && !prob_a.empty(); }
  int64_t scores() const { return linear() || probabilities() ? classes : pairs(); }
};

Result<std::vector<ValueInfo>> infer_SVMClassifier(const OpCall& c) {
  const char* op = "ai.onnx.ml.SVMClassifier";
  MAINSPRING_TRY(const Features f, features_of(op, c));
  MAINSPRING_TRY_VOID(transform_of(op, c.attrs));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "kernel_type", "LINEAR", kKernels));
  for (const int64_t n : c.attrs.is("vectors_per_class"))
    if (n < 0 || n > int64_t{1} << 40) return invalid("{}: attribute vectors_per_class has {}", op, n);
  const Machine m(c.attrs);
  if (m.linear()) {
    if (m.rho.empty()) return invalid("{}: attribute rho is empty", op);
    MAINSPRING_TRY_VOID(want_coefficients(op, c.attrs, "coefficients", m.classes, f.columns));
  } else {
    MAINSPRING_TRY_VOID(want_coefficients(op, c.attrs, "support_vectors", m.supports, f.columns));
    const auto pairs = static_cast<size_t>(m.pairs());
    if (static_cast<int64_t>(m.first.size()) != m.classes + 1 || m.classes < 2 || m.rho.size() < pairs || static_cast<int64_t>(m.w.size()) < (m.classes - 1) * m.supports ||
        (m.probabilities() && (m.prob_a.size() < pairs || m.prob_b.size() < pairs)))
      return invalid("{}: {} classes, which the lengths of vectors_per_class, coefficients, rho or prob_a do not fit", op, m.classes);
  }
  return first_outputs(c, {tensor_of(m.labels.dtype(), {f.rows}), tensor_of(DType::f32, {f.rows, Dim(m.scores() == 1 && m.classes == 2 ? 2 : m.scores())})});
}

/// From the chance of each class against each other one to the chance of each class. r[i × k + j]: of i against j.
std::vector<double> coupled(int64_t k, const std::vector<double>& r) {
  std::vector<double> q(at(k * k), 0.0), p(at(k), 1 / static_cast<double>(k)), qp(at(k));
  for (int64_t t = 0; t < k; ++t)
    for (int64_t j = 0; j < k; ++j) {
      if (j == t) continue;
      q[at(t * k + t)] += r[at(j * k + t)] * r[at(j * k + t)];
      q[at(t * k + j)] = -r[at(j * k + t)] * r[at(t * k + j)];
    }
  for (int64_t round = 0; round < std::max<int64_t>(100, k); ++round) {
    double all = 0, error = 0;
    for (int64_t t = 0; t < k; ++t) all += p[at(t)] * (qp[at(t)] = dot(q.data() + t * k, p.data(), k));
    for (int64_t t = 0; t < k; ++t) error = std::max(error, std::fabs(qp[at(t)] - all));
    if (error < 0.005 / static_cast<double>(k)) break;
    for (int64_t t = 0; t < k; ++t) {
      const double self = q[at(t * k + t)], diff = (all - qp[at(t)]) / self;
      p[at(t)] += diff;
      all = (all + diff * (diff * self + 2 * qp[at(t)])) / (1 + diff) / (1 + diff);
      for (int64_t j = 0; j < k; ++j) {
        qp[at(j)] = (qp[at(j)] + diff * q[at(t * k + j)]) / (1 + diff);
        p[at(j)] /= 1 + diff;
      }
    }
  }
  return p;
}

void reference_SVMClassifier(const OpArgs& a) {
  const auto t = transform_of("SVMClassifier", a.attrs);
  if (!t) return;
  const Machine m(a.attrs);
  const Kernel kernel(a.attrs);
  const auto [rows, columns] = extents_of(a.in[0].shape);
  const std::vector<double> x = numbers_of(a.in[0]);
  const bool positive = std::all_of(m.w.begin(), m.w.end(), [](double w) { return w >= 0; });
  std::vector<double> all, scores, kernels(at(m.supports));
  for (int64_t r = 0; r < rows; ++r) {
    const double* row = x.data() + r * columns;
    scores.clear();
    size_t best = 0;
    double weight = 0;
    if (m.linear()) {
      for (int64_t c = 0; c < m.classes; ++c) scores.push_back(m.rho[0] + dot(row, m.w.data() + c * columns, columns));
      best = largest(scores), weight = scores[best];
    } else {
      for (int64_t j = 0; j < m.supports; ++j) kernels[at(j)] = kernel(row, m.vectors.data() + j * columns, columns);
      std::vector<double> votes(at(m.classes), 0.0);
      const auto part = [&](int64_t line, int64_t of) {  // what the vectors of class `of` say in that row of coefficients
        const int64_t from = m.first[at(of)];
        return dot(m.w.data() + line * m.supports + from, kernels.data() + from, m.first[at(of + 1)] - from);
      };
      for (int64_t i = 0; i < m.classes; ++i)
        for (int64_t j = i + 1; j < m.classes; ++j) {
          scores.push_back(m.rho[scores.size()] + part(j - 1, i) + part(i, j));
          votes[at(scores.back() > 0 ? i : j)] += 1;
        }
      best = largest(votes), weight = votes[best];
      if (m.probabilities()) {
        std::vector<double> pair(at(m.classes * m.classes), 0.0);
        size_t index = 0;
        for (int64_t i = 0; i < m.classes; ++i)
          for (int64_t j = i + 1; j < m.classes; ++j, ++index) {
            const double p = std::clamp(1 - activation::sigmoid(scores[index] * m.prob_a[index] + m.prob_b[index]), 1e-7, 1 - 1e-7);
            pair[at(i * m.classes + j)] = p;
            pair[at(j * m.classes + i)] = 1 - p;
          }
        scores = coupled(m.classes, pair);
      }
    }
    // With one rho there is one decision: two classes, or one class and the rest.
    if (m.rho.size() == 1 && m.classes == 2 && !m.probabilities() && positive && weight >= 0.5) best = 1;
    if (wanted(a, 0)) m.classes == 1 ? m.labels.put_whether(a.out[0], r, weight > 0) : m.labels.put(a.out[0], r, best);
    if (scores.size() == 1 && m.classes == 2) {
      scores.push_back(0);
      two_scores(*t, scores[0], false, scores);
    } else {
      transform(*t, scores);
    }
    all.insert(all.end(), scores.begin(), scores.end());
  }
  if (wanted(a, 1)) put_numbers(a.out[1], all);
}

}  // namespace

constinit const OpDef op_ml_LinearRegressor{
    .name = "ai.onnx.ml.LinearRegressor", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_LinearRegressor, .reference = reference_LinearRegressor};
constinit const OpDef op_ml_LinearClassifier{
    .name = "ai.onnx.ml.LinearClassifier", .min_in = 1, .max_in = 1, .n_out = 2, .infer = infer_LinearClassifier, .reference = reference_LinearClassifier};
constinit const OpDef op_ml_SVMRegressor{
    .name = "ai.onnx.ml.SVMRegressor", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_SVMRegressor, .reference = reference_SVMRegressor};
constinit const OpDef op_ml_SVMClassifier{
    .name = "ai.onnx.ml.SVMClassifier", .min_in = 1, .max_in = 1, .n_out = 2, .infer = infer_SVMClassifier, .reference = reference_SVMClassifier};

}  // namespace mainspring::inline v0
