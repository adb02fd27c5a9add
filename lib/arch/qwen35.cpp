// Qwen 3.5 (dense). https://qwen.ai/blog?id=qwen3.5. Three of four layers are gated delta rules (Build::delta_net), the others attention with a norm
// on each head of q and k, rope on a part of each head, and a sigmoid gate on the result that q's projection yields beside q. Text only.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen35;
const Arch arch_qwen35{.name = "qwen35",
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
