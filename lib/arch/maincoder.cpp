// Maincoder. https://huggingface.co/Maincode/Maincoder-1B. Llama's block with a norm on each head of q and k after rope.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_maincoder;
const Arch arch_maincoder{.name = "maincoder", .rope = Rope::norm, .block = [](Build& b, V x, int) {
                            return b.decoder(x, {.attention = {.qk_norm = true, .qk_norm_late = true}});
                          }};

}  // namespace mainspring::inline v0
