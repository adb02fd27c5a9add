// Hunyuan A13B. https://github.com/Tencent-Hunyuan/Hunyuan-A13B. Hunyuan with routed experts, weights brought to a sum of one, and a shared one.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_hunyuan_moe;
const Arch arch_hunyuan_moe{.name = "hunyuan-moe",
                            .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm = true, .qk_norm_late = true}}); }};

}  // namespace mainspring::inline v0
