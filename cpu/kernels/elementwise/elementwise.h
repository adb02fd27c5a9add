// Element by element: activations, arithmetic, gated units. In: stretches of floats. Out: as many. Must not know operators or plans.
// Each element's result depends on its own inputs only, wherever it stands in a stretch.
//
// Errors against the exact value of the f32 inputs (the functions of cpu/simd/vec_math.h, plus the arithmetic around them):
//   exp, tanh 2 ulp; sigmoid 3 ulp; silu, gelu, gelu_quick relative 1e-6 where the result is normal (gelu: the cubic's rounding, |x| * 1e-6);
//   gelu_erf |x| * 2e-7 and relative 1e-6 for x > -9; softplus 1e-7 * max(1, result).
#pragma once

#include <span>
#include <string_view>

#include "cpu/isa.h"
#include "cpu/kernels/elementwise/elementwise_args.h"

namespace mainspring::inline v0 {

struct ElementwiseKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  const ElementwiseIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const ElementwiseKernel> elementwise_kernels();
/// The best kernel for this machine; there is always one.
const ElementwiseKernel& select_elementwise(IsaSet isa);

/// By operator name; `count` when there is none.
UnaryOp unary_op_of(std::string_view name);
BinaryOp binary_op_of(std::string_view name);
/// By the name of a glu's activation; `count` when there is none.
GluAct glu_act_of(std::string_view name);

}  // namespace mainspring::inline v0
