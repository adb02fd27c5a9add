// Elementwise functions, AVX-512: 16 floats a register. See generic.h.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/elementwise/generic.h"

namespace mainspring::inline v0 {
extern const ElementwiseIsa elementwise_avx512;
const ElementwiseIsa elementwise_avx512 = kTable;
}  // namespace mainspring::inline v0
