// Reductions along rows and columns of floats. Must not know operators or plans. A result's bits depend on its own elements and the instruction set.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/reduce/reduce_args.h"

namespace mainspring::inline v0 {

struct ReduceKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  const ReduceIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const ReduceKernel> reduce_kernels();
/// The best kernel for this machine; there is always one.
const ReduceKernel& select_reduce(IsaSet isa);

}  // namespace mainspring::inline v0
