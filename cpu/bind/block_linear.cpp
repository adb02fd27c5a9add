// block_linear: rows of f32 become q16_rows by a step of its own, then tiles of rows × panels as those of linear; what follows the product is done on a tile
// that has just been written.
#include "core/checked.h"
#include "cpu/bind/activation.h"
#include "cpu/bind/bind.h"
#include "cpu/bind/matrix.h"
#include "cpu/kernels/elementwise/elementwise.h"
#include "quant/q8_rows.h"

namespace mainspring::inline v0::cpu {
namespace {

struct Params {
  Matrix matrix;
  QuantizeRow quantize;
  Ref x, y, bias, add, scale, made;  ///< made: rows of x in scratch
  int64_t rows = 0, row_bytes = 0, rows_per_turn = 1;
  Cut cut{};
  Activation act;
  bool act_first = false;
  const ElementwiseIsa* elementwise = nullptr;
  const GemmIsa* gemm = nullptr;

  int64_t k() const { return matrix.layout.k; }
  int64_t n() const { return matrix.layout.outputs; }
};

float* floats(const StepEnv& env, Ref r) { return r ? reinterpret_cast<float*>(env.at(r)) : nullptr; }

int64_t turn_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const Params*>(params);
  return ceil_div(p.rows, p.rows_per_turn);
}

void turn_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const Params*>(params);
  const int64_t first = tile * p.rows_per_turn, last = std::min(first + p.rows_per_turn, p.rows);
  for (int64_t r = first; r < last; ++r) p.quantize(floats(env, p.x) + r * p.k(), p.k(), env.at(p.made) + r * p.row_bytes);
}

int64_t product_tiles(const void* params, const StepEnv&) { return static_cast<const Params*>(params)->cut.tiles(); }

void product_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const Params*>(params);
  const int64_t row = tile % p.cut.row_tiles * p.cut.rows, panel = tile / p.cut.row_tiles * p.cut.panels;
  const int64_t rows = std::min(p.cut.rows, p.rows - row), panels = std::min(p.cut.panels, p.matrix.layout.panels() - panel);
  const int64_t o = panel * p.matrix.layout.width(), outputs = p.matrix.outputs_of(panel, panels), n = p.n();
  float* y = floats(env, p.y) + row * n + o;
  const float* bias = p.bias ? floats(env, p.bias) + o : nullptr;
  p.matrix.run(0, panel, panels, env.at(p.made) + row * p.row_bytes, p.row_bytes, rows, y, n, p.scale ? nullptr : bias, env.scratch(worker));
  const float* scale = p.scale ? floats(env, p.scale) + o : nullptr;
  const float* add = p.add ? floats(env, p.add) + row * n + o : nullptr;
  const auto sum = p.elementwise->binary[static_cast<int>(BinaryOp::add)], product = p.elementwise->binary[static_cast<int>(BinaryOp::mul)];
  for (int64_t r = 0; r < rows; ++r) {
    float* to = y + r * n;
    if (scale) product({to, scale, to, outputs});
    if (scale && bias) sum({to, bias, to, outputs});
    if (add && !p.act_first) sum({to, add + r * n, to, outputs});
  }
  if (p.act.id != ActId::none) p.gemm->activate({p.act, y, n, rows, outputs});
  for (int64_t r = 0; add && p.act_first && r < rows; ++r) sum({y + r * n, add + r * n, y + r * n, outputs});
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref scratch) {
  auto* p = static_cast<Params*>(self.params.get());
  if (!packed.empty()) p->matrix.weights = packed[0];
  p->made = scratch;
  return {{turn_run, turn_tiles, p}, {product_run, product_tiles, p}};
}

}  // namespace

Result<KernelBinding> bind_block_linear(const BindRequest& q, IsaSet isa) {
  const Operand &x = q.in[0], &y = q.out[0], add = operand(q.in, 3);
  int64_t elements = 1;
  for (const Operand* o : {&x, &y, &add}) {
    for (const Dim& d : o->dims)
      if (!d.is_constant()) return unsupported("block_linear: an operand has a symbolic extent");
    const RowSpan rows = span_of(*o);
    if (*o && rows.outer_bytes != rows.group * rows.row_bytes) return unsupported("block_linear: rows of an operand have gaps");
  }
  for (const Dim& d : x.dims) elements *= d.times;
  KernelBinding b;
  auto params = std::make_shared<Params>();
  Params& p = *params;
  MAINSPRING_TRY(p.matrix, bind_matrix(q, q.in[1], 1, DType::q16_rows, isa, &b));
  MAINSPRING_TRY(p.act, activation_of("block_linear", q.node->attrs));
  p.act_first = p.act.id != ActId::none && q.node->attrs.i("act_first") != 0;
  p.quantize = select_quantize(DType::q16_rows, isa);
  p.elementwise = select_elementwise(isa).fn;
  p.gemm = select_gemm(isa).fn;
  p.x = x.ref;
  p.y = y.ref;
  p.bias = operand(q.in, 2).ref;
  p.add = add.ref;
  p.scale = operand(q.in, 4).ref;
  p.rows = elements / p.k();
  p.row_bytes = static_cast<int64_t>(quantised_row_bytes(DType::q16_rows, p.k()));
  p.rows_per_turn = rows_per_tile(p.k(), 32768);
  p.cut = cut_of(p.matrix, p.rows, p.matrix.layout.panels(), 1, q.workers);
  b.scratch_bytes = static_cast<size_t>(p.rows * p.row_bytes);
  b.worker_scratch_bytes = p.matrix.worker_scratch();
  b.ops_per_row = 2 * p.k() * p.n();
  b.kernel += fmt::format(" {}x{}x{}", p.rows, p.k(), p.n());
  b.finish = finish;
  b.params = std::move(params);
  return b;
}

}  // namespace mainspring::inline v0::cpu
