// Recurrent ops, avx512: see generic.h.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/scan/generic.h"

namespace mainspring::inline v0 {
extern const ScanIsa scan_avx512;
const ScanIsa scan_avx512 = {conv, ssm, delta};
}  // namespace mainspring::inline v0
