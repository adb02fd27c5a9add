// Float gemm kernels against sums in double, and their rule of company to the bit.
#include "cpu/kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "cpu/linear_harness.h"

namespace {

using namespace mainspring;
using kernel_test::Guarded;

std::vector<const GemmKernel*> kernels() { return kernel_test::usable(gemm_kernels()); }

struct Problem {
  int64_t rows, outputs, k;
  DType dtype;
  bool bias;
};

class GemmRun {
 public:
  GemmRun(const GemmKernel& kernel, const Problem& p) : kernel_(kernel), p_(p) {
    x_ = kernel_test::floats({p.rows, p.k}, 7, 1, true, 3);
    w_ = kernel_test::weights(p.dtype, {p.outputs, p.k}, 11);
    bias_ = kernel_test::vector_of({p.outputs}, 13);
    if (!gemm_packs(p.dtype)) return;  // block formats are only decoded
    panels_ = Guarded(gemm_panel_bytes(p.dtype, p.k) * static_cast<size_t>(gemm_panel_count(p.outputs)));
    for (int64_t i = 0; i < gemm_panel_count(p.outputs); ++i)
      gemm_pack(p.dtype, w_.row(i * 16), static_cast<size_t>(w_.row_bytes()), std::min<int64_t>(16, p.outputs - 16 * i), p.k,
                panels_.data() + static_cast<size_t>(i) * gemm_panel_bytes(p.dtype, p.k));
  }
  /// Rows [first, first + n), panels [panel, panel + count), into y (which has the whole shape).
  void packed(const kernel_test::Tensor& y, int64_t first, int64_t n, int64_t panel, int64_t count) {
    const int64_t o = panel * 16;
    kernel_.run(p_.dtype)({panels_.data() + static_cast<size_t>(panel) * gemm_panel_bytes(p_.dtype, p_.k), x_.at<float>(first), x_.stride(),
                           y.at<float>(first) + o, y.stride(), p_.bias ? bias_.at<float>(0) + o : nullptr, p_.k, n, count,
                           std::min(count * 16, p_.outputs - o)});
  }
  void decoded(const kernel_test::Tensor& y, int64_t first, int64_t n) {
    Guarded scratch(kGemmDecodedScratch);
    for (int64_t o = 0; o < p_.outputs; o += 16)
      gemm_decoded(kernel_,
                   {format_of(p_.dtype), w_.row(o), static_cast<size_t>(w_.row_bytes()), x_.at<float>(first), x_.stride(), y.at<float>(first) + o,
                    y.stride(), p_.bias ? bias_.at<float>(0) + o : nullptr, p_.k, n, std::min<int64_t>(16, p_.outputs - o)},
                   scratch.data());
    EXPECT_TRUE(scratch.intact());
  }
  kernel_test::Tensor result() const {
    kernel_test::Tensor y = kernel_test::output({p_.rows, p_.outputs}, DType::f32, 5);
    y.allocate();
    return y;
  }
  void check(const kernel_test::Tensor& y) const {
    for (int64_t o = 0; o < p_.outputs; ++o) {
      const std::vector<float> w = w_.decoded(o);
      for (int64_t r = 0; r < p_.rows; ++r) {
        double sum = p_.bias ? static_cast<double>(bias_.at<float>(0)[o]) : 0, size = std::fabs(sum);
        for (int64_t i = 0; i < p_.k; ++i) {
          const double t = static_cast<double>(x_.at<float>(r)[i]) * static_cast<double>(w[static_cast<size_t>(i)]);
          sum += t;
          size += std::fabs(t);
        }
        // k roundings of a sum that stays below `size`: at most k/2 ulp of it, usually the root of k
        const double tolerance = 0x1p-24 * (2 * std::sqrt(static_cast<double>(p_.k)) + 2) * size;
        ASSERT_NEAR(static_cast<double>(y.at<float>(r)[o]), sum, tolerance) << "row " << r << " output " << o;
      }
    }
  }
  const Guarded& panels() const { return panels_; }
  const kernel_test::Tensor& w() const { return w_; }

 private:
  const GemmKernel& kernel_;
  Problem p_;
  kernel_test::Tensor x_, w_, bias_;
  Guarded panels_;
};

bool same(const kernel_test::Tensor& a, const kernel_test::Tensor& b) {
  for (int64_t r = 0; r < a.rows(); ++r)
    if (std::memcmp(a.row(r), b.row(r), static_cast<size_t>(a.row_bytes()))) return false;
  return true;
}

std::string describe(const GemmKernel& k, const Problem& p) {
  return fmt::format("{} {} rows {} outputs {} k {}", k.name, name_of(p.dtype), p.rows, p.outputs, p.k);
}

TEST(Gemm, packed_panels_agree_with_double) {
  for (const GemmKernel* k : kernels())
    for (const DType t : {DType::f32, DType::f16, DType::bf16})
      for (const Problem& p :
           {Problem{1, 1, 1, t, false}, {1, 16, 64, t, true}, {5, 17, 33, t, true}, {13, 70, 100, t, false}, {25, 131, 257, t, true}}) {
        SCOPED_TRACE(describe(*k, p));
        GemmRun run(*k, p);
        const kernel_test::Tensor y = run.result();
        run.packed(y, 0, p.rows, 0, gemm_panel_count(p.outputs));
        run.check(y);
        EXPECT_TRUE(y.memory->intact() && run.panels().intact());
      }
}

TEST(Gemm, company_changes_no_bit) {
  for (const GemmKernel* k : kernels())
    for (const DType t : {DType::f32, DType::f16, DType::bf16}) {
      const Problem p{29, 83, 145, t, true};
      SCOPED_TRACE(describe(*k, p));
      GemmRun run(*k, p);
      const kernel_test::Tensor together = run.result(), apart = run.result();
      run.packed(together, 0, p.rows, 0, gemm_panel_count(p.outputs));
      for (int64_t n = 1, r = 0; r < p.rows; r += n, n = n % 7 + 1)
        for (int64_t panel = 0; panel < gemm_panel_count(p.outputs); ++panel) run.packed(apart, r, std::min(n, p.rows - r), panel, 1);
      EXPECT_TRUE(same(together, apart));
    }
}

TEST(Gemm, decoded_rows_agree_with_double_and_with_themselves) {
  for (const GemmKernel* k : kernels())
    for (const DType t : {DType::f32, DType::f16, DType::q4_0, DType::q8_0, DType::q4_k, DType::q6_k, DType::q1_0}) {
      const Problem p{11, 21, is_block_format(t) ? 768 : 300, t, true};
      SCOPED_TRACE(describe(*k, p));
      GemmRun run(*k, p);
      const kernel_test::Tensor together = run.result(), apart = run.result();
      run.decoded(together, 0, p.rows);
      run.check(together);
      for (int64_t r = 0; r < p.rows; ++r) run.decoded(apart, r, 1);
      EXPECT_TRUE(same(together, apart));
      if (is_block_format(t)) continue;
      const kernel_test::Tensor packed = run.result();
      run.packed(packed, 0, p.rows, 0, gemm_panel_count(p.outputs));
      EXPECT_TRUE(same(together, packed)) << "panels and source rows of one weight differ";
    }
}

TEST(Gemm, rows_come_back_from_panels) {
  for (const DType t : {DType::f32, DType::f16, DType::bf16}) {
    const Problem p{1, 37, 50, t, false};
    GemmRun run(*kernels().back(), p);
    std::vector<float> row(50);
    for (int64_t o = 0; o < p.outputs; ++o) {
      gemm_unpack_row(t, run.panels().data(), p.k, o, row.data());
      EXPECT_EQ(0, std::memcmp(row.data(), run.w().decoded(o).data(), 200)) << name_of(t) << " row " << o;
    }
  }
}

TEST(Gemm, every_16_bit_weight_is_worth_what_its_format_says) {
  constexpr int64_t n = 1 << 16;
  std::vector<uint16_t> all(n);
  for (int64_t i = 0; i < n; ++i) all[static_cast<size_t>(i)] = static_cast<uint16_t>(i);
  for (const DType t : {DType::f16, DType::bf16}) {
    std::vector<float> want(n), y(n);
    format_of(t)->decode(all.data(), n, want.data());
    Guarded panels(n * 2);  // of k = 1
    std::memcpy(panels.data(), all.data(), n * 2);
    const float one = 1;
    for (const GemmKernel* k : kernels()) {
      k->run(t)({panels.data(), &one, 1, y.data(), n, nullptr, 1, 1, n / kGemmWidth, n});
      for (size_t i = 0; i < n; ++i)
        ASSERT_TRUE(y[i] == want[i] || (std::isnan(y[i]) && std::isnan(want[i]))) << k->name << ' ' << name_of(t) << " bits " << i << ": " << y[i] << ", not " << want[i];
    }
  }
}

TEST(Gemm, no_rows_is_no_work) {
  GemmRun run(*kernels().front(), {1, 16, 8, DType::f32, false});
  const kernel_test::Tensor y = run.result();
  run.packed(y, 0, 0, 0, 1);
  EXPECT_EQ(y.at<uint8_t>(0)[0], 0xa5);
}

}  // namespace
