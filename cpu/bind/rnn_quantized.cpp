// com.microsoft.DynamicQuantizeLSTM: W [directions, inputs, 4 hidden] and R [directions, hidden, 4 hidden] in bytes. X is made u8 by the range of all of it,
// and at every step the units before by the range of all rows; integer products, then scales and biases in f32, then the gates of cpu/kernels/rnn.
#include <cstring>

#include "cpu/bind/igemm.h"
#include "cpu/bind/rnn.h"

namespace mainspring::inline v0::cpu {
namespace {

/// Columns of a matrix of gates, each gate padded to whole panels: [directions][gates * padded].
struct Columns {
  std::vector<float> scales;
  std::vector<std::byte> zeros;       ///< as the weights' dtype
  std::vector<int32_t> lane_zeros;    ///< the same as i8 lanes see them
  bool any_zero = false;
};

struct Params {
  RnnNet net;
  const IgemmKernel* kernel = nullptr;
  const RnnIsa* fn = nullptr;
  IntProduct input;
  Columns w, r;
  std::vector<float> bias;            ///< [directions][gates * padded], W's plus R's; empty without
  const std::byte* panels = nullptr;  ///< of R: [directions][gates][groups]
  std::vector<RnnTimes> times;
};

struct PackJob {
  int64_t hidden, k, gates;
  uint8_t flip;
  int64_t groups() const { return rnn_groups(hidden); }
};

// Piece: a panel, which is a group of a gate of a direction.
void pack_gates(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const auto& j = *static_cast<const PackJob*>(user);
  const int64_t columns = j.gates * j.hidden, group = piece % j.groups(), gate = piece / j.groups() % j.gates, direction = piece / j.groups() / j.gates;
  igemm_pack({source + direction * j.k * columns, columns, 1, j.flip}, j.k, gate * j.hidden + group * kRnnGroup, std::min<int64_t>(kRnnGroup, j.hidden - group * kRnnGroup),
             panels + piece * igemm_panel_bytes(j.k));
}

Packing packing(int input, const RnnNet& n, int64_t k, DType dtype) {
  const PackJob job{n.hidden, k, n.gates, flip_of(to_i8(dtype))};
  Packing p;
  p.input = input;
  p.layout = fmt::format("rnn bytes {} of {} x {}", job.flip, job.gates, job.hidden);
  p.pieces = n.directions * n.gates * n.groups();
  p.bytes = static_cast<size_t>(p.pieces * igemm_panel_bytes(k));
  p.user = std::make_shared<PackJob>(job);
  p.pack = pack_gates;
  return p;
}

/// Element i of [directions] or [directions, columns], for column `column` of a direction.
int64_t index_of(const RnnNet& n, int64_t count, int64_t direction, int64_t column) { return count == n.directions ? direction : direction * n.gates * n.hidden + column; }

Columns columns_of(const RnnNet& n, DType dtype, const Scale& scale, const ZeroPoint& zero) {
  const auto all = static_cast<size_t>(n.directions * n.gates * n.padded());
  Columns c{std::vector<float>(all, 0.0f), std::vector<std::byte>(all, static_cast<std::byte>(-to_i8(dtype))), std::vector<int32_t>(all, 0), false};
  const StepEnv constants{};
  for (int64_t d = 0; d < n.directions; ++d)
    for (int64_t g = 0; g < n.gates; ++g)
      for (int64_t u = 0; u < n.hidden; ++u) {
        const auto at = static_cast<size_t>((d * n.gates + g) * n.padded() + u);
        const int64_t column = g * n.hidden + u, i = zero.count == 1 ? 0 : index_of(n, zero.count, d, column);
        c.scales[at] = scale.data(constants)[index_of(n, scale.count, d, column)];
        c.zeros[at] = zero.ref ? constants.at(zero.ref)[i] : std::byte{0};
        c.lane_zeros[at] = zero.at(constants, i) + to_i8(dtype);
        c.any_zero |= c.lane_zeros[at] != 0;
      }
  return c;
}

Ref address(const void* p) { return {Space::constant, static_cast<int64_t>(reinterpret_cast<intptr_t>(p))}; }

/// A worker's memory during a tile of a step in time.
struct Scratch {
  std::byte* rows;
  int32_t *row_sums, *sums, *lane_sums;
  float* gates;
  static size_t row_bytes(const Params& p) { return round_up(static_cast<size_t>(p.net.rows_per_tile * p.kernel->row_bytes(p.net.hidden)), 64); }
  static size_t bytes(const Params& p) {
    const RnnNet& n = p.net;
    return row_bytes(p) + static_cast<size_t>(round_up(static_cast<size_t>(n.rows_per_tile), 16)) * 4 + static_cast<size_t>((n.rows_per_tile * (1 + n.gates) + 1) * n.padded()) * 4;
  }
  static Scratch at(const Params& p, std::byte* memory) {
    Scratch s;
    s.rows = memory;
    s.row_sums = reinterpret_cast<int32_t*>(memory + row_bytes(p));
    s.sums = s.row_sums + round_up(static_cast<size_t>(p.net.rows_per_tile), 16);
    s.lane_sums = s.sums + p.net.rows_per_tile * p.net.padded();
    s.gates = reinterpret_cast<float*>(s.lane_sums + p.net.padded());
    return s;
  }
};

void step(const RnnNet& n, const StepEnv& env, RnnStep& a, const RnnPart& part, int worker) {
  const auto& p = *static_cast<const Params*>(n.user);
  const Scratch s = Scratch::at(p, env.scratch(worker));
  const int64_t row_bytes = p.kernel->row_bytes(n.hidden), panel_bytes = igemm_panel_bytes(n.hidden), width = part.groups * kRnnGroup;
  float least = 0, most = 0;
  for (int64_t r = 0; r < a.rows; ++r) {
    IgemmRange range{a.h + r * a.h_stride, n.hidden, 0, 0};
    p.kernel->fn->range(range);
    least = std::min(least, range.least), most = std::max(most, range.most);
  }
  const IgemmScale quant = igemm_scale(least, most);
  for (int64_t r = 0; r < a.rows; ++r) s.row_sums[r] = p.kernel->fn->quantize({a.h + r * a.h_stride, n.hidden, quant.scale, quant.zero, 0, s.rows + r * row_bytes});
  IgemmFinish f{};
  f.n = width;
  f.factor = quant.zero;
  f.lane_sums = s.lane_sums;
  f.scale = quant.scale;
  for (int64_t g = 0; g < n.gates; ++g) {
    const int64_t first = (part.direction * n.gates + g) * n.groups() + part.group;
    const std::byte* panels = p.panels + first * panel_bytes;
    p.kernel->fn->signed_lanes({panels, nullptr, panel_bytes, s.rows, row_bytes, s.sums, width, igemm_quads(n.hidden), a.rows, part.groups});
    for (int64_t i = 0; i < part.groups; ++i) std::memcpy(s.lane_sums + i * kRnnGroup, panels + (i + 1) * panel_bytes - kIgemmQuadBytes, kIgemmQuadBytes);
    f.scales = p.r.scales.data() + first * kRnnGroup;
    f.lane_zeros = p.r.any_zero ? p.r.lane_zeros.data() + first * kRnnGroup : nullptr;
    for (int64_t r = 0; r < a.rows; ++r) {
      f.sums = s.sums + r * width;
      f.row_factor = static_cast<int32_t>(n.hidden) * quant.zero - s.row_sums[r];
      f.bias = a.p + r * a.p_stride + g * a.p_gate;
      f.y = s.gates + (r * n.gates + g) * width;
      p.kernel->fn->finish_f32(f);
    }
  }
  a.k = 0;
  a.p = a.panels = s.gates;
  a.p_stride = n.gates * width;
  a.p_gate = width;
  p.fn->lstm(a);
}

int64_t one_tile(const void*, const StepEnv&) { return 1; }
void begin(const void* params, const StepEnv& env, int64_t, int) { static_cast<const Params*>(params)->net.begin(env); }

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref scratch) {
  auto* p = static_cast<Params*>(self.params.get());
  p->net.scratch = scratch;
  p->input.panels = address(packed[0]);
  p->panels = packed[1];
  p->input.result.y = scratch;  // the products come first
  p->input.range.pieces = scratch;
  p->input.range.pieces.offset += static_cast<int64_t>(round_up(p->net.scratch_bytes(), 64));
  std::vector<Step> steps = {{begin, one_tile, p}, range_step(p->input.range), product_step(p->input)};
  for (const RnnTimes& t : p->times) steps.push_back(rnn_step(t));
  return steps;
}

}  // namespace

Result<KernelBinding> bind_dynamic_quantize_lstm(const BindRequest& q, IsaSet isa) {
  const std::string& op = q.node->op;
  const Operand w = operand(q.in, 1), r = operand(q.in, 2), bias = operand(q.in, 3);
  const Operand w_scale = operand(q.in, 8), w_zero = operand(q.in, 9), r_scale = operand(q.in, 10), r_zero = operand(q.in, 11);
  for (const Operand* o : {&w, &r, &w_scale, &r_scale})
    if (!o->is_weight) return unsupported("{}: weights or scales are computed", op);
  for (const Operand* o : {&bias, &w_zero, &r_zero})
    if (*o && !o->is_weight) return unsupported("{}: a bias or zero points are computed", op);
  for (const Operand* o : {&w, &r})
    if (o->dtype != DType::i8 && o->dtype != DType::u8) return unsupported("{}: weights are {}", op, name_of(o->dtype));
  for (const Operand* o : {&w_scale, &r_scale, &bias})
    if (*o && o->dtype != DType::f32) return unsupported("{}: a scale or bias is {}", op, name_of(o->dtype));
  if (operand(q.in, 7)) return unsupported("{}: peepholes", op);
  if (q.node->attrs.f("clip") != 0 || q.node->attrs.i("input_forget") != 0 || !q.node->attrs.ss("activations").empty()) return unsupported("{}: clip, coupled gates or activations of its own", op);
  auto params = std::make_shared<Params>();
  Params& p = *params;
  MAINSPRING_TRY(p.net, rnn_net(q, 4, r.dims[1].times));
  RnnNet& n = p.net;
  if (n.ragged && n.batch > 1) return unsupported("{}: rows with lengths of their own share a range", op);
  n.step = step;
  n.user = params.get();
  p.kernel = &select_igemm(isa);
  const RnnKernel& gates = select_rnn(isa);
  p.fn = gates.fn;
  p.w = columns_of(n, w.dtype, scale_of(w_scale), zero_of(w_zero));
  p.r = columns_of(n, r.dtype, scale_of(r_scale), zero_of(r_zero));
  if (bias) {
    p.bias.assign(p.w.scales.size(), 0.0f);
    const auto* b = reinterpret_cast<const float*>(bias.ref.offset);
    for (int64_t g = 0; g < n.directions * n.gates; ++g)
      for (int64_t u = 0; u < n.hidden; ++u) {
        const int64_t at = (g / n.gates * 2 * n.gates + g % n.gates) * n.hidden + u;
        p.bias[static_cast<size_t>(g * n.padded() + u)] = b[at] + b[at + n.gates * n.hidden];
      }
  }
  IntProduct& x = p.input;
  x.kernel = p.kernel;
  x.batches = x.matrices = n.directions;
  x.rows = n.times * n.batch;
  x.k = n.inputs;
  x.outputs = n.gates * n.padded();
  x.x = n.x;
  x.x_dtype = DType::f32;
  x.x_shared = x.by_matrix = true;
  x.range = RangeOf::of(q.in[0], *p.kernel->fn);
  x.w_dtype = w.dtype;
  x.w_zero = {address(p.w.zeros.data()), w.dtype, static_cast<int64_t>(p.w.zeros.size())};
  x.w_scale = {address(p.w.scales.data()), static_cast<int64_t>(p.w.scales.size())};
  if (bias) x.bias = address(p.bias.data());
  x.result.dtype = DType::f32;
  x.result.finish = p.kernel->fn->finish_f32;
  cut_product(&x, q.workers);

  const auto macs = static_cast<double>(n.gates * n.padded() * n.hidden), cells = static_cast<double>(n.padded());
  const double ns = macs / p.kernel->macs_per_ns + cells * 10 / gates.ops_per_ns;
  const int64_t per_step = cut_rnn(&n, ns, macs / gates.bytes_per_ns, false, true, q.workers);
  p.times = rnn_times(n, per_step);

  KernelBinding b;
  b.kernel = fmt::format("rnn.{} + igemm.{} {} x {}, {} a step", gates.name, p.kernel->name, n.gates, n.hidden, per_step);
  b.packings = {packing(1, n, n.inputs, w.dtype), packing(2, n, n.hidden, r.dtype)};
  b.scratch_bytes = round_up(n.scratch_bytes(), 64) + x.range.bytes();
  b.worker_scratch_bytes = std::max(product_scratch(x), Scratch::bytes(p));
  b.finish = finish;
  b.params = std::move(params);
  return b;
}

}  // namespace mainspring::inline v0::cpu
