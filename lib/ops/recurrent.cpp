// Ops with a memory of fixed size: slot `sequence` of a recurrent state, f32, which counts as zero where a segment begins at position 0.
// The state is rounded to f32 after every token, so that cutting a prompt differently changes no bit.
//
// causal_conv(x [n,C], w [C,kw], bias? [C], state [S,C,kw-1]) -> y [n,C], state'                                       attrs act "none" | "silu"
//   y[t,c] = act(bias[c] + Σ_j w[c,j] x[t-kw+1+j, c]); the state holds the last kw-1 inputs, oldest first
// ssm_scan(x [n,H,P], dt [n,H], A [H], B [n,G,N], C [n,G,N], D? [H], dt_bias? [H], state [S,H,P,N]) -> y [n,H,P], state'     arXiv:2405.21060
//   dt = softplus(dt + dt_bias); h = h exp(dt A) + dt x⊗B; y = h·C + D x; head h reads group h/(H/G)
// gated_delta(q [n,Hk,dk], k [n,Hk,dk], v [n,Hv,dv], g [n,Hv], beta [n,Hv], state [S,Hv,dv,dk]) -> y [n,Hv,dv], state'       arXiv:2412.06464
//   attrs scale (1) of q, head_map "tile" (hk = hv % Hk) | "group" (hk = hv/(Hv/Hk))
//   S *= exp(g); u = beta (v - S k); S += u⊗k; y = S (scale q)
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/activation.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

constexpr std::string_view kActs[] = {"none", "silu"};
constexpr std::string_view kHeadMaps[] = {"tile", "group"};

/// The sequence's slot; zeroed where the segment begins at position 0.
float* slot_of(const TensorView& state, const Segment& s) {
  const Rows<float> slots(state, state.shape.rank() - 1);
  float* slot = slots[s.sequence];
  if (s.first_position == 0) std::fill_n(slot, slots.length(), 0.0f);
  return slot;
}

Result<std::vector<ValueInfo>> infer_causal_conv(const OpCall& c) {
  const Want want("causal_conv", c);
  MAINSPRING_TRY(const ValueInfo* x, want.rows(0, "x", 2, 2));
  MAINSPRING_TRY(const ValueInfo* w, want.rows(1, "weight", 2, 2));
  if (w->dims[0] != x->dims[1] || w->dims[1].times < 2)
    return want.fail("weight is {}, expected {} channels and at least 2 taps (x is {})", text_of(*w), x->dims[1].times, text_of(*x));
  MAINSPRING_TRY_VOID(want.maybe(2, "bias", {x->dims[1]}));
  MAINSPRING_TRY(const ValueInfo* state, want.state(3, "state", StateKind::recurrent, 3));
  const Dims expected{state->dims[0], x->dims[1], w->dims[1].times - 1};
  if (state->dims != expected) return want.fail("state is {}, expected f32 {}", text_of(*state), text_of(expected));
  MAINSPRING_TRY_VOID(want.choice("act", "none", kActs));
  return yields(x->dims, *state);
}

void reference_causal_conv(const OpArgs& a) {
  const Rows<float> x(a.in[0]), w(a.in[1]), y(a.out[0]);
  const float* bias = a.in[2].as<float>();
  const bool silu = a.attrs.s("act", "none") == "silu";
  const int64_t past = w.length() - 1;
  for (const Segment& s : a.step.segments) {
    float* slot = slot_of(a.out[1], s);
    for (int64_t r = s.first_row; r < s.first_row + s.rows; ++r)
      for (int64_t c = 0; c < x.length(); ++c) {
        float* memory = slot + c * past;
        const float input = x[r][c];
        double sum = bias ? static_cast<double>(bias[c]) : 0.0;
        sum += dot(w[c], memory, past) + static_cast<double>(w[c][past]) * static_cast<double>(input);
        y[r][c] = static_cast<float>(silu ? activation::silu(sum) : sum);
        std::copy(memory + 1, memory + past, memory);
        memory[past - 1] = input;
      }
  }
}

Result<std::vector<ValueInfo>> infer_ssm_scan(const OpCall& c) {
  const Want want("ssm_scan", c);
  MAINSPRING_TRY(const ValueInfo* x, want.rows(0, "x", 3, 3));
  const Dim n = x->dims[0], heads = x->dims[1];
  MAINSPRING_TRY_VOID(want.exactly(1, "dt", {n, heads}));
  MAINSPRING_TRY_VOID(want.exactly(2, "A", {heads}));
  MAINSPRING_TRY(const ValueInfo* b, want.rows(3, "B", 3, 3));
  if (b->dims[0] != n || !heads.is_constant() || !b->dims[1].is_constant() || heads.times % b->dims[1].times != 0)
    return want.fail("B is {}, expected the rows of x and a divisor of its heads (x is {})", text_of(*b), text_of(*x));
  MAINSPRING_TRY_VOID(want.exactly(4, "C", b->dims));
  MAINSPRING_TRY_VOID(want.maybe(5, "D", {heads}));
  MAINSPRING_TRY_VOID(want.maybe(6, "dt_bias", {heads}));
  MAINSPRING_TRY(const ValueInfo* state, want.state(7, "state", StateKind::recurrent, 4));
  const Dims expected{state->dims[0], heads, x->dims[2], b->dims[2]};
  if (state->dims != expected) return want.fail("state is {}, expected f32 {}", text_of(*state), text_of(expected));
  return yields(x->dims, *state);
}

void reference_ssm_scan(const OpArgs& a) {
  const Rows<float> x(a.in[0]), dt(a.in[1]), b(a.in[3]), c(a.in[4]), y(a.out[0]);
  const float *rate = a.in[2].as<float>(), *skip = a.in[5].as<float>(), *dt_bias = a.in[6].as<float>();
  const int64_t heads = a.in[0].shape[1], groups = a.in[3].shape[1], depth = b.length();
  for (const Segment& s : a.step.segments) {
    float* slot = slot_of(a.out[1], s);
    for (int64_t r = s.first_row; r < s.first_row + s.rows; ++r)
      for (int64_t h = 0; h < heads; ++h) {
        const double step = activation::softplus(static_cast<double>(dt[r][h]) + (dt_bias ? static_cast<double>(dt_bias[h]) : 0.0));
        const double decay = std::exp(step * static_cast<double>(rate[h]));
        const float *bv = b[r * groups + h / (heads / groups)], *cv = c[r * groups + h / (heads / groups)];
        for (int64_t p = 0; p < x.length(); ++p) {
          float* memory = slot + (h * x.length() + p) * depth;
          const double input = static_cast<double>(x[r * heads + h][p]);
          for (int64_t i = 0; i < depth; ++i)
            memory[i] = static_cast<float>(static_cast<double>(memory[i]) * decay + step * input * static_cast<double>(bv[i]));
          y[r * heads + h][p] = static_cast<float>(dot(memory, cv, depth) + (skip ? static_cast<double>(skip[h]) * input : 0.0));
        }
      }
  }
}

Result<std::vector<ValueInfo>> infer_gated_delta(const OpCall& c) {
  const Want want("gated_delta", c);
  MAINSPRING_TRY(const ValueInfo* q, want.rows(0, "q", 3, 3));
  MAINSPRING_TRY_VOID(want.exactly(1, "k", q->dims));
  MAINSPRING_TRY(const ValueInfo* v, want.rows(2, "v", 3, 3));
  const Dim heads = v->dims[1];
  if (v->dims[0] != q->dims[0] || !heads.is_constant() || !q->dims[1].is_constant() || heads.times % q->dims[1].times != 0)
    return want.fail("v is {}, expected the rows of q and a multiple of its heads (q is {})", text_of(*v), text_of(*q));
  MAINSPRING_TRY_VOID(want.exactly(3, "g", {v->dims[0], heads}));
  MAINSPRING_TRY_VOID(want.exactly(4, "beta", {v->dims[0], heads}));
  MAINSPRING_TRY(const ValueInfo* state, want.state(5, "state", StateKind::recurrent, 4));
  const Dims expected{state->dims[0], heads, v->dims[2], q->dims[2]};
  if (state->dims != expected) return want.fail("state is {}, expected f32 {}", text_of(*state), text_of(expected));
  MAINSPRING_TRY_VOID(want.number("scale", 1, std::numeric_limits<double>::lowest()));
  MAINSPRING_TRY_VOID(want.choice("head_map", "tile", kHeadMaps));
  return yields(v->dims, *state);
}

void reference_gated_delta(const OpArgs& a) {
  const Rows<float> q(a.in[0]), k(a.in[1]), v(a.in[2]), g(a.in[3]), beta(a.in[4]), y(a.out[0]);
  const int64_t key_heads = a.in[0].shape[1], heads = a.in[2].shape[1], dk = k.length(), dv = v.length();
  const double scale = a.attrs.f("scale", 1);
  const bool tile = a.attrs.s("head_map", "tile") == "tile";
  for (const Segment& s : a.step.segments) {
    float* slot = slot_of(a.out[1], s);
    for (int64_t r = s.first_row; r < s.first_row + s.rows; ++r)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t from = r * key_heads + (tile ? h % key_heads : h / (heads / key_heads));
        const double decay = std::exp(static_cast<double>(g[r][h])), rate = static_cast<double>(beta[r][h]);
        for (int64_t i = 0; i < dv; ++i) {
          float* memory = slot + (h * dv + i) * dk;
          const double u = rate * (static_cast<double>(v[r * heads + h][i]) - decay * dot(memory, k[from], dk));
          for (int64_t j = 0; j < dk; ++j) memory[j] = static_cast<float>(static_cast<double>(memory[j]) * decay + u * static_cast<double>(k[from][j]));
          y[r * heads + h][i] = static_cast<float>(scale * dot(memory, q[from], dk));
        }
      }
  }
}

}  // namespace

constinit const OpDef op_causal_conv{
    .name = "causal_conv", .min_in = 2, .max_in = 4, .n_out = 2, .infer = infer_causal_conv, .reference = reference_causal_conv};
constinit const OpDef op_ssm_scan{.name = "ssm_scan", .min_in = 5, .max_in = 8, .n_out = 2, .infer = infer_ssm_scan, .reference = reference_ssm_scan};
constinit const OpDef op_gated_delta{
    .name = "gated_delta", .min_in = 6, .max_in = 6, .n_out = 2, .infer = infer_gated_delta, .reference = reference_gated_delta};

}  // namespace mainspring::inline v0
