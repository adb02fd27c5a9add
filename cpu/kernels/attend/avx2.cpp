// Softmax of attention, AVX2. See generic.h.
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/attend/generic.h"

namespace mainspring::inline v0 {
extern const AttendIsa attend_avx2;
const AttendIsa attend_avx2 = {soften, mask_of};
}  // namespace mainspring::inline v0
