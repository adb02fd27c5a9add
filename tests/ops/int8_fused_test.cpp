// int8_linear and int8_conv are what the nodes that they replace make, one after the other.
#include <cmath>

#include "support/op_data.h"
#include "support/op_test.h"

namespace {

using namespace mainspring;
using namespace mainspring::optest;
using Ints = std::vector<int64_t>;

Data numbers(Shape shape, uint64_t seed, double scale) {
  Data d{DType::f32, shape, std::vector<std::byte>(static_cast<size_t>(shape.elements()) * 4)};
  Random random(seed);
  for (int64_t i = 0; i < shape.elements(); ++i) d.as<float>()[i] = static_cast<float>(random.normal() * scale);
  return d;
}
Data bytes(Shape shape, uint64_t seed) {
  Data d{DType::i8, shape, std::vector<std::byte>(static_cast<size_t>(shape.elements()))};
  Random random(seed);
  for (std::byte& b : d.bytes) b = static_cast<std::byte>(random.next());
  return d;
}

/// Integer sums times both scales plus the bias, channel of output i by `channel`.
template <class Channel>
void expect_scaled(const Data& y, const Data& sums, const Data& x_scale, const Data& w_scale, const Data& bias, Channel channel) {
  ASSERT_EQ(y.shape.elements(), sums.shape.elements());
  for (int64_t i = 0; i < y.shape.elements(); ++i) {
    const int64_t c = channel(i);
    const double term = static_cast<double>(sums.as<int32_t>()[i]) * static_cast<double>(x_scale.as<float>()[0]) * static_cast<double>(w_scale.as<float>()[c]);
    const double want = term + static_cast<double>(bias.as<float>()[c]);
    EXPECT_NEAR(y.as<float>()[i], want, 1.2e-7 * (std::abs(term) + std::abs(want)));
  }
}

TEST(Int8Fused, linear_is_its_nodes) {
  const Data x = numbers({2, 3, 10}, 1, 2), w = bytes({10, 7}, 2), scale = numbers({7}, 3, 0.01), zero = bytes({7}, 4), bias = numbers({7}, 5, 1);
  const auto q = run_reference("DynamicQuantizeLinear", {x}, {});
  const auto sums = run_reference("MatMulInteger", {q[0], w, q[2], zero}, {});
  expect_scaled(run_reference("int8_linear", {x, w, scale, zero, bias}, {})[0], sums[0], q[1], scale, bias, [](int64_t i) { return i % 7; });
}

TEST(Int8Fused, conv_is_its_nodes) {
  const Data x = numbers({2, 4, 9}, 1, 2), w = bytes({6, 2, 3}, 2), scale = numbers({6}, 3, 0.01), zero = bytes({6}, 4), bias = numbers({6}, 5, 1);
  const Attrs attrs = {{"pads", Ints{2, 1}}, {"dilations", Ints{2}}, {"strides", Ints{2}}, {"group", int64_t{2}}};
  const auto q = run_reference("DynamicQuantizeLinear", {x}, {});
  const auto sums = run_reference("ConvInteger", {q[0], w, q[2], zero}, attrs);
  const int64_t places = sums[0].shape[2];
  expect_scaled(run_reference("int8_conv", {x, w, scale, zero, bias}, attrs)[0], sums[0], q[1], scale, bias, [&](int64_t i) { return i / places % 6; });
}

TEST(Int8Fused, inference_refuses) {
  const auto refused = [](const char* op, Dims x, Dims w, Dims scale) {
    ValueInfo none;
    none.present = false;
    const std::vector<ValueInfo> in{{DType::f32, std::move(x)}, {DType::i8, std::move(w)}, {DType::f32, std::move(scale)}, none, none};
    return !find_op(op)->infer(OpCall{in, {}});
  };
  EXPECT_FALSE(refused("int8_linear", {3, 4}, {4, 5}, {5}));
  EXPECT_TRUE(refused("int8_linear", {3, 4}, {5, 5}, {5}));
  EXPECT_TRUE(refused("int8_linear", {3, 4}, {4, 5}, {4}));
  EXPECT_FALSE(refused("int8_conv", {1, 4, 9}, {5, 4, 3}, {1}));
  EXPECT_TRUE(refused("int8_conv", {1, 4, 9}, {5, 3, 3}, {1}));
}

}  // namespace
