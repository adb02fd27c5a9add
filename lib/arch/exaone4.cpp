// EXAONE 4. arXiv:2507.11407. Norms on the results of attention and feed-forward and on each head of q and k. The 32B model (64 layers) has windows
// on three of four layers; those have rope, the others no positions at all.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_exaone4;
const Arch arch_exaone4{.name = "exaone4",
                        .inert = "attention.sliding_window attention.sliding_window_pattern",
                        .prepare =
                            [](Build& b) {
                              constexpr int kLayersOf32B = 64;
                              if (b.c.n_layers == kLayersOf32B) b.read_window(4, 4096);
                            },
                        .block =
                            [](Build& b, V x, int layer) {
                              return b.decoder(x, {.attention = {.qk_norm = true, .rope = b.c.swa.empty() || b.c.swa[static_cast<size_t>(layer)]},
                                                   .attn_norm = nullptr,
                                                   .attn_post_norm = "post_attention_norm",
                                                   .ffn_norm = nullptr,
                                                   .ffn_post_norm = "post_ffw_norm"});
                            }};

}  // namespace mainspring::inline v0
