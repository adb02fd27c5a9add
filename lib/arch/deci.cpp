// DeciLM and Llama-Nemotron (pruned Llama 3). arXiv:2411.19146. Llama's block whose heads and widths differ by layer; some layers have no attention
// at all.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_deci;
const Arch arch_deci{.name = "deci", .rope = Rope::norm, .block = [](Build& b, V x, int) {
                       if (b.n_heads() > 0) return b.decoder(x);
                       return b.n_ff() > 0 ? b.add(x, b.ffn(b.norm(x, "ffn_norm")), "ffn_residual") : x;
                     }};

}  // namespace mainspring::inline v0
