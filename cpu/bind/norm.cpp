// rms_norm, layer_norm, l2_norm, rms_norm_quant and rms_norm_add_quant: tiles of whole rows.
#include "cpu/kernels/norm/norm.h"

#include "cpu/bind/bind.h"
#include "cpu/bind/rows.h"
#include "cpu/kernels/elementwise/elementwise.h"
#include "cpu/kernels/qgemm/qgemm.h"

namespace mainspring::inline v0::cpu {
namespace {

struct NormParams {
  NormFn fn = nullptr;
  QuantizeRow quantize;  ///< where there are `rows`
  RowSpan x, y, w, b, residual;
  RowSpan rows;          ///< q8_rows, q16_rows or bf16, of y, which lies in the worker's scratch where it is no output
  RowSpan next_w;        ///< `next`: rows are of a second norm, of y
  bool next = false;
  float next_eps = 0;
  void (*add)(const BinaryArgs&) = nullptr;  ///< rms_norm with a residual
  int64_t w_rows = 1, b_rows = 1;  ///< heads, where each has its own vector
  float eps = 0;
  int64_t per_tile = 1;
};

int64_t norm_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const NormParams*>(params);
  return ceil_div(p.x.count(env), p.per_tile);
}

void norm_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const NormParams*>(params);
  const int64_t first = tile * p.per_tile, last = std::min(first + p.per_tile, p.x.count(env));
  for (int64_t r = first; r < last; ++r) {
    NormArgs a{p.x.row<float>(env, r), nullptr, nullptr, nullptr, p.x.length, p.eps};
    float* spare = reinterpret_cast<float*>(env.scratch(worker));
    a.y = p.y ? p.y.row<float>(env, r) : spare;
    if (p.w) a.w = p.w.row<float>(env, r % p.w_rows);
    if (p.b) a.b = p.b.row<float>(env, r % p.b_rows);
    p.fn(a);
    if (p.residual) p.add({a.y, p.residual.row<float>(env, r), a.y, a.d});
    if (p.next) {
      NormArgs next{a.y, nullptr, nullptr, nullptr, a.d, p.next_eps};
      next.y = spare;
      if (p.next_w) next.w = p.next_w.row<float>(env, 0);
      p.fn(next);
    }
    if (p.quantize) p.quantize(p.next ? spare : a.y, a.d, p.rows.at(env, r));
  }
}

Result<void> vector_of(const BindRequest& q, size_t i, RowSpan* span, int64_t* rows) {
  const Operand v = operand(q.in, i);
  if (!v) return {};
  if (v.dtype != DType::f32) return unsupported("{}: weight is {}, the CPU kernel takes f32", q.node->op, name_of(v.dtype));
  for (const Dim& d : v.dims)
    if (!d.is_constant()) return unsupported("{}: weight has a symbolic extent", q.node->op);
  *span = span_of(v);
  *rows = v.dims.size() == 2 ? v.dims[0].times : 1;
  return {};
}

Result<KernelBinding> bind_norm(const BindRequest& q, IsaSet isa, NormFn NormIsa::*which, size_t vectors, const Operand& residual = {}) {
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[0], "x"));
  const NormKernel& kernel = select_norm(isa);
  NormParams p;
  p.fn = kernel.fn->*which;
  p.x = span_of(q.in[0]);
  const Operand& last = q.out.back();
  const bool quantised = last.dtype != DType::f32;
  p.next = q.out.size() > 1;
  if (p.next || !quantised) p.y = span_of(q.out[0]);
  if (quantised) p.rows = span_of(last);
  p.eps = static_cast<float>(q.node->attrs.f("eps", 1e-5));
  if (vectors > 0) MAINSPRING_TRY_VOID(vector_of(q, 1, &p.w, &p.w_rows));
  if (vectors > 1) MAINSPRING_TRY_VOID(vector_of(q, 2, &p.b, &p.b_rows));
  p.per_tile = rows_per_tile(p.x.length, 16384);
  if (quantised) {
    if (p.x.length % 32) return unsupported("{}: rows of {}, needs a multiple of 32", q.node->op, p.x.length);
    p.quantize = select_quantize(last.dtype, isa);
  }
  if (p.next) {
    if (p.x.group != 1) return unsupported("{}: rows of heads", q.node->op);
    int64_t one = 1;
    MAINSPRING_TRY_VOID(vector_of(q, 3, &p.next_w, &one));
    p.next_eps = static_cast<float>(q.node->attrs.f("eps_next", 1e-5));
  }
  if (residual) {
    MAINSPRING_TRY_VOID(want_f32_rows(q, residual, "residual"));
    p.residual = span_of(residual);
    p.add = select_elementwise(isa).fn->binary[static_cast<int>(BinaryOp::add)];
  }
  KernelBinding b = one_step(fmt::format("norm.{}{}{}", kernel.name, residual ? " + add" : "", p.next ? " + norm" : ""), p, norm_run, norm_tiles);
  if (quantised) b.worker_scratch_bytes = static_cast<size_t>(p.x.length) * sizeof(float);
  return b;
}

}  // namespace

Result<KernelBinding> bind_rms_norm(const BindRequest& q, IsaSet isa) { return bind_norm(q, isa, &NormIsa::rms, 1, operand(q.in, 2)); }
Result<KernelBinding> bind_layer_norm(const BindRequest& q, IsaSet isa) { return bind_norm(q, isa, &NormIsa::layer, 2); }
Result<KernelBinding> bind_l2_norm(const BindRequest& q, IsaSet isa) { return bind_norm(q, isa, &NormIsa::l2, 0); }
Result<KernelBinding> bind_rms_norm_quant(const BindRequest& q, IsaSet isa) { return bind_norm(q, isa, &NormIsa::rms, 1); }
Result<KernelBinding> bind_rms_norm_add_quant(const BindRequest& q, IsaSet isa) { return bind_norm(q, isa, &NormIsa::rms, 1, operand(q.in, 2)); }

}  // namespace mainspring::inline v0::cpu
