// Norms of tensors on the row kernels of cpu/kernels/norm: over the last extents (LayerNormalization, RMSNormalization, SkipLayerNormalization) and over
// groups of channels (InstanceNormalization, GroupNormalization).
#include "cpu/bind/tensor.h"
#include "cpu/bind/tensor_binders.h"
#include "cpu/kernels/elementwise/elementwise.h"
#include "cpu/kernels/norm/norm.h"

namespace mainspring::inline v0::cpu {
namespace {

using Extents = std::vector<int64_t>;

struct NormParams {
  NormFn norm;
  const ElementwiseIsa* elements;
  Ref x, w, b, y;
  Ref skip, bias, sum;         ///< SkipLayerNormalization: y = norm(x + skip + bias)
  int64_t skip_rows = 1;
  int64_t d = 1;               ///< of a row
  int64_t channels = 1, per_row = 1, plane = 1;  ///< of channels: a row has per_row of them, of `plane` elements each
  float eps = 1e-5f;
  Cut cut;
  const float* at(const StepEnv& env, Ref r) const { return r ? reinterpret_cast<const float*>(env.at(r)) : nullptr; }
};

int64_t norm_tiles(const void* params, const StepEnv&) { return static_cast<const NormParams*>(params)->cut.tiles(); }

void rows_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const NormParams*>(params);
  const auto add = p.elements->binary[static_cast<int>(BinaryOp::add)];
  const float *w = p.at(env, p.w), *b = p.at(env, p.b), *bias = p.at(env, p.bias);
  for (int64_t r = p.cut.first(tile); r < p.cut.last(tile); ++r) {
    const float* x = p.at(env, p.x) + r * p.d;
    float* y = reinterpret_cast<float*>(env.at(p.y)) + r * p.d;
    if (p.skip) {
      float* sum = p.sum ? reinterpret_cast<float*>(env.at(p.sum)) + r * p.d : y;
      add({x, p.at(env, p.skip) + r % p.skip_rows * p.d, sum, p.d});
      if (bias != nullptr) add({sum, bias, sum, p.d});
      x = sum;
    }
    p.norm({x, y, w, b, p.d, p.eps});
  }
}

void channels_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const NormParams*>(params);
  const auto scale = p.elements->unary[static_cast<int>(UnaryOp::scale)];
  const float *w = p.at(env, p.w), *b = p.at(env, p.b);
  for (int64_t r = p.cut.first(tile); r < p.cut.last(tile); ++r) {
    float* y = reinterpret_cast<float*>(env.at(p.y)) + r * p.d;
    p.norm({p.at(env, p.x) + r * p.d, y, nullptr, nullptr, p.d, p.eps});
    for (int64_t c = 0; c < p.per_row; ++c, y += p.plane) {
      const int64_t channel = (r * p.per_row + c) % p.channels;
      scale({y, y, p.plane, w[channel], b[channel]});
    }
  }
}

Result<NormParams> norm_params(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  for (const Operand& o : q.in)
    if (o && o.dtype != DType::f32) return unsupported("{}: the kernel takes f32", q.node->op);
  NormParams p{};
  p.norm = q.node->op == "RMSNormalization" ? select_norm(isa).fn->rms : select_norm(isa).fn->layer;
  p.elements = select_elementwise(isa).fn;
  p.x = q.in[0].ref;
  p.y = q.out[0].ref;
  return p;
}

}  // namespace

Result<KernelBinding> bind_tensor_norm(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY(NormParams p, norm_params(q, isa));
  const bool skip = q.node->op == "com.microsoft.SkipLayerNormalization";
  const Extents x = *extents_of(q.in[0]);
  MAINSPRING_TRY(const size_t axis, axis_of(q, skip ? -1 : q.node->attrs.i("axis", -1), x.size()));
  p.d = product_of(std::span(x).subspan(axis));
  p.eps = static_cast<float>(q.node->attrs.f("epsilon", skip ? 1e-12 : 1e-5));
  const size_t first = skip ? 2 : 1;  // gamma; beta follows
  for (size_t i = first; i < std::min(q.in.size(), first + (skip ? 3 : 2)); ++i)
    if (q.in[i] && elements_of(q.in[i]) != p.d) return unsupported("{}: operand {} has {} elements, the kernel wants {}", q.node->op, i, elements_of(q.in[i]), p.d);
  for (size_t i = 1; i < q.out.size(); ++i)
    if (q.out[i] && !(skip && i == 3)) return unsupported("{}: the kernel gives no mean and deviation", q.node->op);
  if (has(q, first)) p.w = q.in[first].ref;
  if (has(q, first + 1)) p.b = q.in[first + 1].ref;
  const int64_t rows = p.d > 0 ? elements_of(q.in[0]) / p.d : 0;
  if (skip) {
    p.skip = q.in[1].ref;
    p.skip_rows = p.d > 0 ? std::max<int64_t>(1, elements_of(q.in[1]) / p.d) : 1;
    if (p.d > 0 && (elements_of(q.in[1]) % p.d != 0 || rows % p.skip_rows != 0)) return unsupported("{}: skip does not fit x", q.node->op);
    if (has(q, 4)) p.bias = q.in[4].ref;
    if (q.out.size() > 3 && q.out[3]) p.sum = q.out[3].ref;
  }
  p.cut = Cut::of(rows, 1, 4 + p.d / 2, q.workers);
  return one_step(fmt::format("norm.{}", select_norm(isa).name), p, rows_run, norm_tiles);
}

Result<KernelBinding> bind_channel_norm(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY(NormParams p, norm_params(q, isa));
  const Extents x = *extents_of(q.in[0]);
  if (x.size() < 2 || !has(q, 1) || !has(q, 2)) return unsupported("{}: rank {}", q.node->op, x.size());
  p.channels = x[1];
  const int64_t groups = q.node->op == "GroupNormalization" ? q.node->attrs.i("num_groups", 1) : p.channels;
  if (groups < 1 || p.channels % groups != 0 || elements_of(q.in[1]) != p.channels || elements_of(q.in[2]) != p.channels)
    return unsupported("{}: {} channels in {} groups, {} factors", q.node->op, p.channels, groups, elements_of(q.in[1]));
  p.per_row = p.channels / groups;
  p.plane = product_of(std::span(x).subspan(2));
  p.d = p.per_row * p.plane;
  p.w = q.in[1].ref;
  p.b = q.in[2].ref;
  p.eps = static_cast<float>(q.node->attrs.f("epsilon", 1e-5));
  p.cut = Cut::of(p.d > 0 ? x[0] * groups : 0, 1, 4 + p.d / 2, q.workers);
  return one_step(fmt::format("norm.{}", select_norm(isa).name), p, channels_run, norm_tiles);
}

}  // namespace mainspring::inline v0::cpu
