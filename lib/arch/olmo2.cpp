// OLMo 2 and 3. arXiv:2501.00656, arXiv:2512.13961. Norms on the results of attention and feed-forward instead of their inputs, RMS norms over whole
// rows of q and k. OLMo 3 adds windows on three of four layers, which take rope without YaRN.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_olmo2;
const Arch arch_olmo2{.name = "olmo2",
                      .prepare =
                          [](Build& b) {
                            b.c.swa_yarn = false;
                            b.c.rope_scale_swa = 1;
                            b.read_window(4);
                          },
                      .block =
                          [](Build& b, V x, int) {
                            return b.decoder(x, {.attention = {.qk_norm_whole = true},
                                                 .attn_norm = nullptr,
                                                 .attn_post_norm = "post_attention_norm",
                                                 .ffn_norm = nullptr,
                                                 .ffn_post_norm = "post_ffw_norm"});
                          }};

}  // namespace mainspring::inline v0
