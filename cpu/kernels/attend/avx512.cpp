// Softmax of attention, AVX-512. See generic.h.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/attend/generic.h"

namespace mainspring::inline v0 {
extern const AttendIsa attend_avx512;
const AttendIsa attend_avx512 = {soften, mask_of};
}  // namespace mainspring::inline v0
