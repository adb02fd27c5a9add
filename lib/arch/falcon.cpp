// Falcon. arXiv:2311.16867. Attention and feed-forward side by side from one norm; the 40B model gives attention a norm of its own (attn_norm_2).
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_falcon;
const Arch arch_falcon{.name = "falcon", .norm = Norm::layer, .block = [](Build& b, V x, int) {
                         const bool two = b.has("attn_norm_2");
                         return b.decoder(x, {.ffn = {.act = "gelu", .gated = false},
                                              .attn_norm = two ? "attn_norm_2" : "attn_norm",
                                              .ffn_norm = two ? "attn_norm" : nullptr,
                                              .parallel = true});
                       }};

}  // namespace mainspring::inline v0
