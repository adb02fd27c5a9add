// Granite with windows. https://www.ibm.com/granite. Granite whose layers have windows, and rope, where the file says so; each head has a learned
// score that only the softmax's sum sees.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_granite_swa;
const Arch arch_granite_swa{.name = "granite_swa",
                            .rope = Rope::norm,
                            .prepare =
                                [](Build& b) {
                                  read_granite_scales(b);
                                  b.read_window(0);
                                },
                            .block =
                                [](Build& b, V x, int layer) {
                                  const bool rope = b.key_layers("attention.rope_pattern", 1)[static_cast<size_t>(layer)] != 0;
                                  return b.decoder(x, {.attention = {.rope = rope, .sinks = b.has("attn_sinks")}});
                                }};

}  // namespace mainspring::inline v0
