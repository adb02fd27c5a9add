// Norms and softmax against double, over lengths around the registers; the fused forms against their two steps, to the bit.
#include "cpu/kernels/norm/norm.h"

#include <gtest/gtest.h>

#include "cpu/kernels/qgemm/qgemm.h"
#include "cpu/linear_harness.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

std::vector<const NormKernel*> norm_kernels_here() { return usable(norm_kernels()); }

/// What a sum over d with 4 × lanes partial sums and the arithmetic after it may lose, relative to the sum's terms.
double sum_ulps(int64_t d) { return 2 * std::sqrt(static_cast<double>(d)) + 8; }

TEST(Norm, rms_and_l2_agree_with_double) {
  for (const NormKernel* kernel : norm_kernels_here())
    for (const int64_t d : {1, 3, 8, 15, 16, 17, 63, 64, 65, 577, 2048}) {
      SCOPED_TRACE(fmt::format("{} d {}", kernel->name, d));
      const Tensor x = floats({1, d}, 3, 2), w = floats({1, d}, 4);
      Tensor y = output({1, d});
      for (const bool weighted : {false, true})
        for (const bool l2 : {false, true}) {
          if (l2 && weighted) continue;
          y.allocate();
          (l2 ? kernel->fn->l2 : kernel->fn->rms)({x.at<float>(0), y.at<float>(0), weighted ? w.at<float>(0) : nullptr, nullptr, d, 1e-5f});
          double squares = 0;
          for (int64_t i = 0; i < d; ++i) squares += std::pow(static_cast<double>(x.at<float>(0)[i]), 2);
          const double factor =
              l2 ? 1 / std::max(std::sqrt(squares), 1e-5) : 1 / std::sqrt(squares / static_cast<double>(d) + static_cast<double>(1e-5f));
          for (int64_t i = 0; i < d; ++i) {
            const double want = static_cast<double>(x.at<float>(0)[i]) * factor * (weighted ? static_cast<double>(w.at<float>(0)[i]) : 1);
            ASSERT_NEAR(static_cast<double>(y.at<float>(0)[i]), want, 0x1p-24 * sum_ulps(d) * std::fabs(want)) << "element " << i;
          }
          EXPECT_TRUE(y.memory->intact());
        }
    }
}

TEST(Norm, layer_agrees_with_double) {
  for (const NormKernel* kernel : norm_kernels_here())
    for (const int64_t d : {1, 7, 16, 33, 130, 768})
      for (const float shift : {0.0f, 50.0f}) {
        SCOPED_TRACE(fmt::format("{} d {} shift {}", kernel->name, d, shift));
        Tensor x = floats({1, d}, 3, 2), w = floats({1, d}, 4), b = floats({1, d}, 5);
        for (int64_t i = 0; i < d; ++i) x.at<float>(0)[i] += shift;
        Tensor y = output({1, d});
        y.allocate();
        kernel->fn->layer({x.at<float>(0), y.at<float>(0), w.at<float>(0), b.at<float>(0), d, 1e-5f});
        double mean = 0, var = 0, size = 0;
        for (int64_t i = 0; i < d; ++i) mean += static_cast<double>(x.at<float>(0)[i]) / static_cast<double>(d);
        for (int64_t i = 0; i < d; ++i) var += std::pow(static_cast<double>(x.at<float>(0)[i]) - mean, 2) / static_cast<double>(d);
        for (int64_t i = 0; i < d; ++i) size = std::max(size, std::fabs(static_cast<double>(x.at<float>(0)[i])));
        const double factor = 1 / std::sqrt(var + static_cast<double>(1e-5f));
        for (int64_t i = 0; i < d; ++i) {
          const double scaled = (static_cast<double>(x.at<float>(0)[i]) - mean) * factor * static_cast<double>(w.at<float>(0)[i]);
          const double want = scaled + static_cast<double>(b.at<float>(0)[i]);
          // the mean is off by an ulp of the values, which the factor makes large
          const double tolerance =
              0x1p-24 * sum_ulps(d) * (std::fabs(scaled) + std::fabs(want) + size * factor * std::fabs(static_cast<double>(w.at<float>(0)[i])));
          ASSERT_NEAR(static_cast<double>(y.at<float>(0)[i]), want, tolerance) << "element " << i;
        }
      }
}

TEST(Norm, softmax_agrees_with_double_and_holds_extremes) {
  for (const NormKernel* kernel : norm_kernels_here())
    for (const int64_t d : {1, 5, 8, 31, 64, 1000}) {
      SCOPED_TRACE(fmt::format("{} d {}", kernel->name, d));
      Tensor x = floats({1, d}, 3, 30);
      if (d > 4) x.at<float>(0)[2] = -INFINITY;
      for (int64_t i = 0; i < d; ++i) x.at<float>(0)[i] -= 500;  // lanes beyond the row must not become the maximum
      Tensor y = output({1, d});
      y.allocate();
      kernel->fn->softmax(x.at<float>(0), y.at<float>(0), d);
      const double top = static_cast<double>(*std::max_element(x.at<float>(0), x.at<float>(0) + d));
      double sum = 0;
      for (int64_t i = 0; i < d; ++i) sum += std::exp(static_cast<double>(x.at<float>(0)[i]) - top);
      for (int64_t i = 0; i < d; ++i) {
        const double want = std::exp(static_cast<double>(x.at<float>(0)[i]) - top) / sum;
        ASSERT_NEAR(static_cast<double>(y.at<float>(0)[i]), want, 0x1p-24 * sum_ulps(d) * want + 1e-38) << "element " << i;
      }
      EXPECT_TRUE(y.memory->intact());
    }
}

TEST(NormBind, each_head_has_its_weight_and_rows_do_not_meet) {
  for (const NormKernel* kernel : norm_kernels_here()) {
    const IsaSet isa = *cap(machine(), kernel->name);
    const Tensor x = floats({13, 3, 40}, 3, 1, true, 8);
    const Attrs attrs = {{"eps", 1e-6}};
    Bound b(cpu::bind_rms_norm, "rms_norm", attrs, {x, vector_of({3, 40}, 9)}, {output({13, 3, 40}, DType::f32, 16)}, isa);
    ASSERT_TRUE(b.ok()) << b.error();
    b.run(13, 1);
    std::vector<float> want(40);
    for (int64_t r = 0; r < 39; ++r) {
      kernel->fn->rms({x.at<float>(r), want.data(), b.in()[1].at<float>(r % 3), nullptr, 40, 1e-6f});
      ASSERT_EQ(0, std::memcmp(want.data(), b.out().row(r), 160)) << "row " << r;
    }
  }
}

TEST(NormBind, a_residual_is_an_add_afterwards) {
  for (const NormKernel* kernel : norm_kernels_here())
    for (const int64_t gap : {0, 3}) {
      const IsaSet isa = *cap(machine(), kernel->name);
      const Tensor x = floats({9, 3, 37}, 3, 1, true, gap), residual = floats({9, 3, 37}, 5, 1, true, 2 * gap), w = vector_of({37}, 9);
      Bound norm(cpu::bind_rms_norm, "rms_norm", {}, {x, w}, {output({9, 3, 37})}, isa);
      ASSERT_TRUE(norm.ok()) << norm.error();
      norm.run(9);
      Bound sum(cpu::bind_binary, "add", {}, {norm.out(), residual}, {output({9, 3, 37})}, isa);
      ASSERT_TRUE(sum.ok()) << sum.error();
      sum.run(9);
      Bound fused(cpu::bind_rms_norm, "rms_norm", {}, {x, w, residual}, {output({9, 3, 37}, DType::f32, gap)}, isa);
      ASSERT_TRUE(fused.ok()) << fused.error();
      fused.run(9, 1);
      EXPECT_TRUE(fused.bytes() == sum.bytes());
    }
}

TEST(NormBind, rms_norm_quant_is_rms_norm_then_quantize_rows) {
  for (const NormKernel* kernel : norm_kernels_here()) {
    const IsaSet isa = *cap(machine(), kernel->name);
    const Tensor x = floats({9, 96}, 3, 1, true, 5), w = vector_of({96}, 9);
    Bound norm(cpu::bind_rms_norm, "rms_norm", {}, {x, w}, {output({9, 96})}, isa);
    Bound fused(cpu::bind_rms_norm_quant, "rms_norm_quant", {}, {x, w}, {output({9, 96}, DType::q8_rows, 1)}, isa);
    Bound fused_bf16(cpu::bind_rms_norm_quant, "rms_norm_quant", {}, {x, w}, {output({9, 96}, DType::bf16, 1)}, isa);
    ASSERT_TRUE(norm.ok() && fused.ok() && fused_bf16.ok()) << fused.error() << fused_bf16.error();
    norm.run(9);
    fused.run(9, 1);
    fused_bf16.run(9, 1);
    Bound quant(cpu::bind_quantize_rows, "quantize_rows", {}, {norm.out()}, {output({9, 96}, DType::q8_rows)}, isa);
    // the reference quantiser on the kernel's norm: what two steps give, whichever way
    const Tensor want = quantised(norm.out()), want_bf16 = rounded(norm.out());
    for (int64_t r = 0; r < 9; ++r) EXPECT_EQ(0, std::memcmp(want_bf16.row(r), fused_bf16.out().row(r), 192)) << kernel->name << " row " << r;
    for (int64_t r = 0; r < 9; ++r) EXPECT_EQ(0, std::memcmp(want.row(r), fused.out().row(r), 96 + 12 + 24)) << kernel->name << " row " << r;
    ASSERT_TRUE(quant.ok()) << quant.error();
  }
}

TEST(NormBind, rms_norm_add_quant_is_both_norms_to_the_bit) {
  for (const NormKernel* kernel : norm_kernels_here()) {
    const IsaSet isa = *cap(machine(), kernel->name);
    const Tensor x = floats({9, 96}, 3, 1, true, 5), residual = floats({9, 96}, 3, 1, true, 6), w = vector_of({96}, 9), next = vector_of({96}, 10);
    for (const DType rows : {DType::q8_rows, DType::q16_rows, DType::bf16}) {
      const Attrs both{{"eps", 1e-3}, {"eps_next", 1e-6}, {"rows", std::string(name_of(rows))}}, first{{"eps", 1e-3}}, second{{"eps", 1e-6}, {"rows", std::string(name_of(rows))}};
      Bound fused(cpu::bind_rms_norm_add_quant, "rms_norm_add_quant", both, {x, w, residual, next}, {output({9, 96}), output({9, 96}, rows, 1)}, isa);
      Bound sum(cpu::bind_rms_norm, "rms_norm", first, {x, w, residual}, {output({9, 96})}, isa);
      ASSERT_TRUE(fused.ok() && sum.ok()) << fused.error() << sum.error();
      fused.run(9, 1);
      sum.run(9);
      Bound quant(cpu::bind_rms_norm_quant, "rms_norm_quant", second, {sum.out(), next}, {output({9, 96}, rows, 1)}, isa);
      ASSERT_TRUE(quant.ok()) << quant.error();
      quant.run(9, 1);
      const size_t used = rows == DType::bf16 ? 2 * 96 : (rows == DType::q16_rows ? 2 : 1) * 96 + 12 + 24;  // the rest fills up
      for (int64_t r = 0; r < 9; ++r) EXPECT_EQ(0, std::memcmp(fused.out(0).row(r), sum.out().row(r), 96 * sizeof(float))) << kernel->name << " row " << r;
      for (int64_t r = 0; r < 9; ++r) EXPECT_EQ(0, std::memcmp(fused.out(1).row(r), quant.out().row(r), used)) << kernel->name << " row " << r << " of " << name_of(rows);
    }
  }
}

TEST(NormBind, quantize_rows_is_the_reference_to_the_bit) {
  for (const NormKernel* kernel : norm_kernels_here()) {
    const IsaSet isa = *cap(machine(), kernel->name);
    Tensor x = floats({5, 3, 160}, 3, 4, true, 12);
    x.at<float>(1)[40] = INFINITY;
    x.at<float>(2)[3] = NAN;
    std::fill_n(x.at<float>(4), 64, 1e-41f);
    std::fill_n(x.at<float>(6), 32, -0.0f);
    x.at<float>(7)[0] = 3e38f;
    Bound b(cpu::bind_quantize_rows, "quantize_rows", {}, {x}, {output({5, 3, 160}, DType::q8_rows, 1)}, isa);
    ASSERT_TRUE(b.ok()) << b.error();
    b.run(5, 1);
    const Tensor want = quantised(x);
    for (int64_t r = 0; r < 15; ++r) EXPECT_EQ(0, std::memcmp(want.row(r), b.out().row(r), 160 + 20 + 40)) << kernel->name << " row " << r;
  }
}

}  // namespace
