// Rotary position embedding, arXiv:2104.09864: pairs of elements are rotated by position * angle(pair). In: f32 rows, the angles in turns. Out: f32 rows.
//
// Angles are exact at any position: a pair's angle is kept in turns as a 64-bit binary fraction, so position * angle, modulo one turn, is one
// integer multiplication that loses nothing. What is left of it after taking out quarter turns goes through polynomials in f32: cosines and
// sines are within 1e-7 of the exact ones, relatively where they are small. They depend on (position, pair) alone and are computed once for all heads of a row.
#pragma once

#include <span>

#include "cpu/isa.h"
#include "cpu/kernels/rope/rope_args.h"

namespace mainspring::inline v0 {

struct RopeKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  const RopeIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const RopeKernel> rope_kernels();
const RopeKernel& select_rope(IsaSet isa);

/// An angle in radians for each position as a fraction of a turn times 2^64.
uint64_t rope_step(double radians);

}  // namespace mainspring::inline v0
