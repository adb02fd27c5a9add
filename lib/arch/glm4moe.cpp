// GLM 4.5 and 4.6. arXiv:2508.06471. Leading layers are dense, the others choose experts by sigmoid and a bias and add a shared one; the larger model
// has a norm on each head of q and k.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_glm4moe;
const Arch arch_glm4moe{.name = "glm4moe",
                        .prepare = [](Build& b) { b.read_rope_sections(false); },
                        .block =
                            [](Build& b, V x, int) {
                              return b.decoder(x, {.attention = {.qk_norm = b.has("attn_q_norm")},
                                                   .moe = {.gating = b.read_gating("sigmoid"), .norm = b.key_b("expert_weights_norm", false)},
                                                   .ffn_norm = "post_attention_norm"});
                            }};

}  // namespace mainspring::inline v0
