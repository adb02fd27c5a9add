#include "cpu/kernels/elementwise/elementwise.h"

namespace mainspring::inline v0 {

#define MAINSPRING_ELEMENTWISE_KERNEL(isa) extern const ElementwiseIsa elementwise_##isa;
#include "cpu/kernels/elementwise/kernels.inc"
#undef MAINSPRING_ELEMENTWISE_KERNEL

namespace {

const ElementwiseKernel kKernels[] = {
#define MAINSPRING_ELEMENTWISE_KERNEL(isa) {#isa, Isa::isa, &elementwise_##isa},
#include "cpu/kernels/elementwise/kernels.inc"
#undef MAINSPRING_ELEMENTWISE_KERNEL
};

// In the order of the enumerations.
constexpr std::string_view kUnary[] = {"silu", "gelu",     "gelu_erf", "gelu_quick", "relu",  "relu_sqr", "sigmoid",
                                       "tanh", "softplus", "exp",      "neg",        "scale", "softcap"};
constexpr std::string_view kBinary[] = {"add", "sub", "mul", "div"};
constexpr std::string_view kGlu[] = {"silu", "gelu", "gelu_erf", "relu", "relu_sqr", "sigmoid", "swiglu_oai"};
static_assert(std::size(kUnary) == static_cast<size_t>(UnaryOp::count) && std::size(kBinary) == static_cast<size_t>(BinaryOp::count) &&
              std::size(kGlu) == static_cast<size_t>(GluAct::count));

template <class Op, size_t n>
Op named(const std::string_view (&names)[n], std::string_view name) {
  for (size_t i = 0; i < n; ++i)
    if (names[i] == name) return static_cast<Op>(i);
  return Op::count;
}

}  // namespace

std::span<const ElementwiseKernel> elementwise_kernels() { return kKernels; }

const ElementwiseKernel& select_elementwise(IsaSet isa) {
  for (const ElementwiseKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

UnaryOp unary_op_of(std::string_view name) { return named<UnaryOp>(kUnary, name); }
BinaryOp binary_op_of(std::string_view name) { return named<BinaryOp>(kBinary, name); }
GluAct glu_act_of(std::string_view name) { return named<GluAct>(kGlu, name); }

}  // namespace mainspring::inline v0
