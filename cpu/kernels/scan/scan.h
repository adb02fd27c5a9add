// Recurrent ops: causal convolution, selective state space (Mamba 2, arXiv:2405.21060), gated delta rule (arXiv:2412.06464).
// In: rows of one sequence in order, f32, and its state. Out: rows and the state after them.
//
// One order for prefill and decode: tokens one by one, the state rounded to f32 after each, sums over the state's last extent in lanes and
// then in a fixed tree. So a prompt may be cut anywhere, and elements of a head may be shared among workers, without a change of bits.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/scan/scan_args.h"

namespace mainspring::inline v0 {

struct ScanKernel {
  const char* name;           ///< "avx2"
  Isa isa;
  int elements_per_ns;        ///< state elements that one core updates, roughly, to size tiles
  const ScanIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const ScanKernel> scan_kernels();
const ScanKernel& select_scan(IsaSet isa);

}  // namespace mainspring::inline v0
