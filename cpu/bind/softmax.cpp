// softmax over the last extent: tiles of whole rows.
#include "cpu/bind/bind.h"
#include "cpu/bind/rows.h"
#include "cpu/kernels/norm/norm.h"

namespace mainspring::inline v0::cpu {
namespace {

struct SoftmaxParams {
  void (*fn)(const float*, float*, int64_t);
  RowSpan x, y;
  int64_t per_tile;
};

int64_t softmax_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const SoftmaxParams*>(params);
  return ceil_div(p.x.count(env), p.per_tile);
}

void softmax_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const SoftmaxParams*>(params);
  const int64_t first = tile * p.per_tile, last = std::min(first + p.per_tile, p.x.count(env));
  for (int64_t r = first; r < last; ++r) p.fn(p.x.row<float>(env, r), p.y.row<float>(env, r), p.x.length);
}

}  // namespace

Result<KernelBinding> bind_softmax(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[0], "x"));
  const NormKernel& kernel = select_norm(isa);
  SoftmaxParams p{kernel.fn->softmax, span_of(q.in[0]), span_of(q.out[0]), 1};
  p.per_tile = rows_per_tile(p.x.length, 8192);
  return one_step(fmt::format("softmax.{}", kernel.name), p, softmax_run, softmax_tiles);
}

}  // namespace mainspring::inline v0::cpu
