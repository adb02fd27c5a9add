// moe_route: which experts a row uses, and how much. moe_combine: their outputs put together. Tiles of rows (combine: × column chunks).
#include <cmath>
#include <cstring>

#include "cpu/bind/bind.h"
#include "cpu/bind/rows.h"
#include "cpu/kernels/elementwise/elementwise.h"
#include "cpu/kernels/norm/norm.h"

namespace mainspring::inline v0::cpu {
namespace {

enum class Gating { softmax, sigmoid, softmax_weight };

struct RouteParams {
  const NormIsa* norm;
  const ElementwiseIsa* elementwise;
  RowSpan logits, ids, weights;
  Ref bias;
  Gating gating;
  int64_t experts, used, groups, groups_used;
  bool norm_sum;
  float scale;
  int64_t per_tile;
};

/// Scratch of a worker: probabilities, what the choice goes by, and who is out of it.
struct RouteScratch {
  float *p, *choice;
  uint8_t *out, *group_out;
  static size_t bytes(int64_t experts) { return static_cast<size_t>(experts) * 10; }
  static RouteScratch at(std::byte* s, int64_t experts) {
    float* f = reinterpret_cast<float*>(s);
    uint8_t* u = reinterpret_cast<uint8_t*>(f + 2 * experts);
    return {f, f + experts, u, u + experts};
  }
};

/// Index of the largest that is not out, ties to the lower; some index that is not out when all are NaN.
int64_t largest(const float* x, const uint8_t* out, int64_t n) {
  int64_t best = -1;
  for (int64_t i = 0; i < n; ++i)
    if (!out[i] && (best < 0 || x[i] > x[best])) best = i;
  return best;
}

/// Puts experts of all but the best groups out. A group counts the sum of its two best.
void keep_groups(const RouteParams& p, const RouteScratch& s) {
  const int64_t size = p.experts / p.groups;
  std::memset(s.group_out, 1, static_cast<size_t>(p.groups));
  auto score = [&](int64_t g) {
    float first = -HUGE_VALF, second = -HUGE_VALF;
    for (int64_t i = g * size; i < (g + 1) * size; ++i) {
      const float v = s.choice[i];
      if (v > first)
        second = first, first = v;
      else if (v > second)
        second = v;
    }
    return size > 1 ? first + second : first;
  };
  for (int64_t k = 0; k < p.groups_used; ++k) {
    int64_t best = -1;
    float top = 0;
    for (int64_t g = 0; g < p.groups; ++g) {
      if (!s.group_out[g]) continue;
      const float v = score(g);
      if (best < 0 || v > top) best = g, top = v;
    }
    s.group_out[best] = 0;
  }
  for (int64_t e = 0; e < p.experts; ++e) s.out[e] = s.group_out[e / size];
}

void route_row(const RouteParams& p, const StepEnv& env, int64_t r, const RouteScratch& s) {
  const float* logits = p.logits.row<float>(env, r);
  int32_t* ids = p.ids.row<int32_t>(env, r);
  float* weights = p.weights.row<float>(env, r);
  const int64_t n = p.experts;
  if (p.gating == Gating::softmax)
    p.norm->softmax(logits, s.p, n);
  else if (p.gating == Gating::sigmoid)
    p.elementwise->unary[static_cast<int>(UnaryOp::sigmoid)]({logits, s.p, n, 0, 0});
  else
    std::memcpy(s.p, logits, static_cast<size_t>(n) * sizeof(float));
  // Without a bias the logits order experts as the probabilities do, and more finely.
  const float* bias = p.bias ? reinterpret_cast<const float*>(env.at(p.bias)) : nullptr;
  const bool by_logit = !bias && p.groups <= 1;
  for (int64_t e = 0; e < n; ++e) s.choice[e] = by_logit ? logits[e] : bias ? s.p[e] + bias[e] : s.p[e];
  std::memset(s.out, 0, static_cast<size_t>(n));
  if (p.groups > 1) keep_groups(p, s);
  for (int64_t k = 0; k < p.used; ++k) {
    const int64_t e = largest(s.choice, s.out, n);
    s.out[e] = 1;
    ids[k] = static_cast<int32_t>(e);
    weights[k] = s.p[e];
  }
  if (p.gating == Gating::softmax_weight) p.norm->softmax(weights, weights, p.used);
  float factor = p.scale;
  if (p.norm_sum) {
    float sum = 0;
    for (int64_t k = 0; k < p.used; ++k) sum += weights[k];
    factor /= std::max(0x1p-14f, sum);  // as the operator's reference
  }
  for (int64_t k = 0; k < p.used; ++k) weights[k] *= factor;
}

int64_t route_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const RouteParams*>(params);
  return ceil_div(p.logits.count(env), p.per_tile);
}

void route_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const RouteParams*>(params);
  const RouteScratch s = RouteScratch::at(env.scratch(worker), p.experts);
  const int64_t first = tile * p.per_tile, last = std::min(first + p.per_tile, p.logits.count(env));
  for (int64_t r = first; r < last; ++r) route_row(p, env, r, s);
}

struct CombineParams {
  void (*fn)(const CombineArgs&);
  RowSpan x, weights, y;
  int64_t used, chunk, columns, per_tile;
};

int64_t combine_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const CombineParams*>(params);
  return ceil_div(p.y.count(env), p.per_tile) * p.columns;
}

void combine_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const CombineParams*>(params);
  const int64_t c = tile % p.columns * p.chunk, n = std::min(p.chunk, p.y.length - c);
  const int64_t first = tile / p.columns * p.per_tile, last = std::min(first + p.per_tile, p.y.count(env));
  for (int64_t r = first; r < last && n > 0; ++r)
    p.fn({p.x.row<float>(env, r * p.used) + c, p.x.length, p.weights.row<float>(env, r), p.used, p.y.row<float>(env, r) + c, n});
}

}  // namespace

Result<KernelBinding> bind_moe_route(const BindRequest& q, IsaSet isa) {
  const Operand bias = operand(q.in, 1);
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[0], "logits"));
  if (bias) MAINSPRING_TRY_VOID(want_f32_rows(q, bias, "bias"));
  const Attrs& attrs = q.node->attrs;
  const std::string_view gating = attrs.s("gating", "softmax");
  RouteParams p{};
  p.norm = select_norm(isa).fn;
  p.elementwise = select_elementwise(isa).fn;
  p.logits = span_of(q.in[0]);
  p.ids = span_of(q.out[0]);
  p.weights = span_of(q.out[1]);
  p.bias = bias.ref;
  p.gating = gating == "softmax" ? Gating::softmax : gating == "sigmoid" ? Gating::sigmoid : Gating::softmax_weight;
  p.experts = p.logits.length;
  p.used = attrs.i("n_used");
  p.groups = attrs.i("groups", 0);
  p.groups_used = attrs.i("groups_used", 0);
  p.norm_sum = attrs.i("norm", 0) != 0;
  const double scale = attrs.f("scale", 0);
  p.scale = static_cast<float>(scale == 0 ? 1 : scale);
  p.per_tile = rows_per_tile(p.experts * (p.used + 8), 16384);
  KernelBinding b = one_step(fmt::format("moe_route.{}", select_norm(isa).name), p, route_run, route_tiles);
  b.worker_scratch_bytes = RouteScratch::bytes(p.experts);
  return b;
}

Result<KernelBinding> bind_moe_combine(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[0], "y"));
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[1], "weights"));
  if (q.in[0].dims.size() != 3) return unsupported("moe_combine: expected y of rank 3");
  const ElementwiseKernel& kernel = select_elementwise(isa);
  CombineParams p{kernel.fn->combine, span_of(q.in[0]), span_of(q.in[1]), span_of(q.out[0]), q.in[0].dims[1].times, 1024, 1, 1};
  p.columns = std::max<int64_t>(1, ceil_div(p.y.length, p.chunk));
  p.per_tile = rows_per_tile(std::min(p.y.length, p.chunk) * p.used, 16384);
  return one_step(fmt::format("elementwise.{}", kernel.name), p, combine_run, combine_tiles);
}

}  // namespace mainspring::inline v0::cpu
