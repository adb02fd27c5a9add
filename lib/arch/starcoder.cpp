// SantaCoder and StarCoder 1. arXiv:2305.06161. GPT-2 with one head of keys and values.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_starcoder;
const Arch arch_starcoder{.name = "starcoder",
                          .norm = Norm::layer,
                          .rope = Rope::none,
                          .block = [](Build& b, V x, int) { return b.decoder(x, {.ffn = {.act = "gelu", .gated = false}}); },
                          .embed = [](Build& b) { return b.learned_positions(); }};

}  // namespace mainspring::inline v0
