// Rope, avx2: see generic.h.
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/rope/generic.h"

namespace mainspring::inline v0 {
extern const RopeIsa rope_avx2;
const RopeIsa rope_avx2 = {angles, rotate};
}  // namespace mainspring::inline v0
