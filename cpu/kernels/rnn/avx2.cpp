// Recurrent networks, AVX2: 8 units a register. See generic.h.
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/rnn/generic.h"

namespace mainspring::inline v0 {
extern const RnnIsa rnn_avx2;
const RnnIsa rnn_avx2 = kTable;
}  // namespace mainspring::inline v0
