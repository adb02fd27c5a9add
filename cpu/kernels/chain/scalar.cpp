// Operations of chains, any machine: 4 floats through the compiler's vector extension. See generic.h.
#include "cpu/simd/vec_scalar.h"

#include "cpu/kernels/chain/generic.h"

namespace mainspring::inline v0 {
extern const ChainIsa chain_scalar;
const ChainIsa chain_scalar = kTable;
}  // namespace mainspring::inline v0
