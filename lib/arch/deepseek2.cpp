// DeepSeek V2, V2.5, V3, R1, Kimi K2, Moonlight, GLM 4.7 Flash. arXiv:2405.04434, arXiv:2412.19437. Keys and values come from one short latent row
// (MLA): files with attn_k_b and attn_v_b keep only the latent in the cache and move the matrices to q and to the result; older files
// with attn_kv_b expand it. Leading layers are dense, the others route in groups and add shared experts.
#include <cmath>

#include "arch/build.h"

namespace mainspring::inline v0 {

extern const Arch arch_deepseek2;
namespace {

struct Mla {
  int64_t q_rank, kv_rank, key, value, rope;
};

Mla mla(Build& b) {
  const bool latent = b.key_i("attention.key_length_mla", 0) > 0 && b.key_i("attention.value_length_mla", 0) > 0;
  Mla m{b.key_i("attention.q_lora_rank", 0), b.need_i("attention.kv_lora_rank"), b.c.head_dim_k, b.c.head_dim_v, b.c.n_rot};
  if (latent) {
    m.key = b.key_i("attention.key_length_mla", 0);
    m.value = b.key_i("attention.value_length_mla", 0);
  }
  constexpr int64_t kMost = 65536;
  if (m.q_rank < 0 || m.q_rank > kMost || m.kv_rank < 1 || m.kv_rank > kMost || m.value < 1 || m.value > kMost || m.key > kMost || m.rope >= m.key ||
      b.n_heads() < 1)
    b.fail(corrupt("layer {} has {} heads, ranks {} and {}, head sizes {} ({} with rope) and {}, which do not fit together", b.layer, b.n_heads(),
                   m.q_rank, m.kv_rank, m.key, m.rope, m.value));
  return m;
}

void prepare(Build& b) {
  Config& c = b.c;
  b.layer = 0;
  const Mla m = mla(b);
  b.layer = -1;
  if (b.key("rope.scaling.yarn_log_multiplier") != nullptr) c.yarn_log /= 0.1;  // files hold a tenth of the model's mscale_all_dim
  // Scores carry the square of YaRN's magnitude, with the model's own multiplier; rope itself leaves lengths alone.
  const double stretch = std::log(1 / c.rope_scale);
  const double own = c.yarn_ext != 0 && c.yarn_log == 0 ? c.rope_attn_factor * (1 + 0.1 * stretch) : c.rope_attn_factor;
  const double magnitude = own * (1 + 0.1 * c.yarn_log * stretch);
  c.attention_scale = magnitude * magnitude / std::sqrt(static_cast<double>(m.key));
  c.temperature_scale = b.key_f("attention.temperature_scale", 0);
  c.temperature_length = b.key_i("attention.temperature_length", 0);
}

V attention(Build& b, V x) {
  const Mla m = mla(b);
  const int64_t h = b.n_heads(), plain = m.key - m.rope;
  V q = b.has("attn_q_a") ? b.linear(b.norm(b.linear(x, "attn_q_a", m.q_rank, 16), "attn_q_a_norm"), "attn_q_b", h * m.key, 16)
                          : b.linear(x, "attn_q", h * m.key, 16);
  q = b.heads(q, h, m.key);
  const V q_plain = b.slice(q, 0, plain), q_rope = b.rope(b.slice(q, plain, m.rope));
  const V both = b.linear(x, "attn_kv_a_mqa", m.kv_rank + m.rope, 16);
  const V k_rope = b.rope(b.heads(b.slice(both, m.kv_rank, m.rope), 1, m.rope));
  const V latent = b.norm(b.slice(both, 0, m.kv_rank), "attn_kv_a_norm");
  const auto join = [&](V left, V right) { return b.one("concat", "concat", {left, right}); };
  V y = kNone;
  if (b.has("attn_k_b")) {
    const V keys = b.heads(latent, 1, m.kv_rank);
    const V query = join(b.one("head_linear", "attn_k_b", {q_plain, b.weight("attn_k_b", {h, m.kv_rank, plain})}), q_rope);
    y = b.attend(b.temper(query), join(keys, k_rope), keys);
    y = b.one("head_linear", "attn_v_b", {y, b.weight("attn_v_b", {h, m.value, m.kv_rank})});
  } else {
    const V kv = b.heads(b.linear(latent, "attn_kv_b", h * (plain + m.value), 16), h, plain + m.value);
    const V shared = b.one("repeat_heads", "k_rope", {k_rope}, {{"times", h}, {"mode", std::string("group")}});
    y = b.attend(b.temper(join(q_plain, q_rope)), join(b.slice(kv, 0, plain), shared), b.slice(kv, plain, m.value));
  }
  return b.linear(b.flat(y), "attn_output", b.c.d_model);
}

/// Files of the first models do not state how experts are chosen: by softmax, but for GLM 4.7 Flash.
std::string_view usual_gating(const Build& b) {
  constexpr int64_t kVocabularyOfGlm = 154880;
  return (b.c.n_layers == 47 || b.c.n_layers == 48) && b.c.n_vocab == kVocabularyOfGlm ? "sigmoid" : "softmax";
}

V block(Build& b, V x, int) {
  x = b.add(x, attention(b, b.norm(x, "attn_norm")), "attn_residual");
  const MoeOptions moe{.gating = b.read_gating(usual_gating(b)), .norm = b.key_b("expert_weights_norm", false)};
  return b.add(x, b.feed_forward(b.norm(x, "ffn_norm"), {}, moe), "ffn_residual");
}

}  // namespace

const Arch arch_deepseek2{.name = "deepseek2", .rope = Rope::norm, .prepare = prepare, .block = block};

}  // namespace mainspring::inline v0
