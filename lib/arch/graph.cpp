// From metadata to a finished graph: the common configuration, the walk over layers, the last checks.
#include <algorithm>
#include <cmath>

#include "arch/build.h"
#include "mainspring/ext/op.h"

namespace mainspring::inline v0 {

#define MAINSPRING_ARCH(id) extern const Arch arch_##id;
#include "arch/arch.inc"
#undef MAINSPRING_ARCH

namespace {

constexpr const Arch* kArchs[] = {
#define MAINSPRING_ARCH(id) &arch_##id,
#include "arch/arch.inc"
#undef MAINSPRING_ARCH
};

constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxExtent = int64_t{1} << 28;

/// Peng et al. 2023, arXiv:2309.00071 (YaRN); linear and NTK scaling are its special cases; LongRoPE's factors are tensors of the file.
void read_rope(Build& b) {
  Config& c = b.c;
  c.rope = b.arch.rope;
  c.n_rot = b.key_i("rope.dimension_count", c.head_dim_k);
  c.rope_base = b.key_f("rope.freq_base", 10000);
  const std::string_view type = b.key_s("rope.scaling.type", "linear");
  if (type != "linear" && type != "none" && type != "yarn" && type != "longrope")
    b.fail(unsupported("rope scaling '{}' is not honoured by this build", type));
  const bool new_name = b.key("rope.scaling.factor") != nullptr;
  const double factor = b.key_f(new_name ? "rope.scaling.factor" : "rope.scale_linear", 0);
  c.rope_scale = factor == 0 || type == "none" ? 1 : 1 / factor;
  c.rope_base_swa = c.rope_base;
  c.rope_scale_swa = c.rope_scale;
  c.n_ctx_orig = b.key_i("rope.scaling.original_context_length", c.n_ctx);
  c.yarn_ext = b.key_f("rope.scaling.yarn_ext_factor", -1);
  if (c.yarn_ext < 0) c.yarn_ext = type == "yarn" ? 1 : 0;
  c.yarn_attn = b.key_f("rope.scaling.yarn_attn_factor", 1);
  if (c.yarn_attn < 0) c.yarn_attn = 1;
  c.yarn_beta_fast = b.key_f("rope.scaling.yarn_beta_fast", 32);
  c.yarn_beta_slow = b.key_f("rope.scaling.yarn_beta_slow", 1);
  c.yarn_log = b.key_f("rope.scaling.yarn_log_multiplier", 0);
  c.rope_attn_factor = b.key_f("rope.scaling.attn_factor", 1);
  if (c.n_rot < 0 || c.n_rot % 2 != 0 || c.n_rot > c.head_dim_k)
    b.fail(corrupt("key '{}.rope.dimension_count' is {}, expected an even number up to {}", b.arch.name, c.n_rot, c.head_dim_k));
  if (!(c.rope_base > 0) || !(c.rope_scale > 0) || !std::isfinite(c.rope_base) || !std::isfinite(c.rope_scale))
    b.fail(corrupt("rope base {} or scale {} is not a positive number", c.rope_base, c.rope_scale));
}

void check_range(Build& b, std::string_view name, int64_t v, int64_t low, int64_t high) {
  if (v < low || v > high) b.fail(corrupt("key '{}.{}' is {}, expected {} to {}", b.arch.name, name, v, low, high));
}

V default_embed(Build& b) {
  const V x = b.one("embed", "token_embd", {b.global("token_embd.weight", true, {b.c.n_vocab, b.c.d_model}), b.tokens});
  return b.scale(x, b.c.embedding_scale, "embedding_scale");
}

/// The logits take 16 bits where they are a small part of the model's work. SmolLM2-135M spent a quarter of the time of 16 sequences on them (AVX2),
/// for a thousandth of its perplexity.
int head_bits(const Build& b) {
  double layers = 0;  // multiply-adds of a token; of a stack of experts only those that run
  for (const Value& v : b.g.values) {
    if (v.kind != Kind::weight || v.name == "token_embd.weight" || v.dims.size() < 2) continue;
    double n = 1;
    for (const Dim& d : v.dims) n *= static_cast<double>(d.times);
    const bool experts = v.dims.size() == 3 && v.dims[0].times == b.c.n_experts;
    layers += experts ? n * static_cast<double>(b.c.n_experts_used) / static_cast<double>(b.c.n_experts) : n;
  }
  return 10 * static_cast<double>(b.c.n_vocab) * static_cast<double>(b.c.d_model) <= layers ? 16 : 8;
}

V default_head(Build& b, V x) {
  x = b.norm(x, b.arch.output_norm);
  const int bits = head_bits(b);
  V logits = kNone;
  if (b.has("output"))
    logits = b.linear(x, "output", b.c.n_vocab, bits);
  else
    logits = b.biased(b.one("linear", "output", {x, b.global("token_embd.weight")}, Build::bits_of_x(bits)), "output");
  if (b.c.logit_scale != 0) logits = b.scale(logits, b.c.logit_scale, "logit_scale");
  if (b.c.final_softcap != 0) logits = b.one("softcap", "final_softcap", {logits}, {{"cap", b.c.final_softcap}});
  return logits;
}

}  // namespace

void Build::read_config() {
  const int64_t layers = need_i("block_count");
  check_range(*this, "block_count", layers, 1, kMaxLayers);
  const int64_t drafts = key_i("nextn_predict_layers", 0);
  if (ok()) check_range(*this, "nextn_predict_layers", drafts, 0, layers - 1);
  c.n_layers_file = ok() ? static_cast<int>(layers) : 0;
  c.n_layers = ok() ? static_cast<int>(layers - drafts) : 0;
  c.d_model = need_i("embedding_length");
  check_range(*this, "embedding_length", c.d_model, 1, kMaxExtent);
  c.n_ctx = key_i("context_length", 0);
  check_range(*this, "context_length", c.n_ctx, 0, kMaxExtent);
  c.n_heads = key_layers("attention.head_count", 0);
  c.n_kv_heads = key("attention.head_count_kv") != nullptr ? key_layers("attention.head_count_kv", 0) : c.n_heads;
  c.n_ff = key_layers("feed_forward_length", 0);
  for (int i = 0; ok() && i < c.n_layers; ++i) {
    const int64_t h = c.n_heads[static_cast<size_t>(i)], kv = c.n_kv_heads[static_cast<size_t>(i)];
    check_range(*this, "attention.head_count", h, 0, 65536);
    check_range(*this, "feed_forward_length", c.n_ff[static_cast<size_t>(i)], 0, kMaxExtent);
    if (h > 0 && (kv < 0 || (kv > 0 && h % kv != 0))) fail(corrupt("layer {} has {} heads and {} kv heads, expected a multiple", i, h, kv));
  }
  const int64_t h0 = c.n_heads.empty() ? 0 : *std::max_element(c.n_heads.begin(), c.n_heads.end());
  c.head_dim_k = key_i("attention.key_length", h0 > 0 ? c.d_model / h0 : 0);
  c.head_dim_v = key_i("attention.value_length", h0 > 0 ? c.d_model / h0 : 0);
  check_range(*this, "attention.key_length", c.head_dim_k, 0, 65536);
  check_range(*this, "attention.value_length", c.head_dim_v, 0, 65536);
  const char* eps = arch.norm == Norm::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  if (key(eps) == nullptr) fail(corrupt("key '{}.{}' is missing", arch.name, eps));
  c.norm_eps = key_f(eps, 1e-5);
  c.attention_scale = key_f("attention.scale", 0);
  c.clamp_qkv = key_f("attention.clamp_kqv", 0);
  if (!key_b("attention.causal", true)) fail(unsupported("key '{}.attention.causal' is false: encoders are not supported by this build", arch.name));
  c.n_experts = key_i("expert_count", 0);
  c.n_experts_used = key_i("expert_used_count", 0);
  c.n_expert_groups = key_i("expert_group_count", 0);
  c.n_expert_groups_used = key_i("expert_group_used_count", 0);
  c.expert_scale = key_f("expert_weights_scale", 0);
  check_range(*this, "expert_count", c.n_experts, 0, 65536);
  read_rope(*this);
  if (const WeightTensor* t = find("token_embd.weight")) c.n_vocab = t->shape.rank() == 2 ? t->shape[0] : 0;
  facts.vocabulary = c.n_vocab;
  facts.context_length = c.n_ctx;
}

Result<Graph> Build::finish(std::span<const std::string_view> weight_names) {
  if (ok()) check_keys();
  for (std::string_view name : weight_names)
    if (ok() && !used_weights_.contains(name) && !is_unused(name))
      fail(unsupported("tensor '{}' is not honoured by architecture '{}' of this build", name, arch.name));
  if (!ok()) return std::move(error_);
  return std::move(g);
}

Result<Graph> build_graph(const Metadata& metadata, const FindWeight& find, std::span<const std::string_view> weight_names, ModelFacts* facts) {
  const MetaValue* name = metadata.find("general.architecture");
  if (name == nullptr || !name->as_string()) return corrupt("key 'general.architecture' is missing");
  const auto arch = std::find_if(std::begin(kArchs), std::end(kArchs), [&](const Arch* a) { return *name->as_string() == a->name; });
  if (arch == std::end(kArchs)) return unsupported("architecture '{}' is not supported by this build", *name->as_string());

  Build b(metadata, find, **arch);
  const auto input = [&](const char* label, SymbolId extent) {
    Value v;
    v.name = label;
    v.dtype = DType::i32;
    v.dims = {Dim(1, extent)};
    v.kind = Kind::input;
    b.g.inputs.push_back(b.g.add_value(std::move(v)));
    return b.g.inputs.back();
  };
  b.g.add_symbol({"n_tokens", 0, 1, 512});
  b.g.add_symbol({"n_outputs", 0, 1, 512});
  b.g.add_symbol({"n_blocks", 1, 64, 64});
  b.g.add_symbol({"n_sequences", 1, 1, 1});
  b.tokens = input("tokens", LlmSymbols::n_tokens);
  b.positions = input("positions", LlmSymbols::n_tokens);
  b.output_rows = input("output_rows", LlmSymbols::n_outputs);
  b.read_config();
  if (b.ok() && b.arch.prepare != nullptr) b.arch.prepare(b);
  b.set_yarn_attn();
  V x = kNone;
  if (b.ok()) x = b.arch.embed != nullptr ? b.arch.embed(b) : default_embed(b);
  for (b.layer = 0; b.ok() && b.layer < b.c.n_layers; ++b.layer) x = b.arch.block != nullptr ? b.arch.block(b, x, b.layer) : b.decoder(x);
  b.layer = -1;
  if (b.ok()) x = b.one("gather_rows", "output_rows", {x, b.output_rows});
  if (b.ok()) x = b.arch.head != nullptr ? b.arch.head(b, x) : default_head(b, x);
  if (b.ok()) {
    b.g.values[static_cast<size_t>(x)].name = "logits";
    b.g.outputs = {x};
    if (b.dims(x).back().times != b.c.n_vocab)
      b.fail(corrupt("tensor 'output.weight' has {} rows, token_embd.weight has {}", b.dims(x).back().times, b.c.n_vocab));
  }
  if (facts != nullptr) *facts = b.facts;
  return b.finish(weight_names);
}

}  // namespace mainspring::inline v0
