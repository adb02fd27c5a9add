// Command A MoE. arXiv:2504.00698. Command A's block: attention and experts (chosen by sigmoid; leading layers dense and with rope) side by side from
// one norm; routed and shared experts count half each.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_cohere2moe;
const Arch arch_cohere2moe{
    .name = "cohere2moe",
    .rope = Rope::norm,
    .prepare =
        [](Build& b) {
          b.c.logit_scale = b.key_f("logit_scale", 0);
          b.read_window(4, 0, true);
        },
    .block =
        [](Build& b, V x, int layer) {
          const bool rope = b.c.swa[static_cast<size_t>(layer)] || layer < b.key_i("leading_dense_block_count", 0);
          return b.decoder(x, {.attention = {.rope = rope},
                               .moe = {.gating = b.read_gating("sigmoid"), .norm = b.key_b("expert_weights_norm", false), .shared_scale = 0.5},
                               .ffn_norm = nullptr,
                               .parallel = true});
        }};

}  // namespace mainspring::inline v0
