// Reductions, any machine: 4 floats through the compiler's vector extension. See generic.h.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/reduce/generic.h"

namespace mainspring::inline v0 {
extern const ReduceIsa reduce_scalar;
const ReduceIsa reduce_scalar = kTable;
}  // namespace mainspring::inline v0
