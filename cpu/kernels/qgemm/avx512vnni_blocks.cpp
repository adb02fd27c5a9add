// AVX-512 VNNI kernels for formats with 32-weight blocks.
#include "cpu/kernels/qgemm/avx512vnni_dot.h"  // first: the others are written in its vectors
#include "cpu/kernels/qgemm/sums_vnni.h"
#include "cpu/kernels/qgemm/tile_formats.h"

namespace mainspring::inline v0 {
namespace {
using VnniTile = Vnni<6, 2>;  // 12 int32 sums, 12 f32 sums, 2 of codes, 1 of activations: 27 of 32 registers
}  // namespace

MAINSPRING_QGEMM_RUN(avx512vnni, q4_0, Q4_0, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, q4_1, Q4_1, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, q5_0, Q5_0, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, q5_1, Q5_1, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, q8_0, Q8_0Raised, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, iq4_nl, Iq4Nl, VnniTile)
MAINSPRING_QGEMM_RUN(avx512vnni, mxfp4, Mxfp4, VnniTile)
MAINSPRING_QGEMM_RUN_PLAIN(avx512vnni, 127, 1, VnniTile)

}  // namespace mainspring::inline v0
