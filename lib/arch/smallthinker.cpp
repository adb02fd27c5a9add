// SmallThinker. arXiv:2507.20984. Routed experts with a ReLU gate, chosen from what comes into the layer before attention; every fourth layer, from
// the first on, sees everything and has no rope.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_smallthinker;
const Arch arch_smallthinker{
    .name = "smallthinker",
    .prepare =
        [](Build& b) {
          b.read_window(4, 0, true);
          if (b.c.sliding_window > 0) b.c.sliding_window = 4096;
        },
    .block =
        [](Build& b, V x, int layer) {
          const V a = b.add(x, b.attention(b.norm(x, "attn_norm"), {.rope = b.c.sliding_window == 0 || layer % 4 != 0}), "attn_residual");
          return b.add(a, b.moe(b.norm(a, "ffn_norm"), {.act = "relu", .gating = b.read_gating("softmax")}, x), "ffn_residual");
        }};

}  // namespace mainspring::inline v0
