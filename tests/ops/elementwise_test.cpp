#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

const std::vector<OpCase>& binary_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    for (const char* op : {"add", "sub", "mul", "div"}) {
      v.push_back({.name = "same", .op = op, .in = {rows({kN, 67}), rows({kN, 67})}});
      v.push_back({.name = "same, one", .op = op, .in = {rows({kN, 1}), rows({kN, 1})}});
      v.push_back({.name = "vector", .op = op, .in = {rows({kN, 129}), vec({129})}});
      v.push_back({.name = "element", .op = op, .in = {rows({kN, 3, 33}), vec({1}, Fill::unit)}});
      v.push_back({.name = "column", .op = op, .in = {rows({kN, 65}), rows({kN, 1})}});
      v.push_back({.name = "column by head", .op = op, .in = {rows({kN, 3, 16}), rows({kN, 3, 1})}});
      v.push_back({.name = "heads", .op = op, .in = {rows({kN, 3, 16}), rows({kN, 3, 16})}});
      v.push_back({.name = "special", .op = op, .in = {rows({kN, 256}, Fill::special), rows({kN, 256}, Fill::special)}});
    }
    return v;
  }();
  return all;
}

const std::vector<OpCase>& unary_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> v;
    for (const char* op : {"silu", "gelu", "gelu_erf", "gelu_quick", "relu", "relu_sqr", "sigmoid", "tanh", "softplus", "exp", "neg", "scale", "softcap"}) {
      const Attrs attrs = std::string_view(op) == "scale" ? Attrs{{"scale", 0.37}, {"bias", -1.5}} : Attrs{{"cap", 30.0}};
      v.push_back({.name = "odd", .op = op, .in = {rows({kN, 67})}, .attrs = attrs});
      v.push_back({.name = "one", .op = op, .in = {rows({kN, 1})}, .attrs = attrs});
      v.push_back({.name = "wide", .op = op, .in = {rows({kN, 3, 133}, Fill::wide)}, .attrs = attrs});
      v.push_back({.name = "special", .op = op, .in = {rows({kN, 256}, Fill::special)}, .attrs = attrs});
    }
    v.push_back({.name = "factor only", .op = "scale", .in = {rows({kN, 67})}, .attrs = {{"scale", 12.0}}});
    return v;
  }();
  return all;
}

const std::vector<OpCase>& glu_cases(bool quant) {
  auto make = [](const char* op, double steps) {
    std::vector<OpCase> v;
    for (const char* act : {"silu", "gelu", "gelu_erf", "relu", "relu_sqr", "sigmoid", "swiglu_oai"}) {
      const Attrs attrs{{"act", act}, {"alpha", 1.702}, {"limit", 7.0}};
      const int64_t d = steps > 0 ? 96 : 67;
      v.push_back({.name = act, .op = op, .in = {rows({kN, d}), rows({kN, d})}, .attrs = attrs, .quant_steps = steps});
      v.push_back({.name = std::string(act) + " wide", .op = op, .in = {rows({kN, 256}, Fill::wide), rows({kN, 256}, Fill::wide)}, .attrs = attrs, .quant_steps = steps});
      v.push_back({.name = std::string(act) + " heads", .op = op, .in = {rows({kN, 3, 32}), rows({kN, 3, 32})}, .attrs = attrs, .quant_steps = steps});
    }
    return v;
  };
  static const std::vector<OpCase> plain = make("glu", 0), quantised = make("glu_quant", 1);
  return quant ? quantised : plain;
}

// As glu_quant: the f32 of the two layers may be off by their rounding, so that a quantised value falls on the other side of a tie.
const OpCase kGluLinear[] = {
    {.name = "q4_0", .op = "glu_linear_quant", .in = {quantised({kN, 256}), weights(DType::q4_0, {96, 256}), weights(DType::q4_0, {96, 256})}, .attrs = {{"act", std::string("silu")}}, .may_refuse = true, .quant_steps = 1},
    {.name = "mixed biases", .op = "glu_linear_quant", .in = {quantised({kN, 256}), weights(DType::q4_k, {64, 256}), weights(DType::q6_k, {64, 256}), vec({64}), vec({64})}, .attrs = {{"act", std::string("gelu")}}, .may_refuse = true, .quant_steps = 1},
    {.name = "one bias", .op = "glu_linear_quant", .in = {quantised({kN, 64}), weights(DType::q8_0, {32, 64}), weights(DType::q8_0, {32, 64}), absent(), vec({32})}, .attrs = {{"act", std::string("swiglu_oai")}, {"alpha", 1.5}, {"limit", 5.0}}, .may_refuse = true, .quant_steps = 1},
};

MAINSPRING_OP_TEST(OpBinary, binary_cases());
MAINSPRING_OP_TEST(OpUnary, unary_cases());
MAINSPRING_OP_TEST(OpGlu, glu_cases(false));
MAINSPRING_OP_TEST(OpGluQuant, glu_cases(true));
MAINSPRING_OP_TEST(OpGluLinearQuant, kGluLinear);

}  // namespace
}  // namespace mainspring::inline v0
