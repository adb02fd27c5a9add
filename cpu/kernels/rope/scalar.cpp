// Rope, scalar: see generic.h.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/rope/generic.h"

namespace mainspring::inline v0 {
extern const RopeIsa rope_scalar;
const RopeIsa rope_scalar = {angles, rotate};
}  // namespace mainspring::inline v0
