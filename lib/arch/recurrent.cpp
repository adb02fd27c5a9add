// Blocks with a memory of fixed size instead of a cache: state spaces and delta rules; and the attention that stands between them.
#include <cmath>

#include "arch/build.h"

namespace mainspring::inline v0 {

void Build::read_ssm() {
  facts.recurrent = true;
  c.ssm_conv = need_i("ssm.conv_kernel");
  c.ssm_inner = need_i("ssm.inner_size");
  c.ssm_state = need_i("ssm.state_size");
  c.ssm_heads = need_i("ssm.time_step_rank");
  c.ssm_groups = key_i("ssm.group_count", 0);
  constexpr int64_t kMost = int64_t{1} << 24;
  const bool sane = c.ssm_conv > 1 && c.ssm_conv <= 64 && c.ssm_inner > 0 && c.ssm_inner <= kMost && c.ssm_state > 0 && c.ssm_state <= 65536 &&
                    c.ssm_heads > 0 && c.ssm_heads <= 65536;
  if (!sane || c.ssm_groups < 0 || c.ssm_groups > c.ssm_heads || c.ssm_inner % c.ssm_heads != 0 ||
      (c.ssm_groups > 0 && c.ssm_inner % c.ssm_groups != 0))
    fail(corrupt("keys '{}.ssm.*': kernel {}, inner size {}, state {}, {} heads in {} groups, which do not fit together", arch.name, c.ssm_conv,
                 c.ssm_inner, c.ssm_state, c.ssm_heads, c.ssm_groups));
}

void Build::read_recurrent_layers(int64_t interval) {
  interval = key_i("full_attention_interval", interval);
  if (interval < 1) fail(corrupt("key '{}.full_attention_interval' is {}, expected 1 or more", arch.name, interval));
  const bool stated = key("attention.recurrent_layers") != nullptr;
  const auto flags = key_layers("attention.recurrent_layers", 0);
  c.recurrent.assign(static_cast<size_t>(c.n_layers), false);
  for (size_t i = 0; ok() && i < c.recurrent.size(); ++i) c.recurrent[i] = stated ? flags[i] != 0 : (static_cast<int64_t>(i) + 1) % interval != 0;
}

void Build::recurrent_without_kv_heads() {
  c.recurrent.clear();
  for (int64_t h : c.n_kv_heads) c.recurrent.push_back(h == 0);
  key("attention.recurrent_layers");  // says the same
}

V Build::conv(V x, std::string_view name, int64_t kernel, const char* activation) {
  if (failed_) return kNone;
  const int64_t channels = dims(x).back().times;
  const V memory = state("conv_state", StateKind::recurrent, {Dim(1, LlmSymbols::n_sequences), channels, kernel - 1}, DType::f32);
  const V w = weight(name, {channels, kernel});
  return one("causal_conv", name, {x, w, weight_or_none(name, {channels}, "bias"), memory}, {{"act", std::string(activation)}});
}

V Build::short_conv(V x) {
  const int64_t kernel = key_i("shortconv.l_cache", 0), d = c.d_model;
  if (kernel < 2 || kernel > 64) fail(corrupt("key '{}.shortconv.l_cache' is {}, expected 2 to 64", arch.name, kernel));
  const V bcx = linear(x, "shortconv.in_proj", 3 * d);
  const V y = conv(mul(slice(bcx, 0, d), slice(bcx, 2 * d, d)), "shortconv.conv", kernel, "none");
  return linear(mul(slice(bcx, d, d), y), "shortconv.out_proj", d);
}

V Build::mamba2(V x) {
  if (failed_) return kNone;
  const int64_t inner = c.ssm_inner, h = c.ssm_heads, groups = c.ssm_groups > 0 ? c.ssm_groups : 1, n = c.ssm_state;
  const V all = linear(x, "ssm_in", 2 * inner + 2 * groups * n + h);
  const V z = slice(all, 0, inner), dt = slice(all, 2 * inner + 2 * groups * n, h);
  const V xbc = conv(slice(all, inner, inner + 2 * groups * n), "ssm_conv1d", c.ssm_conv, "silu");
  const V memory = state("ssm_state", StateKind::recurrent, {Dim(1, LlmSymbols::n_sequences), h, inner / h, n}, DType::f32);
  const V a = weight("ssm_a", {h}, ""), d = weight("ssm_d", {h}, ""), bias = weight("ssm_dt", {h}, "bias");
  V y = one("ssm_scan", "ssm_scan",
            {heads(slice(xbc, 0, inner), h, inner / h), dt, a, heads(slice(xbc, inner, groups * n), groups, n),
             heads(slice(xbc, inner + groups * n, groups * n), groups, n), d, bias, memory});
  y = glu(z, flat(y), "silu");
  if (has("ssm_norm"))
    y = flat(norm_with(Norm::rms, heads(y, groups, inner / groups), weight("ssm_norm", {groups, inner / groups}), kNone, "ssm_norm"));
  return linear(y, "ssm_out", c.d_model);
}

/// x / sqrt(Σ x² + eps), by an RMS norm.
V Build::unit_length(V x, double eps, std::string_view name) {
  const auto d = static_cast<double>(dims(x).back().times);
  return scale(one("rms_norm", name, {x, kNone}, {{"eps", eps / d}}), 1 / std::sqrt(d), name);
}

V Build::delta_net(V x, DeltaHeads map) {
  if (failed_) return kNone;
  const int64_t hv = c.ssm_heads, hk = c.ssm_groups, dk = c.ssm_state, dv = c.ssm_inner / c.ssm_heads;
  if (hk < 1 || hv % hk != 0) {
    fail(corrupt("keys '{}.ssm.*': {} value heads and {} key heads, expected a multiple", arch.name, hv, hk));
    return kNone;
  }
  const int64_t keys = hk * dk, values = hv * dv;
  const V z = linear(x, "attn_gate", values);
  V beta = kNone, alpha = kNone;
  if (has("ssm_ba")) {  // both, key head by key head
    const V both = heads(linear(x, "ssm_ba", 2 * hv), hk, 2 * hv / hk);
    beta = flat(slice(both, 0, hv / hk));
    alpha = flat(slice(both, hv / hk, hv / hk));
  } else {
    beta = linear(x, "ssm_beta", hv);
    alpha = linear(x, "ssm_alpha", hv);
  }
  beta = act(beta, "sigmoid");
  const V step = act(add(alpha, weight("ssm_dt", {hv}, "bias"), "ssm_dt"), "softplus");
  const V decay = mul(step, weight("ssm_a", {hv}, ""), "ssm_a");
  const V qkv = conv(linear(x, "attn_qkv", 2 * keys + values), "ssm_conv1d", c.ssm_conv, "silu");
  const V q = unit_length(heads(slice(qkv, 0, keys), hk, dk), c.norm_eps, "q_unit"),
          k = unit_length(heads(slice(qkv, keys, keys), hk, dk), c.norm_eps, "k_unit");
  const V memory = state("delta_state", StateKind::recurrent, {Dim(1, LlmSymbols::n_sequences), hv, dv, dk}, DType::f32);
  V y = one("gated_delta", "gated_delta", {q, k, heads(slice(qkv, 2 * keys, values), hv, dv), decay, beta, memory},
            {{"scale", 1 / std::sqrt(static_cast<double>(dk))}, {"head_map", std::string(map == DeltaHeads::tile ? "tile" : "group")}});
  y = norm_with(Norm::rms, y, weight("ssm_norm", {dv}), kNone, "ssm_norm");
  return linear(glu(z, flat(y), "silu"), "ssm_out", c.d_model);
}

V Build::gated_attention(V x, const AttentionOptions& o) {
  if (failed_) return kNone;
  const int64_t h = n_heads(), hkv = n_kv_heads(), dk = c.head_dim_k, dv = c.head_dim_v;
  if (h < 1 || hkv < 1 || dk < 1 || dv != dk) {
    fail(corrupt("layer {} has {} heads, {} kv heads and head sizes {} and {}, expected at least 1 of each and equal sizes", layer, h, hkv, dk, dv));
    return kNone;
  }
  const V both = heads(linear(x, "attn_q", 2 * h * dk, 16), h, 2 * dk);  // head by head: q, then its gate
  const V q = rope(qk_norm(slice(both, 0, dk), "attn_q_norm", Norm::rms)), gate = flat(slice(both, dk, dk));
  const V k = rope(qk_norm(heads(linear(x, "attn_k", hkv * dk, 16), hkv, dk), "attn_k_norm", Norm::rms)),
          v = heads(linear(x, "attn_v", hkv * dv, 16), hkv, dv);
  return linear(glu(gate, flat(attend(q, k, v, o)), "sigmoid"), o.out, c.d_model);
}

}  // namespace mainspring::inline v0
