// Qwen 3 VL MoE (text). arXiv:2511.21631. Qwen 3 MoE with the rope of Qwen 3 VL.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_qwen3vlmoe;
const Arch arch_qwen3vlmoe{.name = "qwen3vlmoe",
                           .inert = "n_deepstack_layers",
                           .prepare = [](Build& b) { b.read_rope_sections(true); },
                           .block = [](Build& b, V x, int) { return b.decoder(x, {.attention = {.qk_norm = true}}); }};

}  // namespace mainspring::inline v0
