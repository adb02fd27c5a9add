// Reductions, AVX2 + FMA: 8 floats a register. See generic.h.
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/reduce/generic.h"

namespace mainspring::inline v0 {
extern const ReduceIsa reduce_avx2;
const ReduceIsa reduce_avx2 = kTable;
}  // namespace mainspring::inline v0
