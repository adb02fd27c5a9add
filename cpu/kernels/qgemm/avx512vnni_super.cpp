// AVX-512 VNNI kernels for formats with 256-weight super-blocks.
#include "cpu/kernels/qgemm/avx512vnni_dot.h"  // first: the others are written in its vectors
#include "cpu/kernels/qgemm/sums_vnni.h"
#include "cpu/kernels/qgemm/tile_formats.h"

namespace mainspring::inline v0 {
namespace {
using VnniTile = Vnni<6, 2>;  // see avx512vnni_blocks.cpp
}  // namespace

MAINSPRING_QGEMM_RUN(avx512vnni, q2_k, Q2K, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, q3_k, Q3K, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, q4_k, Q4K, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, q5_k, Q5K, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, q6_k, Q6K, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, iq4_xs, Iq4Xs, VnniTile)
MAINSPRING_QGEMM_RUN_PLAIN(avx512vnni, 127, 2, VnniTile)

}  // namespace mainspring::inline v0
