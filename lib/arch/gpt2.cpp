// GPT-2. Radford et al. 2019. Learned positions instead of rope, layer norms, plain GELU, biases everywhere.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_gpt2;
const Arch arch_gpt2{.name = "gpt2",
                     .norm = Norm::layer,
                     .rope = Rope::none,
                     .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.act = "gelu", .gated = false}}); },
                     .embed = [](Build& b) { return b.learned_positions(); }};

}  // namespace mainspring::inline v0
