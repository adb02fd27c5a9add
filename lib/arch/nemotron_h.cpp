// Nemotron H and Nemotron Nano 2. arXiv:2504.03624. Each layer is one thing: a Mamba 2 block, attention without positions, or a squared ReLU without
// a gate.
#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_nemotron_h;
const Arch arch_nemotron_h{.name = "nemotron_h",
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
                                 return b.add(x, b.n_ff() == 0 ? b.attention(h) : b.ffn(h, {.act = "relu_sqr", .gated = false}), "residual");
                               }};

}  // namespace mainspring::inline v0
