// AVX2 kernels for formats with 32-weight blocks.
#include "cpu/kernels/qgemm/sums_maddubs.h"
#include "cpu/kernels/qgemm/tile_formats.h"

namespace mainspring::inline v0 {

MAINSPRING_QGEMM_RUN(avx2, q4_0, Q4_0, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, q4_1, Q4_1, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, q5_0, Q5_0, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, q5_1, Q5_1, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, q8_0, Q8_0, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, iq4_nl, Iq4Nl, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, mxfp4, Mxfp4, Maddubs)
MAINSPRING_QGEMM_RUN_PLAIN(avx2, 15, 1, Maddubs)
MAINSPRING_QGEMM_RUN_PLAIN(avx2, 31, 1, Maddubs)
MAINSPRING_QGEMM_RUN_PLAIN(avx2, 127, 1, Maddubs)

}  // namespace mainspring::inline v0
