// matmul: stacks of f32 products, cut into tiles of rows × panels. b is packed once where it is a constant; else it is packed by a step of its own, or
// read as it lies where few rows need it. a is read as it lies; swapped, it is turned by a step of its own. Where y is one column, y^T = b^T a^T.
#include <cmath>

#include "core/checked.h"
#include "cpu/bind/activation.h"
#include "cpu/bind/bind.h"
#include "cpu/bind/linear.h"
#include "cpu/bind/strides.h"
#include "cpu/kernels/elementwise/elementwise.h"
#include "cpu/kernels/gemm/gemm.h"

namespace mainspring::inline v0::cpu {
namespace {

/// k that tiles walk at a time: two AVX-512 panels of it, or four of AVX2's, are 32 KiB, and stay in the nearest caches while the rows pass by.
constexpr int64_t kDepth = 256;
/// Rows up to which b is read in place: each of its elements is used so often only.
constexpr int64_t kRowsInPlace = 16;
constexpr int64_t kPackFloats = 16 << 10;  ///< of a tile that packs: some microseconds

/// A matrix of a stack as it lies: element (i, j) at i * row + j * column, one of them 1.
struct Lie {
  Ref ref;
  int64_t row = 0, column = 1;
  std::vector<int64_t> at;  ///< where the matrix of each product begins
  bool turned() const { return column != 1; }
};

struct MatmulParams {
  const GemmKernel* kernel = nullptr;
  Lie a, b, y, add;
  Ref bias;
  bool bias_one = false;                 ///< one bias for all outputs
  int64_t m = 0, n = 0, k = 0, copies = 1;
  float alpha = 1;
  Activation act;
  bool act_first = false;                ///< add comes after it
  const ElementwiseIsa* elementwise = nullptr;
  bool packed = false, in_place = false;  ///< b in panels that stand; b as it lies
  std::vector<int64_t> a_stack, b_stack;  ///< distinct matrices, by offset
  std::vector<int64_t> a_of, b_of;        ///< product -> index in them
  const std::byte* panels = nullptr;      ///< packed: [matrices][panels][k][16]
  Ref made_a, made_b;                     ///< scratch: a as rows, b as panels
  int64_t rows = 1, panels_per_tile = 1, row_tiles = 1, panel_tiles = 1;

  int64_t panels_of_matrix() const { return gemm_panel_count(n); }
  int64_t panel_floats() const { return k * kGemmWidth; }
};

float* floats(const StepEnv& env, Ref r) { return reinterpret_cast<float*>(env.at(r)); }

// ---- making rows of a, panels of b ----

int64_t panels_per_pack(const MatmulParams& p) { return std::max<int64_t>(1, kPackFloats / std::max<int64_t>(1, p.panel_floats())); }

int64_t pack_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const MatmulParams*>(params);
  return static_cast<int64_t>(p.b_stack.size()) * ceil_div(p.panels_of_matrix(), panels_per_pack(p));
}

void pack_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const MatmulParams*>(params);
  const int64_t per_tile = panels_per_pack(p), tiles = ceil_div(p.panels_of_matrix(), per_tile), matrix = tile / tiles;
  const int64_t first = tile % tiles * per_tile, last = std::min(first + per_tile, p.panels_of_matrix()), o = first * kGemmWidth;
  const float* from = floats(env, p.b.ref) + p.b_stack[static_cast<size_t>(matrix)];
  float* to = floats(env, p.made_b) + (matrix * p.panels_of_matrix() + first) * p.panel_floats();
  if (!p.b.turned()) return gemm_panels_of_columns(from + o, p.b.row, std::min(p.n, last * kGemmWidth) - o, p.k, p.panel_floats(), to);
  for (int64_t i = first; i < last; ++i)
    gemm_panel_of_rows(*p.kernel, from + i * kGemmWidth * p.b.column, p.b.column, std::min<int64_t>(kGemmWidth, p.n - i * kGemmWidth), p.k, to + (i - first) * p.panel_floats());
}

int64_t rows_per_turn(const MatmulParams& p) { return std::max<int64_t>(1, kPackFloats / std::max<int64_t>(1, p.k)); }

int64_t turn_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const MatmulParams*>(params);
  return static_cast<int64_t>(p.a_stack.size()) * ceil_div(p.m, rows_per_turn(p));
}

// Columns of a to rows, 16 × 16 at a time: a line of the source serves 16 rows.
void turn_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const MatmulParams*>(params);
  const int64_t per_tile = rows_per_turn(p), tiles = ceil_div(p.m, per_tile), matrix = tile / tiles, last = std::min(p.m, (tile % tiles + 1) * per_tile);
  const float* from = floats(env, p.a.ref) + p.a_stack[static_cast<size_t>(matrix)];
  float* to = floats(env, p.made_a) + matrix * p.m * p.k;
  for (int64_t r = tile % tiles * per_tile; r < last; r += 16)
    for (int64_t i = 0; i < p.k; i += 16)
      for (int64_t row = r; row < std::min(r + 16, last); ++row)
        for (int64_t j = i; j < std::min(i + 16, p.k); ++j) to[row * p.k + j] = from[row * p.a.row + j * p.a.column];
}

// ---- the product ----

int64_t product_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const MatmulParams*>(params);
  return p.copies * p.row_tiles * p.panel_tiles;
}

// What does not go into the sums' beginning: alpha and what is added after it, the activation.
void finish_rows(const MatmulParams& p, float* y, const float* bias, const float* add, int64_t rows, int64_t outputs) {
  const auto binary = p.elementwise->binary[static_cast<int>(BinaryOp::add)];
  for (int64_t r = 0; r < rows; ++r) {
    float* row = y + r * p.y.row;
    if (p.alpha != 1) p.elementwise->unary[static_cast<int>(UnaryOp::scale)]({row, row, outputs, p.alpha, 0});
    if (bias) (p.bias_one ? p.elementwise->binary_one[static_cast<int>(BinaryOp::add)] : binary)({row, bias, row, outputs});
    if (add && !p.act_first) binary({row, add + r * p.add.row, row, outputs});
  }
  if (p.act.id != ActId::none) p.kernel->fn->activate({p.act, y, p.y.row, rows, outputs});
  for (int64_t r = 0; add && p.act_first && r < rows; ++r) binary({y + r * p.y.row, add + r * p.add.row, y + r * p.y.row, outputs});
}

void product_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const MatmulParams*>(params);
  const int64_t row = tile % p.row_tiles * p.rows, panel = tile / p.row_tiles % p.panel_tiles * p.panels_per_tile;
  const auto copy = static_cast<size_t>(tile / p.row_tiles / p.panel_tiles);
  const int64_t rows = std::min(p.rows, p.m - row), o = panel * kGemmWidth, outputs = std::min(p.panels_per_tile * kGemmWidth, p.n - o);
  const float* a = p.made_a ? floats(env, p.made_a) + p.a_of[copy] * p.m * p.k + row * p.k : floats(env, p.a.ref) + p.a.at[copy] + row * p.a.row;
  float* y = floats(env, p.y.ref) + p.y.at[copy] + row * p.y.row + o;
  const float* bias = p.bias ? floats(env, p.bias) + (p.bias_one ? 0 : o) : nullptr;
  const float* add = p.add.ref ? floats(env, p.add.ref) + p.add.at[copy] + row * p.add.row + o : nullptr;
  GemmBlock g{};
  g.x_stride = p.made_a ? p.k : p.a.row;
  g.y_stride = p.y.row;
  g.rows = rows;
  if (p.in_place) {
    g.w = floats(env, p.b.ref) + p.b.at[copy] + o;
    g.panel_stride = kGemmWidth;
    g.w_stride = p.b.row;
  } else {
    g.w = (p.packed ? reinterpret_cast<const float*>(p.panels) : floats(env, p.made_b)) + (p.b_of[copy] * p.panels_of_matrix() + panel) * p.panel_floats();
    g.panel_stride = p.panel_floats();
    g.w_stride = kGemmWidth;
  }
  const bool late_bias = p.alpha != 1 || p.bias_one, late_add = p.alpha != 1 || p.act_first;
  // Few rows, or all of k at once: every panel of the tile; else as many panels as stay in the level 1 cache with their sums.
  const bool whole = p.k <= kDepth + kDepth / 2 || rows <= p.kernel->row_tile;
  const int64_t depth = whole ? p.k : ceil_div(p.k, ceil_div(p.k, kDepth)), width = whole ? outputs : 4 * kGemmWidth;
  for (int64_t from = 0; from < outputs; from += width) {
    GemmBlock part = g;
    part.w += from / kGemmWidth * g.panel_stride;
    part.y = y + from;
    part.outputs = std::min(width, outputs - from);
    part.bias = late_bias || bias == nullptr ? nullptr : bias + from;
    part.start = late_add || add == nullptr ? nullptr : add + from;
    part.start_stride = p.add.row;
    int64_t k = 0;
    do {  // without depth too: the sums' beginning is the result
      GemmBlock step = part;
      step.w += k * g.w_stride;
      step.x = a + k;
      step.k = std::min(depth, p.k - k);
      if (!p.in_place) step.next = k + depth < p.k ? step.w + depth * kGemmWidth : from + width < outputs || row + rows == p.m ? part.w + width * p.k : nullptr;
      if (k) step.start = part.y, step.start_stride = g.y_stride, step.bias = nullptr;
      (p.in_place ? p.kernel->fn->in_place : p.kernel->fn->panels)(step);
    } while ((k += depth) < p.k);
  }
  finish_rows(p, y, late_bias ? bias : nullptr, late_add ? add : nullptr, rows, outputs);
}

std::vector<Step> matmul_finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref scratch) {
  auto* p = static_cast<MatmulParams*>(self.params.get());
  std::vector<Step> steps;
  if (p->packed) p->panels = packed[0];
  int64_t used = 0;
  if (p->a.turned()) {
    p->made_a = {scratch.space, scratch.offset};
    used = static_cast<int64_t>(round_up(p->a_stack.size() * static_cast<size_t>(p->m * p->k) * sizeof(float), 64));
    steps.push_back({turn_run, turn_tiles, p});
  }
  if (!p->packed && !p->in_place) {
    p->made_b = {scratch.space, scratch.offset + used};
    steps.push_back({pack_run, pack_tiles, p});
  }
  steps.push_back({product_run, product_tiles, p});
  return steps;
}

// ---- packing constants ----

struct Columns {
  int64_t matrices, matrix_floats, n, k, depth;  ///< a piece is `depth` rows of a matrix: its source is one stretch
  int64_t per_matrix() const { return ceil_div(k, depth); }
};

void pack_columns(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const auto& c = *static_cast<const Columns*>(user);
  const int64_t matrix = piece / c.per_matrix(), from = piece % c.per_matrix() * c.depth, panel = c.k * kGemmWidth;
  gemm_panels_of_columns(reinterpret_cast<const float*>(source) + matrix * c.matrix_floats + from * c.n, c.n, c.n, std::min(c.depth, c.k - from), panel,
                         reinterpret_cast<float*>(panels) + matrix * gemm_panel_count(c.n) * panel + from * kGemmWidth);
}

/// Panels of constant matrices [matrices, k, n].
Packing packing_of_columns(int input, int64_t matrices, int64_t k, int64_t n) {
  auto columns = std::make_shared<Columns>(Columns{matrices, k * n, n, k, std::max<int64_t>(1, (512 << 10) / 4 / std::max<int64_t>(1, n))});
  Packing p;
  p.input = input;
  p.layout = fmt::format("panels16 f32 of columns {}x{}", k, n);
  p.bytes = static_cast<size_t>(matrices * gemm_panel_count(n)) * gemm_panel_bytes(DType::f32, k);
  p.pieces = matrices * columns->per_matrix();
  p.pack = pack_columns;
  p.reads = [](const void* user, int64_t piece) -> std::pair<size_t, size_t> {
    const auto& c = *static_cast<const Columns*>(user);
    const int64_t from = piece % c.per_matrix() * c.depth;
    return {static_cast<size_t>(piece / c.per_matrix() * c.matrix_floats + from * c.n) * 4, static_cast<size_t>(std::min(c.depth, c.k - from) * c.n) * 4};
  };
  p.user = std::move(columns);
  return p;
}

// ---- binding ----

/// The distinct offsets, and which of them each product has.
void distinct(const std::vector<int64_t>& at, std::vector<int64_t>* stack, std::vector<int64_t>* of) {
  *stack = at;
  std::sort(stack->begin(), stack->end());
  stack->erase(std::unique(stack->begin(), stack->end()), stack->end());
  for (const int64_t offset : at) of->push_back(std::lower_bound(stack->begin(), stack->end(), offset) - stack->begin());
}

/// `rows`: extent of the first index that the product asks for; a matrix with one row serves them all.
Lie lie_of(const Operand& o, const Dims& y, int64_t rows, bool trans) {
  const size_t rank = y.size();
  const std::vector<int64_t> strides = strides_of(o, rank);
  const int64_t columns = o.dims.empty() ? 1 : o.dims.back().times;
  const bool one_row = o.dims.size() < 2 || o.dims[o.dims.size() - 2] == Dim(1);
  Lie l;
  l.ref = o.ref;
  l.at = offsets_of(y, rank - 2, strides);
  l.row = !one_row ? strides[rank - 2] : rows == 1 || trans ? columns : 0;
  if (trans) std::swap(l.row, l.column);
  return l;
}

/// The products of a stack that share b and whose rows follow each other are one.
void join(MatmulParams* p) {
  const auto follow = [&](const Lie& l) {
    if (!l.ref) return true;
    for (size_t i = 1; i < l.at.size(); ++i)
      if (l.at[i] != l.at[0] + static_cast<int64_t>(i) * p->m * l.row) return false;
    return true;
  };
  const bool one_b = std::all_of(p->b.at.begin(), p->b.at.end(), [&](int64_t at) { return at == p->b.at[0]; });
  if (p->copies < 2 || !one_b || p->a.turned() || !follow(p->a) || !follow(p->y) || !follow(p->add)) return;
  p->m *= p->copies;
  p->copies = 1;
  for (Lie* l : {&p->a, &p->b, &p->y, &p->add}) l->at.resize(1);
}

void cut(MatmulParams* p, int workers) {
  const Isa isa = p->kernel->isa;
  const double macs_per_ns = isa == Isa::scalar ? 3 : isa == Isa::avx2 ? 25 : 80;
  constexpr double kTileNs = 60'000, kLeastNs = 5'000;
  const int64_t tile = p->kernel->row_tile, panels = p->panels_of_matrix();
  const double row_ns = static_cast<double>(p->k * kGemmWidth) / macs_per_ns + 1, read_ns = static_cast<double>(p->k * kGemmWidth * 4) / 10 + 1;
  p->rows = p->m <= 128 ? std::max<int64_t>(1, p->m) : ceil_div(ceil_div(p->m, ceil_div(p->m, int64_t{96})), tile) * tile;
  p->row_tiles = ceil_div(p->m, p->rows);
  const double panel_ns = read_ns + static_cast<double>(p->rows) * row_ns;
  const int64_t most = std::max<int64_t>(4, static_cast<int64_t>(kTileNs / panel_ns)), least = static_cast<int64_t>(kLeastNs / panel_ns) + 1;
  const int64_t share = ceil_div(panels * p->row_tiles * p->copies, int64_t{8} * std::max(1, workers));
  p->panels_per_tile = std::max<int64_t>(1, std::min({most, std::max(least, share), panels}));
  if (p->panels_per_tile > 1) p->panels_per_tile = std::min(panels, ceil_div(p->panels_per_tile, int64_t{4}) * 4);
  p->panel_tiles = ceil_div(panels, p->panels_per_tile);
}

}  // namespace

Result<KernelBinding> bind_matmul(const BindRequest& q, IsaSet isa) {
  const Operand &a = q.in[0], &b = q.in[1], &y = q.out[0];
  const Operand bias = q.in.size() > 2 ? q.in[2] : Operand{}, add = q.in.size() > 3 ? q.in[3] : Operand{};
  for (const Operand* o : {&a, &b, &bias, &add, &y})
    if (*o && (!constant_dims(*o) || o->dtype != DType::f32)) return unsupported("matmul: an operand is {} or has a symbolic extent", name_of(o->dtype));
  const Attrs& attrs = q.node->attrs;
  const size_t rank = y.dims.size();
  auto params = std::make_shared<MatmulParams>();
  MatmulParams& p = *params;
  MAINSPRING_TRY(p.act, activation_of("matmul", attrs));
  p.act_first = p.act.id != ActId::none && attrs.i("act_first") != 0;
  p.kernel = &select_gemm(isa);
  p.elementwise = select_elementwise(isa).fn;
  p.alpha = static_cast<float>(attrs.f("alpha", 1));
  p.m = y.dims[rank - 2].times;
  p.n = y.dims[rank - 1].times;
  const bool trans_a = attrs.i("trans_a") != 0, trans_b = attrs.i("trans_b") != 0;
  p.k = a.dims[a.dims.size() - (trans_a ? 2 : 1)].times;
  p.a = lie_of(a, y.dims, p.m, trans_a);
  p.b = lie_of(b, y.dims, p.k, trans_b);
  p.y = lie_of(y, y.dims, p.m, false);
  if (p.k == 1) p.a.column = 1;  // what has one index is not turned
  if (p.n == 1) p.b.column = 1;
  p.bias = bias.ref;
  if (bias && !bias.dims.empty() && bias.dims.back() != Dim(1) && bias.dims.back() != y.dims.back()) return unsupported("matmul: bias is no row");
  p.bias_one = bias && (bias.dims.empty() || bias.dims.back() == Dim(1));
  if (add) {
    if (add.dims.empty() || add.dims.back() != y.dims.back()) return unsupported("matmul: add has not the last extent of the product");
    p.add = lie_of(add, y.dims, p.m, false);
  }
  p.copies = static_cast<int64_t>(p.y.at.size());
  if (p.copies == 0 || p.m == 0 || p.n == 0) p.m = p.n = p.k = p.copies = 0;
  // One column: its elements are the outputs of one row. What is added to it must lie as it does.
  bool swapped = false;
  if (p.n == 1 && p.m > 1 && p.y.row == 1 && (!p.add.ref || p.add.row == 1)) {
    swapped = true;
    std::swap(p.a, p.b);
    std::swap(p.m, p.n);
    std::swap(p.a.row, p.a.column);
    std::swap(p.b.row, p.b.column);
    if (p.k == 1) p.a.column = 1;
    p.y.row = p.n;
    p.bias_one = bool(bias);
    p.add.row = 0;
  }
  join(&p);
  distinct(p.a.at, &p.a_stack, &p.a_of);
  distinct(p.b.at, &p.b_stack, &p.b_of);
  KernelBinding r;
  const Operand& w = swapped ? a : b;
  p.packed = w.is_weight && p.k != 0;
  p.in_place = p.k == 0 || (!p.packed && !p.b.turned() && p.m <= kRowsInPlace);
  if (p.packed) {
    const int input = swapped ? 0 : 1;
    int64_t matrices = 1;
    for (size_t i = 0; i + 2 < w.dims.size(); ++i) matrices *= w.dims[i].times;
    if (p.b.turned()) {
      r.packings.push_back(packing_of({.dtype = DType::f32, .matrices = matrices, .outputs = p.n, .k = p.k}, input));
    } else {
      r.packings.push_back(packing_of_columns(input, matrices, p.k, p.n));
    }
    for (size_t i = 0; i < p.b_of.size(); ++i) p.b_of[i] = p.b.at[i] / (p.k * p.n);
    r.bytes_read = static_cast<int64_t>(r.packings[0].bytes);
  }
  cut(&p, q.workers);
  if (p.a.turned()) r.scratch_bytes = round_up(p.a_stack.size() * static_cast<size_t>(p.m * p.k) * sizeof(float), 64);
  if (!p.packed && !p.in_place) r.scratch_bytes += p.b_stack.size() * static_cast<size_t>(p.panels_of_matrix() * p.panel_floats()) * sizeof(float);
  r.kernel = fmt::format("gemm.{} {}x{}x{}{}", p.kernel->name, p.m, p.k, p.n, p.packed ? " packed" : p.in_place ? " in place" : "");
  r.ops_per_row = 2 * p.k * p.n;
  r.finish = matmul_finish;
  r.params = std::move(params);
  return r;
}

}  // namespace mainspring::inline v0::cpu
