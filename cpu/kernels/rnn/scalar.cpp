// Recurrent networks, for machines without a file of their own. See generic.h.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/rnn/generic.h"

namespace mainspring::inline v0 {
extern const RnnIsa rnn_scalar;
const RnnIsa rnn_scalar = kTable;
}  // namespace mainspring::inline v0
