// RoiAlign(x [N,C,H,W], rois [R,4] (x1,y1,x2,y2), batch_indices i64 [R]) -> [R,C,output_height,output_width]      arXiv:1703.06870
//   attrs coordinate_transformation_mode (half_pixel), mode (avg, max), output_height, output_width, sampling_ratio (0: adaptive), spatial_scale
// MaxRoiPool(x [N,C,H,W], rois [R,5] (batch,x1,y1,x2,y2)) -> [R,C,pooled_shape…]     attrs pooled_shape, spatial_scale: the largest of each bin  arXiv:1504.08083
#include <algorithm>
#include <cmath>

#include "ops/nn/numbers.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kMostBins = int64_t{1} << 30;

Result<std::vector<ValueInfo>> infer_rois(const char* op, const OpCall& c, int64_t columns, int64_t height, int64_t width) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* rois, need_float(op, c, 1, "rois"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 4, 4));
  MAINSPRING_TRY_VOID(want_dims(op, c, 1, "rois", {Dim::unknown(), Dim(columns)}));
  if (height < 1 || width < 1 || height > kMostBins || width > kMostBins) return invalid("{}: an output of {} × {}", op, height, width);
  return one(tensor_of(x->dtype, {dim_of(*rois, 0), dim_of(*x, 1), Dim(height), Dim(width)}));
}

Result<std::vector<ValueInfo>> infer_RoiAlign(const OpCall& c) {
  const char* op = "RoiAlign";
  constexpr std::string_view kModes[] = {"avg", "max"}, kCoordinates[] = {"half_pixel", "output_half_pixel"};
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "mode", "avg", kModes));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "coordinate_transformation_mode", "half_pixel", kCoordinates));
  MAINSPRING_TRY_VOID(int_attr(op, c.attrs, "sampling_ratio", 0, 0, 1 << 20));
  MAINSPRING_TRY_VOID(need_int(op, c, 2, "batch_indices"));
  MAINSPRING_TRY(auto y, infer_rois(op, c, 4, c.attrs.i("output_height", 1), c.attrs.i("output_width", 1)));
  MAINSPRING_TRY_VOID(want_dims(op, c, 2, "batch_indices", {y[0].dims[0]}));
  return y;
}

/// Where samples of one roi lie along one axis: bins × samples, each between two elements. low < 0: outside.
struct Sample {
  int64_t low = -1, high = -1;
  double part = 0;  // of high
};

Sample sample_at(double x, int64_t extent) {
  if (!(x >= -1 && x <= static_cast<double>(extent)) || extent < 1) return {};
  x = std::max(x, 0.0);
  const auto low = static_cast<int64_t>(x);
  if (low >= extent - 1) return {extent - 1, extent - 1, 0};
  return {low, low + 1, x - static_cast<double>(low)};
}

struct BinAxis {
  double start, bin;
  int64_t samples, extent;
  BinAxis(double from, double to, int64_t bins, int64_t ratio, bool half_pixel, int64_t extent_) : extent(extent_) {
    start = from;
    const double length = half_pixel ? to - from : std::max(to - from, 1.0);
    bin = length / static_cast<double>(bins);
    const double wanted = std::ceil(bin);  // one sample an element
    samples = ratio > 0 ? ratio : wanted >= 1 ? static_cast<int64_t>(std::min(wanted, 1e4)) : 0;  // a roi of 10 000 elements a bin is no roi
  }
  Sample at_sample(int64_t b, int64_t i) const {
    return sample_at(start + static_cast<double>(b) * bin + (static_cast<double>(i) + 0.5) * bin / static_cast<double>(samples), extent);
  }
};

void reference_RoiAlign(const OpArgs& a) {
  const Shape &xs = a.in[0].shape, &ys = a.out[0].shape;
  const std::vector<double> x = numbers_of(a.in[0]), rois = numbers_of(a.in[1]);
  const bool half = a.attrs.s("coordinate_transformation_mode", "half_pixel") == "half_pixel", largest = a.attrs.s("mode", "avg") == "max";
  const double scale = a.attrs.f("spatial_scale", 1), shift = half ? 0.5 : 0;
  const int64_t ratio = a.attrs.i("sampling_ratio");
  std::vector<double> y(at(ys.elements()), 0.0);
  for (int64_t r = 0; r < ys[0]; ++r) {
    const int64_t n = load_int(a.in[2], r);
    if (n < 0 || n >= xs[0]) continue;
    const auto edge = [&](int64_t i) { return rois[at(r * 4 + i)] * scale - shift; };
    const BinAxis v(edge(1), edge(3), ys[2], ratio, half, xs[2]), h(edge(0), edge(2), ys[3], ratio, half, xs[3]);
    const double count = static_cast<double>(std::max<int64_t>(v.samples * h.samples, 1));
    for (int64_t by = 0; by < ys[2]; ++by)
      for (int64_t bx = 0; bx < ys[3]; ++bx)
        for (int64_t ch = 0; ch < xs[1]; ++ch) {
          const double* plane = x.data() + (n * xs[1] + ch) * xs[2] * xs[3];
          double sum = 0, most = 0;
          for (int64_t i = 0; i < v.samples; ++i)
            for (int64_t j = 0; j < h.samples; ++j) {
              const Sample sy = v.at_sample(by, i), sx = h.at_sample(bx, j);
              double parts[4] = {0, 0, 0, 0};
              if (sy.low >= 0 && sx.low >= 0) {
                parts[0] = (1 - sy.part) * (1 - sx.part) * plane[sy.low * xs[3] + sx.low];
                parts[1] = (1 - sy.part) * sx.part * plane[sy.low * xs[3] + sx.high];
                parts[2] = sy.part * (1 - sx.part) * plane[sy.high * xs[3] + sx.low];
                parts[3] = sy.part * sx.part * plane[sy.high * xs[3] + sx.high];
              }
              sum += parts[0] + parts[1] + parts[2] + parts[3];
              const double here = *std::max_element(parts, parts + 4);
              most = i == 0 && j == 0 ? here : std::max(most, here);
            }
          y[at(((r * xs[1] + ch) * ys[2] + by) * ys[3] + bx)] = largest ? most : sum / count;
        }
  }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_MaxRoiPool(const OpCall& c) {
  const std::span<const int64_t> shape = c.attrs.is("pooled_shape");
  if (shape.size() != 2) return invalid("MaxRoiPool: attribute pooled_shape has {} numbers, expected 2", shape.size());
  return infer_rois("MaxRoiPool", c, 5, shape[0], shape[1]);
}

void reference_MaxRoiPool(const OpArgs& a) {
  const Shape &xs = a.in[0].shape, &ys = a.out[0].shape;
  const std::vector<double> x = numbers_of(a.in[0]), rois = numbers_of(a.in[1]);
  const double scale = a.attrs.f("spatial_scale", 1);
  std::vector<double> y(at(ys.elements()), 0.0);
  for (int64_t r = 0; r < ys[0]; ++r) {
    const double batch = rois[at(r * 5)];
    if (!(batch >= 0 && batch < static_cast<double>(xs[0]))) continue;
    const auto n = static_cast<int64_t>(batch);
    // Elements [first, last) of bin b along an axis; corners are rounded and both belong to the roi.
    const auto bin = [&](int64_t from, int64_t to, int64_t b, int64_t bins, int64_t extent) {
      const auto corner = [&](int64_t i) { return std::round(std::clamp(rois[at(r * 5 + i)] * scale, -1e9, 1e9)); };
      const double start = corner(from), step = std::max(corner(to) - start + 1, 1.0) / static_cast<double>(bins);
      const auto inside = [&](double i) { return static_cast<int64_t>(std::clamp(i + start, 0.0, static_cast<double>(extent))); };
      return std::pair(inside(std::floor(static_cast<double>(b) * step)), inside(std::ceil(static_cast<double>(b + 1) * step)));
    };
    for (int64_t by = 0; by < ys[2]; ++by)
      for (int64_t bx = 0; bx < ys[3]; ++bx) {
        const auto [y0, y1] = bin(2, 4, by, ys[2], xs[2]);
        const auto [x0, x1] = bin(1, 3, bx, ys[3], xs[3]);
        if (y0 >= y1 || x0 >= x1) continue;  // an empty bin is 0
        for (int64_t ch = 0; ch < xs[1]; ++ch) {
          const double* plane = x.data() + (n * xs[1] + ch) * xs[2] * xs[3];
          double most = plane[y0 * xs[3] + x0];
          for (int64_t i = y0; i < y1; ++i)
            for (int64_t j = x0; j < x1; ++j) most = std::max(most, plane[i * xs[3] + j]);
          y[at(((r * xs[1] + ch) * ys[2] + by) * ys[3] + bx)] = most;
        }
      }
  }
  put_numbers(a.out[0], y);
}

}  // namespace

constinit const OpDef op_RoiAlign{.name = "RoiAlign", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_RoiAlign, .reference = reference_RoiAlign};
constinit const OpDef op_MaxRoiPool{.name = "MaxRoiPool", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_MaxRoiPool, .reference = reference_MaxRoiPool};

}  // namespace mainspring::inline v0
