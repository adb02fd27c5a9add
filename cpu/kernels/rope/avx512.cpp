// Rope, avx512: see generic.h.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/rope/generic.h"

namespace mainspring::inline v0 {
extern const RopeIsa rope_avx512;
const RopeIsa rope_avx512 = {angles, rotate};
}  // namespace mainspring::inline v0
