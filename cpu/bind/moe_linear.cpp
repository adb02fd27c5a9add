// moe_linear: y[r, j] = W[ids[r, j]] x[r or (r, j)]. Few (row, slot) pairs, as in decode: a tile is one pair × some panels. Many: a tile is one
// expert × some panels × up to 512 pairs, of which it finds its own by looking at the ids; their rows are brought together, so that a panel
// meets them at once. By the rule of company both give the same bits. An expert that nobody uses costs a look at the ids.
#include "cpu/bind/bind.h"
#include "cpu/bind/matrix.h"

#include <cstring>

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kPairs = 512;  ///< (row, slot) pairs that one tile looks at: what bounds a tile when all choose one expert
constexpr int64_t kGather = 32;  ///< rows brought together at a time

struct MoeLinearParams {
  Matrix matrix;
  RowSpan x, ids, y;  ///< y: rows [n, K] of m
  Ref bias;
  int64_t experts = 0, used = 0;
  bool x_per_slot = false;
  int64_t most_panels = 1;  ///< of a tile
  int64_t x_bytes = 0;      ///< of a row
  int64_t expert_bytes = 0; ///< of a matrix
  int workers = 1;

  int64_t pairs(const StepEnv& env) const { return env.extent(ids.outer) * used; }
  bool by_pair(int64_t pairs) const { return pairs <= experts || pairs <= 4; }
  const std::byte* x_row(const StepEnv& env, int64_t pair) const { return x.at(env, x_per_slot ? pair : pair / used); }
  float* y_row(const StepEnv& env, int64_t pair) const { return y.row<float>(env, pair); }
  int32_t expert_of(const StepEnv& env, int64_t pair) const { return ids.row<int32_t>(env, pair / used)[pair % used]; }
  const float* bias_of(const StepEnv& env, int64_t expert, int64_t output) const {
    return bias ? reinterpret_cast<const float*>(env.at(bias)) + expert * matrix.layout.outputs + output : nullptr;
  }
};

// Panels of a tile, by the number of rows that share it.
int64_t panels_of(const MoeLinearParams& p, int64_t pairs) {
  const bool by_pair = p.by_pair(pairs);
  const int64_t rows = by_pair ? 1 : std::max<int64_t>(1, pairs / p.experts);
  const Cut c = cut_of(p.matrix, std::min<int64_t>(rows, p.matrix.row_tile), p.matrix.layout.panels(), by_pair ? pairs : p.experts, p.workers);
  const double worst = 100'000 / (p.matrix.row_ns * static_cast<double>(std::min(pairs, kPairs)));
  const int64_t cap = by_pair ? p.most_panels : std::clamp<int64_t>(static_cast<int64_t>(worst), 1, p.most_panels);
  return std::clamp<int64_t>(c.panels, 1, cap);
}

int64_t moe_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const MoeLinearParams*>(params);
  const int64_t pairs = p.pairs(env);
  if (pairs == 0) return 0;
  const int64_t groups = ceil_div(p.matrix.layout.panels(), panels_of(p, pairs));
  return groups * (p.by_pair(pairs) ? pairs : p.experts * ceil_div(pairs, kPairs));
}

void one_pair(const MoeLinearParams& p, const StepEnv& env, int64_t pair, int64_t first, int64_t count, std::byte* scratch) {
  const int64_t expert = p.expert_of(env, pair), output = first * p.matrix.layout.width();
  if (expert < 0 || expert >= p.experts) {  // never written by moe_route; ids of another origin must not lead astray
    std::fill_n(p.y_row(env, pair) + output, p.matrix.outputs_of(first, count), 0.0f);
    return;
  }
  p.matrix.run(expert, first, count, p.x_row(env, pair), p.x_bytes, 1, p.y_row(env, pair) + output, p.matrix.layout.outputs,
               p.bias_of(env, expert, output), scratch);
}

// The rows of `pairs` go to scratch, through the matrix, and back to where they belong.
void gathered(const MoeLinearParams& p, const StepEnv& env, int64_t expert, const int32_t* pairs, int64_t n, int64_t first, int64_t count,
              std::byte* scratch) {
  if (n == 1) return one_pair(p, env, pairs[0], first, count, scratch);
  const int64_t output = first * p.matrix.layout.width(), outputs = p.matrix.outputs_of(first, count);
  std::byte* x = scratch + p.matrix.worker_scratch();
  float* y = reinterpret_cast<float*>(x + kGather * p.x_bytes);
  for (int64_t i = 0; i < n; ++i) std::memcpy(x + i * p.x_bytes, p.x_row(env, pairs[i]), static_cast<size_t>(p.x_bytes));
  p.matrix.run(expert, first, count, x, p.x_bytes, n, y, outputs, p.bias_of(env, expert, output), scratch);
  for (int64_t i = 0; i < n; ++i) std::memcpy(p.y_row(env, pairs[i]) + output, y + i * outputs, static_cast<size_t>(outputs) * 4);
}

void moe_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const MoeLinearParams*>(params);
  const int64_t pairs = p.pairs(env), most = panels_of(p, pairs), panels = p.matrix.layout.panels();
  const int64_t groups = ceil_div(panels, most);
  const int64_t first = tile % groups * most, count = std::min(most, panels - first), who = tile / groups;
  if (p.by_pair(pairs)) return one_pair(p, env, who, first, count, env.scratch(worker));
  const int64_t expert = who % p.experts, from = who / p.experts * kPairs, to = std::min(from + kPairs, pairs);
  int32_t mine[kGather];
  int64_t n = 0;
  for (int64_t pair = from; pair < to; ++pair) {
    const int32_t id = p.expert_of(env, pair);
    // an invalid id belongs to expert 0's tile, which clears the row
    if (id != expert && !(expert == 0 && (id < 0 || id >= p.experts))) continue;
    if (id != expert) {
      one_pair(p, env, pair, first, count, env.scratch(worker));
      continue;
    }
    mine[n++] = static_cast<int32_t>(pair);
    if (n < kGather) continue;
    gathered(p, env, expert, mine, n, first, count, env.scratch(worker));
    n = 0;
  }
  if (n) gathered(p, env, expert, mine, n, first, count, env.scratch(worker));
}

/// At most: rows may choose the same experts.
int64_t moe_bytes(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const MoeLinearParams*>(params);
  return std::min(p.experts, p.pairs(env)) * p.expert_bytes + p.x.bytes(env) + p.ids.bytes(env) + p.y.bytes(env);
}

std::vector<Step> moe_finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref) {
  auto* p = static_cast<MoeLinearParams*>(self.params.get());
  if (!packed.empty()) p->matrix.weights = packed[0];
  return {Step{moe_run, moe_tiles, p, moe_bytes}};
}

}  // namespace

Result<KernelBinding> bind_moe_linear(const BindRequest& q, IsaSet isa) {
  const Operand &x = q.in[0], &ids = q.in[1], &w = q.in[2], &y = q.out[0];
  const Operand bias = operand(q.in, 3);
  if (!constant_rows(x) || !constant_rows(ids) || !constant_rows(y)) return unsupported("moe_linear: an inner extent of the rows is symbolic");
  if (ids.dtype != DType::i32 || ids.dims.size() != 2 || w.dims.size() != 3 || y.dims.size() != 3)
    return unsupported("moe_linear: expected ids i32 [n, K] and a matrix for each expert");
  if (bias) MAINSPRING_TRY_VOID(want_f32_rows(q, bias, "bias"));
  KernelBinding b;
  auto params = std::make_shared<MoeLinearParams>();
  MoeLinearParams& p = *params;
  MAINSPRING_TRY(p.matrix, bind_matrix(q, w, 2, x.dtype, isa, &b));
  p.x = span_of(x);
  p.ids = span_of(ids);
  p.y = span_of(y);
  p.bias = bias.ref;
  p.experts = p.matrix.layout.matrices;
  p.used = ids.dims[1].times;
  p.x_per_slot = x.dims.size() == 3;
  p.x_bytes = p.x.row_bytes;
  p.workers = q.workers;
  p.most_panels = std::max<int64_t>(1, 256 / p.matrix.layout.width());
  b.worker_scratch_bytes = p.matrix.worker_scratch() + static_cast<size_t>(kGather * (p.x_bytes + p.most_panels * p.matrix.layout.width() * 4));
  p.expert_bytes = b.bytes_read / p.experts;
  b.bytes_read = p.expert_bytes * std::min(p.used, p.experts);
  b.ops_per_row = 2 * p.matrix.layout.k * p.matrix.layout.outputs * p.used;
  b.finish = moe_finish;
  b.params = std::move(params);
  return b;
}

}  // namespace mainspring::inline v0::cpu
