// AVX2 kernels for formats with 256-weight super-blocks.
#include "cpu/kernels/qgemm/sums_maddubs.h"
#include "cpu/kernels/qgemm/tile_formats.h"

namespace mainspring::inline v0 {

MAINSPRING_QGEMM_RUN(avx2, q2_k, Q2K, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, q3_k, Q3K, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, q4_k, Q4K, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, q5_k, Q5K, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, q6_k, Q6K, Maddubs)
MAINSPRING_QGEMM_RUN(avx2, iq4_xs, Iq4Xs, Maddubs)
MAINSPRING_QGEMM_RUN_PLAIN(avx2, 31, 2, Maddubs)
MAINSPRING_QGEMM_RUN_PLAIN(avx2, 127, 2, Maddubs)

}  // namespace mainspring::inline v0
