// Recurrent networks, AVX-512: 16 units a register. See generic.h.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/rnn/generic.h"

namespace mainspring::inline v0 {
extern const RnnIsa rnn_avx512;
const RnnIsa rnn_avx512 = kTable;
}  // namespace mainspring::inline v0
