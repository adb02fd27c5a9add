// Recurrent ops, scalar: see generic.h.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/scan/generic.h"

namespace mainspring::inline v0 {
extern const ScanIsa scan_scalar;
const ScanIsa scan_scalar = {conv, ssm, delta};
}  // namespace mainspring::inline v0
