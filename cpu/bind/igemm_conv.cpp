// Convolutions of bytes with one or two axes: ConvInteger, QLinearConv and int8_conv, on [batch, channels, rows, positions].
//
// The input becomes an image of quads: four channels of a position side by side, borders filled with the zero point, positions that a stride takes apart
// from each other in planes of their own. Then 16 positions beside each other are 64 bytes at any tap, and the integer product walks taps through a list of
// offsets: nothing is copied for a tap. Rows of the product are output channels, so results lie as ONNX wants them.
#include <cstring>

#include "cpu/bind/igemm.h"
#include "ops/nn/conv_fused.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kRun = 128;        // positions that one call of the kernel makes
constexpr int64_t kMostChannels = 64;

struct Conv {
  const IgemmKernel* kernel = nullptr;
  ConvShape shape;
  int64_t batch = 1;
  Ref x, bias;
  DType x_dtype = DType::u8, w_dtype = DType::i8, bias_dtype = DType::f32;
  ZeroPoint x_zero, w_zero;
  Scale x_scale, w_scale;
  RangeOf range;
  IntResult result;
  // The image: [batch][group][channel quads][height][stride][width] quads.
  Ref image;
  int64_t channel_quads = 1, height = 1, width = 1;
  std::vector<int32_t> offsets;  ///< of each quad of a product
  const std::byte* weights = nullptr;
  // Runs: `lines` output rows of `positions` each, at `pitch` from row to row.
  int64_t lines = 1, positions = 1, pitch = 1, line_runs = 1, position_runs = 1;
  int64_t runs_per_tile = 1, channels_per_tile = 1, rows_per_prepare = 1;

  const ConvAxis& down() const { return shape.axis[1]; }
  const ConvAxis& along() const { return shape.axis[2]; }
  int64_t k() const { return shape.group_in() * shape.taps(); }
  int64_t quads() const { return channel_quads * shape.taps(); }
  int64_t row_bytes() const { return quads() * 4 * kernel->element; }
  int64_t plane() const { return along().stride * width; }                   ///< quads of a row of the image
  int64_t group_bytes() const { return channel_quads * height * plane() * 4; }
  size_t image_bytes() const { return round_up(static_cast<size_t>(batch * shape.group * group_bytes() + kIgemmQuadBytes), 64); }
  // Packed weights: rows of all output channels, a row of ones, the sums of the rows.
  size_t packed_bytes() const { return sums_at() + static_cast<size_t>(shape.oc) * sizeof(int32_t); }
  size_t sums_at() const { return round_up(static_cast<size_t>((shape.oc + 1) * row_bytes()), 64); }
  int32_t weight_sum(int64_t oc) const { return reinterpret_cast<const int32_t*>(weights + sums_at())[oc]; }
};

// ---- packing ---------------------------------------------------------------------------------------------------------------

void put_element(std::byte* row, int element, int64_t i, int8_t value) {
  const int16_t wide = value;
  if (element == 1) std::memcpy(row + i, &value, 1);
  else std::memcpy(row + 2 * i, &wide, 2);
}

// Piece: an output channel, or the row of ones behind them, which sums up what a position holds.
void pack_row(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const auto& p = *static_cast<const Conv*>(user);
  const int64_t taps = p.shape.taps(), channels = p.shape.group_in();
  std::byte* row = panels + piece * p.row_bytes();
  int32_t sum = 0;
  for (int64_t q = 0; q < p.quads(); ++q)
    for (int64_t j = 0; j < 4; ++j) {
      const int64_t c = q / taps * 4 + j;
      int8_t v = 0;
      if (c < channels && piece == p.shape.oc) v = 1;
      else if (c < channels) v = static_cast<int8_t>(static_cast<uint8_t>(source[(piece * channels + c) * taps + q % taps]) ^ flip_of(to_i8(p.w_dtype)));
      put_element(row, p.kernel->element, 4 * q + j, v);
      sum += v;
    }
  if (piece < p.shape.oc) std::memcpy(panels + p.sums_at() + static_cast<size_t>(piece) * sizeof(int32_t), &sum, sizeof sum);
}

// ---- the image -------------------------------------------------------------------------------------------------------------

int64_t image_rows(const Conv& p) { return p.batch * p.shape.group * p.channel_quads * p.height; }
int64_t image_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const Conv*>(params);
  return ceil_div(image_rows(p), p.rows_per_prepare);
}

struct Source {
  IgemmScale quant;
  uint8_t zero() const { return static_cast<uint8_t>(quant.zero); }
};

Source source_of(const Conv& p, const StepEnv& env) {
  if (p.x_dtype == DType::f32) return {p.range.scale(env)};
  return {{p.x_scale.one(env), p.x_zero.at(env, 0) + to_u8(p.x_dtype)}};
}

/// One row of a channel as u8; `spare`: room for it.
const std::byte* channel_row(const Conv& p, const StepEnv& env, const Source& s, int64_t element, std::byte* spare) {
  const int64_t n = p.along().in;
  if (p.x_dtype == DType::f32) {
    p.kernel->fn->bytes({reinterpret_cast<const float*>(env.at(p.x)) + element, n, s.quant.scale, s.quant.zero, 0, spare});
    return spare;
  }
  const std::byte* x = env.at(p.x) + element;
  if (p.x_dtype == DType::u8) return x;
  for (int64_t i = 0; i < n; ++i) spare[i] = x[i] ^ std::byte{0x80};
  return spare;
}

void image_row(const Conv& p, const StepEnv& env, const Source& s, int64_t row, std::byte* scratch) {
  const ConvAxis &down = p.down(), &along = p.along();
  const int64_t h = row % p.height - down.pad, quad = row / p.height % p.channel_quads, group = row / p.height / p.channel_quads;  // of all images
  std::byte* to = env.at(p.image) + row * p.plane() * 4;
  if (h < 0 || h >= down.in) {
    std::memset(to, s.zero(), static_cast<size_t>(p.plane() * 4));
    return;
  }
  const int64_t channels = p.shape.group_in(), spare = static_cast<int64_t>(round_up(static_cast<size_t>(along.in), 64));
  IgemmInterleave a{};
  a.n = std::clamp<int64_t>(p.plane() - along.pad, 0, along.in);  // what no tap reaches may be cut off
  for (int64_t j = 0; j < 4; ++j) {
    const int64_t c = std::min(quad * 4 + j, channels - 1);  // behind the last one weights are zero
    a.rows[j] = channel_row(p, env, s, ((group * channels + c) * down.in + h) * along.in, scratch + j * spare);
  }
  if (along.stride == 1) {
    std::memset(to, s.zero(), static_cast<size_t>(along.pad * 4));
    a.out = to + along.pad * 4;
    p.kernel->fn->interleave(a);
    std::memset(a.out + a.n * 4, s.zero(), static_cast<size_t>((p.plane() - along.pad - a.n) * 4));
    return;
  }
  a.out = scratch + 4 * spare;
  p.kernel->fn->interleave(a);
  std::memset(to, s.zero(), static_cast<size_t>(p.plane() * 4));
  for (int64_t i = 0; i < a.n; ++i) {
    const int64_t at = i + along.pad;
    std::memcpy(to + (at % along.stride * p.width + at / along.stride) * 4, a.out + 4 * i, 4);
  }
}

void image_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const Conv*>(params);
  const Source s = source_of(p, env);
  const int64_t first = tile * p.rows_per_prepare, last = std::min(first + p.rows_per_prepare, image_rows(p));
  for (int64_t row = first; row < last; ++row) image_row(p, env, s, row, env.scratch(worker));
}

// ---- products --------------------------------------------------------------------------------------------------------------

int64_t channel_tiles(const Conv& p) { return ceil_div(p.shape.group_out(), p.channels_per_tile); }
int64_t run_tiles(const Conv& p) { return ceil_div(p.line_runs * p.position_runs, p.runs_per_tile); }
int64_t conv_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const Conv*>(params);
  return p.batch * p.shape.group * channel_tiles(p) * run_tiles(p);
}

/// Output channels [first, first + count) of all, at the positions of a run.
void conv_at(const Conv& p, const StepEnv& env, const Source& s, int64_t image, int64_t first, int64_t count, int64_t run, std::byte* scratch) {
  const int64_t line = run / p.position_runs * p.lines, at = run % p.position_runs * p.positions;
  const int64_t lines = std::min(p.lines, p.down().out - line), n = std::min(p.positions, p.along().out - at);
  const int64_t all = (lines - 1) * p.pitch + n, panels = igemm_panels(all), stride = panels * kIgemmLanes;
  auto* sums = reinterpret_cast<int32_t*>(scratch);
  int32_t* lane_sums = sums + p.channels_per_tile * (kRun + kIgemmLanes);
  IgemmArgs a{};
  a.lanes = env.at(p.image) + image * p.group_bytes() + (line * p.down().stride * p.plane() + at) * 4;
  a.offsets = p.offsets.data();
  a.panel_bytes = kIgemmQuadBytes;
  a.rows = p.weights + first * p.row_bytes();
  a.row_bytes = p.row_bytes();
  a.y = sums;
  a.y_stride = stride;
  a.quads = p.quads();
  a.row_count = count;
  a.panels = panels;
  p.kernel->fn->unsigned_lanes(a);
  const int32_t shift = to_i8(p.w_dtype);
  bool zeros = false;
  for (int64_t r = 0; r < count; ++r) zeros |= p.w_zero.at(env, first + r) + shift != 0;
  if (zeros) {
    a.rows = p.weights + p.shape.oc * p.row_bytes();
    a.row_count = 1;
    a.y = lane_sums;
    p.kernel->fn->unsigned_lanes(a);
  }
  IgemmFinish f{};
  p.result.begin(env, &f);
  const float scale = f.scale * s.quant.scale;
  f.n = n;
  f.lane_sums = lane_sums;
  const int64_t element = info_of(p.result.dtype).bytes, image_in_batch = image / p.shape.group;
  for (int64_t r = 0; r < count; ++r) {
    const int64_t oc = first + r;
    const uint32_t zx = static_cast<uint32_t>(s.quant.zero), zw = static_cast<uint32_t>(p.w_zero.at(env, oc) + shift);
    f.factor = static_cast<int32_t>(zw);
    f.constant = static_cast<int32_t>(static_cast<uint32_t>(p.k()) * zx * zw - zx * static_cast<uint32_t>(p.weight_sum(oc)));
    f.scale = scale * (p.w_scale ? p.w_scale.data(env)[p.w_scale.count > 1 ? oc : 0] : 1.0f);
    if (p.bias && p.bias_dtype == DType::i32) f.constant = static_cast<int32_t>(static_cast<uint32_t>(f.constant) + static_cast<uint32_t>(reinterpret_cast<const int32_t*>(env.at(p.bias))[oc]));
    f.offset = p.bias && p.bias_dtype == DType::f32 ? reinterpret_cast<const float*>(env.at(p.bias))[oc] : 0.0f;
    for (int64_t l = 0; l < lines; ++l) {
      f.sums = sums + r * stride + l * p.pitch;
      f.lane_sums = lane_sums + l * p.pitch;
      f.y = env.at(p.result.y) + (((image_in_batch * p.shape.oc + oc) * p.down().out + line + l) * p.along().out + at) * element;
      p.result.finish(f);
    }
  }
}

void conv_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const Conv*>(params);
  const Source s = source_of(p, env);
  const int64_t runs = run_tiles(p), channels = channel_tiles(p);
  const int64_t from = tile % runs * p.runs_per_tile, last = std::min(from + p.runs_per_tile, p.line_runs * p.position_runs);
  const int64_t channel = tile / runs % channels * p.channels_per_tile, image = tile / runs / channels;
  const int64_t count = std::min(p.channels_per_tile, p.shape.group_out() - channel), first = image % p.shape.group * p.shape.group_out() + channel;
  for (int64_t run = from; run < last; ++run) conv_at(p, env, s, image, first, count, run, env.scratch(worker));
}

// ---- binding ---------------------------------------------------------------------------------------------------------------

size_t scratch_of(const Conv& p) {
  const size_t image = 8 * round_up(static_cast<size_t>(p.along().in), 64);
  return std::max(image, static_cast<size_t>((p.channels_per_tile + 1) * (kRun + kIgemmLanes)) * sizeof(int32_t));
}

void cut(Conv* p, int workers) {
  constexpr int64_t kTileNs = 60'000, kImageElements = 65'536;
  const ConvAxis &down = p->down(), &along = p->along();
  p->rows_per_prepare = std::max<int64_t>(1, kImageElements / (4 * p->plane()));
  p->pitch = down.stride * p->plane();
  // Short rows of a plain convolution follow each other with little between them: several make one run.
  const bool joined = p->pitch < static_cast<int64_t>(round_up(static_cast<size_t>(along.out), kIgemmLanes));
  p->lines = joined ? std::clamp<int64_t>((kRun - along.out) / p->pitch + 1, 1, down.out) : 1;
  p->positions = std::min(kRun, along.out);
  p->line_runs = ceil_div(down.out, p->lines);
  p->position_runs = ceil_div(along.out, p->positions);
  const int64_t budget = kTileNs * p->kernel->macs_per_ns, channel_macs = p->quads() * 4 * kRun;
  p->channels_per_tile = std::clamp<int64_t>(budget / channel_macs / p->kernel->row_tile * p->kernel->row_tile, std::min<int64_t>(p->kernel->row_tile, p->shape.group_out()),
                                             std::min(kMostChannels, p->shape.group_out()));
  const int64_t runs = p->line_runs * p->position_runs, others = p->batch * p->shape.group * channel_tiles(*p);
  const int64_t share = ceil_div(runs * others, int64_t{4} * std::max(1, workers));
  p->runs_per_tile = std::clamp<int64_t>(std::min(budget / (channel_macs * p->channels_per_tile), share), 1, runs);
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref scratch) {
  auto* p = static_cast<Conv*>(self.params.get());
  p->weights = packed[0];
  p->image = scratch;
  std::vector<Step> steps;
  if (p->range.fn) {
    p->range.pieces = scratch;
    p->range.pieces.offset += static_cast<int64_t>(p->image_bytes());
    steps.push_back(range_step(p->range));
  }
  steps.push_back({image_run, image_tiles, p});
  steps.push_back({conv_run, conv_tiles, p});
  return steps;
}

/// Where the operands stand; -1: there is none.
struct Places {
  int x_scale, x_zero, w, w_scale, w_zero, bias, y_scale, y_zero;
};

Result<KernelBinding> bind(const BindRequest& q, IsaSet isa, const Places& at) {
  const auto in = [&](int i) { return i < 0 ? Operand{} : operand(q.in, static_cast<size_t>(i)); };
  const std::string& op = q.node->op;
  const Operand &x = q.in[0], w = in(at.w), bias = in(at.bias);
  if (!w.is_weight) return unsupported("{}: w is computed, the CPU kernel packs constants", op);
  if ((x.dtype != DType::u8 && x.dtype != DType::i8 && x.dtype != DType::f32) || (w.dtype != DType::u8 && w.dtype != DType::i8)) return unsupported("{}: operands are {} and {}", op, name_of(x.dtype), name_of(w.dtype));
  for (const int i : {at.x_scale, at.w_scale, at.y_scale})
    if (in(i) && in(i).dtype != DType::f32) return unsupported("{}: a scale is {}", op, name_of(in(i).dtype));
  for (const Dim& d : x.dims)
    if (!d.is_constant() || d.times == 0) return unsupported("{}: x has a symbolic or empty extent", op);
  auto params = std::make_shared<Conv>();
  Conv& p = *params;
  p.kernel = &select_igemm(isa);
  const std::string_view auto_pad = q.node->attrs.s("auto_pad", "NOTSET");
  if (x.dims.size() < 3 || (auto_pad != "NOTSET" && auto_pad != "VALID" && !auto_pad.empty())) return unsupported("{}: x of rank {}, auto_pad '{}'", op, x.dims.size(), auto_pad);
  Dims last{x.dims[0]};  // conv_shape wants channels there
  last.insert(last.end(), x.dims.begin() + 2, x.dims.end());
  last.push_back(x.dims[1]);
  MAINSPRING_TRY(p.shape, conv_shape(op.c_str(), false, last, w.dims, q.node->attrs));
  if (p.shape.axes > 2) return unsupported("{}: {} axes, the CPU kernel takes one or two", op, p.shape.axes);
  p.batch = x.dims[0].times;
  p.x = x.ref, p.x_dtype = x.dtype, p.x_zero = zero_of(in(at.x_zero)), p.x_scale = scale_of(in(at.x_scale));
  p.w_dtype = w.dtype, p.w_zero = zero_of(in(at.w_zero)), p.w_scale = scale_of(in(at.w_scale));
  p.bias = bias.ref, p.bias_dtype = bias.dtype;
  MAINSPRING_TRY(p.result, result_of(q, q.out[0], *p.kernel->fn));
  p.result.scale = scale_of(in(at.y_scale));
  p.result.zero = zero_of(in(at.y_zero));
  if (x.dtype == DType::f32) p.range = RangeOf::of(x, *p.kernel->fn);
  for (const int64_t n : {p.x_zero.count, p.x_scale.count, p.result.scale.count, p.result.zero.count})
    if (n > 1) return unsupported("{}: channels of x or y with scales of their own", op);
  for (const int64_t n : {p.w_zero.count, p.w_scale.count})
    if (n > 1 && n != p.shape.oc) return unsupported("{}: {} scales or zero points for {} channels", op, n, p.shape.oc);
  const ConvAxis &down = p.down(), &along = p.along();
  if (down.out * along.out == 0) return unsupported("{}: no outputs", op);
  p.channel_quads = igemm_quads(p.shape.group_in());
  p.height = (down.out - 1) * down.stride + (down.k - 1) * down.dilation + 1;
  p.width = ceil_div((along.out - 1) * along.stride + (along.k - 1) * along.dilation + 1, along.stride);
  if (p.group_bytes() > INT32_MAX || static_cast<double>(p.image_bytes()) > 1e10) return unsupported("{}: an image of {} bytes", op, p.image_bytes());
  for (int64_t c = 0; c < p.channel_quads; ++c)
    for (int64_t i = 0; i < down.k; ++i)
      for (int64_t j = 0; j < along.k; ++j) {
        const int64_t tap = j * along.dilation;
        p.offsets.push_back(static_cast<int32_t>(((c * p.height + i * down.dilation) * p.plane() + tap % along.stride * p.width + tap / along.stride) * 4));
      }
  cut(&p, q.workers);

  KernelBinding b;
  b.kernel = fmt::format("igemm.{} conv {} quads, {} channels", p.kernel->name, p.quads(), p.shape.oc);
  Packing pack;
  pack.input = at.w;
  pack.layout = fmt::format("igemm conv {} {} {}x{}", p.kernel->element, flip_of(to_i8(w.dtype)), p.shape.group_in(), p.shape.taps());
  pack.bytes = p.packed_bytes();
  pack.pieces = p.shape.oc + 1;
  pack.user = params;
  pack.pack = pack_row;
  b.packings.push_back(std::move(pack));
  b.scratch_bytes = p.image_bytes() + (p.range.fn ? p.range.bytes() : 0);
  b.worker_scratch_bytes = scratch_of(p);
  b.finish = finish;
  b.params = std::move(params);
  return b;
}

}  // namespace

Result<KernelBinding> bind_conv_integer(const BindRequest& q, IsaSet isa) { return bind(q, isa, {-1, 2, 1, -1, 3, -1, -1, -1}); }
Result<KernelBinding> bind_qlinear_conv(const BindRequest& q, IsaSet isa) { return bind(q, isa, {1, 2, 3, 4, 5, 8, 6, 7}); }
Result<KernelBinding> bind_int8_conv(const BindRequest& q, IsaSet isa) { return bind(q, isa, {-1, -1, 1, 2, 3, 4, -1, -1}); }

}  // namespace mainspring::inline v0::cpu
