// Convolutions of stride 1 by F(4, 3) on the last axis, or on the last two: 1.5 to 4 times fewer products than taps (cpu/kernels/conv/winograd.h). A numerics
// class of its own: errors are some two to four times those of a plain sum. Longer kernels are sums of runs of three taps, whose points add up
// before the way back; dilated ones are as many plain ones that interleave. Windows lie at absolute positions, so bits do not depend on how tiles are cut.
#include <algorithm>

#include "core/checked.h"
#include "cpu/bind/conv.h"
#include "ops/fused_act.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr double kTileNs = 80'000, kLeastNs = 10'000;
/// Windows that pass a panel together, and what their points may take of the level 2 cache.
constexpr int64_t kWindows = 24, kPointFloats = 128 << 10;
/// Points of weights are up to 4 times the weights: not for large matrices.
constexpr int64_t kMostWeightBytes = 13 << 19;
/// What the transforms of a channel take, in products for each point: 17 to 25 measured (AVX-512, Xeon, Emerald Rapids, 2026-11).
constexpr int64_t kTransform = 20;

/// One axis: window t has outputs base + i * dilation, i < 4.
struct Windows {
  ConvAxis axis;
  int64_t runs = 1;   ///< of three taps
  int64_t count = 1;
  int64_t base(int64_t t) const { return t / axis.dilation * 4 * axis.dilation + t % axis.dilation; }
  int outputs(int64_t t) const { return static_cast<int>(std::clamp<int64_t>(ceil_div(axis.out - base(t), axis.dilation), 0, 4)); }
  int64_t first_input(int64_t t, int64_t run) const { return base(t) - axis.pad + 3 * run * axis.dilation; }
  /// Elements [begin, end) of the six from `first` on that exist.
  void range(int64_t first, int* begin, int* end) const {
    const int64_t d = axis.dilation;
    *begin = static_cast<int>(std::clamp<int64_t>(first < 0 ? ceil_div(-first, d) : 0, 0, 6));
    *end = static_cast<int>(std::clamp<int64_t>(first < axis.in ? ceil_div(axis.in - first, d) : 0, *begin, 6));
  }
};

Windows windows_of(const ConvAxis& a) { return {a, ceil_div(a.k, 3), ceil_div(a.out, 4 * a.dilation) * a.dilation}; }

struct WinogradPlan {
  ConvShape shape;
  bool square = false;  ///< both axes
  int64_t batch = 1;
  Windows h, w;         ///< h: of one output where not square
  int64_t per_tile = 1, panels_per_tile = 1, window_tiles = 1, panel_tiles = 1;
  int64_t points() const { return square ? 36 : 6; }
  int64_t runs() const { return h.runs * w.runs; }
  int64_t depth() const { return runs() * shape.c; }
  int64_t panels() const { return conv_panels(shape.oc); }
  int64_t windows() const { return batch * h.count * w.count; }
  int64_t weight_floats() const { return points() * panels() * depth() * kConvWidth; }
  int64_t products() const { return h.count * w.count * points() * (depth() * panels() * kConvWidth + kTransform * (depth() + panels() * kConvWidth)); }
};

WinogradPlan make_plan(const ConvShape& s, int64_t batch) {
  WinogradPlan p;
  p.shape = s;
  p.batch = batch;
  p.square = s.axis[1].k > 1;
  p.w = windows_of(s.axis[2]);
  if (p.square) p.h = windows_of(s.axis[1]);
  return p;
}

void cut(WinogradPlan& p, double macs_per_ns, int workers) {
  const auto even = [](int64_t all, int64_t most) { return ceil_div(all, ceil_div(all, std::clamp<int64_t>(most, 1, all))); };
  const double want = std::clamp(static_cast<double>(p.batch * p.products()) / macs_per_ns / (8.0 * workers), kLeastNs, kTileNs);
  p.per_tile = even(p.windows(), std::clamp<int64_t>(kPointFloats / (p.points() * p.depth()), kWindows / 2, kWindows));
  const double panel_ns = static_cast<double>(p.per_tile * p.points() * p.depth() * kConvWidth) / macs_per_ns;
  const int64_t panels = even(p.panels(), std::max<int64_t>(2, static_cast<int64_t>(want / panel_ns)));
  p.panels_per_tile = std::min(p.panels(), (panels + 1) & ~int64_t{1});
  p.window_tiles = ceil_div(p.windows(), p.per_tile);
  p.panel_tiles = ceil_div(p.panels(), p.panels_per_tile);
}

struct Params {
  WinogradPlan plan;
  ConvIo io;
};

int64_t winograd_tiles(const void* params, const StepEnv&) {
  const auto& p = static_cast<const Params*>(params)->plan;
  return p.window_tiles * p.panel_tiles;
}

struct Place {
  int64_t image, h, w;
};
Place place_of(const WinogradPlan& p, int64_t window) { return {window / (p.h.count * p.w.count), window / p.w.count % p.h.count, window % p.w.count}; }

void winograd_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& all = *static_cast<const Params*>(params);
  const WinogradPlan& p = all.plan;
  const ConvShape& s = p.shape;
  // Tiles of the same panels follow each other.
  const int64_t first = tile % p.window_tiles * p.per_tile, n = std::min(p.per_tile, p.windows() - first);
  const int64_t panel = tile / p.window_tiles * p.panels_per_tile, panels = std::min(p.panels_per_tile, p.panels() - panel);
  const int64_t depth = p.depth(), outputs = panels * kConvWidth, points = p.points();
  float* v = reinterpret_cast<float*>(env.scratch(worker));  // [points, n, depth]
  float* m = v + static_cast<int64_t>(round_up(static_cast<size_t>(points * p.per_tile * depth), 16));  // [points, n, outputs]
  const float *x = reinterpret_cast<const float*>(env.at(all.io.x)), *w = all.io.weights(env);
  for (int64_t i = 0; i < n; ++i) {
    const Place at = place_of(p, first + i);
    for (int64_t run = 0; run < p.runs(); ++run) {
      WinogradIn a{};
      const int64_t row = p.square ? p.h.first_input(at.h, run / p.w.runs) : 0, col = p.w.first_input(at.w, run % p.w.runs);
      a.row_end = 1;
      if (p.square) p.h.range(row, &a.row_begin, &a.row_end);
      p.w.range(col, &a.col_begin, &a.col_end);
      a.x_col = p.w.axis.dilation * s.c;
      a.x_row = p.h.axis.dilation * p.w.axis.in * s.c;
      a.x = x + at.image * all.io.x_batch + (row * p.w.axis.in + col) * s.c;
      a.channels = s.c;
      a.v = v + i * depth + run * s.c;
      a.v_point = n * depth;
      all.io.fn->winograd_in[p.square](a);
    }
  }
  const ConvTap tap{0, 0};
  ConvArgs a{};
  a.n_rows = 1;
  a.x_step = a.depth = depth;
  a.y_step = a.outputs = outputs;
  a.w_step = depth * kConvWidth;
  a.a = -static_cast<float>(kNoBound), a.b = static_cast<float>(kNoBound);
  for (int64_t point = 0; point < points; ++point) {
    const ConvRow row{v + point * n * depth, m + point * n * outputs, nullptr, &tap, 1, n};
    a.rows = &row;
    a.w = w + (point * p.panels() + panel) * a.w_step;
    all.io.fn->dense(a);
  }
  ConvArgs end = all.io.args(env);
  const int64_t output = panel * kConvWidth;
  end.bias += end.bias != nullptr ? output : 0;
  end.outputs = std::min(outputs, s.oc - output);
  end.y_step = p.w.axis.dilation * s.oc;
  float* y = reinterpret_cast<float*>(env.at(all.io.y));
  const float* add = all.io.add ? reinterpret_cast<const float*>(env.at(all.io.add)) : nullptr;
  for (int64_t i = 0; i < n; ++i) {
    const Place at = place_of(p, first + i);
    const int64_t offset = (p.h.base(at.h) * p.w.axis.out + p.w.base(at.w)) * s.oc + output;
    WinogradOut o{};
    o.m = m + i * outputs;
    o.m_point = n * outputs;
    o.rows = p.square ? p.h.outputs(at.h) : 1;
    o.cols = p.w.outputs(at.w);
    o.y = y + at.image * all.io.y_batch + offset;
    o.add = add != nullptr ? add + at.image * all.io.add_batch + offset : nullptr;
    o.y_row = p.h.axis.dilation * p.w.axis.out * s.oc;
    if (o.cols > 0) all.io.fn->winograd_out[p.square](end, o);
  }
}

/// What the taps of a point p weigh: 1, p, p² over the product of its distances to the others (0, ±3/4, ±3/2; ∞ takes the last tap).
constexpr double kA = 0.75, kB = 1.5, kNear = 2 * kA * kA * (kA * kA - kB * kB), kFar = 2 * kB * kB * (kB * kB - kA * kA);
constexpr double kG[6][3] = {{1 / (kA * kA * kB * kB), 0, 0}, {1 / kNear, kA / kNear, kA * kA / kNear}, {1 / kNear, -kA / kNear, kA * kA / kNear},
                             {1 / kFar, kB / kFar, kB * kB / kFar},   {1 / kFar, -kB / kFar, kB * kB / kFar},       {0, 0, 1}};

/// Piece: a panel, all points of it: G g Gᵀ for each pair of channels and run of taps.
void pack_panel(const void* user, const std::byte* source, int64_t panel, std::byte* panels) {
  const auto& p = *static_cast<const WinogradPlan*>(user);
  const ConvShape& s = p.shape;
  const float* w = reinterpret_cast<const float*>(source);
  float* out = reinterpret_cast<float*>(panels) + panel * p.depth() * kConvWidth;
  const int64_t kh = p.h.axis.k, kw = p.w.axis.k, valid = std::min<int64_t>(kConvWidth, s.oc - panel * kConvWidth);
  const auto outputs = [](auto f) {  // all at once: a lane each
    for (int64_t o = 0; o < kConvWidth; ++o) f(o);
  };
  const int64_t rows = p.square ? 6 : 1, step = valid > 1 ? s.weight(0, 1, 0, 0) - s.weight(0, 0, 0, 0) : 0;
  for (int64_t row = 0; row < p.depth(); ++row) {
    const int64_t run = row / s.c, c = row % s.c, h0 = run / p.w.runs * 3, w0 = run % p.w.runs * 3;
    double g[3][3][kConvWidth] = {}, half[6][3][kConvWidth] = {};
    for (int64_t i = 0; i < 3 && h0 + i < kh; ++i)
      for (int64_t j = 0; j < 3 && w0 + j < kw; ++j) {
        const float* from = w + s.weight(0, panel * kConvWidth, c, (h0 + i) * kw + w0 + j);
        for (int64_t o = 0; o < valid; ++o) g[i][j][o] = static_cast<double>(from[o * step]);
      }
    for (int64_t a = 0; a < rows; ++a)
      for (int64_t j = 0; j < 3; ++j)
        for (int64_t i = 0; i < 3; ++i) {
          const double f = p.square ? kG[a][i] : i == 0 ? 1 : 0;
          outputs([&](int64_t o) { half[a][j][o] += f * g[i][j][o]; });
        }
    for (int64_t a = 0; a < rows; ++a)
      for (int64_t k = 0; k < 6; ++k) {
        float* to = out + ((a * 6 + k) * p.panels() * p.depth() + row) * kConvWidth;
        outputs([&](int64_t o) { to[o] = static_cast<float>(half[a][0][o] * kG[k][0] + half[a][1][o] * kG[k][1] + half[a][2][o] * kG[k][2]); });
      }
  }
}

}  // namespace

bool winograd_pays(const ConvShape& s) {
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const bool line = h.in == 1 && h.out == 1 && h.k == 1;
  if (s.transposed || s.group != 1 || d.in != 1 || d.out != 1 || d.k != 1 || h.stride != 1 || w.stride != 1 || w.k < 3 || (!line && h.k < 3)) return false;
  const WinogradPlan p = make_plan(s, 1);
  const int64_t direct = h.out * w.out * s.taps() * s.c * conv_panels(s.oc) * kConvWidth;
  return p.weight_floats() * 4 <= kMostWeightBytes && static_cast<double>(p.products()) < 0.9 * static_cast<double>(direct);
}

KernelBinding bind_winograd(const ConvIo& io, const ConvShape& shape, int64_t batch, const ConvKernel& kernel, int workers) {
  WinogradPlan plan = make_plan(shape, batch);
  cut(plan, kernel.macs_per_ns, workers);
  KernelBinding b;
  b.kernel = fmt::format("conv.{} winograd {}", kernel.name, plan.square ? "4x4" : "4");
  Packing k;
  k.input = 1;
  k.layout = fmt::format("winograd{} {}", kConvWidth, plan.points());
  k.bytes = static_cast<size_t>(plan.weight_floats()) * sizeof(float);
  k.pieces = plan.panels();
  k.user = std::make_shared<WinogradPlan>(plan);
  k.pack = pack_panel;
  b.bytes_read = static_cast<int64_t>(k.bytes);
  b.packings.push_back(std::move(k));
  b.worker_scratch_bytes = (round_up(static_cast<size_t>(plan.points() * plan.per_tile * plan.depth()), 16) +
                            static_cast<size_t>(plan.points() * plan.per_tile * plan.panels_per_tile * kConvWidth)) *
                           sizeof(float);
  b.ops_per_row = 2 * shape.axis[1].out * shape.axis[2].out * shape.taps() * shape.c * shape.oc;  // as a plain sum has them
  b.finish = [](const KernelBinding& self, std::span<const std::byte* const> packed, Ref) {
    auto* p = static_cast<Params*>(self.params.get());
    p->io.w = ConvIo::constant(packed[0]);
    return std::vector<Step>{Step{winograd_run, winograd_tiles, p}};
  };
  b.params = std::make_shared<Params>(Params{std::move(plan), io});
  return b;
}

}  // namespace mainspring::inline v0::cpu
