// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear between f32 and bytes: one scale for all, or one for each index of an axis that has others
// behind it (rows of one scale).
#include "cpu/bind/igemm.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kTileElements = 32768;

/// x as [outer, channels, inner]: rows of `inner` elements with the scale of their channel.
struct Params {
  Ref x, y;
  Scale scale;
  ZeroPoint zero;
  int64_t rows = 1, inner = 1, channels = 1;
  int64_t rows_per_tile = 1, pieces = 1, piece = 1;  ///< many short rows a tile, or pieces of a long one
  DType bytes = DType::u8;
  const IgemmIsa* fn = nullptr;

  void cut() {
    if (inner >= kTileElements) {
      pieces = ceil_div(inner, kTileElements);
      piece = static_cast<int64_t>(round_up(static_cast<size_t>(ceil_div(inner, pieces)), 64));
    } else {
      piece = inner;
      rows_per_tile = std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, inner));
    }
  }
  /// each(first element, count, channel) for the stretches of a tile.
  template <class Each>
  void run(int64_t tile, Each each) const {
    const int64_t first = tile / pieces * rows_per_tile, from = tile % pieces * piece, n = std::min(piece, inner - from);
    for (int64_t r = first; n > 0 && r < std::min(first + rows_per_tile, rows); ++r) each(r * inner + from, n, r % channels);
  }
};

int64_t tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const Params*>(params);
  return ceil_div(p.rows, p.rows_per_tile) * p.pieces;
}

void quantize_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const Params*>(params);
  p.run(tile, [&](int64_t i, int64_t n, int64_t c) {
    const float scale = p.scale.data(env)[p.scale.count > 1 ? c : 0];
    p.fn->bytes({reinterpret_cast<const float*>(env.at(p.x)) + i, n, scale, p.zero.at(env, c) + to_u8(p.bytes), flip_of(to_u8(p.bytes)), env.at(p.y) + i});
  });
}

void dequantize_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const Params*>(params);
  p.run(tile, [&](int64_t i, int64_t n, int64_t c) {
    const float scale = p.scale.data(env)[p.scale.count > 1 ? c : 0];
    p.fn->dequantize({env.at(p.x) + i, n, flip_of(to_u8(p.bytes)), p.zero.at(env, c) + to_u8(p.bytes), scale, reinterpret_cast<float*>(env.at(p.y)) + i});
  });
}

Result<KernelBinding> bind(const BindRequest& q, IsaSet isa, bool to_bytes) {
  const Operand &x = q.in[0], &y = q.out[0], scale = operand(q.in, 1), zero = operand(q.in, 2);
  const std::string& op = q.node->op;
  const DType bytes = to_bytes ? y.dtype : x.dtype, floats = to_bytes ? x.dtype : y.dtype;
  if (floats != DType::f32 || scale.dtype != DType::f32 || (bytes != DType::u8 && bytes != DType::i8)) return unsupported("{}: {} to {}, the CPU kernel takes f32 and bytes", op, name_of(x.dtype), name_of(y.dtype));
  if (q.node->attrs.i("block_size") != 0) return unsupported("{}: blocks", op);
  if (q.node->attrs.i("precision") > 1) return unsupported("{}: a precision other than f32", op);
  const IgemmKernel& kernel = select_igemm(isa);
  Params p;
  p.x = x.ref;
  p.y = y.ref;
  p.scale = scale_of(scale);
  p.zero = zero_of(zero);
  p.bytes = bytes;
  p.fn = kernel.fn;
  const int64_t rank = static_cast<int64_t>(x.dims.size());
  if (p.scale.count > 1) {
    const int64_t axis = rank == 1 ? 0 : q.node->attrs.i("axis", 1);
    for (int64_t i = 0; i < rank; ++i) {
      const int64_t n = x.dims[static_cast<size_t>(i)].times, at = axis < 0 ? axis + rank : axis;
      if (i <= at) p.rows *= n;
      if (i == at) p.channels = n;
      if (i > at) p.inner *= n;
    }
    if (p.inner < 8) return unsupported("{}: {} elements behind the axis of the scales", op, p.inner);
  } else {
    for (const Dim& d : x.dims) p.inner *= d.times;
  }
  if (p.scale.count != p.channels || (zero && p.zero.count != p.scale.count)) return unsupported("{}: {} scales, {} zero points", op, p.scale.count, p.zero.count);
  p.cut();
  return one_step(fmt::format("{}.{}", to_bytes ? "quantize" : "dequantize", kernel.name), p, to_bytes ? quantize_run : dequantize_run, tiles);
}

// ---- DynamicQuantizeLinear -------------------------------------------------------------------------------------------------

struct DynamicParams {
  RangeOf range;
  Params bytes;
  Ref scale, zero;
};

int64_t dynamic_tiles(const void* params, const StepEnv& env) { return tiles(&static_cast<const DynamicParams*>(params)->bytes, env); }

void dynamic_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const DynamicParams*>(params);
  const IgemmScale s = p.range.scale(env);
  if (tile == 0 && p.scale) *reinterpret_cast<float*>(env.at(p.scale)) = s.scale;
  if (tile == 0 && p.zero) *env.at(p.zero) = static_cast<std::byte>(s.zero);
  p.bytes.run(tile, [&](int64_t i, int64_t n, int64_t) { p.bytes.fn->bytes({reinterpret_cast<const float*>(env.at(p.bytes.x)) + i, n, s.scale, s.zero, 0, env.at(p.bytes.y) + i}); });
}

std::vector<Step> dynamic_finish(const KernelBinding& self, std::span<const std::byte* const>, Ref scratch) {
  auto* p = static_cast<DynamicParams*>(self.params.get());
  p->range.pieces = scratch;
  return {range_step(p->range), {dynamic_run, dynamic_tiles, p}};
}

}  // namespace

Result<KernelBinding> bind_quantize_linear(const BindRequest& q, IsaSet isa) { return bind(q, isa, true); }
Result<KernelBinding> bind_dequantize_linear(const BindRequest& q, IsaSet isa) { return bind(q, isa, false); }

Result<KernelBinding> bind_dynamic_quantize_linear(const BindRequest& q, IsaSet isa) {
  const IgemmKernel& kernel = select_igemm(isa);
  auto p = std::make_shared<DynamicParams>();
  p->range = RangeOf::of(q.in[0], *kernel.fn);
  if (p->range.elements == 0) return unsupported("{}: no elements", q.node->op);
  p->bytes.x = q.in[0].ref;
  p->bytes.y = q.out[0].ref;
  p->bytes.inner = p->range.elements;
  p->bytes.fn = kernel.fn;
  p->bytes.cut();
  p->scale = operand(q.out, 1).ref;
  p->zero = operand(q.out, 2).ref;
  KernelBinding b;
  b.kernel = fmt::format("quantize.{} dynamic", kernel.name);
  b.scratch_bytes = p->range.bytes();
  b.finish = dynamic_finish;
  b.params = std::move(p);
  return b;
}

}  // namespace mainspring::inline v0::cpu
