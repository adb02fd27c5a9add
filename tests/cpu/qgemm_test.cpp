// Every quantised-gemm kernel that this machine can run: packing is lossless, results are right, and bits do not depend on company.
#include "cpu/kernels/qgemm/qgemm.h"

#include <gtest/gtest.h>

#include "tests/cpu/qgemm_fixture.h"

namespace {

using namespace mainspring;
using namespace qgemm_test;

constexpr DType kBoth[] = {DType::q8_rows, DType::q16_rows};  // activations

class QgemmKernels : public testing::TestWithParam<const QgemmKernel*> {
 protected:
  const QgemmKernel& kernel() const { return *GetParam(); }
  int64_t unit() const { return kernel().k_multiple; }
  int64_t width() const { return kernel().width; }
};

TEST_P(QgemmKernels, PanelsHoldExactlyTheSource) {
  if (kernel().codes) GTEST_SKIP() << "reads the source";
  for (const int64_t k : {unit(), 3 * unit(), int64_t{1536}}) {
    const int64_t outputs = 2 * width() + 3;
    const Bytes w = random_weights(kernel().weight, outputs, k, 1);
    Packed p = pack_weights(kernel(), w, outputs, k);
    const size_t row_bytes = w.size() / static_cast<size_t>(outputs);
    std::vector<float> from_panel(static_cast<size_t>(k)), from_source(static_cast<size_t>(k));
    for (int64_t o = 0; o < outputs; ++o) {
      const std::byte* source = w.data() + static_cast<size_t>(o) * row_bytes;
      Bytes blocks(row_bytes);
      kernel().unpack(p.panels.data(), k, o, blocks.data());
      EXPECT_EQ(std::memcmp(blocks.data(), source, row_bytes), 0) << "output " << o << " k " << k;
      kernel().decode_row(p.panels.data(), k, o, from_panel.data());
      format_of(kernel().weight)->decode(source, k, from_source.data());
      EXPECT_EQ(std::memcmp(from_panel.data(), from_source.data(), from_panel.size() * 4), 0) << "output " << o << " k " << k;
    }
  }
}

TEST_P(QgemmKernels, PanelsAreAtMostATenthLargerThanTheSource) {
  if (kernel().codes) GTEST_SKIP() << "reads the source";
  const DTypeInfo info = info_of(kernel().weight);
  for (const int64_t k : {int64_t{256}, int64_t{768}, int64_t{8192}}) {
    const int64_t source = k / info.block * info.bytes * width();
    EXPECT_LE(static_cast<int64_t>(kernel().panel_bytes(k)), source * 11 / 10) << k;
    EXPECT_EQ(kernel().panel_bytes(k) % 32, 0u);
  }
}

TEST_P(QgemmKernels, AgreesWithDoubleArithmetic) {
  for (const int64_t k : {unit(), 2 * unit(), int64_t{576}, int64_t{1536}, int64_t{2048}}) {
    if (k % unit()) continue;
    for (const int64_t outputs : {int64_t{1}, width() - 1, width(), width() + 1, int64_t{37}, int64_t{2}, width() + 2, int64_t{38}}) {
      const Bytes w = random_weights(kernel().weight, outputs, k, static_cast<uint32_t>(k + outputs));
      Packed p = pack_weights(kernel(), w, outputs, k);
      const DType rows = outputs % 2 ? DType::q16_rows : DType::q8_rows;
      Activations x = random_activations(2, k, 7, rows);
      std::vector<float> bias(static_cast<size_t>(outputs));
      for (size_t o = 0; o < bias.size(); ++o) bias[o] = static_cast<float>(o) * 0.25f - 1;
      for (const bool with_bias : {false, true}) {
        bool clean = false;
        const std::vector<uint32_t> y = run_rows(p, x, 0, 2, &clean, with_bias ? bias.data() : nullptr);
        EXPECT_TRUE(clean) << "k " << k << " outputs " << outputs;
        for (int64_t i = 0; i < 2 * outputs; ++i) {
          const int64_t o = i % outputs;
          Expected e = expected(kernel().weight, w.data() + static_cast<size_t>(o) * (w.size() / static_cast<size_t>(outputs)), x, x.row(i / outputs));
          if (with_bias) e.value += static_cast<double>(bias[static_cast<size_t>(o)]);
          if (with_bias) e.tolerance += 0x1p-23 * std::abs(e.value);
          ASSERT_NEAR(static_cast<double>(float_of(y[static_cast<size_t>(i)])), e.value, e.tolerance) << "k " << k << " row " << i / outputs << " output " << o;
        }
      }
    }
  }
}

// The promise: each row's bits are those of the row alone, wherever it stands among however many.
TEST_P(QgemmKernels, BitsDoNotDependOnCompany) {
  const int64_t k = unit() == 32 ? 576 : 512, outputs = 2 * width() + 3, rows = 65;
  Packed p = pack_weights(kernel(), random_weights(kernel().weight, outputs, k, 3), outputs, k);
  for (const DType dtype : kBoth) {
    Activations x = random_activations(rows, k, 5, dtype);
    std::vector<std::vector<uint32_t>> alone;
    bool clean = false;
    for (int64_t r = 0; r < rows; ++r) {
      alone.push_back(run_rows(p, x, r, 1, &clean));
      ASSERT_TRUE(clean);
    }
    for (const int64_t n : {1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33, 64, 65}) {
      for (const int64_t first : {int64_t{0}, int64_t{1}, int64_t{6}}) {
        if (first + n > rows) continue;
        const std::vector<uint32_t> y = run_rows(p, x, first, n, &clean);
        ASSERT_TRUE(clean) << n;
        if (n > 17 && !kernel().codes) {
          ASSERT_EQ(run_rows(p, x, first, n, &clean, nullptr, false), y) << n << " without scratch";
        }
        for (int64_t r = 0; r < n; ++r)
          ASSERT_TRUE(std::equal(y.begin() + r * outputs, y.begin() + (r + 1) * outputs, alone[static_cast<size_t>(first + r)].begin())) << "row " << r << " of " << n;
      }
    }
  }
}

// The same outputs, cut into runs of panels in another way.
TEST_P(QgemmKernels, BitsDoNotDependOnPanelRuns) {
  const int64_t k = 2 * unit(), outputs = 5 * width() - 1;
  Packed p = pack_weights(kernel(), random_weights(kernel().weight, outputs, k, 4), outputs, k);
  Activations x = random_activations(5, k, 6);
  bool clean = false;
  const std::vector<uint32_t> whole = run_rows(p, x, 0, 5, &clean);
  for (int64_t i = 0; i < kernel().panel_count(outputs); ++i) {
    const int64_t first = i * width(), n = std::min(width(), outputs - first);
    std::vector<float> y(static_cast<size_t>(5 * n));
    Aligned scratch(qgemm_scratch_bytes(kernel().width, k));
    kernel()({.panels = p.panel(i), .x = x.row(0), .x_stride = x.stride(), .y = y.data(), .y_stride = n, .bias = nullptr, .k = k, .rows = 5,
              .panels_count = 1, .outputs = n, .scratch = scratch.data()});
    for (int64_t r = 0; r < 5; ++r)
      ASSERT_EQ(std::memcmp(y.data() + r * n, whole.data() + r * outputs + first, static_cast<size_t>(n) * 4), 0) << "panel " << i;
  }
}

// What measured choice rests on: within a class the f32 sequence is one and integer sums are exact, so the bits agree. The judge is the simplest kernel
// of the class, the scalar one where it is a member.
TEST_P(QgemmKernels, BitsAreThoseOfTheClass) {
  const QgemmKernel* judge = nullptr;
  for (const QgemmKernel* k : usable_kernels())
    if (k->weight == kernel().weight && qgemm_numerics(*k) == qgemm_numerics(kernel())) judge = k;
  if (judge == &kernel()) GTEST_SKIP() << "is the judge";
  for (const int64_t k : {unit(), 7 * unit()}) {
    const int64_t outputs = 37;
    const Bytes w = random_weights(kernel().weight, outputs, k, 8);
    Packed a = pack_weights(kernel(), w, outputs, k), b = pack_weights(*judge, w, outputs, k);
    for (const DType dtype : kBoth) {
      Activations x = random_activations(37, k, 9, dtype);
      bool clean = false;
      EXPECT_EQ(run_rows(a, x, 0, 37, &clean), run_rows(b, x, 0, 37, &clean)) << k << ' ' << name_of(dtype);
    }
  }
}

// Blocks whose every code bit and scale bit is set or clear, against activations at the ends of int8: the 16-bit sums must not wrap.
TEST_P(QgemmKernels, ExtremesDoNotOverflow) {
  const DType t = kernel().weight;
  const int64_t k = 512, outputs = width();
  const DTypeInfo info = info_of(t);
  for (const int fill : {0x00, 0xff, 0x80, 0x7f, 0x0f, 0xf0}) {
    Bytes w(static_cast<size_t>(outputs * k / info.block * info.bytes), static_cast<std::byte>(fill));
    for (size_t at = 0; at < w.size(); at += static_cast<size_t>(info.bytes)) {
      put_scales(t, w.data() + at, [] { return 0.125f; });
      if (t == DType::mxfp4) w[at] = std::byte{126};
    }
    Packed p = pack_weights(kernel(), w, outputs, k);
    for (const int q : {127, -127}) {
      for (const int kind : {0, 1, 2, 3}) {
        const bool alternate = kind % 2;
        Activations x = constant_activations(33, k, q, alternate, kBoth[kind / 2]);
        bool clean = false;
        const std::vector<uint32_t> y = run_rows(p, x, 0, 33, &clean);
        const Expected e = expected(t, w.data(), x, x.row(0));
        for (uint32_t bits : y) ASSERT_NEAR(static_cast<double>(float_of(bits)), e.value, e.tolerance) << "fill " << fill << " q " << q;
      }
    }
  }
}

TEST_P(QgemmKernels, ZeroScalesGiveZero) {
  if (kernel().weight == DType::mxfp4) GTEST_SKIP() << "has no zero scale";
  const int64_t k = 2 * unit(), outputs = width() + 1;
  Packed p = pack_weights(kernel(), random_weights(kernel().weight, outputs, k, 2, 0.0f), outputs, k);
  Activations x = random_activations(3, k, 2);
  bool clean = false;
  for (uint32_t bits : run_rows(p, x, 0, 3, &clean)) EXPECT_EQ(float_of(bits), 0.0f);
}

// A NaN in a row's activations reaches all outputs of that row and none of another.
TEST_P(QgemmKernels, NanStaysInItsRow) {
  const int64_t k = 2 * unit(), outputs = width();
  Packed p = pack_weights(kernel(), random_weights(kernel().weight, outputs, k, 2), outputs, k);
  Activations x = random_activations(4, k, 2);
  std::vector<float> bad(static_cast<size_t>(k), 1.0f);
  bad[5] = std::nanf("");
  quantise_q8_rows(bad.data(), k, 1, k, x.row(2));
  bool clean = false;
  const std::vector<uint32_t> y = run_rows(p, x, 0, 4, &clean);
  for (int64_t i = 0; i < 4 * outputs; ++i) EXPECT_EQ(std::isnan(float_of(y[static_cast<size_t>(i)])), i / outputs == 2) << i;
}

INSTANTIATE_TEST_SUITE_P(All, QgemmKernels, testing::ValuesIn(usable_kernels()), [](const auto& kernel) {
  std::string name = kernel.param->name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

}  // namespace
