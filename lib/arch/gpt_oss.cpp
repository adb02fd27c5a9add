// gpt-oss. arXiv:2508.10925. Every second layer has a window; each head has a learned score that only the softmax's sum sees; experts have biases and
// a clamped gate, their weights are the softmax over the chosen ones.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_gpt_oss;
const Arch arch_gpt_oss{.name = "gpt-oss",
                        .prepare = [](Build& b) { b.read_window(2); },
                        .block =
                            [](Build& b, V x, int) {
                              return b.decoder(x,
                                               {.attention = {.sinks = true},
                                                .moe = {.act = "swiglu_oai", .gating = "softmax_weight", .norm = false, .alpha = 1.702, .limit = 7},
                                                .ffn_norm = "post_attention_norm"});
                            }};

}  // namespace mainspring::inline v0
