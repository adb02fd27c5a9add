// f32 convolutions, channels last, as sums over runs of inputs (taps) that lie anywhere. In: rows of output pixels with their taps, panels of
// weights. Out: y, with bias, residual and activation done. Strides, padding, groups and transposed forms are the caller's: they only choose
// addresses. Must not know operators or plans.
//
// Bits depend on a pixel's own taps only, not on its neighbours in a row or tile, nor on the run of panels.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/conv/conv_args.h"

namespace mainspring::inline v0 {

struct ConvKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  int pixel_tile;      ///< pixels that share a load of the weights
  double macs_per_ns;  ///< rough speed of one core, to size tiles
  const ConvIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const ConvKernel> conv_kernels();
/// The best kernel for this machine; there is always one.
const ConvKernel& select_conv(IsaSet isa);

constexpr int64_t conv_panels(int64_t outputs) { return (outputs + kConvWidth - 1) / kConvWidth; }

}  // namespace mainspring::inline v0
