// The activation that ends a fused operator, and the residual before or behind it. Attributes, common to all such operators:
//   act        "" (none) or a name of the table, as the ONNX operator of that meaning
//   act_a, act_b   clip: least and greatest (none given: no bound); leaky_relu, elu: alpha (0.01, 1); hard_sigmoid: alpha, beta (0.2, 0.5)
//   act_first  0: act(x + add); 1: act(x) + add
#pragma once

#include <cmath>
#include <limits>
#include <string_view>

#include "mainspring/ext/graph.h"
#include "ops/activation.h"

namespace mainspring::inline v0 {

struct FusedAct {
  std::string_view name;
  double a, b;  ///< what act_a and act_b are when not given
  double (*apply)(double x, double a, double b);
};

inline constexpr double kNoBound = std::numeric_limits<double>::infinity();
inline constexpr FusedAct kFusedActs[] = {
    {"", 0, 0, [](double x, double, double) { return x; }},
    {"relu", 0, kNoBound, [](double x, double, double) { return activation::relu(x); }},
    {"clip", -kNoBound, kNoBound, [](double x, double a, double b) { return x < a ? a : x > b ? b : x; }},
    {"leaky_relu", 0.01, 0, [](double x, double a, double) { return x < 0 ? a * x : x; }},
    {"elu", 1, 0, [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }},
    {"sigmoid", 0, 0, [](double x, double, double) { return activation::sigmoid(x); }},
    {"tanh", 0, 0, [](double x, double, double) { return activation::tanh(x); }},
    {"silu", 0, 0, [](double x, double, double) { return activation::silu(x); }},
    {"gelu", 0, 0, [](double x, double, double) { return activation::gelu(x); }},
    {"gelu_erf", 0, 0, [](double x, double, double) { return activation::gelu_erf(x); }},
    {"hard_sigmoid", 0.2, 0.5, [](double x, double a, double b) { return std::fmax(0.0, std::fmin(1.0, a * x + b)); }},
    {"hard_swish", 0, 0, [](double x, double, double) { return x * std::fmax(0.0, std::fmin(1.0, x / 6 + 0.5)); }},
    {"mish", 0, 0, [](double x, double, double) { return x * std::tanh(activation::softplus(x)); }},
    {"softplus", 0, 0, [](double x, double, double) { return activation::softplus(x); }},
};

/// The activation of a node, or null for a name that the table lacks.
inline const FusedAct* fused_act_of(const Attrs& attrs) {
  for (const FusedAct& act : kFusedActs)
    if (act.name == attrs.s("act")) return &act;
  return nullptr;
}

}  // namespace mainspring::inline v0
