// linear, head_linear, quantize_rows: y = x W^T (+ bias) (+ residual), cut into tiles of rows × panels. Tiles of the same panels follow each other,
// so that panels come from memory once and serve all rows from the cache.
#include "cpu/bind/linear.h"

#include "cpu/bind/bind.h"
#include "cpu/bind/matrix.h"
#include "cpu/kernels/elementwise/elementwise.h"

namespace mainspring::inline v0::cpu {
namespace {

struct LinearParams {
  Matrix matrix;
  RowSpan x, y, residual;
  Ref bias;
  void (*add)(const BinaryArgs&) = nullptr;
  int64_t copies = 1;                              ///< runs of rows that need an address of their own: heads, or rows of one group
  bool heads = false;                              ///< copy i has matrix i
  int64_t times = 1;                               ///< rows of a run = extent(x.outer) * times
  int64_t x_stride = 0, x_copy = 0;                ///< bytes
  int64_t y_stride = 0, y_copy = 0;                ///< floats
  int64_t residual_stride = 0, residual_copy = 0;  ///< floats
  int workers = 1;

  Cut cut(const StepEnv& env) const { return cut_of(matrix, env.extent(x.outer) * times, matrix.layout.panels(), copies, workers); }
};

int64_t linear_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const LinearParams*>(params);
  return p.cut(env).tiles() * p.copies;
}

void linear_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const LinearParams*>(params);
  const Cut c = p.cut(env);
  const int64_t row = tile % c.row_tiles * c.rows;
  const int64_t panel = tile / c.row_tiles % c.panel_tiles * c.panels;
  const int64_t copy = tile / c.row_tiles / c.panel_tiles;
  const int64_t rows = std::min(c.rows, env.extent(p.x.outer) * p.times - row);
  const int64_t panels = std::min(c.panels, p.matrix.layout.panels() - panel);
  const int64_t output = panel * p.matrix.layout.width();
  const std::byte* x = env.at(p.x.ref) + copy * p.x_copy + row * p.x_stride;
  float* y = reinterpret_cast<float*>(env.at(p.y.ref)) + copy * p.y_copy + row * p.y_stride + output;
  const float* bias = p.bias ? reinterpret_cast<const float*>(env.at(p.bias)) + output : nullptr;
  p.matrix.run(p.heads ? copy : 0, panel, panels, x, p.x_stride, rows, y, p.y_stride, bias, env.scratch(worker));
  if (!p.residual) return;
  const float* residual = reinterpret_cast<const float*>(env.at(p.residual.ref)) + copy * p.residual_copy + row * p.residual_stride + output;
  const int64_t outputs = p.matrix.outputs_of(panel, panels);
  for (int64_t r = 0; r < rows; ++r) p.add({y + r * p.y_stride, residual + r * p.residual_stride, y + r * p.y_stride, outputs});
}

std::vector<Step> linear_finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref) {
  auto* p = static_cast<LinearParams*>(self.params.get());
  if (!packed.empty()) p->matrix.weights = packed[0];
  return {Step{linear_run, linear_tiles, p}};
}

Result<KernelBinding> bind_rows_by_matrix(const BindRequest& q, IsaSet isa, bool heads) {
  const Operand &x = q.in[0], &w = q.in[1], &y = q.out[0];
  const Operand bias = operand(q.in, 2), residual = operand(q.in, 3);
  if (!constant_rows(x) || !constant_rows(y)) return unsupported("{}: an inner extent of the rows is symbolic", q.node->op);
  if (y.dtype != DType::f32) return unsupported("{}: output is {}, the CPU kernel writes f32", q.node->op, name_of(y.dtype));
  if (bias) MAINSPRING_TRY_VOID(want_f32_rows(q, bias, "bias"));
  if (residual) {
    if (heads) return unsupported("{}: the CPU kernel takes no residual", q.node->op);
    MAINSPRING_TRY_VOID(want_f32_rows(q, residual, "residual"));
  }
  KernelBinding b;
  auto params = std::make_shared<LinearParams>();
  LinearParams& p = *params;
  MAINSPRING_TRY(p.matrix, bind_matrix(q, w, 1, x.dtype, isa, &b));
  p.x = span_of(x);
  p.y = span_of(y);
  p.bias = bias.ref;
  if (residual) {
    p.residual = span_of(residual);
    p.add = select_elementwise(isa).fn->binary[static_cast<int>(BinaryOp::add)];
    b.kernel += " + add";
  }
  p.heads = heads;
  p.workers = q.workers;
  const bool flat = !heads && p.x.dense() && p.y.dense() && (!p.residual || p.residual.dense());
  p.copies = flat ? 1 : p.x.group;
  p.times = flat ? p.x.group : 1;
  p.x_stride = flat ? p.x.stride_bytes() : p.x.outer_bytes;
  p.y_stride = (flat ? p.y.stride_bytes() : p.y.outer_bytes) / 4;
  p.x_copy = p.x.row_bytes;
  p.y_copy = p.y.row_bytes / 4;
  p.residual_stride = (flat ? p.residual.stride_bytes() : p.residual.outer_bytes) / 4;
  p.residual_copy = p.residual.row_bytes / 4;
  b.worker_scratch_bytes = p.matrix.worker_scratch();
  b.ops_per_row = 2 * p.matrix.layout.k * p.matrix.layout.outputs * p.x.group;
  b.finish = linear_finish;
  b.params = std::move(params);
  return b;
}

struct QuantizeParams {
  RowSpan x, y;
  QuantizeRow fn;
  int64_t per_tile;
};

int64_t quantize_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const QuantizeParams*>(params);
  return ceil_div(p.x.count(env), p.per_tile);
}

void quantize_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const QuantizeParams*>(params);
  const int64_t first = tile * p.per_tile, last = std::min(first + p.per_tile, p.x.count(env));
  for (int64_t r = first; r < last; ++r) p.fn(p.x.row<float>(env, r), p.x.length, p.y.at(env, r));
}

}  // namespace

Result<KernelBinding> bind_linear(const BindRequest& q, IsaSet isa) { return bind_rows_by_matrix(q, isa, false); }

Result<KernelBinding> bind_head_linear(const BindRequest& q, IsaSet isa) {
  if (q.in[0].dims.size() != 3 || q.in[1].dims.size() != 3) return unsupported("head_linear: expected x of rank 3 and a matrix for each head");
  return bind_rows_by_matrix(q, isa, true);
}

Result<KernelBinding> bind_quantize_rows(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[0], "x"));
  QuantizeParams p{span_of(q.in[0]), span_of(q.out[0]), select_quantize(q.out[0].dtype, isa), 1};
  if (p.x.length % 32) return unsupported("quantize_rows: rows of {}, needs a multiple of 32", p.x.length);
  p.per_tile = rows_per_tile(p.x.length, 32768);
  return one_step("quantize_rows", p, quantize_run, quantize_tiles);
}

}  // namespace mainspring::inline v0::cpu
