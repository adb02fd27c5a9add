// Products of stacks of matrices, in double, with numpy's rules: leading extents broadcast, vectors are rows on the left and columns on the right.
#pragma once

#include <vector>

#include "ops/nn/numbers.h"

namespace mainspring::inline v0 {

struct Matrices {
  std::vector<double> values;
  Shape shape;
  Matrices(std::vector<double> v, const Shape& s) : values(std::move(v)), shape(s) {}
  explicit Matrices(const TensorView& t) : values(numbers_of(t)), shape(t.shape) {}
  /// Extents in another order.
  Matrices permuted(std::span<const int> order) const;
  /// The last two extents swapped.
  Matrices turned() const;
};
/// Extents of a × b. Errors: invalid_argument.
Result<ValueInfo> infer_product(const char* op, DType dtype, const ValueInfo& a, const ValueInfo& b);
/// Row-major values of the product.
std::vector<double> product_of(const Matrices& a, const Matrices& b);
/// y […, N] += bias [N], where there is one.
void add_row(std::vector<double>& y, std::span<const double> bias);
/// Attribute activation of the fused operators of com.microsoft (Relu, LeakyRelu, Tanh, Sigmoid, Clip, HardSigmoid, …): x changed in place.
/// `params`: alpha, beta. The names are those that has_activation knows; others, and none, leave x as it is.
bool has_activation(std::string_view name);
void activate(std::string_view name, std::span<const double> params, std::span<double> x);

}  // namespace mainspring::inline v0
