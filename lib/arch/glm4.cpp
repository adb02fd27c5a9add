// GLM 4 and Z1. https://github.com/THUDM/GLM-4. Llama's block with norms after attention and feed-forward too, gate and up in one matrix, rope on a
// part of each head; files of its vision models pair by halves.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_glm4;
const Arch arch_glm4{.name = "glm4",
                     .rope = Rope::norm,
                     .prepare =
                         [](Build& b) {
                           if (b.read_rope_sections(false)) b.c.rope = Rope::half;
                         },
                     .block =
                         [](Build& b, V x, int) {
                           return b.decoder(
                               x, {.ffn = {.packed_gate = true}, .attn_post_norm = "post_attention_norm", .ffn_post_norm = "post_ffw_norm"});
                         }};

}  // namespace mainspring::inline v0
