// dots.llm1. arXiv:2506.05767. Leading layers are dense, the others choose experts by sigmoid and a bias and add shared ones; a norm on each head of
// q and k.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_dots1;
const Arch arch_dots1{.name = "dots1", .block = [](Build& b, V x, int) {
                        return b.decoder(x, {.attention = {.qk_norm = true},
                                             .moe = {.gating = b.read_gating("sigmoid"), .norm = b.key_b("expert_weights_norm", false)}});
                      }};

}  // namespace mainspring::inline v0
