// Qwen 3 Next. https://qwen.ai/blog?id=qwen3-next. The block of Qwen 3.5 MoE, whose value heads stand by key head, and with it what beta and the
// decay are made of. Old files hold q, k, v and the gate in one matrix (ssm_in), which must stand apart here.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen3next;
const Arch arch_qwen3next{.name = "qwen3next",
                          .unused = "ssm_in.weight",
                          .prepare =
                              [](Build& b) {
                                b.read_ssm();
                                b.read_recurrent_layers(4);
                                b.read_rope_sections(true);
                              },
                          .block =
                              [](Build& b, V x, int layer) {
                                const auto mix = b.recurrent(layer) ? +[](Build& at, V h) { return at.delta_net(h, DeltaHeads::group); }
                                                                    : +[](Build& at, V h) { return at.gated_attention(h); };
                                return b.decoder(x, {.mix = mix, .ffn_norm = "post_attention_norm"});
                              }};

}  // namespace mainspring::inline v0
