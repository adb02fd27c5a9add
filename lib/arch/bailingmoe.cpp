// Ling 1 (Bailing MoE). arXiv:2503.05139. Llama's block, routed experts in all layers and shared ones.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_bailingmoe;
const Arch arch_bailingmoe{.name = "bailingmoe", .rope = Rope::norm, .block = [](Build& b, V x, int) {
                             return b.decoder(x, {.moe = {.norm = b.key_b("expert_weights_norm", false)}});
                           }};

}  // namespace mainspring::inline v0
