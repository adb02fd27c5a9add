// LFM 2 MoE. arXiv:2511.23404. LFM 2 with routed experts after the leading layers, chosen by sigmoid and a bias, weights brought to a sum of one.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_lfm2moe;
const Arch arch_lfm2moe{.name = "lfm2moe",
                        .output_norm = "token_embd_norm",
                        .prepare =
                            [](Build& b) {
                              b.facts.recurrent = true;
                              b.recurrent_without_kv_heads();
                              b.read_window(0);
                            },
                        .block =
                            [](Build& b, V x, int layer) {
                              return b.decoder(x, {.attention = {.qk_norm = true},
                                                   .mix = b.recurrent(layer) ? +[](Build& at, V h) { return at.short_conv(h); } : nullptr,
                                                   .moe = {.gating = b.read_gating("sigmoid")}});
                            }};

}  // namespace mainspring::inline v0
