// StableLM 1, 2, Zephyr 3B. arXiv:2402.17834. Layer norms, rope on a part of each head, gated SiLU. The 12B model has a layer norm for each head of q
// and k, and no ffn_norm: its feed-forward reads what attention reads.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_stablelm;
const Arch arch_stablelm{
    .name = "stablelm", .norm = Norm::layer, .block = [](Build& b, V x, int) {
      const bool two = b.has("ffn_norm");
      return b.decoder(
          x, {.attention = {.qk_norm = b.has("attn_q_norm"), .qk_norm_kind = Norm::layer}, .ffn_norm = two ? "ffn_norm" : nullptr, .parallel = !two});
    }};

}  // namespace mainspring::inline v0
