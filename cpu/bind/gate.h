// The activation of a gated unit, for the steps that apply one: glu, glu_quant, glu_linear_quant.
#pragma once

#include "cpu/bind/bind.h"
#include "cpu/kernels/elementwise/elementwise.h"

namespace mainspring::inline v0::cpu {

struct Gate {
  void (*fn)(const GluArgs&) = nullptr;
  float alpha = 0, limit = 0;
  void operator()(const float* gate, const float* up, float* y, int64_t n) const { fn({gate, up, y, n, alpha, limit}); }
};

/// By the node's attributes act, alpha and limit. Errors: unsupported.
Result<Gate> gate_of(const BindRequest& request, IsaSet isa);

}  // namespace mainspring::inline v0::cpu
