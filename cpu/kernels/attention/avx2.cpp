// Attention, AVX2 + FMA + F16C. Tile: 6 queries × 16 keys (or value elements) = 12 sums + 2 loads + 1 broadcast = 15 of 16 registers; 12 FMAs on
// two ports take 6 cycles, more than their latency of 4. One query: 8 sums over 64 keys. Bound: FLOPs in prefill, bytes of KV in decode.
#include "cpu/simd/vec_avx2.h"

#include "cpu/kernels/attention/generic.h"

namespace mainspring::inline v0 {
extern const AttentionIsa attention_avx2;
const AttentionIsa attention_avx2 = {walk<float>, walk<uint16_t>, walk<int8_t>, absorb, finish, to_f16};
}  // namespace mainspring::inline v0
