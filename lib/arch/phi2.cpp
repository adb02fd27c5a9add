// Phi-1, 1.5 and 2. arXiv:2309.05463. One layer norm, attention and feed-forward side by side, rope on a part of each head, biases everywhere.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_phi2;
const Arch arch_phi2{.name = "phi2", .norm = Norm::layer, .block = [](Build& b, V x, int) {
                       return b.decoder(x, {.ffn = {.act = "gelu", .gated = false}, .ffn_norm = nullptr, .parallel = true});
                     }};

}  // namespace mainspring::inline v0
