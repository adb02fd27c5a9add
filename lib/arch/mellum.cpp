// Mellum 2. https://huggingface.co/JetBrains. Qwen 3 MoE with windows on three of four layers, which take rope without YaRN.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_mellum;
const Arch arch_mellum{.name = "mellum",
                       .prepare =
                           [](Build& b) {
                             b.c.swa_yarn = false;
                             b.c.rope_scale_swa = 1;
                             b.read_window(4);
                             b.c.rope_base_swa = b.c.rope_base;
                           },
                       .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm = true}}); }};

}  // namespace mainspring::inline v0
