// Softmax of attention, any machine, 4 floats through the compiler's vector extension. See generic.h.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/attend/generic.h"

namespace mainspring::inline v0 {
extern const AttendIsa attend_scalar;
const AttendIsa attend_scalar = {soften, mask_of};
}  // namespace mainspring::inline v0
