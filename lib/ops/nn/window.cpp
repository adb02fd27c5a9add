#include "ops/nn/window.h"

#include <algorithm>

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kMost = int64_t{1} << 30;  // products of two such numbers do not overflow

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

Result<std::vector<int64_t>> list_attr(const char* op, const Attrs& attrs, const char* name, size_t n, int64_t otherwise, int64_t least) {
  const std::span<const int64_t> given = attrs.is(name);
  if (given.empty()) return std::vector<int64_t>(n, otherwise);
  if (given.size() != n) return invalid("{}: attribute {} has {} numbers, expected {}", op, name, given.size(), n);
  for (const int64_t v : given)
    if (v < least || v > kMost) return invalid("{}: attribute {} has {}, expected {} to {}", op, name, v, least, kMost);
  return std::vector<int64_t>(given.begin(), given.end());
}

int64_t span_of(const WindowSpec& s, size_t axis, int64_t kernel) { return (kernel - 1) * s.dilation[axis] + 1; }

/// Places with these pads along an extent of `in`; below 1: the window does not fit.
int64_t places(const WindowSpec& s, size_t axis, int64_t in, int64_t kernel) {
  const int64_t stride = s.stride[axis], span = span_of(s, axis, kernel);
  if (s.auto_pad == AutoPad::same_upper || s.auto_pad == AutoPad::same_lower) return floor_div(in - 1, stride) + 1;
  if (s.auto_pad == AutoPad::valid) return floor_div(in - span, stride) + 1;
  const int64_t room = in + s.begin[axis] + s.end[axis] - span;
  if (!s.ceil || room < 0) return floor_div(room, stride) + 1;
  const int64_t n = floor_div(room + stride - 1, stride) + 1;
  return (n - 1) * stride >= in + s.begin[axis] ? n - 1 : n;  // the last window may not begin in the padding
}

/// How a transposed convolution is cut at the beginning, and its extent.
std::pair<int64_t, int64_t> transposed(const WindowSpec& s, size_t axis, int64_t in, int64_t kernel, int64_t padding, std::optional<int64_t> wanted) {
  const int64_t whole = s.stride[axis] * (in - 1) + padding + span_of(s, axis, kernel);
  const bool same = s.auto_pad == AutoPad::same_upper || s.auto_pad == AutoPad::same_lower;
  if (!wanted && !same) return s.auto_pad == AutoPad::valid ? std::pair<int64_t, int64_t>(0, whole) : std::pair(s.begin[axis], whole - s.begin[axis] - s.end[axis]);
  const int64_t out = wanted ? *wanted : in * s.stride[axis];
  const int64_t total = std::max<int64_t>(0, whole - out);
  return {s.auto_pad == AutoPad::same_upper ? total / 2 : total - total / 2, out};
}

}  // namespace

Result<WindowSpec> window_spec(const char* op, const Attrs& attrs, size_t axes) {
  WindowSpec s;
  MAINSPRING_TRY(s.stride, list_attr(op, attrs, "strides", axes, 1, 1));
  MAINSPRING_TRY(s.dilation, list_attr(op, attrs, "dilations", axes, 1, 1));
  MAINSPRING_TRY(const std::vector<int64_t> pads, list_attr(op, attrs, "pads", 2 * axes, 0, -kMost));
  constexpr std::string_view kAuto[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
  MAINSPRING_TRY(const size_t kind, choice_attr(op, attrs, "auto_pad", "NOTSET", kAuto));
  s.auto_pad = static_cast<AutoPad>(kind);
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(axes);
  s.begin.assign(pads.begin(), middle);
  s.end.assign(middle, pads.end());
  s.ceil = attrs.i("ceil_mode") != 0;
  return s;
}

Result<Dim> window_extent(const char* op, const WindowSpec& s, size_t axis, Dim in, Dim kernel) {
  if (!kernel.is_constant() || !in.is_known()) return Dim::unknown();
  if (kernel.times < 1 || kernel.times > kMost) return invalid("{}: kernel has extent {}, expected at least 1", op, kernel.times);
  if (in.is_constant()) {
    const int64_t n = places(s, axis, in.times, kernel.times);
    if (n < 1 && in.times > 0) return invalid("{}: a window of {} does not fit an extent of {} with pads {} and {}", op, span_of(s, axis, kernel.times), in.times, s.begin[axis], s.end[axis]);
    return Dim(std::max<int64_t>(n, 0));
  }
  // A multiple of the stride passes through where what is added to it vanishes.
  if (in.times % s.stride[axis] != 0 || (s.ceil && s.stride[axis] != 1) || places(s, axis, 0, kernel.times) != 0) return Dim::unknown();
  return Dim(in.times / s.stride[axis], in.symbol);
}

Result<Dim> transposed_extent(const char* op, const WindowSpec& s, size_t axis, Dim in, Dim kernel, int64_t padding, std::optional<int64_t> wanted) {
  if (wanted) return *wanted < 0 ? Result<Dim>(invalid("{}: attribute output_shape has {}", op, *wanted)) : Result<Dim>(Dim(*wanted));
  if (!kernel.is_constant() || !in.is_known()) return Dim::unknown();
  if (kernel.times < 1 || kernel.times > kMost) return invalid("{}: kernel has extent {}, expected at least 1", op, kernel.times);
  if (in.is_constant()) {
    const int64_t n = transposed(s, axis, in.times, kernel.times, padding, wanted).second;
    if (n < 0) return invalid("{}: pads {} and {} leave nothing of an extent of {}", op, s.begin[axis], s.end[axis], in.times);
    return Dim(n);
  }
  if (transposed(s, axis, 0, kernel.times, padding, wanted).second != 0) return Dim::unknown();
  return times(in, s.stride[axis]);
}

WindowAxis window_axis(const WindowSpec& s, size_t axis, int64_t in, int64_t kernel) {
  WindowAxis a{in, std::max<int64_t>(places(s, axis, in, kernel), 0), kernel, s.stride[axis], s.dilation[axis], s.begin[axis], s.end[axis]};
  if (s.auto_pad == AutoPad::none) return a;
  const int64_t total = s.auto_pad == AutoPad::valid ? 0 : std::max<int64_t>(0, (a.out - 1) * a.stride + span_of(s, axis, kernel) - in);
  a.begin = s.auto_pad == AutoPad::same_lower ? total - total / 2 : total / 2;
  a.end = total - a.begin;
  return a;
}

WindowAxis transposed_axis(const WindowSpec& s, size_t axis, int64_t in, int64_t kernel, int64_t padding, std::optional<int64_t> wanted) {
  const auto [begin, out] = transposed(s, axis, in, kernel, padding, wanted);
  return {out, in, kernel, s.stride[axis], s.dilation[axis], begin, 0};
}

std::vector<WindowAxis> window_axes(const WindowSpec& s, const Shape& x, std::span<const int64_t> kernel) {
  std::vector<WindowAxis> axes;
  for (size_t i = 0; i < s.axes(); ++i) axes.push_back(window_axis(s, i, x[static_cast<int>(i) + 2], kernel[i]));
  return axes;
}

WindowLines lines_of(std::span<const WindowAxis> axes) {
  WindowLines all;
  for (const WindowAxis& a : axes) all.taps *= a.kernel, all.in_plane *= a.in, all.out_plane *= a.out;
  if (axes.empty()) {
    all.lines.push_back({0, 0, 0, 1});
    return all;
  }
  all.step = axes.back().stride;
  if (all.in_plane == 0 || all.out_plane == 0) return all;
  const size_t n = axes.size();
  // Taps that meet an element at some place, and for each such tap the places where it does: [first, last).
  struct Range {
    int64_t first, last;
  };
  const auto taps_of = [](const WindowAxis& a) {
    const int64_t first = std::max<int64_t>(0, floor_div(a.begin - (a.out - 1) * a.stride + a.dilation - 1, a.dilation));
    return Range{first, std::min(a.kernel, floor_div(a.in - 1 + a.begin, a.dilation) + 1)};
  };
  const auto places_of = [](const WindowAxis& a, int64_t k) {
    const int64_t shift = k * a.dilation - a.begin;
    return Range{std::max<int64_t>(0, floor_div(-shift + a.stride - 1, a.stride)), std::min(a.out, floor_div(a.in - 1 - shift, a.stride) + 1)};
  };
  std::vector<Range> taps(n), places(n);
  std::vector<int64_t> k(n), o(n);
  for (size_t i = 0; i < n; ++i) {
    taps[i] = taps_of(axes[i]);
    if (taps[i].first >= taps[i].last) return all;
    k[i] = taps[i].first;
  }
  // An odometer over `n` indices; false when it has come round.
  const auto advance = [](std::vector<int64_t>& index, const std::vector<Range>& ranges, size_t count) {
    for (size_t i = count; i-- > 0;) {
      if (++index[i] < ranges[i].last) return true;
      index[i] = ranges[i].first;
    }
    return false;
  };
  do {
    int64_t tap = 0;
    bool some = true;
    for (size_t i = 0; i < n; ++i) {
      tap = tap * axes[i].kernel + k[i];
      places[i] = places_of(axes[i], k[i]);
      o[i] = places[i].first;
      some = some && places[i].first < places[i].last;
    }
    if (!some) continue;
    do {
      int64_t out = 0, in = 0;
      for (size_t i = 0; i < n; ++i) {
        out = out * axes[i].out + o[i];
        in = in * axes[i].in + axes[i].first(o[i]) + k[i] * axes[i].dilation;
      }
      const int64_t length = places[n - 1].last - places[n - 1].first;
      WindowLine* last = all.lines.empty() ? nullptr : &all.lines.back();
      if (last && last->tap == tap && last->out + last->length == out && last->in + last->length * all.step == in) last->length += length;  // rows that touch are one
      else all.lines.push_back({tap, out, in, length});
    } while (advance(o, places, n - 1));
  } while (advance(k, taps, n));
  return all;
}

}  // namespace mainspring::inline v0
