// Softmax as attention over graphs takes it: a block of keys at a time. In: products of a query with keys. Out: weights of the values, and what goes on to
// the next block. The products themselves are gemm's. Must not know operators or plans. A row's bits depend on that row alone.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/attend/attend_args.h"

namespace mainspring::inline v0 {

struct AttendKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  const AttendIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const AttendKernel> attend_kernels();
/// The best kernel for this machine; there is always one.
const AttendKernel& select_attend(IsaSet isa);

}  // namespace mainspring::inline v0
