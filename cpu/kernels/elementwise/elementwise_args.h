// What an elementwise kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

enum class UnaryOp : uint8_t { silu, gelu, gelu_erf, gelu_quick, relu, relu_sqr, sigmoid, tanh, softplus, exp, neg, scale, softcap, count };
enum class BinaryOp : uint8_t { add, sub, mul, div, count };
enum class GluAct : uint8_t { silu, gelu, gelu_erf, relu, relu_sqr, sigmoid, swiglu_oai, count };

/// y[i] = op(x[i]), n elements; y may be x. scale: x * a + b (a product only where b is 0). softcap: a * tanh(x / a).
struct UnaryArgs {
  const float* x;
  float* y;
  int64_t n;
  float a, b;
};
/// y[i] = a[i] op b[i]; in the `one` form b is a single element for all. y may be a or b.
struct BinaryArgs {
  const float* a;
  const float* b;
  float* y;
  int64_t n;
};
/// y[i] = act(gate[i]) * up[i]; y may be either.
struct GluArgs {
  const float* gate;
  const float* up;
  float* y;
  int64_t n;
  float alpha, limit;  ///< swiglu_oai
};
/// y[i] = sum over j < used of weights[j] * x[j * stride + i], in order of j.
struct CombineArgs {
  const float* x;
  int64_t stride;
  const float* weights;
  int64_t used;
  float* y;
  int64_t n;
};

/// The functions of one instruction set, a table that its ISA file defines; indexed by the enumerations.
struct ElementwiseIsa {
  void (*unary[static_cast<int>(UnaryOp::count)])(const UnaryArgs&);
  void (*binary[static_cast<int>(BinaryOp::count)])(const BinaryArgs&);
  void (*binary_one[static_cast<int>(BinaryOp::count)])(const BinaryArgs&);
  void (*glu[static_cast<int>(GluAct::count)])(const GluArgs&);
  void (*combine)(const CombineArgs&);
};

}  // namespace mainspring::inline v0
