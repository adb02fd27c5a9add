// Geometry of the fused convolutions, for their shape rules, references and kernels. In: extents and attributes of a node. Out: what each axis does.
#pragma once

#include <array>

#include "mainspring/ext/op.h"
#include "mainspring/result.h"

namespace mainspring::inline v0 {

struct ConvAxis {
  int64_t in = 1, out = 1;  ///< extents; -1 where x's is not known yet
  int64_t k = 1, stride = 1, dilation = 1, pad = 0;  ///< pad: before the first element
  /// The input that tap `t` of output `o` reads; -1: none, it falls on padding or (transposed) between two inputs.
  int64_t source(bool transposed, int64_t o, int64_t t) const {
    int64_t i = transposed ? o + pad - t * dilation : o * stride - pad + t * dilation;
    if (transposed && (i < 0 || i % stride != 0)) return -1;
    if (transposed) i /= stride;
    return i >= 0 && i < in ? i : -1;
  }
};

struct ConvShape {
  bool transposed = false;
  int64_t c = 1, oc = 1, group = 1;
  size_t axes = 1;                 ///< spatial axes of the operands
  std::array<ConvAxis, 3> axis{};  ///< depth, height, width; the first 3 - axes do nothing
  int64_t taps() const { return axis[0].k * axis[1].k * axis[2].k; }
  int64_t group_in() const { return c / group; }
  int64_t group_out() const { return oc / group; }
  /// Element of w that joins input channel `ci` and output channel `co` of one group at a tap (counted over all axes).
  int64_t weight(int64_t g, int64_t co, int64_t ci, int64_t tap) const {
    return transposed ? ((g * group_in() + ci) * group_out() + co) * taps() + tap : ((g * group_out() + co) * group_in() + ci) * taps() + tap;
  }
};

/// Errors: invalid_argument, with the operator's name.
Result<ConvShape> conv_shape(const char* op, bool transposed, const Dims& x, const Dims& w, const Attrs& attrs);

}  // namespace mainspring::inline v0
