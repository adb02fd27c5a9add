// GridSample(x [N,C,D…], grid [N,places…,r]) -> [N,C,places…]      attrs mode (linear, nearest, cubic), padding_mode (zeros, border, reflection), align_corners
//   grid: positions in [-1, 1], innermost axis first; com.microsoft.GridSample is the same
// AffineGrid(theta [N,r,r+1], size i64 [N,C,D…]) -> [N,D…,r]       attr align_corners: theta × (x, y, …, 1) of every place
// Col2Im(x [N,C*Πblock,L], image_shape i64 [r], block_shape i64 [r]) -> [N,C,image…]      attrs dilations, pads, strides: sums what windows took apart
#include <algorithm>
#include <cmath>

#include "ops/nn/window.h"
#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

constexpr std::string_view kModes[] = {"linear", "nearest", "cubic", "bilinear", "bicubic"};  // the last two: names of older opsets
constexpr std::string_view kPadding[] = {"zeros", "border", "reflection"};
enum Padding : uint8_t { zeros, border, reflection };

Result<std::vector<ValueInfo>> infer_GridSample(const OpCall& c) {
  const char* op = "GridSample";
  MAINSPRING_TRY(const ValueInfo* x, need_number(op, c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* grid, need_float(op, c, 1, "grid"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 3));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "mode", "linear", kModes));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "padding_mode", "zeros", kPadding));
  const ValueInfo* known = x->ranked ? x : grid;
  if (!known->ranked) return one(unranked(x->dtype));
  const size_t rank = known->dims.size();
  MAINSPRING_TRY_VOID(want_rank(op, *grid, "grid", rank, rank));
  MAINSPRING_TRY_VOID(want_equal(op, "batch of grid", dim_of(*grid, 0), dim_of(*x, 0)));
  MAINSPRING_TRY_VOID(want_equal(op, "coordinates of grid", dim_of(*grid, rank - 1), Dim(static_cast<int64_t>(rank) - 2)));
  Dims dims{dim_of(*x, 0), dim_of(*x, 1)};
  for (size_t i = 1; i + 1 < rank; ++i) dims.push_back(dim_of(*grid, i));
  return one(tensor_of(x->dtype, std::move(dims)));
}

/// One axis of a sampled picture.
struct Axis {
  int64_t extent;
  bool corners;
  Padding padding;
  double least() const { return corners ? 0 : -0.5; }
  double most() const { return corners ? static_cast<double>(extent - 1) : static_cast<double>(extent) - 0.5; }
  /// A position in [-1, 1] as one between elements, brought inside as the padding says.
  double place(double n, bool nearest) const {
    const double e = static_cast<double>(extent);
    // In f32, as those who made the tests: what lies halfway is decided by rounding.
    double x = static_cast<double>(static_cast<float>(corners ? (n + 1) / 2 * (e - 1) : ((n + 1) * e - 1) / 2));
    if (nearest) x = std::nearbyint(x);
    if (x >= least() && x <= most()) return x;
    if (padding == border) return std::clamp(x, 0.0, e - 1);
    return padding == reflection ? reflected(x) : x;
  }
  double reflected(double x) const {
    const double range = most() - least();
    if (!(range > 0) || !std::isfinite(x)) return 0;
    const double away = x < least() ? least() - x : x > most() ? x - most() : 0;
    if (away == 0) return x;
    const double turns = std::floor(away / range), rest = away - turns * range;
    const bool from_least = (x < least()) == (std::fmod(turns, 2) == 0);
    return from_least ? least() + rest : most() - rest;
  }
  /// The element at an integer place; empty: zero.
  std::optional<int64_t> element(double i) const {
    if (i >= 0 && i <= static_cast<double>(extent - 1)) return static_cast<int64_t>(i);
    if (padding == zeros || i != i) return std::nullopt;
    const double inside = padding == reflection ? std::trunc(reflected(i)) : i;
    return static_cast<int64_t>(std::clamp(inside, 0.0, static_cast<double>(extent - 1)));
  }
};

/// Elements along one axis and their weights.
struct Taps {
  int64_t index[4];
  double weight[4];
  size_t count = 0;
  void add(const Axis& axis, double place, double w) {
    const auto e = axis.element(place);
    if (e) index[count] = *e, weight[count++] = w;
  }
};

Taps taps_of(const Axis& axis, double position, size_t mode) {
  Taps t;
  const double x = axis.place(position, mode == 1), low = std::floor(x), f = x - low;
  if (mode == 1) t.add(axis, x, 1);
  else if (mode == 0) t.add(axis, low, 1 - f), t.add(axis, low + 1, f);
  else {
    const auto near = [](double d) { return (1.25 * d - 2.25) * d * d + 1; };  // the cubic of Keys with a = -0.75
    const auto far = [](double d) { return ((-0.75 * d + 3.75) * d - 6) * d + 3; };
    t.add(axis, low - 1, far(1 + f)), t.add(axis, low, near(f)), t.add(axis, low + 1, near(1 - f)), t.add(axis, low + 2, far(2 - f));
  }
  return t;
}

void reference_GridSample(const OpArgs& a) {
  const Shape &xs = a.in[0].shape, &ys = a.out[0].shape;
  const size_t r = at(xs.rank() - 2);
  if (xs.elements() == 0) return put_numbers(a.out[0], std::vector<double>(at(ys.elements()), 0.0));
  size_t mode = static_cast<size_t>(std::find(std::begin(kModes), std::end(kModes), a.attrs.s("mode", "linear")) - kModes);
  if (mode >= 3) mode = mode == 3 ? 0 : 2;
  const auto padding = static_cast<Padding>(std::find(std::begin(kPadding), std::end(kPadding), a.attrs.s("padding_mode", "zeros")) - kPadding);
  const std::vector<double> x = numbers_of(a.in[0]), grid = numbers_of(a.in[1]);
  std::vector<double> y(at(ys.elements()), 0.0);
  const int64_t places = ys[1] ? ys.elements() / std::max<int64_t>(ys[0] * ys[1], 1) : 0, plane = xs.elements() / (xs[0] * xs[1]);
  std::vector<Taps> taps(r);
  for (int64_t n = 0; n < xs[0]; ++n)
    for (int64_t p = 0; p < places; ++p) {
      size_t corners = 1;
      for (size_t d = 0; d < r; ++d) {
        const Axis axis{xs[static_cast<int>(d) + 2], a.attrs.i("align_corners") != 0, padding};
        taps[d] = taps_of(axis, grid[at(n * places + p) * r + r - 1 - d], mode);
        corners *= taps[d].count;
      }
      for (size_t corner = 0; corner < corners; ++corner) {
        double weight = 1;
        int64_t index = 0;
        size_t rest = corner;
        for (size_t d = 0; d < r; ++d) {
          weight *= taps[d].weight[rest % taps[d].count];
          index = index * xs[static_cast<int>(d) + 2] + taps[d].index[rest % taps[d].count];
          rest /= taps[d].count;
        }
        for (int64_t ch = 0; ch < xs[1]; ++ch) y[at((n * xs[1] + ch) * places + p)] += weight * x[at((n * xs[1] + ch) * plane + index)];
      }
    }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_AffineGrid(const OpCall& c) {
  const char* op = "AffineGrid";
  MAINSPRING_TRY(const ValueInfo* theta, need_float(op, c, 0, "theta"));
  MAINSPRING_TRY(const ValueInfo* size, need_int(op, c, 1, "size"));
  MAINSPRING_TRY_VOID(want_rank(op, *theta, "theta", 3, 3));
  const auto extents = ints_of(*size);
  const Dim rows = dim_of(*theta, 1), count = dim_of(*size, 0);
  if (!extents && !rows.is_constant() && !count.is_constant()) return one(unranked(theta->dtype));
  const int64_t r = extents ? static_cast<int64_t>(extents->size()) - 2 : rows.is_constant() ? rows.times : count.times - 2;
  if (r < 1 || r > Shape::kMaxRank - 2) return invalid("AffineGrid: {} spatial extents", r);
  MAINSPRING_TRY_VOID(want_dims(op, c, 0, "theta", {extents ? Dim((*extents)[0]) : Dim::unknown(), Dim(r), Dim(r + 1)}));
  MAINSPRING_TRY_VOID(want_dims(op, c, 1, "size", {Dim(r + 2)}));
  Dims dims(at(r + 2), Dim::unknown());
  dims[0] = dim_of(*theta, 0);
  dims.back() = r;
  if (!extents) return one(tensor_of(theta->dtype, std::move(dims)));
  for (size_t i = 0; i < at(r); ++i) {
    if ((*extents)[i + 2] < 0) return invalid("AffineGrid: size has {}", (*extents)[i + 2]);
    dims[i + 1] = (*extents)[i + 2];
  }
  dims[0] = (*extents)[0];
  return one(tensor_of(theta->dtype, std::move(dims)));
}

void reference_AffineGrid(const OpArgs& a) {
  const std::vector<double> theta = numbers_of(a.in[0]);
  const Shape& ys = a.out[0].shape;
  const int64_t r = ys.back(), places = r && ys[0] ? ys.elements() / (r * ys[0]) : 0;
  const bool corners = a.attrs.i("align_corners") != 0;
  std::vector<double> y(at(ys.elements())), point(at(r + 1), 1.0);
  for (int64_t n = 0; n < ys[0]; ++n)
    for (int64_t p = 0; p < places; ++p) {
      int64_t rest = p;
      for (int64_t d = r; d-- > 0;) {  // the innermost axis is x, the first coordinate
        const int64_t e = ys[static_cast<int>(d) + 1], i = rest % e;
        rest /= e;
        const double step = corners ? 2 / static_cast<double>(std::max<int64_t>(e - 1, 1)) : 2 / static_cast<double>(e);
        point[at(r - 1 - d)] = -1 + static_cast<double>(i) * step + (corners ? 0 : step / 2);
      }
      for (int64_t row = 0; row < r; ++row) {
        double sum = 0;
        for (int64_t k = 0; k <= r; ++k) sum += theta[at((n * r + row) * (r + 1) + k)] * point[at(k)];
        y[at((n * places + p) * r + row)] = sum;
      }
    }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_Col2Im(const OpCall& c) {
  const char* op = "Col2Im";
  MAINSPRING_TRY(const ValueInfo* x, need_number(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 3, 3));
  MAINSPRING_TRY_VOID(need_int(op, c, 1, "image_shape"));
  MAINSPRING_TRY_VOID(need_int(op, c, 2, "block_shape"));
  const auto image = ints_of(c.in[1]), block = ints_of(c.in[2]);
  const Dim count = dim_of(c.in[1], 0);
  if (!image && !count.is_constant()) return one(unranked(x->dtype));
  const size_t r = image ? image->size() : at(count.times);
  if (r < 1 || r + 2 > Shape::kMaxRank) return invalid("Col2Im: {} spatial extents", r);
  Dims dims(r + 2, Dim::unknown());
  dims[0] = dim_of(*x, 0);
  if (image)
    for (size_t i = 0; i < r; ++i) {
      if ((*image)[i] < 0) return invalid("Col2Im: image_shape has {}", (*image)[i]);
      dims[i + 2] = (*image)[i];
    }
  if (!block) return one(tensor_of(x->dtype, std::move(dims)));
  if (block->size() != r) return invalid("Col2Im: block_shape has {} extents, image_shape {}", block->size(), r);
  MAINSPRING_TRY(const WindowSpec spec, window_spec(op, c.attrs, r));
  Dim taps = 1, places = 1;
  for (size_t i = 0; i < r; ++i) {
    taps = times(taps, (*block)[i]);
    MAINSPRING_TRY(const Dim n, window_extent(op, spec, i, dims[i + 2], (*block)[i]));
    places = times(places, n);
  }
  const Dim columns = dim_of(*x, 1);
  if (columns.is_constant() && (!taps.is_constant() || columns.times % taps.times != 0)) return invalid("Col2Im: {} rows are no multiple of the block", columns.times);
  MAINSPRING_TRY_VOID(want_equal(op, "columns of x", dim_of(*x, 2), places));
  dims[1] = map_dim(columns, [&](int64_t n) { return n / taps.times; });
  return one(tensor_of(x->dtype, std::move(dims)));
}

void reference_Col2Im(const OpArgs& a) {
  const Shape& ys = a.out[0].shape;
  const std::vector<int64_t> block = ints_of(a.in[2]);
  const auto spec = window_spec("Col2Im", a.attrs, block.size());
  if (!spec || static_cast<int>(block.size()) + 2 != ys.rank()) return;
  const WindowLines lines = lines_of(window_axes(*spec, ys, block));
  const std::vector<double> x = numbers_of(a.in[0]);
  std::vector<double> y(at(ys.elements()), 0.0);
  for (int64_t p = 0; p < ys[0] * ys[1]; ++p)
    for (const WindowLine& l : lines.lines)
      for (int64_t e = 0; e < l.length; ++e) y[at(p * lines.in_plane + l.in + e * lines.step)] += x[at((p * lines.taps + l.tap) * lines.out_plane + l.out + e)];
  put_numbers(a.out[0], y);
}

}  // namespace

constinit const OpDef op_GridSample{.name = "GridSample", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_GridSample, .reference = reference_GridSample};
constinit const OpDef op_ms_GridSample{.name = "com.microsoft.GridSample", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_GridSample, .reference = reference_GridSample};
constinit const OpDef op_AffineGrid{.name = "AffineGrid", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_AffineGrid, .reference = reference_AffineGrid};
constinit const OpDef op_Col2Im{.name = "Col2Im", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_Col2Im, .reference = reference_Col2Im};

}  // namespace mainspring::inline v0
