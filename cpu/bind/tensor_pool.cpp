// pool: windows of channels-last tensors, on the column reductions: a window is a few stretches of rows, a row being the channels of a pixel.
#include "cpu/bind/tensor.h"
#include "cpu/bind/tensor_binders.h"
#include "cpu/kernels/elementwise/elementwise.h"
#include "cpu/kernels/reduce/reduce.h"

namespace mainspring::inline v0::cpu {
namespace {

/// An axis; tensors of fewer than three spatial axes have leading ones of extent 1.
struct Axis {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;
  /// First tap inside, the one after the last, and how many lie inside or in the pads.
  struct Span {
    int64_t at, first, last, padded;
  };
  Span span(int64_t o) const {
    const int64_t at = o * stride - before;
    const auto taps_below = [&](int64_t end) { return std::clamp<int64_t>((end - at + dilation - 1) / dilation, 0, kernel); };
    return {at, at < 0 ? std::min(kernel, (-at + dilation - 1) / dilation) : 0, at < in ? taps_below(in) : 0, at < in + after ? taps_below(in + after) : 0};
  }
};

struct PoolParams {
  const ReduceIsa* reduce;
  void (*scale)(const UnaryArgs&);
  Ref x, y;
  bool average, count_pads;
  int64_t c, pixels;
  Axis axis[3];
  Cut cut;
};

int64_t pool_tiles(const void* params, const StepEnv&) { return static_cast<const PoolParams*>(params)->cut.tiles(); }

void pool_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const PoolParams*>(params);
  const auto columns = p.reduce->columns[static_cast<int>(p.average ? ReduceOp::sum : ReduceOp::max)];
  const Axis &a = p.axis[0], &b = p.axis[1], &c = p.axis[2];
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    const float* x = reinterpret_cast<const float*>(env.at(p.x)) + u / p.pixels * a.in * b.in * c.in * p.c;
    float* y = reinterpret_cast<float*>(env.at(p.y)) + u * p.c;
    const auto i = a.span(u % p.pixels / (b.out * c.out)), j = b.span(u % (b.out * c.out) / c.out), k = c.span(u % c.out);
    const int64_t rows = k.last - k.first;
    bool more = false;
    for (int64_t s = i.first; s < i.last; ++s)
      for (int64_t t = j.first; t < j.last && rows > 0; ++t) {
        const int64_t at = ((i.at + s * a.dilation) * b.in + j.at + t * b.dilation) * c.in + k.at + k.first * c.dilation;
        columns({x + at * p.c, c.dilation * p.c, rows, y, p.c, more, nullptr});
        more = true;
      }
    if (!more) columns({x, 0, 0, y, p.c, false, nullptr});  // a window of pads alone
    if (!p.average) continue;
    const int64_t n = p.count_pads ? i.padded * j.padded * k.padded : more ? (i.last - i.first) * (j.last - j.first) * rows : 0;
    if (n > 0) p.scale({y, y, p.c, 1 / static_cast<float>(n), 0});
  }
}

}  // namespace

Result<KernelBinding> bind_pool(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  const Attrs& attrs = q.node->attrs;
  const auto x = *extents_of(q.in[0]), y = *extents_of(q.out[0]);
  if (q.in[0].dtype != DType::f32 || x.size() < 3 || x.size() > 5 || y.size() != x.size()) return unsupported("pool: {} of rank {}", name_of(q.in[0].dtype), x.size());
  const size_t spatial = x.size() - 2;
  const bool global = attrs.i("global") != 0;
  PoolParams p{};
  p.reduce = select_reduce(isa).fn;
  p.scale = select_elementwise(isa).fn->unary[static_cast<int>(UnaryOp::scale)];
  p.x = q.in[0].ref;
  p.y = q.out[0].ref;
  p.average = attrs.s("kind", "max") == "average";
  p.count_pads = attrs.i("count_include_pad") != 0;
  p.c = x.back();
  int64_t taps = 1;
  for (size_t d = 0; d < spatial; ++d) {
    Axis& a = p.axis[3 - spatial + d];
    const auto listed = [&](const char* name, size_t at, int64_t otherwise) { return attrs.is(name).size() > at && !global ? attrs.is(name)[at] : otherwise; };
    a = {x[d + 1], y[d + 1], listed("kernel", d, global ? x[d + 1] : 1), listed("strides", d, 1), listed("dilations", d, 1), listed("pads", d, 0), listed("pads", d + spatial, 0)};
    taps *= a.kernel;
  }
  p.pixels = product_of(std::span(y).subspan(1, spatial));
  p.cut = Cut::of(p.c > 0 ? x[0] * p.pixels : 0, 1, 8 + taps * (4 + p.c / 8), q.workers);
  return one_step(fmt::format("pool.{}", select_reduce(isa).name), p, pool_run, pool_tiles);
}

}  // namespace mainspring::inline v0::cpu
