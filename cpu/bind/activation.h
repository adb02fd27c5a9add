// The activation that a fused node ends with: attrs act (a name below, "" for none), act_a, act_b. In: attributes. Out: what kernels take.
#pragma once

#include <string_view>

#include "core/error.h"
#include "cpu/simd/activation.h"
#include "mainspring/ext/graph.h"

namespace mainspring::inline v0::cpu {

/// In the order of ActId.
inline constexpr std::string_view kActNames[] = {"",     "relu",     "clip", "leaky_relu",   "elu",        "sigmoid", "tanh",
                                                 "silu", "gelu_erf", "gelu", "hard_sigmoid", "hard_swish", "mish",    "softplus"};
static_assert(std::size(kActNames) == static_cast<size_t>(ActId::count));

inline Result<Activation> activation_of(std::string_view op, const Attrs& attrs) {
  const std::string_view name = attrs.s("act");
  for (size_t i = 0; i < std::size(kActNames); ++i)
    if (kActNames[i] == name) return Activation{static_cast<ActId>(i), static_cast<float>(attrs.f("act_a")), static_cast<float>(attrs.f("act_b"))};
  return unsupported("{}: no kernel for the activation '{}'", op, name);
}

}  // namespace mainspring::inline v0::cpu
