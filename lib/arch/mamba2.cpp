// Mamba 2. arXiv:2405.21060. No attention: each layer is a state-space block (Build::mamba2).
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_mamba2;
const Arch arch_mamba2{.name = "mamba2",
                       .rope = Rope::none,
                       .inert = "attention.recurrent_layers",
                       .prepare = [](Build& b) { b.read_ssm(); },
                       .block = [](Build& b, V x, int) { return b.add(x, b.mamba2(b.norm(x, "attn_norm")), "residual"); }};

}  // namespace mainspring::inline v0
