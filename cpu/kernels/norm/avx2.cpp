// Norms and softmax, AVX2 + FMA: 8 floats a register. See generic.h.
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/norm/generic.h"

namespace mainspring::inline v0 {
extern const NormIsa norm_avx2;
const NormIsa norm_avx2 = {rms, layer, l2, softmax};
}  // namespace mainspring::inline v0
