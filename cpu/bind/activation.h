// The activation that a fused node ends with: attributes of ops/fused_act.h. In: attributes. Out: what kernels take.
#pragma once

#include <string_view>

#include "core/error.h"
#include "cpu/simd/activation.h"
#include "mainspring/ext/graph.h"
#include "ops/fused_act.h"

namespace mainspring::inline v0::cpu {

/// In the order of ActId.
inline constexpr std::string_view kActNames[] = {"",     "relu",     "clip", "leaky_relu",   "elu",        "sigmoid", "tanh",
                                                 "silu", "gelu_erf", "gelu", "hard_sigmoid", "hard_swish", "mish",    "softplus"};
static_assert(std::size(kActNames) == static_cast<size_t>(ActId::count));

inline Result<Activation> activation_of(std::string_view op, const Attrs& attrs) {
  const FusedAct* act = fused_act_of(attrs);
  for (size_t i = 0; act != nullptr && i < std::size(kActNames); ++i)
    if (kActNames[i] == act->name)
      return Activation{static_cast<ActId>(i), static_cast<float>(attrs.f("act_a", act->a)), static_cast<float>(attrs.f("act_b", act->b))};
  return unsupported("{}: no kernel for the activation '{}'", op, attrs.s("act"));
}

}  // namespace mainspring::inline v0::cpu
