// Row reductions: norms and softmax. In: one row of floats. Out: one row of floats. Must not know operators or plans.
//   rms    y = x / sqrt(mean(x²) + eps) * w              arXiv:1910.07467
//   layer  y = (x - mean) / sqrt(var + eps) * w + b      arXiv:1607.06450
//   l2     y = x / max(sqrt(Σ x²), eps)
//   softmax y = exp(x - max) / Σ exp(x - max)
// A sum over d runs in 4 × lanes partial sums in ascending order, which one fixed tree puts together: bits depend on the row and the
// instruction set only. Relative error of a sum: about d / (4 lanes) roundings at most, usually the square root of that.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/norm/norm_args.h"

namespace mainspring::inline v0 {

struct NormKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  const NormIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const NormKernel> norm_kernels();
/// The best kernel for this machine; there is always one.
const NormKernel& select_norm(IsaSet isa);

}  // namespace mainspring::inline v0
