// Ling 2 and Ring 2 (Bailing MoE 2). https://github.com/inclusionAI/Ling-V2. Leading layers are dense, the others choose experts in groups by sigmoid
// and a bias and add a shared one; a norm on each head of q and k.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_bailingmoe2;
const Arch arch_bailingmoe2{.name = "bailingmoe2", .block = [](Build& b, V x, int) {
                              return b.decoder(x, {.attention = {.qk_norm = true},
                                                   .moe = {.gating = b.read_gating("sigmoid"), .norm = b.key_b("expert_weights_norm", false)}});
                            }};

}  // namespace mainspring::inline v0
