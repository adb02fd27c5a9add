// glu(gate, up) -> same      attrs act: "silu" | "gelu" | "gelu_erf" | "relu" | "relu_sqr" | "sigmoid": act(gate) * up      arXiv:2002.05202
//                            act "swiglu_oai", alpha (1.702), limit (7): g = min(gate,limit), u = clamp(up,±limit), g * sigmoid(alpha*g) * (u+1)
// glu_quant: the same to what attribute rows names (quantize_rows), last extent % 32 == 0: glu, then quantize_rows
#include "ops/activation.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

constexpr std::string_view kActs[] = {"silu", "gelu", "gelu_erf", "relu", "relu_sqr", "sigmoid", "swiglu_oai"};
constexpr double (*kApply[])(double) = {activation::silu, activation::gelu,     activation::gelu_erf,
                                        activation::relu, activation::relu_sqr, activation::sigmoid};

Result<std::vector<ValueInfo>> infer_as(const char* op, const OpCall& c) {
  const Want want(op, c);
  MAINSPRING_TRY(const ValueInfo* gate, want.tensor(0, "gate", DType::f32, 1));
  MAINSPRING_TRY_VOID(want.exactly(1, "up", gate->dims));
  MAINSPRING_TRY_VOID(want.choice("act", "silu", kActs));
  MAINSPRING_TRY_VOID(want.number("alpha", 1.702, 0));
  MAINSPRING_TRY_VOID(want.number("limit", 7, 0));
  return yields(gate->dims);
}

Result<std::vector<ValueInfo>> infer(const OpCall& c) { return infer_as("glu", c); }
Result<std::vector<ValueInfo>> infer_quant(const OpCall& c) { return then_quantised("glu_quant", c, infer_as("glu_quant", c)); }

void reference(const OpArgs& a) {
  const Rows<float> gate(a.in[0]), up(a.in[1]), y(a.out[0]);
  const std::string_view act = a.attrs.s("act", "silu");
  const size_t which = static_cast<size_t>(std::find(std::begin(kActs), std::end(kActs), act) - std::begin(kActs));
  const double alpha = a.attrs.f("alpha", 1.702), limit = a.attrs.f("limit", 7);
  auto one = [&](double g, double u) {
    if (which < std::size(kApply)) return kApply[which](g) * u;
    g = std::min(g, limit);
    return g * activation::sigmoid(alpha * g) * (std::clamp(u, -limit, limit) + 1);
  };
  for (int64_t r = 0; r < y.count(); ++r)
    for (int64_t i = 0; i < y.length(); ++i) y[r][i] = static_cast<float>(one(static_cast<double>(gate[r][i]), static_cast<double>(up[r][i])));
}

void reference_quant(const OpArgs& a) { then_quantise(a, reference); }

}  // namespace

constinit const OpDef op_glu{.name = "glu", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer, .reference = reference};
constinit const OpDef op_glu_quant{.name = "glu_quant", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_quant, .reference = reference_quant};

}  // namespace mainspring::inline v0
