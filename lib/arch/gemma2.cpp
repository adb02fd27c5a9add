// Gemma 2. arXiv:2408.00118. Gemma 1 with norms after attention and feed-forward too, every second layer with a window, soft caps on scores and
// logits. The 27B model (46 layers) scales scores by d_model / heads instead of the head size.
#include <algorithm>
#include <cmath>

#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_gemma2;
namespace {

void prepare(Build& b) {
  Config& c = b.c;
  c.embedding_scale = std::sqrt(static_cast<double>(c.d_model));
  c.attention_softcap = b.key_f("attn_logit_softcapping", 50);
  c.final_softcap = b.key_f("final_logit_softcapping", 30);
  b.read_window(2, 4096);
  constexpr int kLayersOf27B = 46;
  const int64_t heads = std::max<int64_t>(c.n_heads[0], 1);
  if (c.attention_scale == 0) c.attention_scale = 1 / std::sqrt(static_cast<double>(c.n_layers == kLayersOf27B ? c.d_model / heads : c.head_dim_k));
}

}  // namespace

const Arch arch_gemma2{.name = "gemma2", .prepare = prepare, .block = [](Build& b, V x, int) {
                         return b.decoder(x, {.ffn = {.act = "gelu"}, .attn_post_norm = "post_attention_norm", .ffn_post_norm = "post_ffw_norm"});
                       }};

}  // namespace mainspring::inline v0
