// Integer products: packing, ranges, tiles of rows × panels.
#include "cpu/bind/igemm.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kRunPanels = 8;                          // sums of 64 rows × 128 outputs: 32 KiB
constexpr int64_t kRunOutputs = kRunPanels * kIgemmLanes;
constexpr int64_t kMostRows = 64;

// ---- panels ----------------------------------------------------------------------------------------------------------------

struct PackJob {
  int64_t k, outputs, k_stride, output_stride, matrix_bytes;
  uint8_t flip;
  int64_t panels() const { return igemm_panels(outputs); }
};

// Piece: a panel.
void pack_panel(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const auto& j = *static_cast<const PackJob*>(user);
  const int64_t first = piece % j.panels() * kIgemmLanes;
  igemm_pack({source + piece / j.panels() * j.matrix_bytes, j.k_stride, j.output_stride, j.flip}, j.k, first, std::min<int64_t>(kIgemmLanes, j.outputs - first),
             panels + piece * igemm_panel_bytes(j.k));
}

PackJob job_of(const IntProduct& p) { return {p.k, p.outputs, p.k_stride, p.output_stride, p.k * p.outputs, flip_of(to_i8(p.w_dtype))}; }

struct PackStep {
  PackJob job;
  Ref source, panels;
  int64_t pieces;
};
int64_t pack_tiles(const void* params, const StepEnv&) { return static_cast<const PackStep*>(params)->pieces; }
void pack_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const PackStep*>(params);
  pack_panel(&p.job, env.at(p.source), tile, env.at(p.panels));
}

// ---- ranges ----------------------------------------------------------------------------------------------------------------

int64_t range_tiles(const void* params, const StepEnv&) { return static_cast<const RangeOf*>(params)->count(); }
void range_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const RangeOf*>(params);
  IgemmRange r{reinterpret_cast<const float*>(env.at(p.x)) + tile * p.piece, std::min(p.piece, p.elements - tile * p.piece), 0, 0};
  p.fn(r);
  float* to = reinterpret_cast<float*>(env.at(p.pieces)) + 2 * tile;
  to[0] = r.least;
  to[1] = r.most;
}

// ---- products --------------------------------------------------------------------------------------------------------------

/// What a whole binding keeps.
struct Product {
  IntProduct p;
  PackStep pack;
};

/// A worker's memory during a tile.
struct Scratch {
  std::byte* rows;
  int32_t *row_sums, *sums, *lane_zeros, *lane_sums;
  float *scales, *bias;
  static size_t bytes(const IntProduct& p) {
    return round_up(static_cast<size_t>(p.rows_per_tile * p.kernel->row_bytes(p.k)), 64) +
           static_cast<size_t>(kMostRows + p.rows_per_tile * kRunOutputs + 4 * kRunOutputs) * 4;
  }
  static Scratch at(const IntProduct& p, std::byte* memory) {
    Scratch s;
    s.rows = memory;
    s.row_sums = reinterpret_cast<int32_t*>(memory + round_up(static_cast<size_t>(p.rows_per_tile * p.kernel->row_bytes(p.k)), 64));
    s.sums = s.row_sums + kMostRows;
    s.lane_zeros = s.sums + p.rows_per_tile * kRunOutputs;
    s.lane_sums = s.lane_zeros + kRunOutputs;
    s.scales = reinterpret_cast<float*>(s.lane_sums + kRunOutputs);
    s.bias = s.scales + kRunOutputs;
    return s;
  }
};

/// Rows of x as the kernel takes them, and their sums.
struct Rows {
  const std::byte* data;
  int64_t stride;
};

Rows prepare(const IntProduct& p, const StepEnv& env, int64_t first, int64_t count, const IgemmScale& quant, bool need_sums, const Scratch& s) {
  const int64_t stride = p.kernel->row_bytes(p.k);
  if (p.x_dtype == DType::f32) {
    const float* x = reinterpret_cast<const float*>(env.at(p.x)) + first * p.k;
    for (int64_t r = 0; r < count; ++r) s.row_sums[r] = p.kernel->fn->quantize({x + r * p.k, p.k, quant.scale, quant.zero, 0, s.rows + r * stride});
    return {s.rows, stride};
  }
  const std::byte* x = env.at(p.x) + first * p.k;
  if (p.kernel->element == 1 && p.x_dtype == DType::u8 && p.k % 4 == 0 && !need_sums) return {x, p.k};
  for (int64_t r = 0; r < count; ++r) s.row_sums[r] = p.kernel->fn->row({x + r * p.k, p.k, flip_of(to_u8(p.x_dtype)), s.rows + r * stride});
  return {s.rows, stride};
}

/// What a run of panels adds to its sums: zero points, scales and bias of outputs [output, output + n); `base`: where the matrix's own begin.
void columns(const IntProduct& p, const StepEnv& env, const std::byte* panels, int64_t base, int64_t output, int64_t n, const Scratch& s, IgemmFinish* f) {
  f->n = n;
  f->lane_zeros = nullptr;
  const int32_t shift = to_i8(p.w_dtype);
  for (int64_t i = 0; i < n; ++i) {
    s.lane_zeros[i] = p.w_zero.at(env, base + output + i) + shift;
    if (s.lane_zeros[i] != 0) f->lane_zeros = s.lane_zeros;
  }
  if (f->factor != 0) {
    for (int64_t i = 0; i < n; i += kIgemmLanes) {
      const std::byte* sums = panels + (output / kIgemmLanes + i / kIgemmLanes + 1) * igemm_panel_bytes(p.k) - kIgemmQuadBytes;
      std::copy_n(reinterpret_cast<const int32_t*>(sums), kIgemmLanes, s.lane_sums + i);
    }
    f->lane_sums = s.lane_sums;
  }
  f->scales = p.w_scale.count > 1 ? p.w_scale.data(env) + base + output : nullptr;
  if (!p.bias) return;
  if (p.bias_dtype == DType::f32) {
    f->bias = reinterpret_cast<const float*>(env.at(p.bias)) + base + output;
    return;
  }
  const auto* bias = reinterpret_cast<const int32_t*>(env.at(p.bias)) + base + output;
  for (int64_t i = 0; i < n; ++i) s.bias[i] = static_cast<float>(bias[i]) * (f->scales ? f->scale * f->scales[i] : f->scale);
  f->bias = s.bias;
}

int64_t product_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const IntProduct*>(params);
  return p.batches * ceil_div(p.rows, p.rows_per_tile) * ceil_div(p.panel_count(), p.panels_per_tile);
}

void product_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const IntProduct*>(params);
  const int64_t row_tiles = ceil_div(p.rows, p.rows_per_tile), panel_tiles = ceil_div(p.panel_count(), p.panels_per_tile);
  const int64_t row = tile % row_tiles * p.rows_per_tile, from = tile / row_tiles % panel_tiles * p.panels_per_tile, batch = tile / row_tiles / panel_tiles;
  const int64_t count = std::min(p.rows_per_tile, p.rows - row), last = std::min(from + p.panels_per_tile, p.panel_count());
  const Scratch s = Scratch::at(p, env.scratch(worker));
  const std::byte* panels = env.at(p.panels) + (p.matrices > 1 ? batch * p.panel_count() * igemm_panel_bytes(p.k) : 0);

  IgemmScale quant{p.x_scale.one(env), p.x_zero.at(env, 0) + to_u8(p.x_dtype)};
  if (p.x_dtype == DType::f32) quant = p.range.scale(env);
  const bool need_sums = p.w_dtype == DType::u8 || p.w_zero.count > 1 || p.w_zero.at(env, 0) != 0;
  const Rows rows = prepare(p, env, (p.x_shared ? 0 : batch * p.rows) + row, count, quant, need_sums, s);

  IgemmFinish f{};
  p.result.begin(env, &f);
  f.scale *= quant.scale * p.w_scale.one(env);
  f.factor = quant.zero;
  const int64_t element = info_of(p.result.dtype).bytes;
  for (int64_t panel = from; panel < last; panel += kRunPanels) {
    const int64_t run = std::min(kRunPanels, last - panel), output = panel * kIgemmLanes, stride = run * kIgemmLanes;
    p.kernel->fn->signed_lanes({panels + panel * igemm_panel_bytes(p.k), nullptr, igemm_panel_bytes(p.k), rows.data, rows.stride, s.sums, stride, igemm_quads(p.k), count, run});
    columns(p, env, panels, p.by_matrix ? batch * p.outputs : 0, output, std::min(stride, p.outputs - output), s, &f);
    for (int64_t r = 0; r < count; ++r) {
      f.sums = s.sums + r * stride;
      f.row_factor = f.lane_zeros ? static_cast<int32_t>(static_cast<uint32_t>(p.k) * static_cast<uint32_t>(quant.zero) - static_cast<uint32_t>(s.row_sums[r])) : 0;
      f.y = env.at(p.result.y) + ((batch * p.rows + row + r) * p.outputs + output) * element;
      p.result.finish(f);
    }
  }
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref scratch) {
  auto* b = static_cast<Product*>(self.params.get());
  std::vector<Step> steps;
  if (b->p.range.fn) {
    b->p.range.pieces = scratch;
    scratch.offset += static_cast<int64_t>(b->p.range.bytes());
    steps.push_back(range_step(b->p.range));
  }
  if (packed.empty()) {
    b->p.panels = scratch;
    b->pack = {job_of(b->p), b->p.w, scratch, b->p.matrices * b->p.panel_count()};
    steps.push_back({pack_run, pack_tiles, &b->pack});
  } else {
    b->p.panels = {Space::constant, static_cast<int64_t>(reinterpret_cast<intptr_t>(packed[0]))};
  }
  steps.push_back(product_step(b->p));
  return steps;
}

}  // namespace

ZeroPoint zero_of(const Operand& o) {
  ZeroPoint z{o.ref, o.dtype, 1};
  for (const Dim& d : o.dims) z.count *= d.times;
  return z;
}

Scale scale_of(const Operand& o) {
  Scale s{o.ref, 1};
  for (const Dim& d : o.dims) s.count *= d.times;
  return s;
}

void IntResult::begin(const StepEnv& env, IgemmFinish* f) const {
  f->scale = 1.0f / scale.one(env);
  f->zero = zero.at(env, 0);
  f->low = dtype == DType::i8 ? -128 : 0;
  f->high = dtype == DType::i8 ? 127 : 255;
}

Result<IntResult> result_of(const BindRequest& q, const Operand& y, const IgemmIsa& fn) {
  IntResult r;
  r.dtype = y.dtype;
  r.y = y.ref;
  r.finish = y.dtype == DType::i32 ? fn.finish_i32 : y.dtype == DType::f32 ? fn.finish_f32 : y.dtype == DType::u8 || y.dtype == DType::i8 ? fn.finish_bytes : nullptr;
  if (!r.finish) return unsupported("{}: output is {}, the CPU kernel writes i32, f32, u8 or i8", q.node->op, name_of(y.dtype));
  return r;
}

RangeOf RangeOf::of(const Operand& x, const IgemmIsa& fn) {
  RangeOf r;
  r.x = x.ref;
  r.elements = 1;
  for (const Dim& d : x.dims) r.elements *= d.times;
  r.piece = std::max<int64_t>(16384, ceil_div(r.elements, 256));
  r.fn = fn.range;
  return r;
}

IgemmScale RangeOf::scale(const StepEnv& env) const {
  const float* p = reinterpret_cast<const float*>(env.at(pieces));
  float least = 0, most = 0;
  for (int64_t i = 0; i < count(); ++i) least = std::min(least, p[2 * i]), most = std::max(most, p[2 * i + 1]);
  return igemm_scale(least, most);
}

Step range_step(const RangeOf& range) { return {range_run, range_tiles, &range}; }

void cut_product(IntProduct* p, int workers) {
  // Rows as many as the sums of a run leave room for; panels as time allows, but enough tiles for all workers.
  constexpr int64_t kTileNs = 50'000, kLeastNs = 4'000;
  p->rows_per_tile = std::min(kMostRows, p->rows);
  const int64_t panel_macs = std::max<int64_t>(p->rows_per_tile, 4) * p->k * kIgemmLanes;  // few rows wait for the panel
  const int64_t most = std::max<int64_t>(1, kTileNs * p->kernel->macs_per_ns / panel_macs), least = kLeastNs * p->kernel->macs_per_ns / panel_macs + 1;
  const int64_t share = ceil_div(p->panel_count() * ceil_div(p->rows, p->rows_per_tile) * p->batches, int64_t{4} * std::max(1, workers));
  p->panels_per_tile = std::clamp<int64_t>(std::max(least, share), 1, std::min(most, p->panel_count()));
}

size_t product_scratch(const IntProduct& p) { return Scratch::bytes(p); }
Step product_step(const IntProduct& p) { return {product_run, product_tiles, &p}; }

Result<KernelBinding> bind_product(const BindRequest& q, IntProduct p, int w) {
  if (p.batches * p.rows * p.k * p.outputs == 0) return unsupported("{}: an extent is zero", q.node->op);
  if (p.x_zero.count > 1 || p.x_scale.count > 1) return unsupported("{}: rows with scales or zero points of their own", q.node->op);
  if ((p.w_zero.count > 1 && p.w_zero.count != p.outputs) || (p.w_scale.count > 1 && p.w_scale.count != p.outputs))
    return unsupported("{}: {} zero points and {} scales for {} columns", q.node->op, p.w_zero.count, p.w_scale.count, p.outputs);
  const Operand& weights = q.in[static_cast<size_t>(w)];
  if (p.matrices == 1) p.rows *= p.batches, p.batches = 1;
  cut_product(&p, q.workers);
  auto block = std::make_shared<Product>();
  block->p = p;
  KernelBinding b;
  b.kernel = fmt::format("igemm.{} {}x{}", p.kernel->name, p.k, p.outputs);
  const size_t panel_bytes = static_cast<size_t>(p.matrices * p.panel_count() * igemm_panel_bytes(p.k));
  if (weights.is_weight) {
    Packing pack;
    pack.input = w;
    const PackJob job = job_of(p);
    pack.layout = fmt::format("igemm {} {}x{} {}", job.flip, job.k, job.outputs, job.k_stride);
    pack.bytes = panel_bytes;
    pack.pieces = p.matrices * p.panel_count();
    pack.user = std::make_shared<PackJob>(job);
    pack.pack = pack_panel;
    b.packings.push_back(std::move(pack));
  } else {
    b.scratch_bytes += panel_bytes;
    block->p.w = weights.ref;
  }
  if (p.range.fn) b.scratch_bytes += p.range.bytes();
  b.worker_scratch_bytes = Scratch::bytes(p);
  b.ops_per_row = 2 * p.k * p.outputs;
  b.finish = finish;
  b.params = std::move(block);
  return b;
}

}  // namespace mainspring::inline v0::cpu
