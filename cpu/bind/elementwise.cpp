// Unary and binary ops, glu, glu_quant, attn_temperature: tiles of rows × column chunks (glu_quant: of whole rows).
#include <cmath>

#include "cpu/bind/gate.h"
#include "cpu/bind/rows.h"
#include "cpu/kernels/qgemm/qgemm.h"

namespace mainspring::inline v0::cpu {
namespace {

/// Cuts rows × columns into tiles of about `chunk` elements: many short rows, or a part of a long one.
struct Grid {
  int64_t chunk = 1, columns = 1, per_tile = 1, length = 1;
  static Grid of(int64_t length, int64_t chunk) {
    const int64_t columns = std::max<int64_t>(1, ceil_div(length, chunk));
    return {ceil_div(ceil_div(length, columns), 16) * 16, columns, rows_per_tile(length, chunk), length};
  }
  int64_t tiles(int64_t rows) const { return columns > 1 ? rows * columns : ceil_div(rows, per_tile); }
  /// each(row, first column, count) for the stretches of a tile.
  template <class Each>
  void run(int64_t tile, int64_t rows, Each each) const {
    if (columns > 1) {
      const int64_t c = tile % columns * chunk;
      if (c < length) each(tile / columns, c, std::min(chunk, length - c));
      return;
    }
    const int64_t first = tile * per_tile, last = std::min(first + per_tile, rows);
    for (int64_t r = first; r < last; ++r) each(r, int64_t{0}, length);
  }
};

// Elements of a tile: some microseconds of work.
constexpr int64_t kCheap = 16384, kCostly = 4096;

struct UnaryParams {
  void (*fn)(const UnaryArgs&);
  RowSpan x, y;
  float a, b;
  Grid grid;
};

int64_t unary_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const UnaryParams*>(params);
  return p.grid.tiles(p.x.count(env));
}

void unary_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const UnaryParams*>(params);
  p.grid.run(tile, p.x.count(env), [&](int64_t r, int64_t c, int64_t n) {
    p.fn({p.x.row<float>(env, r) + c, p.y.row<float>(env, r) + c, n, p.a, p.b});
  });
}

struct BinaryParams {
  void (*fn)(const BinaryArgs&);
  RowSpan a, b, y;
  bool by_row, one;  ///< b has a row for each of a; b's row is one element
  Grid grid;
};

int64_t binary_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const BinaryParams*>(params);
  return p.grid.tiles(p.a.count(env));
}

void binary_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const BinaryParams*>(params);
  p.grid.run(tile, p.a.count(env), [&](int64_t r, int64_t c, int64_t n) {
    p.fn({p.a.row<float>(env, r) + c, p.b.row<float>(env, p.by_row ? r : 0) + (p.one ? 0 : c), p.y.row<float>(env, r) + c, n});
  });
}

struct GluParams {
  Gate act;
  QuantizeRow quantize;
  RowSpan gate, up, y;
  Grid grid;
};

int64_t glu_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const GluParams*>(params);
  return p.grid.tiles(p.gate.count(env));
}

void glu_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const GluParams*>(params);
  p.grid.run(tile, p.gate.count(env), [&](int64_t r, int64_t c, int64_t n) {
    p.act(p.gate.row<float>(env, r) + c, p.up.row<float>(env, r) + c, p.y.row<float>(env, r) + c, n);
  });
}

void glu_quant_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const GluParams*>(params);
  float* row = reinterpret_cast<float*>(env.scratch(worker));
  p.grid.run(tile, p.gate.count(env), [&](int64_t r, int64_t, int64_t n) {
    p.act(p.gate.row<float>(env, r), p.up.row<float>(env, r), row, n);
    p.quantize(row, n, p.y.at(env, r));
  });
}

Result<KernelBinding> bind_gated(const BindRequest& q, IsaSet isa, bool quantised) {
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[0], "gate"));
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[1], "up"));
  GluParams p;
  MAINSPRING_TRY(p.act, gate_of(q, isa));
  p.gate = span_of(q.in[0]);
  p.up = span_of(q.in[1]);
  p.y = span_of(q.out[0]);
  const char* name = select_elementwise(isa).name;
  p.grid = Grid::of(p.gate.length, kCostly);
  if (!quantised) return one_step(fmt::format("elementwise.{}", name), p, glu_run, glu_tiles);
  if (p.gate.length % 32) return unsupported("{}: rows of {}, needs a multiple of 32", q.node->op, p.gate.length);
  p.quantize = select_quantize(q.out[0].dtype, isa);
  p.grid = {p.gate.length, 1, rows_per_tile(p.gate.length, kCostly), p.gate.length};
  KernelBinding b = one_step(fmt::format("elementwise.{} + quantize", name), p, glu_quant_run, glu_tiles);
  b.worker_scratch_bytes = static_cast<size_t>(p.gate.length) * sizeof(float);
  return b;
}

struct TemperatureParams {
  void (*scale)(const UnaryArgs&);
  RowSpan x, y;
  Ref positions;
  double length, factor, offset;
  int64_t per_tile;
};

int64_t temperature_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const TemperatureParams*>(params);
  return ceil_div(p.x.count(env), p.per_tile);
}

void temperature_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const TemperatureParams*>(params);
  const int32_t* positions = reinterpret_cast<const int32_t*>(env.at(p.positions));
  const int64_t first = tile * p.per_tile, last = std::min(first + p.per_tile, p.x.count(env));
  for (int64_t r = first; r < last; ++r) {
    const double factor = 1 + p.factor * std::log(1 + std::floor((positions[r] + p.offset) / p.length));
    p.scale({p.x.row<float>(env, r), p.y.row<float>(env, r), p.x.length, static_cast<float>(factor), 0});
  }
}

}  // namespace

Result<Gate> gate_of(const BindRequest& q, IsaSet isa) {
  const Attrs& attrs = q.node->attrs;
  const GluAct act = glu_act_of(attrs.s("act", "silu"));
  if (act == GluAct::count) return unsupported("{}: no kernel for act '{}'", q.node->op, attrs.s("act"));
  return Gate{select_elementwise(isa).fn->glu[static_cast<int>(act)], static_cast<float>(attrs.f("alpha", 1.702)), static_cast<float>(attrs.f("limit", 7))};
}

Result<KernelBinding> bind_unary(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_f32_rows(q, q.in[0], "x"));
  const UnaryOp op = unary_op_of(q.node->op);
  if (op == UnaryOp::count) return unsupported("{}: no unary kernel of this name", q.node->op);
  const ElementwiseKernel& kernel = select_elementwise(isa);
  UnaryParams p{kernel.fn->unary[static_cast<int>(op)], span_of(q.in[0]), span_of(q.out[0]), 0, 0, {}};
  const Attrs& attrs = q.node->attrs;
  p.a = static_cast<float>(op == UnaryOp::softcap ? attrs.f("cap") : attrs.f("scale", 1));
  p.b = static_cast<float>(attrs.f("bias", 0));
  const bool cheap = op == UnaryOp::relu || op == UnaryOp::relu_sqr || op == UnaryOp::neg || op == UnaryOp::scale;
  p.grid = Grid::of(p.x.length, cheap ? kCheap : kCostly);
  return one_step(fmt::format("elementwise.{}", kernel.name), p, unary_run, unary_tiles);
}

Result<KernelBinding> bind_binary(const BindRequest& q, IsaSet isa) {
  const Operand &a = q.in[0], &b = q.in[1];
  MAINSPRING_TRY_VOID(want_f32_rows(q, a, "a"));
  MAINSPRING_TRY_VOID(want_f32_rows(q, b, "b"));
  const BinaryOp op = binary_op_of(q.node->op);
  if (op == BinaryOp::count) return unsupported("{}: no binary kernel of this name", q.node->op);
  const ElementwiseKernel& kernel = select_elementwise(isa);
  BinaryParams p{nullptr, span_of(a), span_of(b), span_of(q.out[0]), a.dims.size() == b.dims.size(), false, {}};
  for (size_t i = 0; p.by_row && i + 1 < a.dims.size(); ++i) p.by_row = a.dims[i] == b.dims[i];
  p.one = p.b.length == 1;
  p.fn = (p.one ? kernel.fn->binary_one : kernel.fn->binary)[static_cast<int>(op)];
  p.grid = Grid::of(p.a.length, kCheap);
  return one_step(fmt::format("elementwise.{}", kernel.name), p, binary_run, binary_tiles);
}

Result<KernelBinding> bind_glu(const BindRequest& q, IsaSet isa) { return bind_gated(q, isa, false); }
Result<KernelBinding> bind_glu_quant(const BindRequest& q, IsaSet isa) { return bind_gated(q, isa, true); }

Result<KernelBinding> bind_attn_temperature(const BindRequest& q, IsaSet isa) {
  const Operand& x = q.in[0];
  MAINSPRING_TRY_VOID(want_f32_rows(q, x, "x"));
  if (x.dims.size() < 2 || q.in[1].dtype != DType::i32) return unsupported("attn_temperature: expected x [n, …] and positions i32 [n]");
  const size_t keep = x.dims.size() - 1;
  const Attrs& attrs = q.node->attrs;
  const ElementwiseKernel& kernel = select_elementwise(isa);
  TemperatureParams p{kernel.fn->unary[static_cast<int>(UnaryOp::scale)],
                      span_of(x, keep),
                      span_of(q.out[0], keep),
                      q.in[1].ref,
                      attrs.f("length", 1),
                      attrs.f("scale"),
                      attrs.f("offset", 0),
                      1};
  p.per_tile = rows_per_tile(p.x.length, kCheap);
  return one_step(fmt::format("elementwise.{}", kernel.name), p, temperature_run, temperature_tiles);
}

}  // namespace mainspring::inline v0::cpu
