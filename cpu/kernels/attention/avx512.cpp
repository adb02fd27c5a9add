// Attention, AVX-512. Tile: 6 queries × 64 keys (or value elements) = 24 sums + 4 loads of 32 registers; broadcasts are memory operands.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/attention/generic.h"

namespace mainspring::inline v0 {
extern const AttentionIsa attention_avx512;
const AttentionIsa attention_avx512 = {walk<float>, walk<uint16_t>, walk<int8_t>, absorb, finish, to_f16};
}  // namespace mainspring::inline v0
