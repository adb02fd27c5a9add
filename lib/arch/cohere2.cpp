// Command R7B and Command A. arXiv:2504.00698. Command R with windows on three of four layers; those have rope, the others no positions at all.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_cohere2;
const Arch arch_cohere2{.name = "cohere2",
                        .norm = Norm::layer,
                        .rope = Rope::norm,
                        .prepare =
                            [](Build& b) {
                              b.c.logit_scale = b.key_f("logit_scale", 0);
                              b.read_window(4);
                            },
                        .block =
                            [](Build& b, V x, int layer) {
                              return b.decoder(x,
                                               {.attention = {.rope = b.c.swa[static_cast<size_t>(layer)]}, .ffn_norm = nullptr, .parallel = true});
                            }};

}  // namespace mainspring::inline v0
