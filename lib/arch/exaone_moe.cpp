// K-EXAONE. arXiv:2601.01739. A norm on each head of q and k; windows on three of four layers, which have rope, the others no positions at all.
// Leading layers are dense, the others choose experts by sigmoid and a bias and add a shared one.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_exaone_moe;
const Arch arch_exaone_moe{.name = "exaone-moe",
                           .prepare = [](Build& b) { b.read_window(4, 128); },
                           .block =
                               [](Build& b, V x, int layer) {
                                 return b.decoder(x, {.attention = {.qk_norm = true, .rope = b.c.swa[static_cast<size_t>(layer)]},
                                                      .moe = {.gating = b.read_gating("sigmoid"), .norm = b.key_b("expert_weights_norm", false)}});
                               }};

}  // namespace mainspring::inline v0
