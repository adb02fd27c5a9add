// The operators. In: dtypes and extents (infer) or tensors (reference). Out: dtypes and extents, or numbers. Knows nothing of graphs,
// plans or kernels. Each op's equation, operands and attributes stand above its OpDef, in the file of the op or of its family.
//
// Common to all: row-major, f32 unless said; `n` is the symbolic count of tokens; "…" stands for any leading extents, "?" for an optional
// input. Arithmetic of the references is in double, rounded once to the f32 result. An OpDef's min_in counts the leading required inputs;
// OpCall and OpArgs have max_in entries, whatever the node lists.
//
// A new op: a file with `constinit const OpDef op_<name>{…}`, a line in ops.inc, a test in tests/ops.
#pragma once

#include "mainspring/ext/op.h"

namespace mainspring::inline v0 {

#define MAINSPRING_OP(name) extern const OpDef op_##name;
#include "ops/ops.inc"
#undef MAINSPRING_OP

}  // namespace mainspring::inline v0
