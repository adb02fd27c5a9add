// Elementwise functions, AVX2 + FMA: 8 floats a register. See generic.h.
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/elementwise/generic.h"

namespace mainspring::inline v0 {
extern const ElementwiseIsa elementwise_avx2;
const ElementwiseIsa elementwise_avx2 = kTable;
}  // namespace mainspring::inline v0
