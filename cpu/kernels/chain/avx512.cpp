// Operations of chains, AVX-512: 16 floats a register. See generic.h.
#include "cpu/simd/vec_avx512.h"

#include "cpu/kernels/chain/generic.h"

namespace mainspring::inline v0 {
extern const ChainIsa chain_avx512;
const ChainIsa chain_avx512 = kTable;
}  // namespace mainspring::inline v0
