// Command R and R+. https://huggingface.co/CohereForAI/c4ai-command-r-v01. Attention and feed-forward side by side from one layer norm without bias,
// tied output whose logits are scaled; R+ has a layer norm for each head of q and k.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_command_r;
const Arch arch_command_r{
    .name = "command-r",
    .norm = Norm::layer,
    .rope = Rope::norm,
    .prepare = [](Build& b) { b.c.logit_scale = b.key_f("logit_scale", 0); },
    .block =
        [](Build& b, V x, int) {
          return b.decoder(x, {.attention = {.qk_norm = b.has("attn_q_norm"), .qk_norm_kind = Norm::layer}, .ffn_norm = nullptr, .parallel = true});
        }};

}  // namespace mainspring::inline v0
