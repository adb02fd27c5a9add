// AMX int8 kernels for formats with 32-weight blocks.
#include "cpu/kernels/qgemm/amx_tile.h"

namespace mainspring::inline v0 {
namespace {
using VnniTile = Vnni<6, 2>;  // see avx512vnni_blocks.cpp
}  // namespace

MAINSPRING_QGEMM_RUN_AMX(q4_0, Q4_0)
MAINSPRING_QGEMM_RUN_AMX(q4_1, Q4_1)
MAINSPRING_QGEMM_RUN_AMX(q5_0, Q5_0)
MAINSPRING_QGEMM_RUN_AMX(q5_1, Q5_1)
MAINSPRING_QGEMM_RUN_AMX(q8_0, Q8_0Raised)
MAINSPRING_QGEMM_RUN_AMX(iq4_nl, Iq4Nl)
MAINSPRING_QGEMM_RUN_AMX(mxfp4, Mxfp4)
MAINSPRING_QGEMM_RUN_PLAIN_AMX(127, 1)

}  // namespace mainspring::inline v0
