// AVX-VNNI kernels for formats with 32-weight blocks.
#include "cpu/kernels/qgemm/avxvnni_dot.h"  // first: the others are written in its vectors
#include "cpu/kernels/qgemm/sums_vnni.h"
#include "cpu/kernels/qgemm/tile_formats.h"

namespace mainspring::inline v0 {
namespace {
using VnniTile = Vnni<6, 1>;  // 6 int32 sums, 6 f32 sums, 1 of codes, 1 of activations: 14 of 16 registers
}  // namespace

MAINSPRING_QGEMM_RUN(avxvnni, q4_0, Q4_0, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, q4_1, Q4_1, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, q5_0, Q5_0, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, q5_1, Q5_1, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, q8_0, Q8_0Raised, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, iq4_nl, Iq4Nl, VnniTile)
MAINSPRING_QGEMM_RUN(avxvnni, mxfp4, Mxfp4, VnniTile)
MAINSPRING_QGEMM_RUN_PLAIN(avxvnni, 127, 1, VnniTile)

}  // namespace mainspring::inline v0
