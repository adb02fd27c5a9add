// What ONNX's own tests of the network operators (tests/onnx) do not show: extents that are not known, contents that point outside, windows at their limits.
#include <limits>

#include "support/tensor_call.h"

namespace mainspring::inline v0 {
namespace {

using namespace test;

using Ints = std::vector<int64_t>;

ValueInfo absent() {
  ValueInfo v;
  v.present = false;
  return v;
}
ValueInfo f32(Dims dims) { return tensor_of(DType::f32, std::move(dims)); }
Result<std::vector<ValueInfo>> shape_of(const char* op, std::vector<ValueInfo> in, const Attrs& attrs, int n_out = 1) {
  const OpDef* def = find_op(op);
  in.resize(static_cast<size_t>(def->max_in), absent());
  return def->infer(OpCall{in, attrs, {}, n_out});
}
Dims dims(const char* op, std::vector<ValueInfo> in, const Attrs& attrs = {}) {
  const auto r = shape_of(op, std::move(in), attrs);
  EXPECT_TRUE(r) << (r ? "" : r.error().message);
  return r ? (*r)[0].dims : Dims{};
}
bool refused(const char* op, std::vector<ValueInfo> in, const Attrs& attrs = {}) { return !shape_of(op, std::move(in), attrs); }

const Dim kBatch{1, 0}, kWidth{4, 1};  // symbols

TEST(Network, windows_of_extents_that_have_names) {
  const ValueInfo x = f32({kBatch, Dim(8), kWidth, Dim(10)}), w = f32({Dim(6), Dim(8), Dim(3), Dim(3)});
  const Attrs same{{"pads", Ints{1, 1, 1, 1}}};
  EXPECT_EQ(dims("Conv", {x, w}, same), (Dims{kBatch, Dim(6), kWidth, Dim(10)}));
  // 4n, padded by one on both sides, in steps of two: 2n.
  EXPECT_EQ(dims("Conv", {x, w}, {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}), (Dims{kBatch, Dim(6), Dim(2, 1), Dim(5)}));
  EXPECT_FALSE(dims("Conv", {x, w})[2].is_known());
  EXPECT_EQ(dims("Conv", {x, w}, {{"auto_pad", "SAME_LOWER"}, {"strides", Ints{4, 3}}}), (Dims{kBatch, Dim(6), Dim(1, 1), Dim(4)}));
  EXPECT_EQ(dims("ConvTranspose", {x, f32({Dim(8), Dim(5), Dim(4), Dim(4)})}, {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}), (Dims{kBatch, Dim(5), Dim(8, 1), Dim(20)}));
  EXPECT_EQ(dims("MaxPool", {x}, {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 3}}}), (Dims{kBatch, Dim(8), Dim(2, 1), Dim(3)}));
  EXPECT_TRUE(refused("Conv", {x, f32({Dim(6), Dim(7), Dim(3), Dim(3)})}));
  EXPECT_TRUE(refused("Conv", {f32({Dim(1), Dim(8), Dim(2), Dim(10)}), w}));
  EXPECT_TRUE(refused("Conv", {x, w}, {{"group", int64_t{3}}}));
  EXPECT_TRUE(refused("Conv", {x, w}, {{"strides", Ints{0, 1}}}));
  EXPECT_TRUE(refused("Conv", {x, w}, {{"pads", Ints{1, 1}}}));
  EXPECT_TRUE(refused("MaxPool", {x}, {{"kernel_shape", Ints{2, std::numeric_limits<int64_t>::max()}}}));
}

TEST(Network, windows_that_reach_far_outside) {
  // A kernel of 2^20 taps, of which three meet the picture: what the others would read costs nothing.
  const Operand x = floats({1, 1, 3}, {1, 5, 2});
  const int64_t kernel = int64_t{1} << 20;
  expect_near(run("MaxPool", {x}, {{"kernel_shape", Ints{kernel}}, {"pads", Ints{kernel - 2, 0}}})[0], floats({1, 1, 2}, {5, 5}), 0);
  expect_near(run("Conv", {x, floats({1, 1, 2}, {1, 10})}, {{"pads", Ints{2, 2}}, {"dilations", Ints{3}}})[0], floats({1, 1, 4}, {50, 20, 1, 5}), 0);
  // Pads may cut.
  expect_near(run("Conv", {x, floats({1, 1, 1}, {2})}, {{"pads", Ints{-1, 0}}})[0], floats({1, 1, 2}, {10, 4}), 0);
}

TEST(Network, contents_that_point_outside) {
  const Operand x = floats({1, 1, 2}, {7, 8});
  expect_near(run("MaxUnpool", {x, numbers(DType::i64, {1, 1, 2}, {1, 99})}, {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}})[0], floats({1, 1, 4}, {0, 7, 0, 0}), 0);
  expect_near(run("MaxUnpool", {x, numbers(DType::i64, {1, 1, 2}, {-1, 3})}, {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}})[0], floats({1, 1, 4}, {0, 0, 0, 8}), 0);
  const Operand picture = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  expect_near(run("RoiAlign", {picture, floats({1, 4}, {0, 0, 1, 1}), numbers(DType::i64, {1}, {5})})[0], floats({1, 1, 1, 1}, {0}), 0);
  expect_near(run("RoiAlign", {picture, floats({1, 4}, {-1e30, -1e30, 1e30, 1e30}), numbers(DType::i64, {1}, {0})}, {{"sampling_ratio", int64_t{2}}})[0], floats({1, 1, 1, 1}, {0}), 0);
  expect_near(run("MaxRoiPool", {picture, floats({2, 5}, {0, 0, 0, 1, 1, -3, 0, 0, 1, 1})}, {{"pooled_shape", Ints{1, 1}}})[0], floats({2, 1, 1, 1}, {4, 0}), 0);
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const char* padding : {"zeros", "border", "reflection"})
    for (const char* mode : {"nearest", "linear", "cubic"}) {
      const auto y = run("GridSample", {picture, floats({1, 1, 3, 2}, {inf, 0, 1e30, -1e30, nan, 0})}, {{"padding_mode", padding}, {"mode", mode}});
      EXPECT_EQ(y[0].shape, (Shape{1, 1, 1, 3}));
    }
  expect_near(run("RotaryEmbedding", {floats({1, 1, 2}, {3, 4}), floats({1, 1}, {0}), floats({1, 1}, {1}), numbers(DType::i64, {1, 1}, {9})}, {{"num_heads", int64_t{1}}})[0], floats({1, 1, 2}, {3, 4}), 0);
  // A sequence's length beyond the steps is the steps.
  const Operand w = floats({1, 1, 1}, {1}), seq = floats({2, 1, 1}, {0.5, 0.25});
  expect_near(run("RNN", {seq, w, w, {}, numbers(DType::i32, {1}, {99})}, {{"hidden_size", int64_t{1}}})[0], run("RNN", {seq, w, w}, {{"hidden_size", int64_t{1}}})[0], 0);
}

TEST(Network, transforms_of_any_length) {
  for (const int64_t n : {1, 2, 7, 12, 30, 37, 64}) {
    const Operand x = noise(DType::f32, {1, n, 2}, static_cast<uint32_t>(n));
    const Operand there = run("DFT", {x})[0];
    expect_near(run("DFT", {there}, {{"inverse", int64_t{1}}})[0], x, 1e-5);
    const std::vector<double> y = there.present ? Operand(there).numbers() : std::vector<double>();
    double re = 0, im = 0;  // bin 1 by its definition
    for (int64_t i = 0; i < n; ++i) {
      const double angle = -2 * 3.14159265358979323846 * static_cast<double>(i) / static_cast<double>(n), a = load(Operand(x).view(), 2 * i), b = load(Operand(x).view(), 2 * i + 1);
      re += a * std::cos(angle) - b * std::sin(angle), im += a * std::sin(angle) + b * std::cos(angle);
    }
    const size_t bin = n > 1 ? 2 : 0;
    EXPECT_NEAR(y[bin], re, 1e-5) << n;
    EXPECT_NEAR(y[bin + 1], im, 1e-5) << n;
    const Operand real = noise(DType::f32, {1, n, 1}, 5), half = run("DFT", {real}, {{"onesided", int64_t{1}}})[0];
    if (n > 1) expect_near(run("DFT", {half, numbers(DType::i64, {}, {static_cast<double>(n)})}, {{"inverse", int64_t{1}}, {"onesided", int64_t{1}}})[0], real, 1e-5);
  }
}

TEST(Network, resizes_of_extents_that_have_names) {
  std::vector<Operand> scales{floats({4}, {1, 1, 2, 2})};
  const Tensor known = *Tensor::borrow_bytes(DType::f32, scales[0].shape, scales[0].memory.data(), scales[0].bytes());
  ValueInfo s = f32({Dim(4)});
  s.value = &known;
  EXPECT_EQ(dims("Resize", {f32({kBatch, Dim(3), kWidth, Dim(5)}), absent(), s}), (Dims{kBatch, Dim(3), Dim(8, 1), Dim(10)}));
  EXPECT_TRUE(refused("Resize", {f32({kBatch, Dim(3), kWidth, Dim(5)})}));
  // 10 × 0.7 in f32 is 7, in f64 a little less.
  EXPECT_EQ(run("Resize", {floats({10}, std::vector<double>(10, 1)), {}, floats({1}, {0.7})})[0].shape, Shape{7});
}

TEST(Network, attention_without_a_key_gives_zeros) {
  const Operand q = noise(DType::f32, {1, 1, 2, 4}, 1), k = noise(DType::f32, {1, 1, 2, 4}, 2);
  Operand v = noise(DType::f32, {1, 1, 2, 4}, 3);
  store(v.view(), 5, std::numeric_limits<double>::quiet_NaN());  // of a key that nobody sees
  const Operand mask = numbers(DType::boolean, {2, 2}, {0, 0, 1, 0});
  Operand y = run("Attention", {q, k, v, mask})[0];
  const std::vector<double> got = y.numbers(), values = v.numbers();
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(got[i], 0);
    EXPECT_NEAR(got[4 + i], values[i], 1e-6);
  }
}

}  // namespace
}  // namespace mainspring::inline v0
