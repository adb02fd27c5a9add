// Hunyuan (dense). https://github.com/Tencent-Hunyuan/Hunyuan-7B. Llama's block with a norm on each head of q and k after rope.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_hunyuan_dense;
const Arch arch_hunyuan_dense{.name = "hunyuan-dense",
                              .inert = "expert_count expert_used_count",
                              .prepare = [](Build& b) { b.read_rope_sections(false); },
                              .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm = true, .qk_norm_late = true}}); }};

}  // namespace mainspring::inline v0
