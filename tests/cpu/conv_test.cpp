// conv and conv_transpose: kernels against the reference, over shapes, borders, groups, phases and activations.
#include "support/op_test.h"

namespace {

using namespace mainspring;
using namespace mainspring::optest;
using Ints = std::vector<int64_t>;

struct Geometry {
  std::string name;
  Dims x, w;
  Ints strides = {}, dilations = {}, pads = {};
  int64_t group = 1;
  std::string act = {};
  bool bias = true, add = false, act_first = false;
  Ints output_padding = {};
  bool computed = false;  ///< weights that another node makes
};

OpCase conv_case(const char* op, const Geometry& g, bool exact) {
  OpCase c{.name = g.name, .op = op, .steps = {{{0, 1, 0, 0}}}, .exact_request = exact, .row_alone = false, .error = exact ? 1.0 : 4.0};
  c.attrs.set("strides", g.strides);
  c.attrs.set("dilations", g.dilations);
  c.attrs.set("pads", g.pads);
  c.attrs.set("output_padding", g.output_padding);
  c.attrs.set("group", g.group);
  c.attrs.set("act", g.act);
  c.attrs.set("act_first", int64_t{g.act_first});
  if (g.act == "clip") c.attrs.set("act_a", -0.5), c.attrs.set("act_b", 6.0);
  c.in = {rows(g.x), g.computed ? rows(g.w) : weights(DType::f32, g.w), absent(), absent()};
  const OpDef* def = find_op(op);
  std::vector<ValueInfo> in;
  for (const In& i : c.in) in.push_back(ValueInfo{i.dtype, i.dims, i.state, i.present});
  const auto out = def->infer(OpCall{in, c.attrs});
  EXPECT_TRUE(out) << g.name << ": " << out.error().message;
  if (!out) return c;
  if (g.bias) c.in[2] = vec({out->front().dims.back()});
  if (g.add) c.in[3] = rows(out->front().dims);
  return c;
}

/// `exact`: plain sums; else Winograd's too.
std::vector<OpCase> cases_of(const char* op, bool exact, const std::vector<Geometry>& all) {
  std::vector<OpCase> cases;
  for (const Geometry& g : all) cases.push_back(conv_case(op, g, exact));
  return cases;
}

const std::vector<OpCase> kConv = cases_of(
    "conv", true, {
                {.name = "least", .x = {1, 1, 1, 1}, .w = {1, 1, 1, 1}},
                {.name = "pointwise", .x = {2, 5, 7, 22}, .w = {35, 22, 1, 1}, .act = "relu"},
                {.name = "pointwise_one_panel", .x = {1, 13, 11, 9}, .w = {16, 9, 1, 1}, .act = "clip", .bias = false},
                {.name = "pointwise_stride", .x = {2, 9, 7, 12}, .w = {33, 12, 1, 1}, .strides = {2, 3}},
                {.name = "same3", .x = {2, 9, 13, 16}, .w = {32, 16, 3, 3}, .pads = {1, 1, 1, 1}, .act = "silu"},
                {.name = "same3_wide", .x = {1, 6, 61, 5}, .w = {48, 5, 3, 3}, .pads = {1, 1, 1, 1}, .act = "gelu"},
                {.name = "valid3", .x = {1, 8, 17, 7}, .w = {67, 7, 3, 3}, .act = "gelu_erf", .bias = false},
                {.name = "first_layer", .x = {1, 21, 25, 3}, .w = {16, 3, 3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}, .act = "hard_swish"},
                {.name = "first_layer_even", .x = {1, 20, 24, 3}, .w = {19, 3, 3, 3}, .strides = {2, 2}, .pads = {0, 0, 1, 1}, .act = "mish"},
                {.name = "one_channel", .x = {1, 12, 15, 1}, .w = {17, 1, 5, 5}, .pads = {2, 2, 2, 2}, .act = "tanh"},
                {.name = "one_output", .x = {1, 50, 24}, .w = {1, 24, 7}, .pads = {3, 3}, .act = "tanh"},
                {.name = "three_outputs", .x = {2, 9, 11, 20}, .w = {3, 20, 3, 3}, .strides = {1, 2}, .pads = {1, 1, 1, 1}, .act = "sigmoid", .add = true},
                {.name = "two_outputs_dilated", .x = {1, 70, 37}, .w = {2, 37, 3}, .dilations = {2}, .pads = {2, 2}, .act = "relu"},
                {.name = "add_then_act", .x = {2, 5, 6, 8}, .w = {40, 8, 3, 3}, .pads = {1, 1, 1, 1}, .act = "relu", .add = true},
                {.name = "act_then_add", .x = {2, 5, 6, 8}, .w = {40, 8, 3, 3}, .pads = {1, 1, 1, 1}, .act = "silu", .add = true, .act_first = true},
                {.name = "add_pointwise", .x = {2, 3, 4, 5}, .w = {32, 5, 1, 1}, .add = true},
                {.name = "uneven_pads", .x = {1, 7, 9, 4}, .w = {8, 4, 3, 5}, .strides = {2, 1}, .pads = {0, 3, 2, 1}, .act = "elu"},
                {.name = "pads_beyond", .x = {1, 2, 3, 4}, .w = {9, 4, 3, 3}, .pads = {4, 5, 4, 5}, .act = "leaky_relu"},
                {.name = "dilated", .x = {1, 15, 17, 6}, .w = {20, 6, 3, 3}, .dilations = {2, 4}, .pads = {2, 4, 2, 4}, .act = "sigmoid"},
                {.name = "line", .x = {2, 301, 24}, .w = {40, 24, 11}, .dilations = {3}, .pads = {15, 15}, .act = "leaky_relu"},
                {.name = "line_stride", .x = {1, 157, 10}, .w = {12, 10, 4}, .strides = {3}, .pads = {1, 2}, .act = "softplus"},
                {.name = "volume", .x = {2, 4, 5, 6, 3}, .w = {18, 3, 3, 2, 3}, .strides = {1, 2, 1}, .pads = {1, 0, 1, 1, 1, 1}, .act = "hard_sigmoid"},
                {.name = "column", .x = {1, 40, 1, 8}, .w = {16, 8, 5, 1}, .pads = {2, 0, 2, 0}},
                {.name = "groups", .x = {1, 9, 8, 24}, .w = {40, 6, 3, 3}, .pads = {1, 1, 1, 1}, .group = 4, .act = "relu", .add = true},
                {.name = "groups_valid", .x = {2, 6, 7, 66}, .w = {66, 22, 1, 3}, .group = 3},
                {.name = "multiplier", .x = {1, 7, 7, 5}, .w = {15, 1, 3, 3}, .pads = {1, 1, 1, 1}, .group = 5},
                {.name = "depthwise", .x = {2, 9, 21, 37}, .w = {37, 1, 3, 3}, .pads = {1, 1, 1, 1}, .group = 37, .act = "relu"},
                {.name = "depthwise_stride", .x = {1, 14, 17, 64}, .w = {64, 1, 5, 5}, .strides = {2, 2}, .pads = {2, 2, 2, 2}, .group = 64, .act = "hard_swish"},
                {.name = "depthwise_dilated", .x = {1, 11, 5, 20}, .w = {20, 1, 3, 3}, .dilations = {2, 3}, .pads = {2, 3, 2, 3}, .group = 20, .add = true},
                {.name = "depthwise_line", .x = {2, 130, 96}, .w = {96, 1, 31}, .pads = {15, 15}, .group = 96, .act = "silu", .bias = false},
                {.name = "depthwise_volume", .x = {1, 3, 4, 5, 16}, .w = {16, 1, 3, 3, 3}, .pads = {1, 1, 1, 1, 1, 1}, .group = 16},
                {.name = "depthwise_large", .x = {1, 12, 40, 240}, .w = {240, 1, 5, 5}, .pads = {2, 2, 2, 2}, .group = 240, .act = "relu"},
                {.name = "groups_large", .x = {1, 30, 31, 48}, .w = {96, 12, 3, 3}, .pads = {1, 1, 1, 1}, .group = 4, .act = "relu"},
                {.name = "many_panels", .x = {1, 10, 10, 160}, .w = {272, 160, 3, 3}, .pads = {1, 1, 1, 1}},
                {.name = "no_images", .x = {0, 4, 4, 3}, .w = {5, 3, 1, 1}},
                {.name = "computed", .x = {2, 9, 13, 16}, .w = {40, 16, 3, 3}, .pads = {1, 1, 1, 1}, .act = "relu", .computed = true},
                {.name = "computed_groups", .x = {1, 6, 7, 12}, .w = {10, 6, 3, 2}, .group = 2, .add = true, .computed = true},
                {.name = "computed_depthwise", .x = {1, 7, 9, 37}, .w = {37, 1, 3, 3}, .pads = {1, 1, 1, 1}, .group = 37, .computed = true},
                {.name = "computed_thin", .x = {1, 9, 11, 20}, .w = {3, 20, 3, 3}, .computed = true},
            });
MAINSPRING_OP_TEST(Conv, kConv);

const std::vector<OpCase> kWinograd = cases_of(
    "conv", false, {
                {.name = "square", .x = {2, 13, 18, 37}, .w = {35, 37, 3, 3}, .pads = {1, 1, 1, 1}, .act = "silu"},
                {.name = "square_large", .x = {1, 24, 25, 64}, .w = {64, 64, 3, 3}, .pads = {1, 1, 1, 1}, .act = "relu"},
                {.name = "square_valid", .x = {1, 15, 30, 24}, .w = {64, 24, 3, 3}, .act = "relu", .add = true},
                {.name = "square_longer", .x = {1, 20, 19, 16}, .w = {32, 16, 5, 7}, .pads = {2, 3, 2, 3}, .bias = false},
                {.name = "square_dilated", .x = {1, 21, 27, 32}, .w = {32, 32, 3, 3}, .dilations = {2, 3}, .pads = {2, 3, 2, 3}, .act = "silu", .add = true, .act_first = true},
                {.name = "line", .x = {2, 301, 40}, .w = {72, 40, 3}, .pads = {1, 1}, .act = "leaky_relu"},
                {.name = "line_longer", .x = {1, 203, 48}, .w = {64, 48, 11}, .dilations = {3}, .pads = {15, 15}, .act = "tanh", .add = true},
                {.name = "line_many_panels", .x = {1, 260, 128}, .w = {256, 128, 7}, .pads = {3, 3}},
            });
MAINSPRING_OP_TEST(Winograd, kWinograd);

TEST(Winograd, takes_its_cases) {
  for (const OpCase& c : kWinograd) EXPECT_NE(check_kernel(c, Isa::scalar).find("winograd"), std::string::npos) << c.name;
}

const std::vector<OpCase> kTransposed = cases_of(
    "conv_transpose", true, {
                          {.name = "least", .x = {1, 1, 1, 1}, .w = {1, 1, 1, 1}},
                          {.name = "plain", .x = {2, 5, 7, 9}, .w = {9, 20, 3, 3}, .act = "relu"},
                          {.name = "twice", .x = {1, 6, 7, 24}, .w = {24, 33, 2, 2}, .strides = {2, 2}, .act = "silu", .add = true},
                          {.name = "gan", .x = {1, 33, 32}, .w = {32, 16, 16}, .strides = {8}, .pads = {4, 4}},
                          {.name = "padded", .x = {2, 6, 5, 8}, .w = {8, 17, 4, 3}, .strides = {2, 3}, .pads = {1, 1, 2, 0}, .output_padding = {1, 2}},
                          {.name = "thin", .x = {1, 8, 9, 18}, .w = {18, 1, 2, 4}, .strides = {2, 2}, .pads = {0, 1, 0, 1}, .act = "sigmoid"},
                          {.name = "gaps", .x = {1, 4, 5, 3}, .w = {3, 6, 2, 1}, .strides = {3, 2}, .act = "sigmoid"},
                          {.name = "dilated", .x = {1, 7, 9, 6}, .w = {6, 20, 3, 3}, .strides = {2, 1}, .dilations = {3, 2}, .pads = {2, 1, 0, 3}},
                          {.name = "groups", .x = {1, 5, 6, 12}, .w = {12, 10, 3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}, .group = 3},
                          {.name = "depthwise", .x = {1, 6, 9, 35}, .w = {35, 1, 4, 4}, .strides = {2, 2}, .pads = {1, 1, 1, 1}, .group = 35},
                          {.name = "volume", .x = {1, 3, 2, 4, 5}, .w = {5, 4, 2, 3, 3}, .strides = {2, 1, 2}, .pads = {0, 1, 0, 0, 1, 1}},
                          {.name = "computed", .x = {1, 6, 7, 24}, .w = {24, 33, 3, 2}, .strides = {2, 2}, .computed = true},
                      });
MAINSPRING_OP_TEST(ConvTranspose, kTransposed);

}  // namespace
