// Resize (nearest, linear) of f32 and, where nearest, of elements of any size: each axis that changes has a table of source indices, made at bind. Works
// for any position of the channels.
#include <cmath>
#include <cstring>

#include "cpu/bind/tensor.h"
#include "cpu/bind/tensor_binders.h"

namespace mainspring::inline v0::cpu {
namespace {

using Extents = std::vector<int64_t>;

/// Where output index i of an axis comes from: offsets of two neighbours in elements, and how much of the second.
struct Tap {
  int64_t low, high;
  float part;
};

struct ResizeParams {
  Ref x, y;
  int64_t bytes = 4;
  Extents outer;                         ///< the output's extents but for the last that changes and those after it
  std::vector<std::vector<Tap>> taps;    ///< for each of outer, then for the last that changes
  int64_t block = 1;                     ///< elements behind the last that changes
  bool linear = false;
  Cut cut;
};

int64_t resize_tiles(const void* params, const StepEnv&) { return static_cast<const ResizeParams*>(params)->cut.tiles(); }

template <class T>
void nearest_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const ResizeParams*>(params);
  const T* x = reinterpret_cast<const T*>(env.at(p.x));
  const std::vector<Tap>& row = p.taps.back();
  const auto n = static_cast<int64_t>(row.size());
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    const T* from = x;
    int64_t rest = u;
    for (size_t d = p.outer.size(); d-- > 0; rest /= p.outer[d]) from += p.taps[d][static_cast<size_t>(rest % p.outer[d])].low;
    T* to = reinterpret_cast<T*>(env.at(p.y)) + u * n * p.block;
    if (p.block == 1)
      for (int64_t i = 0; i < n; ++i) to[i] = from[row[static_cast<size_t>(i)].low];
    else
      for (int64_t i = 0; i < n; ++i) std::memcpy(to + i * p.block, from + row[static_cast<size_t>(i)].low, static_cast<size_t>(p.block) * sizeof(T));
  }
}

constexpr size_t kCorners = 8;

void linear_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const ResizeParams*>(params);
  const float* x = reinterpret_cast<const float*>(env.at(p.x));
  const std::vector<Tap>& row = p.taps.back();
  const auto n = static_cast<int64_t>(row.size());
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    // The corners of the axes before the last: rows with weights.
    const float* from[kCorners] = {x};
    float weight[kCorners] = {1};
    size_t corners = 1;
    int64_t rest = u;
    for (size_t d = p.outer.size(); d-- > 0; rest /= p.outer[d]) {
      const Tap& t = p.taps[d][static_cast<size_t>(rest % p.outer[d])];
      const bool two = t.part != 0 && t.low != t.high;
      for (size_t c = 0; c < corners; ++c) {
        if (two) {
          from[corners + c] = from[c] + t.high;
          weight[corners + c] = weight[c] * t.part;
          weight[c] *= 1 - t.part;
        }
        from[c] += t.low;
      }
      if (two) corners *= 2;
    }
    float* to = reinterpret_cast<float*>(env.at(p.y)) + u * n * p.block;
    for (int64_t i = 0; i < n; ++i, to += p.block) {
      const Tap& t = row[static_cast<size_t>(i)];
      for (int64_t b = 0; b < p.block; ++b) {
        float sum = 0;
        for (size_t c = 0; c < corners; ++c) {
          const float low = from[c][t.low + b], high = from[c][t.high + b];
          sum += weight[c] * (low + (high - low) * t.part);
        }
        to[b] = sum;
      }
    }
  }
}

/// Where index i of an axis that goes from n to m by `scale` lies in the source.
double source_of(std::string_view mode, int64_t i, double scale, int64_t n, int64_t m) {
  const auto x = static_cast<double>(i), in = static_cast<double>(n), out = static_cast<double>(m);
  if (mode == "asymmetric") return x / scale;
  if (mode == "align_corners") return m == 1 ? 0 : x * (in - 1) / (out - 1);
  if (mode == "pytorch_half_pixel" && m == 1) return 0;
  const double half = (x + 0.5) / scale - 0.5;
  if (mode != "half_pixel_symmetric") return half;
  const double adjustment = out / (scale * in);
  return in / 2 * (1 - adjustment) + half;
}

double nearest_of(std::string_view mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  return mode == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5);
}

}  // namespace

Result<KernelBinding> bind_resize(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  const Attrs& attrs = q.node->attrs;
  const std::string_view mode = attrs.s("mode", "nearest"), place = attrs.s("coordinate_transformation_mode", "half_pixel"), rounding = attrs.s("nearest_mode", "round_prefer_floor");
  const Extents x = *extents_of(q.in[0]), y = *extents_of(q.out[0]);
  const auto given = attrs.is("axes");
  if (mode != "nearest" && mode != "linear") return unsupported("Resize: no kernel for mode {}", mode);
  if (place == "tf_crop_and_resize" || attrs.i("antialias") != 0) return unsupported("Resize: no kernel for {} and antialias {}", place, attrs.i("antialias"));
  if (x.size() != y.size() || elements_of(q.in[0]) == 0) return unsupported("Resize: from rank {} to {}", x.size(), y.size());
  std::vector<double> scales(x.size());
  for (size_t d = 0; d < x.size(); ++d) scales[d] = static_cast<double>(y[d]) / static_cast<double>(x[d]);
  if (has(q, 2) && elements_of(q.in[2]) > 0) {
    const std::byte* data = content_of(q.in[2]);
    if (data == nullptr || elements_of(q.in[2]) != static_cast<int64_t>(given.empty() ? x.size() : given.size())) return unsupported("Resize: the kernel wants constant scales");
    for (int64_t i = 0; i < elements_of(q.in[2]); ++i) {
      MAINSPRING_TRY(const size_t d, axis_of(q, given.empty() ? i : given[static_cast<size_t>(i)], x.size()));
      scales[d] = load(q.in[2].dtype, data, i);
    }
  } else if (attrs.s("keep_aspect_ratio_policy", "stretch") != "stretch") {
    return unsupported("Resize: no kernel for {}", attrs.s("keep_aspect_ratio_policy"));
  }
  ResizeParams p;
  p.x = q.in[0].ref;
  p.y = q.out[0].ref;
  p.bytes = info_of(q.out[0].dtype).bytes;
  p.linear = mode == "linear";
  size_t last = 0, changed = 0;  // the last axis that changes; the one with index 0 if none does
  std::vector<std::vector<Tap>> taps(x.size());
  int64_t stride = 1;
  for (size_t d = x.size(); d-- > 0; stride *= x[d]) {
    const bool kept = x[d] == y[d] && scales[d] == 1;
    if (!kept) last = std::max(last, d), ++changed;
    const auto in_range = [&](double v) { return static_cast<int64_t>(std::clamp(v, 0.0, static_cast<double>(x[d] - 1))); };
    for (int64_t i = 0; i < y[d]; ++i) {
      const double at = kept ? static_cast<double>(i) : source_of(place, i, scales[d], x[d], y[d]);
      if (!p.linear) taps[d].push_back({in_range(nearest_of(rounding, at)) * stride, 0, 0});
      else taps[d].push_back({in_range(std::floor(at)) * stride, in_range(std::floor(at) + 1) * stride, static_cast<float>(at - std::floor(at))});
    }
  }
  if (p.linear && (q.in[0].dtype != DType::f32 || changed > 3)) return unsupported("Resize: linear over {} axes of {}", changed, name_of(q.in[0].dtype));
  p.outer.assign(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(x.empty() ? 0 : last));
  p.block = product_of(std::span(y).subspan(std::min(y.size(), last + 1)));
  taps.resize(last + 1);
  if (x.empty()) return unsupported("Resize: of a scalar");
  const int64_t row = static_cast<int64_t>(taps.back().size()) * p.block;
  p.taps = std::move(taps);
  p.cut = Cut::of(row > 0 ? product_of(p.outer) : 0, 1, 4 + row * (p.linear ? 4 : 1), q.workers);
  if (p.linear) return one_step("resize.linear", std::move(p), linear_run, resize_tiles);
  switch (p.bytes) {
    case 1: return one_step("resize.nearest", std::move(p), nearest_run<uint8_t>, resize_tiles);
    case 2: return one_step("resize.nearest", std::move(p), nearest_run<uint16_t>, resize_tiles);
    case 4: return one_step("resize.nearest", std::move(p), nearest_run<uint32_t>, resize_tiles);
    case 8: return one_step("resize.nearest", std::move(p), nearest_run<uint64_t>, resize_tiles);
    default: return unsupported("Resize: elements of {} bytes", p.bytes);
  }
}

}  // namespace mainspring::inline v0::cpu
