// glu_linear_quant: gate and up of the same rows, the activation, and the rows quantised for the layer that follows, in one step. A tile makes some
// rows of some blocks of 32 outputs, both matrices', in the worker's scratch; nothing but the quantised blocks leaves it.
#include "cpu/bind/gate.h"
#include "cpu/bind/matrix.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kBlock = 32;
/// Floats of a tile for each matrix: 64 KB, in the level 2 cache with the panels.
constexpr int64_t kTileFloats = 16384;
/// Panels pay for themselves from this many rows on (qgemm/run.h); where a tile of as many would last too long, two steps are better.
constexpr double kRows = 32;

struct GluLinear {
  Matrix gate, up, block;  ///< block: of one block of outputs of both, for cut_of
  RowSpan x, y;
  Ref gate_bias, up_bias;
  Gate act;
  QuantizeRow quantize;
  int workers = 1;

  int64_t blocks() const { return gate.layout.outputs / kBlock; }
  size_t matrix_scratch() const { return std::max(gate.worker_scratch(), up.worker_scratch()); }
  Cut cut(const StepEnv& env) const {
    Cut c = cut_of(block, env.extent(x.outer), blocks(), 1, workers);
    if (c.panels * c.rows * kBlock <= kTileFloats) return c;
    c.panels = std::max<int64_t>(1, kTileFloats / (c.rows * kBlock));
    c.panel_tiles = ceil_div(blocks(), c.panels);
    return c;
  }
};

int64_t tiles(const void* params, const StepEnv& env) { return static_cast<const GluLinear*>(params)->cut(env).tiles(); }

void run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const GluLinear*>(params);
  const Cut c = p.cut(env);
  const int64_t row = tile % c.row_tiles * c.rows, rows = std::min(c.rows, env.extent(p.x.outer) - row);
  const int64_t first = tile / c.row_tiles * c.panels, count = std::min(c.panels, p.blocks() - first), n = count * kBlock;
  const int64_t panels = kBlock / p.gate.layout.width();
  std::byte* scratch = env.scratch(worker);
  float* gate = reinterpret_cast<float*>(scratch + p.matrix_scratch());
  float* up = gate + rows * n;
  const auto multiply = [&](const Matrix& m, Ref bias, float* y) {
    m.run(0, first * panels, count * panels, p.x.at(env, row), p.x.outer_bytes, rows, y, n,
          bias ? reinterpret_cast<const float*>(env.at(bias)) + first * kBlock : nullptr, scratch);
  };
  multiply(p.gate, p.gate_bias, gate);
  multiply(p.up, p.up_bias, up);
  p.act(gate, up, gate, rows * n);
  for (int64_t r = 0; r < rows; ++r) p.quantize.blocks(gate + r * n, p.y.length, first, count, p.y.at(env, row + r));
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref) {
  auto* p = static_cast<GluLinear*>(self.params.get());
  if (!p->gate.decoded) p->gate.weights = packed[0];
  if (!p->up.decoded) p->up.weights = packed.back();
  return {Step{run, tiles, p}};
}

Result<KernelBinding> bind_pair(const BindRequest& q, IsaSet isa) {
  const Operand &x = q.in[0], &y = q.out[0], &gate_bias = q.in[3], &up_bias = q.in[4];
  if (x.dims.size() != 2 || y.dims.size() != 2 || !constant_rows(x)) return unsupported("{}: expected rows of rank 2", q.node->op);
  for (const Operand* bias : {&gate_bias, &up_bias})
    if (*bias) MAINSPRING_TRY_VOID(want_f32_rows(q, *bias, "bias"));
  KernelBinding b, other;
  auto p = std::make_shared<GluLinear>();
  MAINSPRING_TRY(p->gate, bind_matrix(q, q.in[1], 1, x.dtype, isa, &b));
  MAINSPRING_TRY(p->up, bind_matrix(q, q.in[2], 2, x.dtype, isa, &other));
  if (!p->gate.qgemm || !p->up.qgemm || p->gate.layout.width() != p->up.layout.width())
    return unsupported("{}: {} and {}, expected panels of quantised weights and of one width", q.node->op, b.kernel, other.kernel);
  if (p->gate.layout.outputs % kBlock) return unsupported("{}: {} outputs, expected a multiple of {}", q.node->op, p->gate.layout.outputs, kBlock);
  MAINSPRING_TRY(p->act, gate_of(q, isa));
  const double panels = static_cast<double>(kBlock / p->gate.layout.width());
  p->block = p->gate;
  p->block.read_ns = panels * (p->gate.read_ns + p->up.read_ns);
  p->block.row_ns = panels * (p->gate.row_ns + p->up.row_ns);
  if (p->block.row_ns * kRows > kTileNs) return unsupported("{}: rows of {} are too long for a tile of both matrices", q.node->op, p->gate.layout.k);
  p->x = span_of(x);
  p->y = span_of(y);
  p->gate_bias = gate_bias.ref;
  p->up_bias = up_bias.ref;
  p->quantize = select_quantize(y.dtype, isa);
  p->workers = q.workers;
  b.kernel = fmt::format("{}{} + {} + quantize", b.kernel, b.kernel == other.kernel ? " x 2" : " and " + other.kernel, q.node->attrs.s("act", "silu"));
  if (b.why != other.why) b.why += (b.why.empty() || other.why.empty() ? "" : "; ") + other.why;
  for (Packing& packing : other.packings) b.packings.push_back(std::move(packing));
  b.bytes_read += other.bytes_read;
  b.ops_per_row = 4 * p->gate.layout.k * p->gate.layout.outputs;
  b.worker_scratch_bytes = p->matrix_scratch() + 2 * sizeof(float) * static_cast<size_t>(kTileFloats);
  b.finish = finish;
  b.params = std::move(p);
  return b;
}

}  // namespace

/// Two matrices of different formats may measure best with kernels whose panels do not go together. The pass that made them one node had asked
/// without choices, so without choices they do.
Result<KernelBinding> bind_glu_linear_quant(const BindRequest& q, IsaSet isa) {
  auto bound = bind_pair(q, isa);
  if (bound || q.choices == nullptr) return bound;
  BindRequest plain = q;
  plain.choices = nullptr;
  return bind_pair(plain, isa);
}

}  // namespace mainspring::inline v0::cpu
