// The block vocabulary: what every architecture file is written in. One Build makes one graph.
//
// Failures stick: the first error (a missing tensor, a wrong shape, a key that is not honoured) is kept, later calls return kNone, and the
// architecture file needs no error handling. Every key and tensor that is read is marked; what is left at the end is judged by finish().
// Values are named by GGUF tensor names: weight("attn_q") inside layer 3 is `blk.3.attn_q.weight`.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "core/error.h"

namespace mainspring::inline v0 {

using V = ValueId;

/// Which pairs rope turns: (2i, 2i+1) or (i, i + n_rot/2). Su et al. 2021, arXiv:2104.09864.
enum class Rope : uint8_t { none, norm, half };
enum class Norm : uint8_t { rms, layer };
/// Which key head a value head of a delta rule reads: i % key heads, or i / (value heads / key heads).
enum class DeltaHeads : uint8_t { tile, group };

struct Build;

/// An architecture: facts, then its block. One file each in lib/arch, one line in arch.inc.
struct Arch {
  const char* name;
  Norm norm = Norm::rms;
  Rope rope = Rope::half;
  /// Keys (after "<arch>.", separated by spaces) that the family defines as having no effect, besides inert_keys.inc. '*' at the end matches the
  /// rest.
  std::string_view inert = {};
  /// Tensors (separated by spaces) that files of the family carry and its forward pass does not read, though others of that name do; in blocks
  /// without "blk.N.".
  std::string_view unused = {};
  bool norm_weights = true;  ///< false: norms only bring rows to mean 0 and length 1 (OLMo, arXiv:2402.00838)
  const char* output_norm = "output_norm";
  /// Reads what it needs beyond Config, before the first block. May be null.
  void (*prepare)(Build& b) = nullptr;
  /// x [n_tokens, d_model] → the same; null: Build::decoder with its defaults.
  V (*block)(Build& b, V x, int layer) = nullptr;
  /// Token embedding → x of the first block; null: rows of token_embd times embedding_scale (where the file states one).
  V (*embed)(Build& b) = nullptr;
  /// x of the last block, rows picked → logits; null: output_norm, then output (or token_embd where the file has none).
  V (*head)(Build& b, V x) = nullptr;
};

/// What nearly every decoder states. Read by Build before prepare(); an architecture may change fields there.
struct Config {
  int n_layers = 0;  ///< that run: a file's last `nextn_predict_layers` blocks (multi-token drafts) do not
  int n_layers_file = 0;
  int64_t d_model = 0, n_vocab = 0, n_ctx = 0;
  std::vector<int64_t> n_heads, n_kv_heads, n_ff;  // by layer
  int64_t head_dim_k = 0, head_dim_v = 0;
  double norm_eps = 1e-5;
  Rope rope = Rope::none;  ///< Arch::rope, unless prepare() knows better
  // Rope: of all layers, and (…_swa) of those with a sliding window.
  int64_t n_rot = 0;
  double rope_base = 10000, rope_base_swa = 10000, rope_scale = 1, rope_scale_swa = 1;  // scale: 1 / scaling.factor
  double yarn_ext = 0, yarn_attn = 1, yarn_beta_fast = 32, yarn_beta_slow = 1, yarn_log = 0;
  double rope_attn_factor = 1;  ///< key rope.scaling.attn_factor: a part of yarn_attn
  bool swa_yarn = true;         ///< false: layers with a window take plain rope (OLMo 3, arXiv:2512.13961)
  int64_t n_ctx_orig = 0;
  double attention_scale = 0;    ///< 0: 1/sqrt(head_dim_k)
  double attention_softcap = 0;  ///< cap*tanh(score/cap), 0: none (Gemma 2, arXiv:2408.00118)
  double clamp_qkv = 0;          ///< q, k, v cut to ±this, 0: none (OLMo, arXiv:2402.00838)
  int64_t sliding_window = 0;
  std::vector<bool> swa;  ///< by layer: uses the window; empty: none does
  /// q times 1 + scale*ln(1 + floor((position + offset) / length)), scale 0: no (Llama 4, Ministral 3).
  double temperature_scale = 0, temperature_offset = 0;
  int64_t temperature_length = 0;
  int64_t n_experts = 0, n_experts_used = 0, n_expert_groups = 0, n_expert_groups_used = 0;
  double expert_scale = 0;                                                             ///< key expert_weights_scale, 0: 1
  int64_t ssm_conv = 0, ssm_inner = 0, ssm_state = 0, ssm_heads = 0, ssm_groups = 0;   // keys ssm.…
  std::vector<bool> recurrent;                                                         ///< by layer: a delta rule or state space instead of attention
  double embedding_scale = 0, residual_scale = 0, logit_scale = 0, final_softcap = 0;  // 0: none
};

struct AttentionOptions {
  bool qk_norm = false;  ///< attn_q_norm, attn_k_norm on each head before rope: weight [head_dim], or [heads, head_dim] (Qwen 3, arXiv:2505.09388)
  bool qk_norm_whole = false;  ///< the same over the whole row, before it is cut into heads (OLMo 2, arXiv:2501.00656)
  bool qk_norm_late = false;   ///< qk_norm after rope
  Norm qk_norm_kind = Norm::rms;
  bool rope = true;
  bool sinks = false;  ///< attn_sinks [heads]: a score that takes part in the softmax alone (arXiv:2309.17453)
  double scale = 0;    ///< 0: Config::attention_scale or 1/sqrt(head_dim)
  const char* out = "attn_output";
};
struct FfnOptions {
  const char* act = "silu";
  bool gated = true;         ///< ffn_gate and ffn_up (Shazeer 2020, arXiv:2002.05202); else ffn_up alone
  bool packed_gate = false;  ///< ffn_up holds gate and up, one after the other (Phi-3)
  const char* gate = "ffn_gate";
  const char* up = "ffn_up";
  const char* down = "ffn_down";
  int64_t width = -1;  ///< rows of up: -1 the config's, 0 whatever the file has
};
struct MoeOptions {
  const char* act = "silu";
  std::string_view gating = "softmax";  ///< see moe_route
  bool norm = true;                     ///< weights of the chosen experts sum to one
  double alpha = 0, limit = 0;          ///< swiglu_oai
  double shared_scale = 0;              ///< of the sum of routed and shared experts, 0: 1
  FfnOptions shared = {
      .gate = "ffn_gate_shexp", .up = "ffn_up_shexp", .down = "ffn_down_shexp", .width = 0};  ///< runs for every token, where the file has it
};
/// One residual block. Names of norms: null where the family has none.
struct DecoderOptions {
  AttentionOptions attention = {};
  V (*mix)(Build& b, V x) = nullptr;  ///< what mixes tokens, where it is not Build::attention: x after attn_norm → [n, d_model]
  FfnOptions ffn = {};
  MoeOptions moe = {};  ///< taken instead of ffn where the layer has ffn_gate_inp
  const char* attn_norm = "attn_norm";
  const char* attn_post_norm = nullptr;  ///< on the attention's result, before it is added
  const char* ffn_norm = "ffn_norm";
  const char* ffn_post_norm = nullptr;
  bool parallel = false;  ///< attention and feed-forward read the same x (GPT-J, arXiv:2204.02311 §2)
};

/// Granite's scales of embeddings, residuals and scores, and the divisor of its logits (granite.cpp).
void read_granite_scales(Build& b);

struct Build {
  const Metadata& metadata;
  const FindWeight& find;
  const Arch& arch;
  Graph g;
  Config c;
  ModelFacts facts;
  int layer = -1;  ///< inside a block: its number
  V tokens = kNone, positions = kNone, output_rows = kNone;

  Build(const Metadata& m, const FindWeight& f, const Arch& a) : metadata(m), find(f), arch(a) {}

  // ---- errors
  bool ok() const { return !failed_; }
  void fail(Error e);

  // ---- keys, named after "<arch>."; reading marks them as honoured
  const MetaValue* key(std::string_view name);
  int64_t key_i(std::string_view name, int64_t otherwise);
  int64_t need_i(std::string_view name);
  double key_f(std::string_view name, double otherwise);
  bool key_b(std::string_view name, bool otherwise);
  std::string_view key_s(std::string_view name, std::string_view otherwise);
  /// One number for all layers or an array with one for each.
  std::vector<int64_t> key_layers(std::string_view name, int64_t otherwise);
  /// `attention.sliding_window` (otherwise `window`) and `attention.sliding_window_pattern`: an array of flags by layer, or period p: every
  /// p-th layer (the last of each p, or the first with `dense_first`) sees everything. Sets Config::swa and Config::rope_base_swa.
  /// No pattern in the file: `otherwise` is the period (0: all layers have the window, 1: none has).
  void read_window(int64_t otherwise, int64_t window = 0, bool dense_first = false);
  /// `expert_gating_func`, where the file states it.
  std::string_view read_gating(std::string_view otherwise);
  /// Multi-axis rope (arXiv:2409.12191): for text all axes are the position, but pairs beyond the first three sections would stand still.
  /// Whether the file states sections.
  bool read_rope_sections(bool interleaved);
  /// The factor of rope's results that undoes the op's own (YaRN) and puts the model's in its place. After a change of yarn_… fields.
  void set_yarn_attn();

  // ---- weights; names without ".weight"; inside a block they belong to the layer. Shape given: checked (outer to inner)
  // Extents of 1 count for nothing: GGUF drops trailing ones. An empty suffix: the name stands alone ("ssm_a").
  bool has(std::string_view name, std::string_view suffix = "weight") const;
  V weight(std::string_view name, Dims shape = {}, std::string_view suffix = "weight");
  V weight_or_none(std::string_view name, Dims shape = {}, std::string_view suffix = "weight");
  V global(std::string_view full_name, bool required = true, Dims shape = {});  ///< outside layers: the whole name

  // ---- nodes
  std::vector<V> node(std::string_view op, std::string_view name, std::vector<V> in, Attrs attrs = {});
  V one(std::string_view op, std::string_view name, std::vector<V> in, Attrs attrs = {});
  /// Extents of v; of kNone (after a failure): ones, so that an architecture file may go on reading.
  const Dims& dims(V v) const;
  V add(V a, V b, std::string_view name = "add") { return one("add", name, {a, b}); }
  V mul(V a, V b, std::string_view name = "mul") { return one("mul", name, {a, b}); }
  V scale(V x, double by, std::string_view name = "scale");  ///< x itself when by is 0 or 1
  V unary(std::string_view op, V x) { return one(op, op, {x}); }
  V slice(V x, int64_t start, int64_t length) { return one("slice", "slice", {x}, {{"start", start}, {"length", length}}); }
  V heads(V x, int64_t n, int64_t d);                         ///< [n, n*d] → [n, n, d]
  V flat(V x);                                                ///< [n, h, d] → [n, h*d]
  /// x_bits: of the activations where weights are quantised; 16 where eight cost most: what attention compares, the logits.
  V linear(V x, std::string_view name, int64_t outputs = 0, int x_bits = 8);  ///< name.weight, times name.scale where there, plus name.bias where there
  V biased(V x, std::string_view name);                       ///< plus name.bias where there
  V norm(V x, std::string_view name);                         ///< arch.norm with name.weight, name.bias
  V norm_with(Norm kind, V x, V w, V b, std::string_view name);
  V rope(V x, bool swa = false);  ///< x [n, heads, d]
  V state(std::string_view name, StateKind kind, Dims dims, DType dtype);

  // ---- blocks
  V decoder(V x, const DecoderOptions& o = {});
  /// q, k, v (or attn_qkv), norms, rope, KV, scores, output projection: x [n, d_model] → [n, d_model].
  V attention(V x, const AttentionOptions& o = {});
  struct Qkv {
    V q, k, v;
  };  ///< [n, heads, d] each
  Qkv qkv(V x, const AttentionOptions& o = {});
  V qk_norm(V x, std::string_view name, Norm kind);  ///< x [n, heads, d]
  /// Scores from q [n,H,dk], k [n,Hkv,dk], v [n,Hkv,dv] that are ready: KV store and softmax → [n, H, dv].
  V attend(V q, V k, V v, const AttentionOptions& o = {});
  V temper(V q);                                                           ///< Config::temperature_…
  V feed_forward(V x, const FfnOptions& dense, const MoeOptions& sparse);  ///< by what the layer has
  V ffn(V x, const FfnOptions& o = {});
  V moe(V x, const MoeOptions& o = {}, V router_input = kNone);  ///< the router may read something else than the experts
  V shared_expert(V x, const FfnOptions& o);                     ///< times sigmoid(ffn_gate_inp_shexp x) where the file has it
  V glu(V gate, V up, std::string_view act, Attrs more = {});
  V clamp(V x, double limit);
  /// Attention whose q projection yields q and a sigmoid gate on the result, head by head (arXiv:2505.06708).
  V gated_attention(V x, const AttentionOptions& o = {});
  void read_ssm();
  /// `attention.recurrent_layers`, else all but every interval-th.
  void read_recurrent_layers(int64_t interval);
  bool recurrent(int at_layer) const { return c.recurrent[static_cast<size_t>(at_layer)]; }
  void recurrent_without_kv_heads();                                    ///< layers with head_count_kv 0 are recurrent
  V conv(V x, std::string_view name, int64_t kernel, const char* act);  ///< short causal convolution
  V short_conv(V x);                                                    ///< gated short convolution (LFM 2, arXiv:2511.23404)
  V learned_positions();                                                ///< rows of token_embd plus rows of position_embd
  V mamba2(V x);                                                        ///< arXiv:2405.21060
  V unit_length(V x, double eps, std::string_view name);                ///< rows of the last extent
  V delta_net(V x, DeltaHeads map);                                     ///< arXiv:2412.06464
  static Attrs bits_of_x(int bits) { return bits == 8 ? Attrs{} : Attrs{{"x_bits", int64_t{bits}}}; }
  V act(V x, std::string_view name) { return one(name, name, {x}); }    ///< a unary activation by name

  int64_t n_heads() const { return c.n_heads[static_cast<size_t>(layer)]; }
  int64_t n_kv_heads() const { return c.n_kv_heads[static_cast<size_t>(layer)]; }
  int64_t n_ff() const { return c.n_ff[static_cast<size_t>(layer)]; }
  std::string at(std::string_view name) const { return layer < 0 ? std::string(name) : fmt::format("blk.{}.{}", layer, name); }

  void read_config();
  Result<Graph> finish(std::span<const std::string_view> weight_names);

 private:
  const WeightTensor* lookup(std::string_view full_name) const;
  std::string tensor_name(std::string_view name, std::string_view suffix) const;
  V add_weight(const WeightTensor& t, const Dims& shape);
  void check_keys();
  bool is_unused(std::string_view tensor) const;

  bool failed_ = false;
  Error error_;
  std::set<std::string, std::less<>> read_keys_, used_weights_;
  std::map<std::string, V, std::less<>> weight_values_;
};

}  // namespace mainspring::inline v0
