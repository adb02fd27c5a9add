// LSTM, GRU and RNN in f32 with constant weights: W in panels of cpu/kernels/gemm, R in groups of cpu/kernels/rnn, biases summed, all packed once.
#include "cpu/bind/rnn.h"

#include <cctype>

#include "cpu/kernels/gemm/gemm.h"

namespace mainspring::inline v0::cpu {
namespace {

/// The gates of an operator, and how they are computed: in one half (`fn`), or reset first and the new gate after it.
struct Cell {
  int64_t gates = 4;
  bool halves = false, apart = false;  ///< apart: the recurrent bias of the last gate stays by itself
  RnnFn fn = nullptr, second = nullptr;
};

struct RnnParams {
  RnnNet net;
  Cell cell;
  const GemmKernel* gemm = nullptr;
  const std::byte* w = nullptr;        ///< [directions][gates * groups] panels
  const float *r = nullptr, *r2 = nullptr;  ///< [directions][groups]
  const float* bias = nullptr;         ///< null, or [directions][gates + 1][padded]: W's plus R's; the last: R's of the last gate, where it stands apart
  int64_t rows_per_tile = 1, panels_per_tile = 1;  ///< of the input's products
  std::vector<RnnTimes> times;

  int64_t panels() const { return net.gates * net.groups(); }
};

// ---- packing ---------------------------------------------------------------------------------------------------------------

struct PackJob {
  int64_t directions, hidden, k, gates, all_gates, first;
  bool apart = false;
  int64_t groups() const { return rnn_groups(hidden); }
};

// Piece: a group of a direction.
void pack_r(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const auto& j = *static_cast<const PackJob*>(user);
  const auto* weights = reinterpret_cast<const float*>(source) + piece / j.groups() * j.all_gates * j.hidden * j.k;
  rnn_pack(weights, j.hidden, j.k, j.first, j.gates, piece % j.groups(), reinterpret_cast<float*>(panels + static_cast<size_t>(piece) * rnn_group_bytes(j.k, j.gates)));
}

// Piece: a panel, which is a group of one gate.
void pack_w(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const auto& j = *static_cast<const PackJob*>(user);
  const int64_t gate = piece / j.groups(), unit = piece % j.groups() * kRnnGroup;  // of all directions
  const size_t row_bytes = static_cast<size_t>(j.k) * sizeof(float);
  gemm_pack(DType::f32, source + static_cast<size_t>(gate * j.hidden + unit) * row_bytes, row_bytes, std::min<int64_t>(kRnnGroup, j.hidden - unit), j.k,
            panels + static_cast<size_t>(piece) * gemm_panel_bytes(DType::f32, j.k));
}

// Piece: a direction.
void pack_bias(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const auto& j = *static_cast<const PackJob*>(user);
  const int64_t padded = j.groups() * kRnnGroup;
  const float* b = reinterpret_cast<const float*>(source) + piece * 2 * j.gates * j.hidden;
  float* to = reinterpret_cast<float*>(panels) + piece * (j.gates + 1) * padded;
  std::fill_n(to, (j.gates + 1) * padded, 0.0f);
  for (int64_t g = 0; g < j.gates; ++g)
    for (int64_t i = 0; i < j.hidden; ++i) {
      const float of_w = b[g * j.hidden + i], of_r = b[(j.gates + g) * j.hidden + i];
      const bool apart = j.apart && g == j.gates - 1;
      to[g * padded + i] = apart ? of_w : of_w + of_r;
      if (apart) to[j.gates * padded + i] = of_r;
    }
}

Packing packing(int input, std::string layout, PackJob job, int64_t pieces, size_t piece_bytes, void (*pack)(const void*, const std::byte*, int64_t, std::byte*)) {
  Packing p;
  p.input = input;
  p.layout = fmt::format("rnn {} of {} x {}", layout, job.all_gates, job.hidden);
  p.bytes = static_cast<size_t>(pieces) * piece_bytes;
  p.pieces = pieces;
  p.user = std::make_shared<PackJob>(job);
  p.pack = pack;
  return p;
}

// ---- steps -----------------------------------------------------------------------------------------------------------------

// Tile 0 fills the states; the others are directions × rows of X × panels of W.
int64_t product_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const RnnParams*>(params);
  return 1 + p.net.directions * ceil_div(p.net.times * p.net.batch, p.rows_per_tile) * ceil_div(p.panels(), p.panels_per_tile);
}

void product_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const RnnParams*>(params);
  const RnnNet& n = p.net;
  if (tile-- == 0) return n.begin(env);
  const int64_t all_rows = n.times * n.batch, row_tiles = ceil_div(all_rows, p.rows_per_tile), panel_tiles = ceil_div(p.panels(), p.panels_per_tile);
  const int64_t row = tile % row_tiles * p.rows_per_tile, panel = tile / row_tiles % panel_tiles * p.panels_per_tile, direction = tile / row_tiles / panel_tiles;
  GemmArgs a{};
  a.panels_count = std::min(p.panels_per_tile, p.panels() - panel);
  a.outputs = a.panels_count * kGemmWidth;
  a.panels = p.w + static_cast<size_t>(direction * p.panels() + panel) * gemm_panel_bytes(DType::f32, n.inputs);
  a.x = reinterpret_cast<const float*>(env.at(n.x)) + row * n.inputs;
  a.x_stride = a.k = n.inputs;
  a.y_stride = n.gates * n.padded();
  a.y = n.product(env, direction, row) + panel * kGemmWidth;
  a.bias = p.bias ? p.bias + direction * (n.gates + 1) * n.padded() + panel * kGemmWidth : nullptr;
  a.rows = std::min(p.rows_per_tile, all_rows - row);
  p.gemm->fn->f32(a);
}

void step(const RnnNet& n, const StepEnv& env, RnnStep& a, const RnnPart& part, int) {
  const auto& p = *static_cast<const RnnParams*>(n.user);
  const auto panels = [&](const float* r, int64_t gates) { return r + (part.direction * n.groups() + part.group) * n.hidden * gates * kRnnGroup; };
  a.panels = panels(p.r, p.cell.halves ? n.gates - 1 : n.gates);
  // Without biases the row of zeros that begin() left in `kept` does.
  if (p.cell.apart) a.bias = p.bias ? p.bias + (part.direction * (n.gates + 1) + n.gates) * n.padded() + part.group * kRnnGroup : n.kept(env, 0, 0) + part.group * kRnnGroup;
  if (!p.cell.halves) return p.cell.fn(a);
  float* y = a.y;
  a.y = n.kept(env, part.direction, part.row);  // all units: halves are not shared out
  p.cell.fn(a);
  a.h = a.y;
  a.y = y;
  a.p += (n.gates - 1) * a.p_gate;
  a.panels = panels(p.r2, 1);
  p.cell.second(a);
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref scratch) {
  auto* p = static_cast<RnnParams*>(self.params.get());
  p->w = packed[0];
  p->r = reinterpret_cast<const float*>(packed[1]);
  size_t i = 2;
  if (p->cell.halves) p->r2 = reinterpret_cast<const float*>(packed[i++]);
  if (i < packed.size()) p->bias = reinterpret_cast<const float*>(packed[i]);
  p->net.scratch = scratch;
  std::vector<Step> steps = {{product_run, product_tiles, p}};
  for (const RnnTimes& t : p->times) steps.push_back(rnn_step(t));
  return steps;
}

// ---- binding ---------------------------------------------------------------------------------------------------------------

/// The node's activations are the operator's own, in each direction.
bool usual_activations(const Attrs& attrs, std::span<const std::string_view> usual) {
  const auto given = attrs.ss("activations");
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string_view want = usual[i % usual.size()];
    if (!std::equal(given[i].begin(), given[i].end(), want.begin(), want.end(), [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; })) return false;
  }
  return true;
}

Result<KernelBinding> bind(const BindRequest& q, IsaSet isa, const Cell& cell, std::span<const std::string_view> activations) {
  const Operand w = operand(q.in, 1), r = operand(q.in, 2), bias = operand(q.in, 3);
  const std::string& op = q.node->op;
  if (!w.is_weight || !r.is_weight || (bias && !bias.is_weight)) return unsupported("{}: weights are computed, the CPU kernel packs constants", op);
  if (w.dtype != DType::f32 || r.dtype != DType::f32) return unsupported("{}: weights are {}, the CPU kernel takes f32", op, name_of(w.dtype));
  if (operand(q.in, 7)) return unsupported("{}: peepholes", op);
  if (q.node->attrs.f("clip") != 0) return unsupported("{}: clip", op);
  if (q.node->attrs.i("input_forget") != 0) return unsupported("{}: coupled gates", op);
  if (!usual_activations(q.node->attrs, activations)) return unsupported("{}: activations other than the usual ones", op);
  auto params = std::make_shared<RnnParams>();
  RnnParams& p = *params;
  MAINSPRING_TRY(p.net, rnn_net(q, cell.gates, r.dims[2].times));
  p.cell = cell;
  p.gemm = &select_gemm(isa);
  RnnNet& n = p.net;
  n.step = step;
  n.user = params.get();

  const RnnKernel& kernel = select_rnn(isa);
  const auto weights = static_cast<double>(n.gates * n.padded() * n.hidden);
  const int64_t per_step = cut_rnn(&n, 2 * weights / kernel.ops_per_ns, 4 * weights / kernel.bytes_per_ns, cell.halves, false, q.workers);
  p.times = rnn_times(n, per_step);
  constexpr double kProductNs = 40'000;
  p.rows_per_tile = std::min<int64_t>(64, n.times * n.batch);
  const double panel_ns = static_cast<double>(2 * kGemmWidth * n.inputs * p.rows_per_tile) / kernel.ops_per_ns + static_cast<double>(4 * kGemmWidth * n.inputs) / kernel.bytes_per_ns;
  p.panels_per_tile = std::clamp<int64_t>(static_cast<int64_t>(kProductNs / panel_ns), 1, std::max<int64_t>(1, p.panels() / q.workers));

  KernelBinding b;
  b.kernel = fmt::format("rnn.{} {} gates x {}, {} a step", kernel.name, n.gates, n.hidden, per_step);
  const PackJob job{n.directions, n.hidden, n.hidden, n.gates, n.gates, 0, cell.apart};
  PackJob of_w = job, first = job, second = job;
  of_w.k = n.inputs;
  b.packings.push_back(packing(1, "w", of_w, n.directions * p.panels(), gemm_panel_bytes(DType::f32, n.inputs), pack_w));
  const int64_t pieces = n.directions * n.groups();
  if (cell.halves) first.gates = n.gates - 1;
  b.packings.push_back(packing(2, fmt::format("r {}", first.gates), first, pieces, rnn_group_bytes(n.hidden, first.gates), pack_r));
  if (cell.halves) {
    second.first = n.gates - 1;
    second.gates = 1;
    b.packings.push_back(packing(2, "r last", second, pieces, rnn_group_bytes(n.hidden, 1), pack_r));
  }
  if (bias) b.packings.push_back(packing(3, cell.apart ? "bias apart" : "bias", job, n.directions, static_cast<size_t>((n.gates + 1) * n.padded()) * sizeof(float), pack_bias));
  b.scratch_bytes = n.scratch_bytes();
  b.finish = finish;
  b.params = std::move(params);
  return b;
}

}  // namespace

Result<KernelBinding> bind_lstm(const BindRequest& q, IsaSet isa) {
  constexpr std::string_view kUsual[] = {"sigmoid", "tanh", "tanh"};
  return bind(q, isa, {.gates = 4, .fn = select_rnn(isa).fn->lstm}, kUsual);
}

Result<KernelBinding> bind_gru(const BindRequest& q, IsaSet isa) {
  constexpr std::string_view kUsual[] = {"sigmoid", "tanh"};
  const RnnIsa& fn = *select_rnn(isa).fn;
  if (q.node->attrs.i("linear_before_reset") != 0) return bind(q, isa, {.gates = 3, .apart = true, .fn = fn.gru}, kUsual);
  return bind(q, isa, {.gates = 3, .halves = true, .fn = fn.gru_reset, .second = fn.gru_new}, kUsual);
}

Result<KernelBinding> bind_rnn(const BindRequest& q, IsaSet isa) {
  constexpr std::string_view kUsual[] = {"tanh"};
  return bind(q, isa, {.gates = 1, .fn = select_rnn(isa).fn->rnn}, kUsual);
}

}  // namespace mainspring::inline v0::cpu
