// Attention through the compiler's four-lane vectors: the fallback of every machine.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/attention/generic.h"

namespace mainspring::inline v0 {
extern const AttentionIsa attention_scalar;
const AttentionIsa attention_scalar = {walk<float>, walk<uint16_t>, walk<int8_t>, absorb, finish, to_f16};
}  // namespace mainspring::inline v0
