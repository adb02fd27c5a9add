// Recurrent ops, avx2: see generic.h.
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/scan/generic.h"

namespace mainspring::inline v0 {
extern const ScanIsa scan_avx2;
const ScanIsa scan_avx2 = {conv, ssm, delta};
}  // namespace mainspring::inline v0
