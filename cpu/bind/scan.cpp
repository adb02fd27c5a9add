// Recurrent ops over segments: a tile is one segment and some channels (causal_conv), or one head of it and some elements of that head (ssm_scan,
// gated_delta), so that no two tiles share a piece of the state. How many follows the segment's length.
#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "cpu/bind/bind.h"
#include "cpu/kernels/scan/scan.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kTileNs = 80'000;

/// How a step falls into tiles: `units` (heads) of `items` (rows of a head's state, or channels) each, `work` state elements an item and token.
struct Shares {
  int64_t units = 1, items = 1, work = 1, elements_per_ns = 1;
  int64_t per_tile(const Segment& s) const {
    if (s.rows <= 0) return items;
    const int64_t n = kTileNs * elements_per_ns / (s.rows * work) / 16 * 16;
    return std::clamp<int64_t>(n, std::min<int64_t>(16, items), items);
  }
  int64_t tiles(const Segment& s) const { return s.rows > 0 ? units * ceil_div(items, per_tile(s)) : 0; }
};

/// A tile: items [first, last) of a unit.
struct Share {
  const Segment* segment = nullptr;
  int64_t unit = 0, first = 0, last = 0;
};

Share share_of(const Shares& p, const StepEnv& env, int64_t tile) {
  for (const Segment& s : env.info.segments) {
    const int64_t n = p.tiles(s);
    if (tile >= n) {
      tile -= n;
      continue;
    }
    const int64_t step = p.per_tile(s), parts = ceil_div(p.items, step), first = tile % parts * step;
    return {&s, tile / parts, first, std::min(p.items, first + step)};
  }
  return {};
}

template <class P>
int64_t tiles(const void* params, const StepEnv& env) {
  int64_t n = 0;
  for (const Segment& s : env.info.segments) n += static_cast<const P*>(params)->shares.tiles(s);
  return n;
}

Result<void> want_f32(const BindRequest& request, std::initializer_list<size_t> ranks) {
  size_t i = 0;
  for (size_t rank : ranks) {
    const Operand o = i < request.in.size() ? request.in[i] : Operand{};
    if (o && (o.dtype != DType::f32 || o.dims.size() != rank))
      return unsupported("{}: operand {} is {} of rank {}, expected f32 of rank {}", request.node->op, i, name_of(o.dtype), o.dims.size(), rank);
    ++i;
  }
  return {};
}

Operand in(const BindRequest& request, size_t i) { return i < request.in.size() ? request.in[i] : Operand{}; }

const float* element(const Arg& a, const StepEnv& env, int64_t i) { return a ? a.at<float>(env) + i : nullptr; }

// ---- causal_conv -----------------------------------------------------------------------------------------------------------

struct Conv {
  Arg x, y, bias, state;
  const ScanIsa* fn;
  const float* w;     ///< packed: [taps, w_stride]
  Shares shares;
  int64_t channels, taps, w_stride;
  bool silu;
};

struct ConvPacking {
  int64_t channels, taps, w_stride, source_stride;
};

void pack_taps(const void* user, const std::byte* source, int64_t, std::byte* panels) {
  const auto& p = *static_cast<const ConvPacking*>(user);
  const float* from = reinterpret_cast<const float*>(source);
  float* to = reinterpret_cast<float*>(panels);
  for (int64_t j = 0; j < p.taps; ++j)
    for (int64_t c = 0; c < p.w_stride; ++c) to[j * p.w_stride + c] = c < p.channels ? from[c * p.source_stride + j] : 0.0f;
}

void run_conv(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const Conv& p = *static_cast<const Conv*>(params);
  const Share t = share_of(p.shares, env, tile);
  if (!t.segment) return;
  const Segment& s = *t.segment;
  ConvRows a{};
  a.x = p.x.row<float>(env, s.first_row) + t.first;
  a.y = p.y.row<float>(env, s.first_row) + t.first;
  a.x_stride = p.x.row_stride;
  a.y_stride = p.y.row_stride;
  a.w = p.w + t.first;
  a.w_stride = p.w_stride;
  a.bias = element(p.bias, env, t.first);
  a.state = p.state.row<float>(env, s.sequence) + t.first * (p.taps - 1);
  a.past = reinterpret_cast<float*>(env.scratch(worker));
  a.rows = s.rows;
  a.channels = t.last - t.first;
  a.taps = p.taps;
  a.fresh = s.first_position == 0;
  a.silu = p.silu;
  p.fn->conv(a);
}

std::vector<Step> finish_conv(const KernelBinding& self, std::span<const std::byte* const> packed, Ref) {
  auto* p = static_cast<Conv*>(self.params.get());
  p->w = reinterpret_cast<const float*>(packed[0]);
  return {{run_conv, tiles<Conv>, p}};
}

// ---- ssm_scan --------------------------------------------------------------------------------------------------------------

struct Ssm {
  Arg x, dt, rate, b, c, d, dt_bias, state, y;
  const ScanIsa* fn;
  Shares shares;
  int64_t p, n, heads_per_group;
};

void run_ssm(const void* params, const StepEnv& env, int64_t tile, int) {
  const Ssm& p = *static_cast<const Ssm*>(params);
  const Share t = share_of(p.shares, env, tile);
  if (!t.segment) return;
  const Segment& s = *t.segment;
  const int64_t at = t.unit * p.p + t.first, group = t.unit / p.heads_per_group * p.n;
  SsmRows a{};
  a.x = p.x.row<float>(env, s.first_row) + at;
  a.dt = p.dt.row<float>(env, s.first_row) + t.unit;
  a.b = p.b.row<float>(env, s.first_row) + group;
  a.c = p.c.row<float>(env, s.first_row) + group;
  a.y = p.y.row<float>(env, s.first_row) + at;
  a.x_stride = p.x.row_stride;
  a.dt_stride = p.dt.row_stride;
  a.b_stride = p.b.row_stride;
  a.c_stride = p.c.row_stride;
  a.y_stride = p.y.row_stride;
  a.state = p.state.row<float>(env, s.sequence) + at * p.n;
  a.rows = s.rows;
  a.p = t.last - t.first;
  a.n = p.n;
  a.a = *element(p.rate, env, t.unit);
  a.dt_bias = p.dt_bias ? *element(p.dt_bias, env, t.unit) : 0.0f;
  a.d = element(p.d, env, t.unit);
  a.fresh = s.first_position == 0;
  p.fn->ssm(a);
}

// ---- gated_delta -----------------------------------------------------------------------------------------------------------

struct Delta {
  Arg q, k, v, g, beta, state, y;
  const ScanIsa* fn;
  Shares shares;
  int64_t key_heads, heads, dk, dv;
  float scale;
  bool tile_map;
};

void run_delta(const void* params, const StepEnv& env, int64_t tile, int) {
  const Delta& p = *static_cast<const Delta*>(params);
  const Share t = share_of(p.shares, env, tile);
  if (!t.segment) return;
  const Segment& s = *t.segment;
  const int64_t key_head = p.tile_map ? t.unit % p.key_heads : t.unit / (p.heads / p.key_heads), at = t.unit * p.dv + t.first;
  DeltaRows a{};
  a.q = p.q.row<float>(env, s.first_row) + key_head * p.dk;
  a.k = p.k.row<float>(env, s.first_row) + key_head * p.dk;
  a.v = p.v.row<float>(env, s.first_row) + at;
  a.g = p.g.row<float>(env, s.first_row) + t.unit;
  a.beta = p.beta.row<float>(env, s.first_row) + t.unit;
  a.y = p.y.row<float>(env, s.first_row) + at;
  a.q_stride = p.q.row_stride;
  a.k_stride = p.k.row_stride;
  a.v_stride = p.v.row_stride;
  a.g_stride = p.g.row_stride;
  a.beta_stride = p.beta.row_stride;
  a.y_stride = p.y.row_stride;
  a.state = p.state.row<float>(env, s.sequence) + at * p.dk;
  a.rows = s.rows;
  a.dk = p.dk;
  a.dv = t.last - t.first;
  a.scale = p.scale;
  a.fresh = s.first_position == 0;
  p.fn->delta(a);
}

}  // namespace

Result<KernelBinding> bind_causal_conv(const BindRequest& request, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_f32(request, {2, 2, 1, 3}));
  const Operand x = in(request, 0), w = in(request, 1), state = in(request, 3);
  if (!w.is_weight) return unsupported("causal_conv: w is computed, expected a weight");
  const ScanKernel& kernel = select_scan(isa);
  auto p = std::make_shared<Conv>();
  p->x = arg_of(x);
  p->y = arg_of(request.out[0]);
  p->bias = arg_of(in(request, 2));
  p->state = arg_of(state);
  p->fn = kernel.fn;
  p->channels = x.dims[1].times;
  p->taps = w.dims[1].times;
  p->w_stride = static_cast<int64_t>(round_up(static_cast<size_t>(p->channels), 16));
  p->silu = request.node->attrs.s("act", "none") == "silu";
  p->shares = {1, p->channels, p->taps, kernel.elements_per_ns};
  KernelBinding b;
  b.kernel = fmt::format("causal_conv.{}", kernel.name);
  b.worker_scratch_bytes = static_cast<size_t>((p->taps - 1) * p->w_stride) * sizeof(float);
  Packing packing;
  packing.input = 1;
  packing.layout = "causal_conv taps outside";
  packing.bytes = static_cast<size_t>(p->taps * p->w_stride) * sizeof(float);
  packing.pieces = 1;
  packing.user = std::make_shared<ConvPacking>(ConvPacking{p->channels, p->taps, p->w_stride, w.row_stride});
  packing.pack = pack_taps;
  b.packings.push_back(std::move(packing));
  b.bytes_read = p->taps * p->channels * 4;
  b.ops_per_row = 2 * p->taps * p->channels;
  b.finish = finish_conv;
  b.params = p;
  return b;
}

Result<KernelBinding> bind_ssm_scan(const BindRequest& request, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_f32(request, {3, 2, 1, 3, 3, 1, 1, 4}));
  const Operand x = in(request, 0), b = in(request, 3);
  const ScanKernel& kernel = select_scan(isa);
  Ssm p{};
  p.x = arg_of(x);
  p.dt = arg_of(in(request, 1));
  p.rate = arg_of(in(request, 2));
  p.b = arg_of(b);
  p.c = arg_of(in(request, 4));
  p.d = arg_of(in(request, 5));
  p.dt_bias = arg_of(in(request, 6));
  p.state = arg_of(in(request, 7));
  p.y = arg_of(request.out[0]);
  p.fn = kernel.fn;
  p.p = x.dims[2].times;
  p.n = b.dims[2].times;
  const int64_t heads = x.dims[1].times;
  p.heads_per_group = heads / b.dims[1].times;
  p.shares = {heads, p.p, p.n, kernel.elements_per_ns};
  KernelBinding k = one_step(fmt::format("ssm_scan.{}", kernel.name), p, run_ssm, tiles<Ssm>);
  k.ops_per_row = 6 * heads * p.p * p.n;
  return k;
}

Result<KernelBinding> bind_gated_delta(const BindRequest& request, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_f32(request, {3, 3, 3, 2, 2, 4}));
  const Operand q = in(request, 0), v = in(request, 2);
  const ScanKernel& kernel = select_scan(isa);
  Delta p{};
  p.q = arg_of(q);
  p.k = arg_of(in(request, 1));
  p.v = arg_of(v);
  p.g = arg_of(in(request, 3));
  p.beta = arg_of(in(request, 4));
  p.state = arg_of(in(request, 5));
  p.y = arg_of(request.out[0]);
  p.fn = kernel.fn;
  p.key_heads = q.dims[1].times;
  p.heads = v.dims[1].times;
  p.dk = q.dims[2].times;
  p.dv = v.dims[2].times;
  p.scale = static_cast<float>(request.node->attrs.f("scale", 1));
  p.tile_map = request.node->attrs.s("head_map", "tile") == "tile";
  p.shares = {p.heads, p.dv, 2 * p.dk, kernel.elements_per_ns};
  KernelBinding k = one_step(fmt::format("gated_delta.{}", kernel.name), p, run_delta, tiles<Delta>);
  k.ops_per_row = 8 * p.heads * p.dv * p.dk;
  return k;
}

}  // namespace mainspring::inline v0::cpu
