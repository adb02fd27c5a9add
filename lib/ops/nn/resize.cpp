// Resize(x, roi?, scales? f32, sizes? i64) -> y
//   attrs mode (nearest, linear, cubic), coordinate_transformation_mode, nearest_mode, cubic_coeff_a (-0.75), exclude_outside, antialias,
//   extrapolation_value, axes, keep_aspect_ratio_policy
// Every axis for itself: an output element is a weighted sum of input elements along the axis. nearest moves elements of any dtype.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/nn/numbers.h"
#include "ops/op.h"
#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

constexpr std::string_view kModes[] = {"nearest", "linear", "cubic"};
constexpr std::string_view kCoordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"};
enum Coordinate : uint8_t { half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_crop_and_resize };
constexpr std::string_view kNearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
constexpr std::string_view kPolicies[] = {"stretch", "not_larger", "not_smaller"};

template <size_t n>
size_t index_of(const std::string_view (&all)[n], std::string_view name) {
  return static_cast<size_t>(std::find(all, all + n, name) - all);
}

/// How one axis is resized.
struct AxisPlan {
  int64_t in = 1, out = 1;
  double scale = 1, start = 0, end = 1;  ///< start, end: the region of interest
};

/// The axes that scales, sizes and roi speak of. Errors: invalid_argument.
Result<std::vector<size_t>> axes_of(const Attrs& attrs, size_t rank) {
  std::vector<size_t> axes;
  for (const int64_t a : attrs.is("axes")) {
    MAINSPRING_TRY(const size_t axis, axis_of("Resize", a, rank));
    axes.push_back(axis);
  }
  for (size_t i = 0; i < rank && !attrs.has("axes"); ++i) axes.push_back(i);
  return axes;
}

/// Fills scale and out of plans whose `in` is set.
Result<void> plan(const Attrs& attrs, std::span<const size_t> axes, std::span<const double> scales, std::span<const int64_t> sizes, std::vector<AxisPlan>& plans) {
  for (AxisPlan& p : plans) p.out = p.in;
  const std::string_view policy = attrs.s("keep_aspect_ratio_policy", "stretch");
  if (!scales.empty()) {
    for (size_t i = 0; i < axes.size(); ++i) {
      AxisPlan& p = plans[axes[i]];
      p.scale = scales[i];
      // In f32, as ONNX's own shape rule multiplies: 10 × 0.7f is 7.
      const float extent = std::floor(static_cast<float>(p.in) * static_cast<float>(p.scale));
      if (!(p.scale > 0) || !(extent < 1e15f)) return invalid("Resize: a scale of {} along an extent of {}", p.scale, p.in);
      p.out = static_cast<int64_t>(extent);
    }
    return {};
  }
  double common = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    AxisPlan& p = plans[axes[i]];
    if (sizes[i] < 0) return invalid("Resize: sizes has {}", sizes[i]);
    p.out = sizes[i];
    p.scale = p.in > 0 ? static_cast<double>(p.out) / static_cast<double>(p.in) : 1;
    common = i == 0 ? p.scale : policy == "not_larger" ? std::min(common, p.scale) : std::max(common, p.scale);
  }
  if (policy == "stretch") return {};
  for (const size_t axis : axes) {
    plans[axis].scale = common;
    plans[axis].out = static_cast<int64_t>(std::floor(common * static_cast<double>(plans[axis].in) + 0.5));
  }
  return {};
}

bool given(const OpCall& c, size_t i) {  // an empty tensor stands for an absent one
  return has(c, i) && !(c.in[i].ranked && constant_elements(c.in[i].dims, 0) == 0);
}

Result<std::vector<ValueInfo>> infer_Resize(const OpCall& c) {
  const char* op = "Resize";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "x"));
  MAINSPRING_TRY(const size_t mode, choice_attr(op, c.attrs, "mode", "nearest", kModes));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "coordinate_transformation_mode", "half_pixel", kCoordinates));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "nearest_mode", "round_prefer_floor", kNearest));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "keep_aspect_ratio_policy", "stretch", kPolicies));
  if (mode != 0) MAINSPRING_TRY_VOID(need_number(op, c, 0, "x"));
  const bool by_sizes = given(c, 3);
  if (by_sizes == given(c, 2)) return invalid("Resize: {} of scales and sizes is given, expected one", by_sizes ? "each" : "none");
  MAINSPRING_TRY(const ValueInfo* how, by_sizes ? need_int(op, c, 3, "sizes") : need_float(op, c, 2, "scales"));
  if (given(c, 1)) MAINSPRING_TRY_VOID(need_float(op, c, 1, "roi"));
  if (!x->ranked) return one(unranked(x->dtype));
  MAINSPRING_TRY(const std::vector<size_t> axes, axes_of(c.attrs, x->dims.size()));
  const Dim n = static_cast<int64_t>(axes.size());
  MAINSPRING_TRY_VOID(want_dims(op, c, by_sizes ? 3 : 2, by_sizes ? "sizes" : "scales", {n}));
  if (given(c, 1) && c.attrs.s("coordinate_transformation_mode") == "tf_crop_and_resize") MAINSPRING_TRY_VOID(want_dims(op, c, 1, "roi", {times(n, 2)}));
  ValueInfo y = tensor_of(x->dtype, x->dims);
  for (const size_t axis : axes) y.dims[axis] = Dim::unknown();
  const auto sizes = by_sizes ? ints_of(*how) : std::nullopt;
  const auto scales = by_sizes ? std::nullopt : numbers_of(*how);
  if (!sizes && !scales) return one(std::move(y));
  if (all_constant(*x)) {
    std::vector<AxisPlan> plans(x->dims.size());
    for (size_t i = 0; i < plans.size(); ++i) plans[i].in = x->dims[i].times;
    MAINSPRING_TRY_VOID(plan(c.attrs, axes, scales ? std::span<const double>(*scales) : std::span<const double>(), sizes ? std::span<const int64_t>(*sizes) : std::span<const int64_t>(), plans));
    for (size_t i = 0; i < plans.size(); ++i) y.dims[i] = plans[i].out;
    return one(std::move(y));
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    const Dim d = x->dims[axes[i]];
    if (sizes && c.attrs.s("keep_aspect_ratio_policy", "stretch") == "stretch" && (*sizes)[i] >= 0) y.dims[axes[i]] = (*sizes)[i];
    if (scales && (*scales)[i] >= 1 && (*scales)[i] < 1e6 && std::floor((*scales)[i]) == (*scales)[i]) y.dims[axes[i]] = times(d, static_cast<int64_t>((*scales)[i]));
  }
  return one(std::move(y));
}

double cubic(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

/// The elements along an axis that make one element of the output. Indices are clamped: the border goes on.
struct Taps {
  std::vector<int64_t> index;
  std::vector<double> weight;
  bool outside = false;  ///< tf_crop_and_resize: the extrapolation value
};

class AxisTaps {
 public:
  AxisTaps(const Attrs& attrs, const AxisPlan& p) : p_(p), mode_(index_of(kModes, attrs.s("mode", "nearest"))),
        coordinate_(static_cast<Coordinate>(index_of(kCoordinates, attrs.s("coordinate_transformation_mode", "half_pixel")))),
        nearest_(index_of(kNearest, attrs.s("nearest_mode", "round_prefer_floor"))), a_(attrs.f("cubic_coeff_a", -0.75)),
        exclude_(attrs.i("exclude_outside") != 0), antialias_(attrs.i("antialias") != 0) {}

  Taps at_place(int64_t o) const {
    Taps t;
    const double x = source(static_cast<double>(o));
    t.outside = coordinate_ == tf_crop_and_resize && (x < 0 || x > static_cast<double>(p_.in - 1));
    if (mode_ == 0) {
      add(t, nearest(x), 1);
      return t;
    }
    // The kernel, stretched where that shrinks the picture, around the element left of x (x itself counts as right of it).
    const double stretch = antialias_ ? std::min(p_.scale, 1.0) : 1, reach = mode_ == 1 ? 1 : 2;
    const double left = std::ceil(x) - 1;
    const int64_t first = static_cast<int64_t>(std::floor(-reach / stretch)) + 1;
    double sum = 0;
    for (int64_t i = first; i < 2 - first; ++i) {
      const double distance = (left + static_cast<double>(i) - x) * stretch;
      const double w = mode_ == 1 ? std::max(0.0, 1 - std::fabs(distance)) : cubic(distance, a_);
      const double place = left + static_cast<double>(i);
      if (exclude_ && (place < 0 || place > static_cast<double>(p_.in - 1))) continue;
      add(t, place, w);
      sum += w;
    }
    if ((exclude_ || antialias_) && sum != 0)
      for (double& w : t.weight) w /= sum;
    return t;
  }

 private:
  double source(double o) const {
    const double in = static_cast<double>(p_.in), out = p_.scale * in;  // out may be a fraction
    switch (coordinate_) {
      case half_pixel: return (o + 0.5) / p_.scale - 0.5;
      case half_pixel_symmetric: return in / 2 * (1 - static_cast<double>(p_.out) / out) + (o + 0.5) / p_.scale - 0.5;
      case pytorch_half_pixel: return out == 1 ? -0.5 : (o + 0.5) / p_.scale - 0.5;
      case align_corners: return out == 1 ? 0 : o * (in - 1) / (out - 1);
      case asymmetric: return o / p_.scale;
      default: return p_.start * (in - 1) + (out == 1 ? (p_.end - p_.start) * (in - 1) / 2 : o * (p_.end - p_.start) * (in - 1) / (out - 1));
    }
  }
  double nearest(double x) const {
    switch (nearest_) {
      case 0: return std::ceil(x - 0.5);
      case 1: return std::floor(x + 0.5);
      case 2: return std::floor(x);
      default: return std::ceil(x);
    }
  }
  void add(Taps& t, double place, double w) const {
    t.index.push_back(place > 0 ? static_cast<int64_t>(std::min(place, static_cast<double>(p_.in - 1))) : 0);
    t.weight.push_back(w);
  }
  AxisPlan p_;
  size_t mode_;
  Coordinate coordinate_;
  size_t nearest_;
  double a_;
  bool exclude_, antialias_;
};

void reference_Resize(const OpArgs& a) {
  const Shape &xs = a.in[0].shape, &ys = a.out[0].shape;
  if (ys.elements() == 0) return;
  if (xs.elements() == 0) {
    std::memset(a.out[0].data, 0, at(ys.elements()) * static_cast<size_t>(info_of(a.out[0].dtype).bytes));
    return;
  }
  const auto axes = axes_of(a.attrs, at(xs.rank()));
  if (!axes) return;
  std::vector<AxisPlan> plans(at(xs.rank()));
  for (size_t i = 0; i < plans.size(); ++i) plans[i].in = xs[static_cast<int>(i)];
  const bool by_sizes = has(a, 3) && a.in[3].shape.elements() > 0;
  const std::vector<int64_t> sizes = by_sizes ? ints_of(a.in[3]) : std::vector<int64_t>();
  if (!plan(a.attrs, *axes, by_sizes ? std::vector<double>() : numbers_of(a.in[2]), sizes, plans)) return;
  if (has(a, 1) && a.in[1].shape.elements() == static_cast<int64_t>(2 * axes->size()))
    for (size_t i = 0; i < axes->size(); ++i) {
      plans[(*axes)[i]].start = load(a.in[1], static_cast<int64_t>(i));
      plans[(*axes)[i]].end = load(a.in[1], static_cast<int64_t>(i + axes->size()));
    }
  const bool crop = a.attrs.s("coordinate_transformation_mode") == "tf_crop_and_resize";
  const double extrapolation = a.attrs.f("extrapolation_value");
  std::vector<std::vector<Taps>> taps(plans.size());
  for (size_t d = 0; d < plans.size(); ++d) {
    const AxisPlan& p = plans[d];
    const bool same = p.in == p.out && p.scale == 1 && (!crop || (p.start == 0 && p.end == 1));
    if (same || std::find(axes->begin(), axes->end(), d) == axes->end()) continue;
    const AxisTaps axis(a.attrs, p);
    for (int64_t o = 0; o < p.out; ++o) taps[d].push_back(axis.at_place(o));
  }
  if (a.attrs.s("mode", "nearest") == "nearest") {
    const auto bytes = static_cast<size_t>(info_of(a.in[0].dtype).bytes);
    std::vector<int64_t> index(plans.size(), 0);
    for (int64_t i = 0; i < ys.elements(); ++i) {
      int64_t from = 0;
      bool outside = false;
      for (size_t d = 0; d < plans.size(); ++d) {
        from = from * plans[d].in + (taps[d].empty() ? index[d] : taps[d][at(index[d])].index[0]);
        outside = outside || (!taps[d].empty() && taps[d][at(index[d])].outside);
      }
      if (outside && a.in[0].dtype != DType::string && !is_complex(a.in[0].dtype)) store(a.out[0], i, extrapolation);
      else std::memcpy(a.out[0].data + at(i) * bytes, a.in[0].data + at(from) * bytes, bytes);
      for (size_t d = plans.size(); d-- > 0 && ++index[d] == ys[static_cast<int>(d)];) index[d] = 0;
    }
    return;
  }
  std::vector<double> x = numbers_of(a.in[0]);
  Shape s = xs;
  for (size_t d = 0; d < plans.size(); ++d) {
    if (taps[d].empty()) continue;
    const Split from = split_at(s, static_cast<int>(d));
    s[static_cast<int>(d)] = plans[d].out;
    std::vector<double> y(at(s.elements()), 0.0);
    for (int64_t o = 0; o < from.outer; ++o)
      for (int64_t p = 0; p < plans[d].out; ++p) {
        const Taps& t = taps[d][at(p)];
        double* to = y.data() + (o * plans[d].out + p) * from.inner;
        if (t.outside) std::fill_n(to, from.inner, extrapolation);
        for (size_t k = 0; k < t.index.size() && !t.outside; ++k) {
          const double* line = x.data() + (o * from.axis + t.index[k]) * from.inner;
          for (int64_t e = 0; e < from.inner; ++e) to[e] += t.weight[k] * line[e];
        }
      }
    x = std::move(y);
  }
  put_numbers(a.out[0], x);
}

}  // namespace

constinit const OpDef op_Resize{.name = "Resize", .min_in = 1, .max_in = 4, .n_out = 1, .infer = infer_Resize, .reference = reference_Resize};

}  // namespace mainspring::inline v0
