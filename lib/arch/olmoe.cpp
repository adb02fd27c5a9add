// OLMoE. arXiv:2409.02060. Routed experts whose weights are the softmax over all of them, RMS norms over whole rows of q and k.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_olmoe;
const Arch arch_olmoe{.name = "olmoe",
                      .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm_whole = true}, .moe = {.norm = false}}); }};

}  // namespace mainspring::inline v0
