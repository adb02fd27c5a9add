// Granite 4 H. https://www.ibm.com/granite. Granite whose layers without heads are Mamba 2 blocks (arXiv:2405.21060).
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_granitehybrid;
const Arch arch_granitehybrid{.name = "granitehybrid",
                              .rope = Rope::norm,
                              .prepare =
                                  [](Build& b) {
                                    read_granite_scales(b);
                                    b.read_ssm();
                                    b.recurrent_without_kv_heads();
                                  },
                              .block =
                                  [](Build& b, V x, int layer) {
                                    return b.decoder(x, {.attention = {.rope = b.key_b("rope.scaling.finetuned", true)},
                                                         .mix = b.recurrent(layer) ? +[](Build& at, V h) { return at.mamba2(h); } : nullptr});
                                  }};

}  // namespace mainspring::inline v0
