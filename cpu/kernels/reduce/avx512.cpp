// Reductions, AVX-512: 16 floats a register. See generic.h.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/reduce/generic.h"

namespace mainspring::inline v0 {
extern const ReduceIsa reduce_avx512;
const ReduceIsa reduce_avx512 = kTable;
}  // namespace mainspring::inline v0
