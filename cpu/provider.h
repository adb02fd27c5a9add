// The CPU provider: kernels chosen by instruction set, the operators' references behind them, the SPMD executor.
#pragma once

#include <memory>

#include "cpu/isa.h"
#include "mainspring/context.h"
#include "mainspring/ext/provider.h"

namespace mainspring::inline v0::cpu {

/// `isa`: what kernels may use (detect_isa(), capped). The provider keeps the context's resources alive.
std::unique_ptr<Provider> make_provider(const Context& context, IsaSet isa);

/// Runs an operator's reference as one tile; what nodes without a kernel fall back to. `why` says why.
KernelBinding reference_binding(const BindRequest& request, std::string why);

}  // namespace mainspring::inline v0::cpu
