// Windows that slide over the spatial extents of [N, C, D1, …]: convolutions, pools, folds, of any rank. Attributes strides, dilations, pads, auto_pad,
// ceil_mode become one WindowAxis an extent; lines_of turns them into contiguous runs, so that who uses them has one inner loop.
#pragma once

#include <vector>

#include "ops/nn/numbers.h"

namespace mainspring::inline v0 {

enum class AutoPad : uint8_t { none, same_upper, same_lower, valid };

struct WindowSpec {
  std::vector<int64_t> stride, dilation, begin, end;  // one an axis
  AutoPad auto_pad = AutoPad::none;
  bool ceil = false;
  size_t axes() const { return stride.size(); }
};
/// Errors: invalid_argument: lists of the wrong length, a stride or dilation below 1, an unknown auto_pad.
Result<WindowSpec> window_spec(const char* op, const Attrs& attrs, size_t axes);
/// Extents of the windows' places, as far as `in` and `kernel` tell. Errors: invalid_argument: the window does not fit.
Result<Dim> window_extent(const char* op, const WindowSpec& spec, size_t axis, Dim in, Dim kernel);
/// The extent of what a transposed convolution makes; `padding` adds at the end, `wanted` (if any) asks for that extent.
Result<Dim> transposed_extent(const char* op, const WindowSpec& spec, size_t axis, Dim in, Dim kernel, int64_t padding, std::optional<int64_t> wanted);

/// Tap k of place o reads element o × stride + k × dilation - begin.
struct WindowAxis {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, begin = 0, end = 0;
  int64_t first(int64_t o) const { return o * stride - begin; }
};
/// Of extents that window_extent accepted.
WindowAxis window_axis(const WindowSpec& spec, size_t axis, int64_t in, int64_t kernel);
/// As seen from the larger side: in is the output's extent, out the input's.
WindowAxis transposed_axis(const WindowSpec& spec, size_t axis, int64_t in, int64_t kernel, int64_t padding, std::optional<int64_t> wanted);
/// The windows of x's spatial extents with these kernel extents.
std::vector<WindowAxis> window_axes(const WindowSpec& spec, const Shape& x, std::span<const int64_t> kernel);

/// `length` places from `out` on, whose tap `tap` reads elements from `in` on, `step` apart (see lines_of). Offsets lie within one plane.
struct WindowLine {
  int64_t tap, out, in, length;
};
struct WindowLines {
  std::vector<WindowLine> lines;  ///< by tap, then by place; none reads outside
  int64_t step = 1;               ///< stride of the last axis
  int64_t taps = 1, in_plane = 1, out_plane = 1;
};
WindowLines lines_of(std::span<const WindowAxis> axes);

}  // namespace mainspring::inline v0
