// What classifiers and regressors of ai.onnx.ml do at their end: scores transformed, labels written.
#pragma once

#include <vector>

#include "ops/nn/numbers.h"

namespace mainspring::inline v0 {

enum class Transform : uint8_t { none, softmax, logistic, softmax_zero, probit };
/// Attribute post_transform, as a string; TreeEnsemble says it as an integer. Errors: invalid_argument.
Result<Transform> transform_of(const char* op, const Attrs& attrs);
/// One row of scores, in place.
void transform(Transform t, std::span<double> row);
/// One score that decides between two classes, as two: (1 - s, s), or (-s, s) transformed.
void two_scores(Transform t, double s, bool complement, std::span<double> to);

/// The classes of a classifier: integers or strings, from two attributes.
class Labels {
 public:
  Labels(const Attrs& attrs, const char* ints, const char* strings) : ints_(attrs.is(ints)), strings_(attrs.ss(strings)) {}
  size_t count() const { return std::max(ints_.size(), strings_.size()); }
  DType dtype() const { return strings_.empty() ? DType::i64 : DType::string; }
  /// Writes class `index`; strings stay the attribute's. What is no class is 0 or the empty string.
  void put(const TensorView& to, int64_t i, size_t index) const;
  /// For a classifier with one class: it, or not.
  void put_whether(const TensorView& to, int64_t i, bool is) const { put(to, i, is ? 0 : count()); }

 private:
  std::span<const int64_t> ints_;
  std::span<const std::string> strings_;
};
/// x as [N, F] (a vector is one row); its extents may be unknown.
struct Features {
  const ValueInfo* x;
  Dim rows = Dim::unknown(), columns = Dim::unknown();
};
Result<Features> features_of(const char* op, const OpCall& c);
/// Rows and columns at run time.
std::pair<int64_t, int64_t> extents_of(const Shape& x);
size_t largest(std::span<const double> row);

}  // namespace mainspring::inline v0
