// conv and conv_transpose: numbers worked out by hand, and what inference refuses.
#include "ops/nn/conv_fused.h"

#include "support/op_test.h"

namespace {

using namespace mainspring;
using namespace mainspring::optest;
using Ints = std::vector<int64_t>;

TEST(ConvFused, sums_over_taps_channels_last) {
  // one image of 1×3 pixels with two channels; one output, kernel 1×2
  const Data x = data_of({1, 1, 3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6}), w = data_of({1, 2, 1, 2}, std::vector<float>{1, 10, 100, 1000});
  const auto y = run_reference("conv", {x, w, data_of({1}, std::vector<float>{0.5f})}, {{"pads", Ints{0, 1, 0, 0}}});
  EXPECT_EQ(y[0].floats(), (std::vector<float>{0.5f + 10 + 2000, 0.5f + 1 + 200 + 30 + 4000, 0.5f + 3 + 400 + 50 + 6000}));
}

TEST(ConvFused, transposed_spreads_inputs) {
  const Data x = data_of({1, 2, 1}, std::vector<float>{1, 10}), w = data_of({1, 1, 3}, std::vector<float>{1, 2, 3});
  const auto y = run_reference("conv_transpose", {x, w}, {{"strides", Ints{2}}, {"output_padding", Ints{1}}});
  EXPECT_EQ(y[0].floats(), (std::vector<float>{1, 2, 3 + 10, 20, 30, 0}));
}

TEST(ConvFused, residual_before_or_behind_the_activation) {
  const Data x = data_of({1, 1, 1}, std::vector<float>{-2}), w = data_of({1, 1, 1}, std::vector<float>{1}), add = data_of({1, 1, 1}, std::vector<float>{5}), none{.present = false};
  EXPECT_EQ(run_reference("conv", {x, w, none, add}, {{"act", std::string("relu")}})[0].floats(), std::vector<float>{3});
  EXPECT_EQ(run_reference("conv", {x, w, none, add}, {{"act", std::string("relu")}, {"act_first", int64_t{1}}})[0].floats(), std::vector<float>{5});
}

std::string refusal(const char* op, Dims x, Dims w, const Attrs& attrs) {
  const std::vector<ValueInfo> in{ValueInfo{DType::f32, std::move(x)}, ValueInfo{DType::f32, std::move(w)}};
  const auto out = find_op(op)->infer(OpCall{in, attrs});
  return out ? "" : out.error().message;
}

TEST(ConvFused, inference_refuses) {
  EXPECT_EQ(refusal("conv", {1, 4, 4, 3}, {8, 3, 3, 3}, {}), "");
  EXPECT_EQ(refusal("conv", {1, Dim::unknown(), 4, 3}, {8, 3, 3, 3}, {}), "");
  EXPECT_NE(refusal("conv", {1, 4, 4, 3}, {8, 2, 3, 3}, {}), "");
  EXPECT_NE(refusal("conv", {1, 2, 2, 3}, {8, 3, 3, 3}, {}), "");  // smaller than the kernel
  EXPECT_NE(refusal("conv", {1, 4, 3}, {8, 3, 3, 3}, {}), "");
  EXPECT_NE(refusal("conv", {1, 4, 4, 4}, {9, 2, 3, 3}, {{"group", int64_t{2}}}), "");
  EXPECT_NE(refusal("conv", {1, 4, 4, 3}, {8, 3, 3, 3}, {{"strides", Ints{0, 1}}}), "");
  EXPECT_NE(refusal("conv", {1, 4, 4, 3}, {8, 3, 3, 3}, {{"pads", Ints{-1, 0, 0, 0}}}), "");
  EXPECT_NE(refusal("conv", {1, 4, 4, 3}, {8, 3, 3, 3}, {{"act", std::string("no such")}}), "");
  EXPECT_NE(refusal("conv_transpose", {1, 4, 4, 3}, {8, 3, 3, 3}, {}), "");
  EXPECT_NE(refusal("conv_transpose", {1, 1, 3}, {3, 8, 1}, {{"pads", Ints{1, 0}}}), "");  // no output is left
}

}  // namespace
