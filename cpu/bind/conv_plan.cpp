#include <algorithm>

#include "core/checked.h"
#include "cpu/bind/conv.h"
#include "cpu/bind/rows.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr double kTileNs = 60'000, kLeastNs = 8'000;
/// Panels that a tile walks again and again should stay in the level 2 cache.
constexpr int64_t kPanelBytes = 384 << 10;

std::vector<ConvLine> lines_of(const ConvAxis& a, bool transposed) {
  std::vector<ConvLine> lines;
  for (int64_t phase = 0; phase < (transposed ? std::min(a.stride, a.out) : 1); ++phase) {
    ConvLine l;
    if (transposed) {
      l.first = phase, l.step = a.stride, l.count = ceil_div(a.out - phase, a.stride);
      for (int64_t t = a.k - 1; t >= 0; --t) {
        const int64_t from = phase + a.pad - t * a.dilation;  // of the phase's first output, in units of the outputs
        if (from % a.stride != 0) continue;
        l.at.push_back(from / a.stride), l.tap.push_back(t);
      }
    } else {
      l.count = a.out, l.in_step = a.stride;
      for (int64_t t = 0; t < a.k; ++t) l.at.push_back(t * a.dilation - a.pad), l.tap.push_back(t);
    }
    lines.push_back(std::move(l));
  }
  return lines;
}

bool idle(const ConvAxis& a) { return a.in == 1 && a.out == 1 && a.k == 1 && a.pad == 0; }

/// The size of the fewest pieces of at most `most` of `all`, as even as they go.
int64_t even(int64_t all, int64_t most) { return ceil_div(all, ceil_div(all, std::clamp<int64_t>(most, 1, all))); }

/// How large the tiles of a part are, when a pixel of one panel takes `ns`.
void cut(const ConvPlan& p, ConvPart& part, const ConvKernel& kernel, double ns, double total_ns, int workers) {
  const double want = std::clamp(total_ns / (8.0 * workers), kLeastNs, kTileNs);
  const int64_t row = part.line[2].count, rows = part.line[1].count, all = p.panels();
  const auto pairs = [all](int64_t most) { return std::min(all, (even(all, std::max<int64_t>(2, most)) + 1) & ~int64_t{1}); };
  part.panels = all;
  part.groups = p.groups();
  if (!p.depthwise) {
    const int64_t bytes = std::max<int64_t>(1, part.taps()) * p.shape.group_in() * kConvWidth * 4;
    if (all * bytes > 2 * kPanelBytes) part.panels = pairs(kPanelBytes / bytes);
    // At least so many pixels that a panel's way from memory pays; before fewer: fewer groups, fewer panels.
    const double least_ns = ns * static_cast<double>(std::min<int64_t>(row * rows, 4 * kernel.pixel_tile));
    part.groups = even(part.groups, static_cast<int64_t>(want / (least_ns * static_cast<double>(part.panels))));
    if (part.groups == 1) part.panels = std::min(part.panels, pairs(static_cast<int64_t>(want / least_ns)));
  }
  const auto pixels = static_cast<int64_t>(want / (ns * static_cast<double>(part.panels * part.groups))) + 1;
  part.pixels = std::min(row, ceil_div(even(row, pixels), kernel.pixel_tile) * kernel.pixel_tile);
  part.rows = even(rows, pixels / row);
  part.row_tiles = ceil_div(rows, part.rows) * part.line[0].count * p.batch;
  part.pixel_tiles = ceil_div(row, part.pixels);
  part.panel_tiles = ceil_div(all, part.panels);
  part.group_tiles = ceil_div(p.groups(), part.groups);
}

/// Depthwise: pixels of a row that padding cuts taps from, each a row of its own.
int64_t cut_pixels(const ConvLine& l, int64_t in) {
  int64_t n = 0;
  for (int64_t q = 0; q < l.count; ++q) n += !l.at.empty() && (q * l.in_step + l.at.front() < 0 || q * l.in_step + l.at.back() >= in);
  return n;
}

void need(ConvPlan& p, const ConvPart& part) {
  const ConvLine &d = part.line[0], &h = part.line[1], &w = part.line[2];
  const auto nd = static_cast<int64_t>(d.at.size()), nh = static_cast<int64_t>(h.at.size()), nw = static_cast<int64_t>(w.at.size());
  const int64_t rows = part.rows * (p.depthwise ? 1 + std::min(part.pixels, cut_pixels(w, p.shape.axis[2].in)) : 1);
  p.most_rows = std::max(p.most_rows, rows);
  p.most_taps = std::max(p.most_taps, rows * nd * nh * (part.joined ? 1 : nw));
  if (p.depthwise) return;
  const int64_t inputs = nd * std::min(part.rows * nh, (part.rows - 1) * h.in_step + h.reach());
  const int64_t floats = ((part.pixels - 1) * w.in_step + w.reach()) * part.groups * p.shape.group_in();
  const bool inside = w.least() >= 0 && (w.count - 1) * w.in_step + w.least() + w.reach() <= p.shape.axis[2].in;
  p.most_inputs = std::max(p.most_inputs, inputs);
  if (!inside) p.input_floats = std::max(p.input_floats, inputs * floats);
}

/// Row `r` of the taps of a part: which tap of the weights.
template <class F>
void for_taps(const ConvPlan& p, F each) {
  const ConvShape& s = p.shape;
  for (const ConvPart& part : p.parts) {
    int64_t row = part.w_row;
    for (const int64_t d : part.line[0].tap)
      for (const int64_t h : part.line[1].tap)
        for (const int64_t w : part.line[2].tap) {
          each(row, (d * s.axis[1].k + h) * s.axis[2].k + w);
          row += s.group_in();
        }
  }
}

void pack_piece(const void* user, const std::byte* source, int64_t piece, std::byte* panels) {
  const ConvPlan& p = *static_cast<const ConvPlan*>(user);
  const ConvShape& s = p.shape;
  const float* w = reinterpret_cast<const float*>(source);
  float* out = reinterpret_cast<float*>(panels);
  if (p.depthwise) {
    for_taps(p, [&](int64_t row, int64_t tap) {
      for (int64_t c = 0; c < p.channels(); ++c) out[row * p.channels() + c] = c < s.c ? w[s.weight(c, 0, 0, tap)] : 0;
    });
    return;
  }
  if (p.thin) {
    std::fill(out, out + p.weight_floats(), 0.0f);
    for_taps(p, [&](int64_t row, int64_t tap) {
      for (int64_t o = 0; o < s.oc; ++o)
        for (int64_t c = 0; c < s.c; ++c) out[o * p.thin_step() + row + c] = w[s.weight(0, o, c, tap)];
    });
    return;
  }
  const int64_t g = piece / p.panels(), first = piece % p.panels() * kConvWidth;
  out += piece * p.panel_floats();
  for_taps(p, [&](int64_t row, int64_t tap) {
    for (int64_t c = 0; c < s.group_in(); ++c)
      for (int64_t o = 0; o < kConvWidth; ++o)
        out[(row + c) * kConvWidth + o] = first + o < s.group_out() ? w[s.weight(g, first + o, c, tap)] : 0;
  });
}

}  // namespace

size_t ConvPlan::scratch_bytes() const {
  const auto whole = [](int64_t n, size_t size) { return round_up(static_cast<size_t>(n) * size, 64); };
  return whole(most_rows, sizeof(ConvRow)) + whole(most_taps, sizeof(ConvTap)) + whole(input_floats > 0 ? most_inputs : 0, sizeof(int64_t)) +
         whole(input_floats, sizeof(float));
}

int64_t ConvPlan::products() const {
  int64_t n = 0;
  for (const ConvPart& part : parts) n += part.taps() * part.line[0].count * part.line[1].count * part.line[2].count;
  return n * shape.oc * shape.group_in();
}

ConvShape simplified(const ConvShape& shape, int64_t* batch, bool dense_batch) {
  ConvShape s = shape;
  std::stable_sort(s.axis.begin(), s.axis.end(), [](const ConvAxis& a, const ConvAxis& b) { return idle(a) && !idle(b); });
  const bool pointwise = std::all_of(s.axis.begin(), s.axis.end(), [](const ConvAxis& a) { return a.k == 1 && a.stride == 1 && a.pad == 0 && a.in == a.out; });
  if (!pointwise || *batch == 0) return s;
  int64_t pixels = s.axis[0].in * s.axis[1].in * s.axis[2].in;
  if (dense_batch) pixels *= *batch, *batch = 1;
  s.axis = {};
  s.axis[2].in = s.axis[2].out = pixels;
  return s;
}

ConvPlan plan_conv(const ConvShape& shape, int64_t batch, const ConvKernel& kernel, int workers) {
  ConvPlan p;
  p.shape = shape;
  p.batch = batch;
  p.depthwise = shape.group_in() == 1 && shape.group_out() == 1 && shape.group > 1;
  const ConvShape& s = p.shape;
  p.thin = s.group == 1 && s.oc <= kConvThin && s.c * (s.axis[2].dilation == 1 ? s.axis[2].k : 1) >= kConvWidth;
  int64_t row = 0;
  for (const ConvLine& d : lines_of(s.axis[0], s.transposed))
    for (const ConvLine& h : lines_of(s.axis[1], s.transposed))
      for (const ConvLine& w : lines_of(s.axis[2], s.transposed)) {
        ConvPart part;
        part.line = {d, h, w};
        part.w_row = row;
        part.joined = !p.depthwise && s.group == 1 && w.reach() == static_cast<int64_t>(w.at.size());
        row += part.taps() * s.group_in();
        p.parts.push_back(std::move(part));
      }
  // A pixel's time: the products that fill the panels; depthwise: inputs come from the level 2 cache at best.
  const auto ns = [&](const ConvPart& part) {
    const double products = static_cast<double>(std::max<int64_t>(1, part.taps()));
    return products * static_cast<double>(kConvWidth) * (p.depthwise ? 3.0 : static_cast<double>(s.group_in()) / (p.thin ? 6 : 1)) / kernel.macs_per_ns + (p.depthwise ? 0 : 8);
  };
  double total = 0;
  for (const ConvPart& part : p.parts)
    total += ns(part) * static_cast<double>(part.line[0].count * part.line[1].count * part.line[2].count * p.batch) *
             static_cast<double>(p.panels() * p.groups());
  int64_t tiles = 0;
  for (ConvPart& part : p.parts) {
    cut(p, part, kernel, ns(part), total, std::max(1, workers));
    tiles += part.row_tiles * part.pixel_tiles * part.panel_tiles * part.group_tiles;
    part.tiles = tiles;
    need(p, part);
  }
  return p;
}

Packing conv_packing(const ConvPlan& plan) {
  Packing k;
  k.input = 1;
  // Parts and the order of taps follow from the strides; what else the bytes depend on is the weight's own shape.
  k.layout = fmt::format("conv{}{}{} g{}", kConvWidth, plan.depthwise ? " channels" : plan.thin ? " outputs" : "", plan.shape.transposed ? " transposed" : "", plan.shape.group);
  if (plan.shape.transposed)
    for (const ConvAxis& a : plan.shape.axis) k.layout += fmt::format(" {}/{}/{}/{}", a.stride, a.dilation, a.pad % a.stride, std::min(a.stride, a.out));
  k.bytes = static_cast<size_t>(plan.weight_floats()) * sizeof(float);
  k.pieces = plan.depthwise ? 1 : plan.groups() * plan.panels();
  k.user = std::make_shared<ConvPlan>(plan);
  k.pack = pack_piece;
  return k;
}

}  // namespace mainspring::inline v0::cpu
