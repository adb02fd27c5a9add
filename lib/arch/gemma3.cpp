// Gemma 3. arXiv:2503.19786. Gemma 2 with norms on each head of q and k instead of the cap on scores; five layers with a window and a rope of their
// own (base 10000, unscaled) for each one that sees everything. The 27B model (62 layers) scales scores by d_model / heads instead of the head size.
#include <algorithm>
#include <cmath>

#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_gemma3;
namespace {

void prepare(Build& b) {
  Config& c = b.c;
  c.embedding_scale = std::sqrt(static_cast<double>(c.d_model));
  c.final_softcap = b.key_f("final_logit_softcapping", 0);
  c.rope_base_swa = 10000;
  c.rope_scale_swa = 1;
  b.read_window(6);
  constexpr int kLayersOf27B = 62;
  const int64_t heads = std::max<int64_t>(c.n_heads[0], 1);
  if (c.attention_scale == 0) c.attention_scale = 1 / std::sqrt(static_cast<double>(c.n_layers == kLayersOf27B ? c.d_model / heads : c.head_dim_k));
}

}  // namespace

const Arch arch_gemma3{
    .name = "gemma3", .prepare = prepare, .block = [](Build& b, V x, int) {
      return b.decoder(
          x, {.attention = {.qk_norm = true}, .ffn = {.act = "gelu"}, .attn_post_norm = "post_attention_norm", .ffn_post_norm = "post_ffw_norm"});
    }};

}  // namespace mainspring::inline v0
