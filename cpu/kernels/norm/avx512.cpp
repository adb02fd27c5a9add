// Norms and softmax, AVX-512: 16 floats a register. See generic.h.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/norm/generic.h"

namespace mainspring::inline v0 {
extern const NormIsa norm_avx512;
const NormIsa norm_avx512 = {rms, layer, l2, softmax};
}  // namespace mainspring::inline v0
