// LFM 2. arXiv:2511.23404. Layers without heads are gated short convolutions, the others attention with a norm on each head of q and k.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_lfm2;
const Arch arch_lfm2{.name = "lfm2",
                     .output_norm = "token_embd_norm",
                     .prepare =
                         [](Build& b) {
                           b.facts.recurrent = true;
                           b.recurrent_without_kv_heads();
                           b.read_window(0);
                         },
                     .block =
                         [](Build& b, V x, int layer) {
                           return b.decoder(x, {.attention = {.qk_norm = true},
                                                .mix = b.recurrent(layer) ? +[](Build& at, V h) { return at.short_conv(h); } : nullptr});
                         }};

}  // namespace mainspring::inline v0
