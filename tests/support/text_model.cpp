#include "support/arch_model.h"

namespace mainspring::inline v0::test {

ArchModel text_model(int n_layers) {
  ArchModel m("llama");
  uint32_t seed = 7;
  const auto random = [&](const char* name, const std::vector<int64_t>& extents, float middle, float spread) {
    int64_t n = 1;
    for (const int64_t e : extents) n *= e;
    std::vector<float> values;
    for (; n > 0; --n) {
      seed = seed * 1664525u + 1013904223u;
      values.push_back(middle + spread * (static_cast<float>(seed >> 8) / static_cast<float>(1 << 23) - 1.0f));
    }
    m.tensor(name, extents, std::move(values));
  };
  for (const auto& [key, value] : {std::pair{"block_count", n_layers}, {"context_length", 256}, {"embedding_length", 64}, {"feed_forward_length", 96}, {"attention.head_count", 4}, {"attention.head_count_kv", 2}}) m.number(key, value);
  m.number("attention.layer_norm_rms_epsilon", 1e-5);
  random("token_embd.weight", {258, 64}, 0, 1);
  random("output_norm.weight", {64}, 1, 0.2f);
  for (int i = 0; i < n_layers; ++i) {
    const auto name = [&](const char* part) { return "blk." + std::to_string(i) + "." + part + ".weight"; };
    random(name("attn_norm").c_str(), {64}, 1, 0.2f);
    random(name("attn_q").c_str(), {64, 64}, 0, 0.2f);
    random(name("attn_k").c_str(), {32, 64}, 0, 0.2f);
    random(name("attn_v").c_str(), {32, 64}, 0, 0.2f);
    random(name("attn_output").c_str(), {64, 64}, 0, 0.2f);
    random(name("ffn_norm").c_str(), {64}, 1, 0.2f);
    random(name("ffn_gate").c_str(), {96, 64}, 0, 0.2f);
    random(name("ffn_up").c_str(), {96, 64}, 0, 0.2f);
    random(name("ffn_down").c_str(), {64, 96}, 0, 0.2f);
  }
  m.byte_tokenizer();
  return m;
}

}  // namespace mainspring::inline v0::test
