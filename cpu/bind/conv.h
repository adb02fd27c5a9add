// How a convolution falls into work for cpu/kernels/conv. In: the geometry of a node. Out: parts, packed weights, tiles.
//
// A part is a set of outputs that meet the same taps: a plain convolution is one part; a transposed one has a part for each phase of its strides, which
// is a plain convolution of its own with a share of the taps. No input is scattered: tiles write outputs that are theirs alone.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "cpu/bind/bind.h"
#include "cpu/kernels/conv/conv.h"
#include "ops/nn/conv_fused.h"

namespace mainspring::inline v0::cpu {

/// Operands and the end of a node, as steps keep them.
struct ConvIo {
  const ConvIsa* fn = nullptr;
  Ref w;  ///< packed
  Ref x, y, bias, add;
  int64_t x_batch = 0, y_batch = 0, add_batch = 0;  ///< floats from image to image
  ConvAct act = ConvAct::clip;
  float a = 0, b = 0;
  bool act_first = false;
  static Ref constant(const std::byte* p) { return {Space::constant, static_cast<int64_t>(reinterpret_cast<intptr_t>(p))}; }
  const float* weights(const StepEnv& env) const { return reinterpret_cast<const float*>(env.at(w)); }
  /// Arguments with bias and activation set.
  ConvArgs args(const StepEnv& env) const {
    ConvArgs c{};
    c.bias = bias ? reinterpret_cast<const float*>(env.at(bias)) : nullptr;
    c.act = act, c.act_first = act_first, c.a = a, c.b = b;
    return c;
  }
};

/// Outputs first + i * step, i < count, of one axis; tap j (tap[j] of the weights) of output i reads input i * in_step + at[j]. `at` ascends.
struct ConvLine {
  int64_t first = 0, step = 1, count = 1, in_step = 1;
  std::vector<int64_t> at, tap;
  int64_t least() const { return at.empty() ? 0 : at.front(); }
  int64_t reach() const { return at.empty() ? 1 : at.back() - at.front() + 1; }  ///< inputs from the first tap to the last
};

struct ConvPart {
  std::array<ConvLine, 3> line;
  int64_t w_row = 0;    ///< first row of its taps in a panel
  bool joined = false;  ///< taps of the last axis lie beside each other: one tap of all of them
  // Tiles: runs of `pixels` of the last axis × `rows` of the one before × `panels`.
  int64_t rows = 1, pixels = 1, panels = 1, groups = 1;
  int64_t row_tiles = 1, pixel_tiles = 1, panel_tiles = 1, group_tiles = 1;
  int64_t tiles = 0;    ///< of this part and those before
  int64_t taps() const { return static_cast<int64_t>(line[0].at.size() * line[1].at.size() * line[2].at.size()); }
};

/// Everything that tiles need but addresses.
struct ConvPlan {
  ConvShape shape;     ///< axes that do nothing come first
  bool depthwise = false, thin = false;
  int64_t batch = 1;
  std::vector<ConvPart> parts;
  int64_t groups() const { return depthwise ? 1 : shape.group; }
  int64_t panels() const { return conv_panels(depthwise ? shape.c : shape.group_out()); }  ///< of one group
  int64_t panel_rows() const { return shape.taps() * shape.group_in(); }
  int64_t panel_floats() const { return panel_rows() * kConvWidth; }
  int64_t channels() const { return panels() * kConvWidth; }  ///< depthwise: floats of a row of weights
  int64_t thin_step() const { return (panel_rows() + kConvWidth - 1) / kConvWidth * kConvWidth + kConvWidth; }  ///< floats of an output's weights
  int64_t weight_floats() const { return thin ? shape.oc * thin_step() : depthwise ? panel_rows() * channels() : groups() * panels() * panel_floats(); }
  int64_t products() const;  ///< multiply-adds of one image
  // What a tile has in its worker's scratch.
  int64_t most_rows = 0, most_taps = 0, most_inputs = 0, input_floats = 0;
  size_t scratch_bytes() const;
};

/// Axes that do nothing go to the front; 1×1 of stride 1 is one long row, of all images where they follow each other without gaps.
ConvShape simplified(const ConvShape& shape, int64_t* batch, bool dense_batch);
/// Cuts the work of a simplified shape for `workers`.
ConvPlan plan_conv(const ConvShape& shape, int64_t batch, const ConvKernel& kernel, int workers);
/// Weights of operand 1 in the order in which the kernel takes them.
Packing conv_packing(const ConvPlan& plan);

/// conv_winograd.cpp, of a simplified shape.
bool winograd_pays(const ConvShape& shape);
KernelBinding bind_winograd(const ConvIo& io, const ConvShape& shape, int64_t batch, const ConvKernel& kernel, int workers);

}  // namespace mainspring::inline v0::cpu
