// What a convolution kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// Outputs in a panel of weights.
inline constexpr int kConvWidth = 16;

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
struct ConvArgs {
  const ConvRow* rows;
  int64_t n_rows;
  const float* w;     ///< 64-byte aligned
  const float* bias;  ///< null, or from the run's first output
  int64_t x_step, y_step;  ///< floats from pixel to pixel
  int64_t depth;
  int64_t w_step;   ///< dense: floats from panel to panel; channel by channel: from row to row
  int64_t outputs;  ///< valid outputs: all panels but the last are full
  ConvAct act;
  bool act_first;  ///< add comes after the activation
  float a, b;
};

/// The functions of one instruction set, a table that its ISA file defines.
struct ConvIsa {
  void (*dense)(const ConvArgs&);
  void (*depthwise)(const ConvArgs&);
};

}  // namespace mainspring::inline v0
