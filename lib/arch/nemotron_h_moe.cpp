// Nemotron 3 Nano. arXiv:2512.20848. Nemotron H whose feed-forward layers choose experts by sigmoid and a bias and add shared ones, all without
// gates.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_nemotron_h_moe;
namespace {

V feed_forward(Build& b, V x) {
  const FfnOptions dense{.act = "relu_sqr", .gated = false};
  MoeOptions moe{.act = "relu_sqr", .gating = "sigmoid", .norm = b.key_b("expert_weights_norm", false)};
  moe.shared.act = "relu_sqr";
  moe.shared.gated = false;
  return b.feed_forward(x, dense, moe);
}

}  // namespace

const Arch arch_nemotron_h_moe{.name = "nemotron_h_moe",
                               .rope = Rope::none,
                               .prepare =
                                   [](Build& b) {
                                     b.read_ssm();
                                     b.recurrent_without_kv_heads();
                                     for (size_t i = 0; i < b.c.recurrent.size(); ++i)
                                       if (b.c.n_ff[i] > 0) b.c.recurrent[i] = false;
                                   },
                               .block =
                                   [](Build& b, V x, int layer) {
                                     const V h = b.norm(x, "attn_norm");
                                     if (b.recurrent(layer)) return b.add(x, b.mamba2(h), "residual");
                                     return b.add(x, b.n_ff() == 0 ? b.attention(h) : feed_forward(b, h), "residual");
                                   }};

}  // namespace mainspring::inline v0
