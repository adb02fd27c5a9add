// What a norm kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// One row of d floats. y may be x; otherwise nothing overlaps. w and b: [d] or null.
struct NormArgs {
  const float* x;
  float* y;
  const float* w;
  const float* b;
  int64_t d;
  float eps;
};

using NormFn = void (*)(const NormArgs&);

/// The functions of one instruction set, a table that its ISA file defines.
struct NormIsa {
  NormFn rms, layer, l2;
  void (*softmax)(const float* x, float* y, int64_t d);
};

}  // namespace mainspring::inline v0
