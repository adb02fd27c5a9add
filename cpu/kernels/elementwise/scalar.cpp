// Elementwise functions, any machine: 4 floats through the compiler's vector extension. See generic.h.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/elementwise/generic.h"

namespace mainspring::inline v0 {
extern const ElementwiseIsa elementwise_scalar;
const ElementwiseIsa elementwise_scalar = kTable;
}  // namespace mainspring::inline v0
