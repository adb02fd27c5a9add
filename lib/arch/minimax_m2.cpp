// MiniMax M2. https://www.minimax.io/news/minimax-m2. RMS norms over whole rows of q and k, rope on a part of each head; experts chosen by sigmoid
// and a bias, weights brought to a sum of one.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_minimax_m2;
const Arch arch_minimax_m2{.name = "minimax-m2", .block = [](Build& b, V x, int) {
                             return b.decoder(x, {.attention = {.qk_norm_whole = true}, .moe = {.gating = b.read_gating("sigmoid")}});
                           }};

}  // namespace mainspring::inline v0
