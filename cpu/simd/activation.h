// Activations by number, for kernels that end with one. PODs only: ISA files include this. cpu/bind/activation.h reads the names.
#pragma once

#include <cstdint>

namespace mainspring::inline v0 {

enum class ActId : uint8_t { none, relu, clip, leaky_relu, elu, sigmoid, tanh, silu, gelu_erf, gelu, hard_sigmoid, hard_swish, mish, softplus, count };

/// clip: to [a, b]; leaky_relu, elu: slope or scale a below 0; hard_sigmoid: clip(a x + b, 0, 1). The others have no parameter.
struct Activation {
  ActId id = ActId::none;
  float a = 0, b = 0;
};

}  // namespace mainspring::inline v0
