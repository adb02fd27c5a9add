// AVX-VNNI kernels for formats with 256-weight super-blocks.
#include "cpu/kernels/qgemm/avxvnni_dot.h"  // first: the others are written in its vectors
#include "cpu/kernels/qgemm/sums_vnni.h"
#include "cpu/kernels/qgemm/tile_formats.h"

namespace mainspring::inline v0 {
namespace {
using VnniTile = Vnni<6, 1>;  // see avxvnni_blocks.cpp
}  // namespace

MAINSPRING_QGEMM_RUN(avxvnni, q2_k, Q2K, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, q3_k, Q3K, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, q4_k, Q4K, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, q5_k, Q5K, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, q6_k, Q6K, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, iq4_xs, Iq4Xs, VnniTile)
MAINSPRING_QGEMM_RUN_PLAIN(avxvnni, 127, 2, VnniTile)

}  // namespace mainspring::inline v0
