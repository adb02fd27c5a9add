// What a convolution kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// Outputs in a panel of weights.
inline constexpr int kConvWidth = 16;

/// Outputs that are too few for a panel.
inline constexpr int kConvThin = 4;

/// clip(x, a, b) is also "none" and relu; leaky_relu, elu: a is alpha; hard_sigmoid: a x + b between 0 and 1.
enum class ConvAct : uint8_t { clip, leaky_relu, elu, sigmoid, tanh, silu, gelu, gelu_erf, hard_sigmoid, hard_swish, mish, softplus, count };

/// `depth` inputs that lie beside each other meet as many rows of a panel.
struct ConvTap {
  int64_t x;  ///< floats from ConvRow::x
  int64_t w;  ///< row of the panel
};

/// A run of output pixels that have the same taps.
struct ConvRow {
  const float* x;
  float* y;
  const float* add;  ///< null, or laid out as y
  const ConvTap* taps;
  int64_t n_taps;
  int64_t pixels;
};

/// y[p, o] = act(bias[o] + add[p, o] + Σ over taps t, i < depth of x[p * x_step + t.x + i] * w[t.w + i][o]) for some rows and a run of panels.
/// Sums take their products in the order of taps and i, after the bias, one fused multiply-add each. Reads stay inside those inputs, the panels and
/// the valid outputs of bias and add; writes stay inside the valid outputs of y.
///
/// Dense: panels are [panel_rows][16], one behind the other. Channel by channel (depthwise): o is also the channel, depth is 1, the inputs of
/// output o lie o further, and weights are [panel_rows][w_step], w_step a multiple of 16.
/// Thin: at most kConvThin outputs, weights are [outputs][w_step] with panel_rows of them and then 16 of anything finite. Products add up in as many sums as
/// a register has lanes, which one tree puts together, then comes the bias.
struct ConvArgs {
  const ConvRow* rows;
  int64_t n_rows;
  const float* w;     ///< 64-byte aligned
  const float* bias;  ///< null, or from the run's first output
  int64_t x_step, y_step;  ///< floats from pixel to pixel
  int64_t depth;
  int64_t w_step;   ///< dense: floats from panel to panel; channel by channel: from row to row; thin: from output to output
  int64_t outputs;  ///< valid outputs: all panels but the last are full
  ConvAct act;
  bool act_first;  ///< add comes after the activation
  float a, b;
};

/// One window of 6 × 6 inputs (of 1 × 6) becomes its points: v[point * v_point + channel], point = row * 6 + column.
struct WinogradIn {
  const float* x;        ///< the window's first element, which need not exist
  int64_t x_row, x_col;  ///< floats from element to element
  int row_begin, row_end, col_begin, col_end;  ///< elements that exist; the others are zero and are not read
  int64_t channels;
  float* v;
  int64_t v_point;
};
/// The sums of the points of 4 × 4 outputs (of 1 × 4) become those outputs, of which rows × cols are wanted; whole panels are read at m.
struct WinogradOut {
  const float* m;
  int64_t m_point;
  float* y;
  const float* add;  ///< null, or laid out as y
  int64_t y_row;     ///< floats from row to row; ConvArgs::y_step from column to column
  int rows, cols;
};

/// The functions of one instruction set, a table that its ISA file defines.
struct ConvIsa {
  void (*dense)(const ConvArgs&);
  void (*depthwise)(const ConvArgs&);
  void (*thin)(const ConvArgs&);
  void (*winograd_in[2])(const WinogradIn&);  ///< of 1 × 6 and of 6 × 6
  void (*winograd_out[2])(const ConvArgs& end, const WinogradOut&);  ///< bias, outputs, y_step and activation of `end` count
};

}  // namespace mainspring::inline v0
