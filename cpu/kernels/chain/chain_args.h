// What an operation of a chain is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/numeric/chain_op.h"

namespace mainspring::inline v0 {

/// y[i] = op(a, b, c), n elements. An operand that does not step is one element for all. y may be an operand that steps.
template <class T>
struct ChainArgs {
  const T *a, *b, *c;
  bool step_a, step_b, step_c;
  T* y;
  int64_t n;
};

/// The operations of one instruction set, by ChainOp, and the conversions that are worth a register.
struct ChainIsa {
  void (*op[static_cast<int>(ChainOp::count)])(const ChainArgs<float>&);
  void (*from_f16)(const uint16_t* x, float* y, int64_t n);
  void (*to_f16)(const float* x, uint16_t* y, int64_t n);
};

}  // namespace mainspring::inline v0
