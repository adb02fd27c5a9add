// AMX int8 kernels for formats with 256-weight super-blocks.
#include "cpu/kernels/qgemm/amx_tile.h"

namespace mainspring::inline v0 {
namespace {
using VnniTile = Vnni<6, 2>;  // see avx512vnni_blocks.cpp
}  // namespace

MAINSPRING_QGEMM_RUN_AMX(q2_k, Q2K)
MAINSPRING_QGEMM_RUN_AMX(q3_k, Q3K)
MAINSPRING_QGEMM_RUN_AMX(q4_k, Q4K)
MAINSPRING_QGEMM_RUN_AMX(q5_k, Q5K)
MAINSPRING_QGEMM_RUN_AMX(q6_k, Q6K)
MAINSPRING_QGEMM_RUN_AMX(iq4_xs, Iq4Xs)
MAINSPRING_QGEMM_RUN_PLAIN_AMX(127, 2)

}  // namespace mainspring::inline v0
