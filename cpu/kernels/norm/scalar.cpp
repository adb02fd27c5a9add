// Norms and softmax, any machine: 4 floats through the compiler's vector extension. See generic.h.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/norm/generic.h"

namespace mainspring::inline v0 {
extern const NormIsa norm_scalar;
const NormIsa norm_scalar = {rms, layer, l2, softmax};
}  // namespace mainspring::inline v0
