// Rope kernels: angles at any position against long double, and bits that depend on position and pair alone.
// The operator itself, strides and tails: tests/ops/rope_test.cpp.
#include "cpu/kernels/rope/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

namespace {

using namespace mainspring;

IsaSet machine() {
#if defined(MAINSPRING_EMULATE_ISA)
  return IsaSet{~0u};
#else
  return detect_isa();
#endif
}

class RopeKernels : public ::testing::TestWithParam<int> {
 protected:
  const RopeKernel& kernel() const { return rope_kernels()[static_cast<size_t>(GetParam())]; }
  void SetUp() override {
    if (!machine().has(kernel().isa)) GTEST_SKIP() << "the machine has no " << kernel().name;
  }
};
INSTANTIATE_TEST_SUITE_P(isa, RopeKernels, ::testing::Range(0, 3), [](const auto& p) { return std::string(rope_kernels()[static_cast<size_t>(p.param)].name); });

std::vector<uint64_t> steps_of(int64_t pairs, double base) {
  std::vector<uint64_t> steps;
  for (int64_t i = 0; i < pairs; ++i) steps.push_back(rope_step(std::pow(base, -static_cast<double>(i) / static_cast<double>(pairs))));
  return steps;
}

TEST_P(RopeKernels, angles_are_exact_at_every_position) {
  for (int64_t pairs : {1, 7, 8, 20, 32, 64}) {
    const std::vector<uint64_t> steps = steps_of(pairs, 10000);
    std::vector<float> table(static_cast<size_t>(rope_table_floats(pairs)));
    for (int32_t position : {0, 1, 2, 3, 100, 4095, 131071, 1 << 20, 2147483647, -1, -77}) {
      kernel().fn->angles(steps.data(), pairs, position, 1, true, table.data());
      for (int64_t i = 0; i < pairs; ++i) {
        const double angle = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(pairs));
        const long double exact = static_cast<long double>(position) * static_cast<long double>(angle);
        // f32: half an ulp of rounding and one of the polynomial; the angle itself is a double, at 2^31 positions worth 2^31 * 2^-53.
        const double tolerance = 1e-7 + std::fabs(position * angle) * 4.5e-16;
        EXPECT_NEAR(table[static_cast<size_t>(i)], static_cast<double>(cosl(exact)), tolerance) << position << " pair " << i << " of " << pairs;
        EXPECT_NEAR(table[static_cast<size_t>(rope_table_floats(pairs) / 2 + i)], static_cast<double>(sinl(exact)), tolerance) << position << " pair " << i;
      }
    }
  }
}

TEST_P(RopeKernels, bits_do_not_depend_on_the_other_pairs) {
  const std::vector<uint64_t> steps = steps_of(37, 500000);
  std::vector<float> all(static_cast<size_t>(rope_table_floats(37))), one(static_cast<size_t>(rope_table_floats(1)));
  for (int32_t position : {5, 70001})
    for (int64_t i = 0; i < 37; ++i) {
      kernel().fn->angles(steps.data(), 37, position, 1.25f, true, all.data());
      kernel().fn->angles(&steps[static_cast<size_t>(i)], 1, position, 1.25f, true, one.data());
      EXPECT_EQ(all[static_cast<size_t>(i)], one[0]);
      EXPECT_EQ(all[static_cast<size_t>(rope_table_floats(37) / 2 + i)], one[static_cast<size_t>(rope_table_floats(1) / 2)]);
    }
}

TEST_P(RopeKernels, in_place_equals_out_of_place) {
  for (bool neox : {false, true})
    for (int64_t pairs : {1, 3, 4, 8, 11, 16, 19}) {
      const int64_t d = 2 * pairs + 5, heads = 3;
      const std::vector<uint64_t> steps = steps_of(pairs, 10000);
      std::vector<float> table(static_cast<size_t>(rope_table_floats(pairs))), x, y(static_cast<size_t>(heads * d), NAN);
      for (int64_t i = 0; i < heads * d; ++i) x.push_back(std::sin(static_cast<float>(i)) * 3);
      kernel().fn->angles(steps.data(), pairs, 1234, 1, neox, table.data());
      kernel().fn->rotate({x.data(), y.data(), heads, d, pairs, neox, table.data()});
      const std::vector<float> before = x;
      kernel().fn->rotate({x.data(), x.data(), heads, d, pairs, neox, table.data()});
      EXPECT_EQ(std::memcmp(x.data(), y.data(), x.size() * sizeof(float)), 0) << neox << " " << pairs;
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t i = 0; i < pairs; ++i) {  // lengths of pairs are kept
          const size_t a = static_cast<size_t>(h * d + (neox ? i : 2 * i)), b = static_cast<size_t>(h * d + (neox ? i + pairs : 2 * i + 1));
          const double was = std::hypot(before[a], before[b]);
          EXPECT_NEAR(std::hypot(y[a], y[b]), was, was * 4e-7);
        }
    }
}

TEST(RopeStep, is_a_fraction_of_a_turn) {
  EXPECT_EQ(rope_step(0), 0u);
  EXPECT_EQ(rope_step(std::numbers::pi), uint64_t{1} << 63);
  EXPECT_EQ(rope_step(std::numbers::pi * 5), uint64_t{1} << 63);
  EXPECT_EQ(rope_step(-std::numbers::pi / 2), uint64_t{3} << 62);
  EXPECT_EQ(rope_step(std::nan("")), 0u);
}

}  // namespace
