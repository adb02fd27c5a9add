// The larger pieces of the block vocabulary: rope, attention, feed-forward, experts, the residual block.
#include <cmath>

#include "arch/build.h"

namespace mainspring::inline v0 {

V Build::learned_positions() {
  const V words = one("embed", "token_embd", {global("token_embd.weight", true, {c.n_vocab, c.d_model}), tokens});
  const V table = global("position_embd.weight");
  if (dims(table)[0].times < c.n_ctx)
    fail(corrupt("tensor 'position_embd.weight' has {} positions, config expects {}", dims(table)[0].times, c.n_ctx));
  facts.max_positions = dims(table)[0].times;
  return add(words, one("embed", "position_embd", {table, positions}), "embeddings");
}

// ---- attention -------------------------------------------------------------------------------------------------------------

V Build::rope(V x, bool swa) {
  if (c.rope == Rope::none || c.n_rot == 0 || failed_) return x;
  const bool yarn = !swa || c.swa_yarn;
  Attrs a;
  a.set("n_rot", c.n_rot);
  a.set("mode", std::string(c.rope == Rope::norm ? "norm" : "neox"));
  a.set("base", swa ? c.rope_base_swa : c.rope_base);
  a.set("freq_scale", swa ? c.rope_scale_swa : c.rope_scale);
  a.set("ext_factor", yarn ? c.yarn_ext : 0.0);
  a.set("attn_factor", yarn ? c.yarn_attn : 1.0);
  a.set("beta_fast", c.yarn_beta_fast);
  a.set("beta_slow", c.yarn_beta_slow);
  a.set("n_ctx_orig", c.n_ctx_orig);
  V factors = global("rope_freqs.weight", false, {c.n_rot / 2});
  const V longer = global("rope_factors_long.weight", false, {c.n_rot / 2});
  const V shorter = global("rope_factors_short.weight", false, {c.n_rot / 2});
  if (factors == kNone && shorter != kNone && longer != kNone) {
    factors = shorter;  // a session of more than n_ctx_orig positions takes the other (runtime/compile.cpp)
    a.set("long_factors", static_cast<int64_t>(longer));
  }
  return one("rope", "rope", factors == kNone ? std::vector<V>{x, positions} : std::vector<V>{x, positions, factors}, std::move(a));
}

V Build::qk_norm(V x, std::string_view name, Norm kind) {
  if (failed_) return kNone;
  const int64_t h = dims(x)[1].times, d = dims(x)[2].times;
  const WeightTensor* t = lookup(tensor_name(name, "weight"));
  const bool by_head = t != nullptr && t->shape.elements() != d;
  const Dims shape = by_head ? Dims{h, d} : Dims{d};
  return norm_with(kind, x, weight(name, shape), weight_or_none(name, shape, "bias"), name);
}

Build::Qkv Build::qkv(V x, const AttentionOptions& o) {
  if (failed_) return {kNone, kNone, kNone};
  const int64_t h = n_heads(), hkv = n_kv_heads(), dk = c.head_dim_k, dv = c.head_dim_v;
  if (h < 1 || hkv < 1 || dk < 1 || dv < 1) {
    fail(corrupt("layer {} has {} heads, {} kv heads and head sizes {} and {}, expected at least 1 of each", layer, h, hkv, dk, dv));
    return {kNone, kNone, kNone};
  }
  Qkv r{};
  if (has("attn_qkv")) {
    const V all = linear(x, "attn_qkv", h * dk + hkv * dk + hkv * dv, 16);
    r = {slice(all, 0, h * dk), slice(all, h * dk, hkv * dk), slice(all, h * dk + hkv * dk, hkv * dv)};
    r = {biased(r.q, "attn_q"), biased(r.k, "attn_k"), biased(r.v, "attn_v")};
  } else {
    r = {linear(x, "attn_q", h * dk, 16), linear(x, "attn_k", hkv * dk, 16), linear(x, "attn_v", hkv * dv, 16)};
  }
  if (c.clamp_qkv > 0) r = {clamp(r.q, c.clamp_qkv), clamp(r.k, c.clamp_qkv), clamp(r.v, c.clamp_qkv)};
  if (o.qk_norm_whole) {
    r.q = norm_with(o.qk_norm_kind, r.q, weight("attn_q_norm", {h * dk}), weight_or_none("attn_q_norm", {h * dk}, "bias"), "attn_q_norm");
    r.k = norm_with(o.qk_norm_kind, r.k, weight("attn_k_norm", {hkv * dk}), weight_or_none("attn_k_norm", {hkv * dk}, "bias"), "attn_k_norm");
  }
  r = {heads(r.q, h, dk), heads(r.k, hkv, dk), heads(r.v, hkv, dv)};
  if (o.qk_norm && !o.qk_norm_late) r = {qk_norm(r.q, "attn_q_norm", o.qk_norm_kind), qk_norm(r.k, "attn_k_norm", o.qk_norm_kind), r.v};
  return r;
}

V Build::temper(V q) {
  if (c.temperature_scale == 0) return q;
  if (c.temperature_length < 1) fail(corrupt("key '{}.attention.temperature_scale' is set, but its length is {}", arch.name, c.temperature_length));
  return one("attn_temperature", "q_temperature", {q, positions},
             {{"length", static_cast<double>(c.temperature_length)}, {"scale", c.temperature_scale}, {"offset", c.temperature_offset}});
}

V Build::attend(V q, V k, V v, const AttentionOptions& o) {
  if (failed_) return kNone;
  const int64_t hkv = dims(k)[1].times, dk = dims(k)[2].times, dv = dims(v)[2].times;
  const Dim blocks(1, LlmSymbols::n_blocks);
  // f16 until a session says what its cache is kept in (runtime/compile.cpp).
  V keys = state("cache_k", StateKind::kv_keys, {blocks, hkv, dk, kKvBlock}, DType::f16);
  V values = state("cache_v", StateKind::kv_values, {blocks, hkv, kKvBlock, dv}, DType::f16);
  keys = one("kv_store", "cache_k", {keys, k}, {{"values", int64_t{0}}});
  values = one("kv_store", "cache_v", {values, v}, {{"values", int64_t{1}}});
  const double scale = o.scale != 0 ? o.scale : c.attention_scale != 0 ? c.attention_scale : 1.0 / std::sqrt(static_cast<double>(dk));
  const bool window = !c.swa.empty() && c.swa[static_cast<size_t>(layer)];
  Attrs a{{"scale", scale}, {"window", window ? c.sliding_window : int64_t{0}}, {"softcap", c.attention_softcap}, {"causal", int64_t{1}}};
  const V sinks = o.sinks ? weight("attn_sinks", {dims(q)[1]}) : kNone;
  return one("attention", "attention", sinks == kNone ? std::vector<V>{q, keys, values} : std::vector<V>{q, keys, values, sinks}, std::move(a));
}

V Build::attention(V x, const AttentionOptions& o) {
  Qkv r = qkv(x, o);
  if (o.rope) {
    const bool swa = !c.swa.empty() && c.swa[static_cast<size_t>(layer)];
    r.q = rope(r.q, swa);
    r.k = rope(r.k, swa);
  }
  if (o.qk_norm_late) r = {qk_norm(r.q, "attn_q_norm", o.qk_norm_kind), qk_norm(r.k, "attn_k_norm", o.qk_norm_kind), r.v};
  return linear(flat(attend(temper(r.q), r.k, r.v, o)), o.out, c.d_model);
}

// ---- feed-forward ----------------------------------------------------------------------------------------------------------

/// With what there is: relu(x + l) - relu(x - l) - l.
V Build::clamp(V x, double limit) {
  const V above = act(one("scale", "clamp", {x}, {{"scale", 1.0}, {"bias", limit}}), "relu");
  const V beyond = act(one("scale", "clamp", {x}, {{"scale", 1.0}, {"bias", -limit}}), "relu");
  return one("scale", "clamp", {one("sub", "clamp", {above, beyond})}, {{"scale", 1.0}, {"bias", -limit}});
}

V Build::glu(V gate, V up, std::string_view kind, Attrs more) {
  more.set("act", std::string(kind));
  return one("glu", "glu", {gate, up}, std::move(more));
}

V Build::ffn(V x, const FfnOptions& o) {
  if (failed_) return kNone;
  const int64_t width = o.width < 0 ? n_ff() : o.width;
  V h = kNone;
  if (o.packed_gate) {
    const V both = linear(x, o.up, 2 * width);
    const int64_t half = dims(both).back().times / 2;
    h = glu(slice(both, 0, half), slice(both, half, half), o.act);
  } else if (o.gated) {
    const V gate = linear(x, o.gate, width);
    h = glu(gate, linear(x, o.up, width), o.act);
  } else {
    h = act(linear(x, o.up, width), o.act);
  }
  return linear(h, o.down, c.d_model);
}

V Build::moe(V x, const MoeOptions& o, V router_input) {
  if (failed_) return kNone;
  if (c.n_experts < 1 || c.n_experts_used < 1 || c.n_experts_used > c.n_experts) {
    fail(corrupt("key '{}.expert_used_count' is {}, expected 1 to expert_count = {}", arch.name, c.n_experts_used, c.n_experts));
    return kNone;
  }
  const V logits = linear(router_input == kNone ? x : router_input, "ffn_gate_inp", c.n_experts);
  const V bias = weight_or_none("exp_probs_b", {c.n_experts}, "bias");
  Attrs route{{"n_used", c.n_experts_used}, {"gating", std::string(o.gating)}, {"norm", int64_t{o.norm}}, {"scale", c.expert_scale}};
  if (c.n_expert_groups > 1) {
    route.set("groups", c.n_expert_groups);
    route.set("groups_used", c.n_expert_groups_used);
  }
  const auto routed = node("moe_route", "ffn_moe_route", bias == kNone ? std::vector<V>{logits} : std::vector<V>{logits, bias}, std::move(route));
  const auto experts = [&](V in, std::string_view name) {
    const V w = weight(name);
    const V b = weight_or_none(name, {}, "bias");
    return one("moe_linear", name, b == kNone ? std::vector<V>{in, routed[0], w} : std::vector<V>{in, routed[0], w, b});
  };
  V h = kNone;
  Attrs more;
  if (o.limit != 0) more = {{"alpha", o.alpha}, {"limit", o.limit}};
  if (has("ffn_gate_up_exps")) {
    const V both = experts(x, "ffn_gate_up_exps");
    const int64_t half = dims(both).back().times / 2;
    h = glu(slice(both, 0, half), slice(both, half, half), o.act, std::move(more));
  } else if (has("ffn_gate_exps")) {
    const V gate = experts(x, "ffn_gate_exps");
    h = glu(gate, experts(x, "ffn_up_exps"), o.act, std::move(more));
  } else {
    h = act(experts(x, "ffn_up_exps"), o.act);
  }
  return one("moe_combine", "ffn_moe_out", {experts(h, "ffn_down_exps"), routed[1]});
}

V Build::shared_expert(V x, const FfnOptions& o) {
  const V y = ffn(x, o);
  if (!has("ffn_gate_inp_shexp")) return y;
  return mul(y, act(linear(x, "ffn_gate_inp_shexp", 1), "sigmoid"), "ffn_shexp_gated");
}

V Build::feed_forward(V x, const FfnOptions& dense, const MoeOptions& sparse) {
  if (!has("ffn_gate_inp")) return ffn(x, dense);
  const V y = moe(x, sparse);
  return has(sparse.shared.up) ? scale(add(y, shared_expert(x, sparse.shared)), sparse.shared_scale, "experts_scale") : y;
}

V Build::decoder(V x, const DecoderOptions& o) {
  const V read = o.attn_norm != nullptr ? norm(x, o.attn_norm) : x;
  V a = o.mix != nullptr ? o.mix(*this, read) : attention(read, o.attention);
  if (o.attn_post_norm != nullptr) a = norm(a, o.attn_post_norm);
  a = add(x, scale(a, c.residual_scale, "residual_scale"), "attn_residual");
  const V base = o.parallel ? x : a;
  V f = o.ffn_norm != nullptr ? norm(base, o.ffn_norm) : o.parallel ? read : base;
  f = feed_forward(f, o.ffn, o.moe);
  if (o.ffn_post_norm != nullptr) f = norm(f, o.ffn_post_norm);
  return add(a, scale(f, c.residual_scale, "residual_scale"), "ffn_residual");
}

}  // namespace mainspring::inline v0
