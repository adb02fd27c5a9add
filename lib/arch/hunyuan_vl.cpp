// Hunyuan VL (text). https://github.com/Tencent-Hunyuan/HunyuanOCR. Hunyuan whose rope has several axes: all the position, for text.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_hunyuan_vl;
const Arch arch_hunyuan_vl{.name = "hunyuan_vl",
                           .inert = "expert_count expert_used_count",
                           .prepare = [](Build& b) { b.read_rope_sections(false); },
                           .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm = true, .qk_norm_late = true}}); }};

}  // namespace mainspring::inline v0
