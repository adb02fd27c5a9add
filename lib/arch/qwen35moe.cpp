// Qwen 3.5 MoE. https://qwen.ai/blog?id=qwen3.5. Qwen 3.5 with routed experts, weights brought to a sum of one, and a shared one behind a sigmoid
// gate. Text only.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen35moe;
const Arch arch_qwen35moe{.name = "qwen35moe",
                          .prepare =
                              [](Build& b) {
                                b.read_ssm();
                                b.read_recurrent_layers(4);
                                b.read_rope_sections(true);
                              },
                          .block =
                              [](Build& b, V x, int layer) {
                                const auto mix = b.recurrent(layer) ? +[](Build& at, V h) { return at.delta_net(h, DeltaHeads::tile); }
                                                                    : +[](Build& at, V h) { return at.gated_attention(h); };
                                return b.decoder(x, {.mix = mix, .ffn_norm = "post_attention_norm"});
                              }};

}  // namespace mainspring::inline v0
