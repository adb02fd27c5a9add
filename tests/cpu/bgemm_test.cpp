// bf16 gemm kernels against sums in double and against each other to the bit, and their rule of company to the bit.
#include "cpu/kernels/bgemm/bgemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "cpu/linear_harness.h"

namespace {

using namespace mainspring;
using kernel_test::Guarded;

std::vector<const BgemmKernel*> kernels() { return kernel_test::usable(bgemm_kernels()); }

struct Problem {
  int64_t rows, outputs, k;
  bool bias;
};

class BgemmRun {
 public:
  explicit BgemmRun(const Problem& p) : p_(p) {
    x_ = kernel_test::rounded(kernel_test::floats({p.rows, p.k}, 7), 3);
    w_ = kernel_test::weights(DType::bf16, {p.outputs, p.k}, 11);
    bias_ = kernel_test::vector_of({p.outputs}, 13);
    pack();
  }
  void pack() {
    panels_ = Guarded(bgemm_panel_bytes(p_.k) * static_cast<size_t>(bgemm_panel_count(p_.outputs)));
    for (int64_t i = 0; i < bgemm_panel_count(p_.outputs); ++i)
      bgemm_pack(w_.row(i * 16), static_cast<size_t>(w_.row_bytes()), std::min<int64_t>(16, p_.outputs - 16 * i), p_.k,
                 panels_.data() + static_cast<size_t>(i) * bgemm_panel_bytes(p_.k));
  }
  /// Rows [first, first + n), panels [panel, panel + count), into y (which has the whole shape).
  void run(const BgemmKernel& kernel, const kernel_test::Tensor& y, int64_t first, int64_t n, int64_t panel, int64_t count) {
    const int64_t o = panel * 16;
    kernel.run({panels_.data() + static_cast<size_t>(panel) * bgemm_panel_bytes(p_.k), x_.row(first), x_.outer_bytes(), y.at<float>(first) + o,
                y.stride(), p_.bias ? bias_.at<float>(0) + o : nullptr, p_.k, n, count, std::min(count * 16, p_.outputs - o)});
  }
  kernel_test::Tensor whole(const BgemmKernel& kernel) {
    const kernel_test::Tensor y = result();
    run(kernel, y, 0, p_.rows, 0, bgemm_panel_count(p_.outputs));
    EXPECT_TRUE(y.memory->intact() && panels_.intact() && x_.memory->intact());
    return y;
  }
  kernel_test::Tensor result() const {
    kernel_test::Tensor y = kernel_test::output({p_.rows, p_.outputs}, DType::f32, 5);
    y.allocate();
    return y;
  }
  void check(const kernel_test::Tensor& y) const {
    for (int64_t r = 0; r < p_.rows; ++r) {
      const std::vector<float> x = x_.decoded(r);
      for (int64_t o = 0; o < p_.outputs; ++o) {
        const std::vector<float> w = w_.decoded(o);
        double sum = p_.bias ? static_cast<double>(bias_.at<float>(0)[o]) : 0, size = std::fabs(sum);
        for (size_t i = 0; i < x.size(); ++i) {
          const double t = static_cast<double>(x[i]) * static_cast<double>(w[i]);
          sum += t;
          size += std::fabs(t);
        }
        // 16 roundings in a stretch of 32, then one for each stretch: the root of their number, on sums that stay below `size`
        const double tolerance = 0x1p-24 * (2 * std::sqrt(static_cast<double>(p_.k)) + 2) * size;
        ASSERT_NEAR(static_cast<double>(y.at<float>(r)[o]), sum, tolerance) << "row " << r << " output " << o;
      }
    }
  }
  const Guarded& panels() const { return panels_; }
  const kernel_test::Tensor& w() const { return w_; }
  const kernel_test::Tensor& x() const { return x_; }

 private:
  Problem p_;
  kernel_test::Tensor x_, w_, bias_;
  Guarded panels_;
};

bool same(const kernel_test::Tensor& a, const kernel_test::Tensor& b) {
  for (int64_t r = 0; r < a.rows(); ++r)
    if (std::memcmp(a.row(r), b.row(r), static_cast<size_t>(a.row_bytes()))) return false;
  return true;
}

constexpr Problem kProblems[] = {{1, 1, 32, false},   {1, 16, 64, true},  {2, 17, 96, true},    {15, 37, 32, false}, {16, 33, 160, true},
                                 {17, 47, 64, false}, {31, 32, 96, true}, {33, 131, 576, true}, {64, 48, 64, true},  {67, 70, 128, false}};

std::string describe(const BgemmKernel& k, const Problem& p) { return fmt::format("{} rows {} outputs {} k {}", k.name, p.rows, p.outputs, p.k); }

TEST(Bgemm, agrees_with_double) {
  for (const BgemmKernel* k : kernels())
    for (const Problem& p : kProblems) {
      SCOPED_TRACE(describe(*k, p));
      BgemmRun run(p);
      run.check(run.whole(*k));
    }
}

// Tiles are documented to the operation: what comes after them depends on no machine's tiles being other than the scalar kernel.
TEST(Bgemm, bits_are_those_of_the_scalar_kernel) {
  const BgemmKernel& scalar = bgemm_kernels().back();
  if (kernels().size() < 2) GTEST_SKIP() << "the machine has no tiles";
  for (const BgemmKernel* k : kernels())
    for (const Problem& p : kProblems) {
      SCOPED_TRACE(describe(*k, p));
      BgemmRun run(p);
      for (int64_t i = 0; i < p.k; i += 3) {  // subnormal inputs, products and sums are zero
        run.x().at<uint16_t>(0)[i] = static_cast<uint16_t>(i % 2 ? 0x0001 : 0x807f);
        run.w().at<uint16_t>(p.outputs - 1)[i] = static_cast<uint16_t>(i % 2 ? 0x7f00 : 0x3f80);
        run.x().at<uint16_t>(p.rows - 1)[i] = 0x0090;
        run.w().at<uint16_t>(0)[i] = static_cast<uint16_t>(i % 2 ? 0x3f40 : 0xbf41);
      }
      run.pack();
      EXPECT_TRUE(same(run.whole(*k), run.whole(scalar)));
    }
}

TEST(Bgemm, company_changes_no_bit) {
  for (const BgemmKernel* k : kernels()) {
    const Problem p{75, 83, 160, true};
    BgemmRun run(p);
    const kernel_test::Tensor together = run.whole(*k), alone = run.result(), apart = run.result();
    for (int64_t r = 0; r < p.rows; ++r) run.run(*k, alone, r, 1, 0, bgemm_panel_count(p.outputs));
    EXPECT_TRUE(same(together, alone)) << k->name;
    for (int64_t n = 1, r = 0; r < p.rows; r += n, n = n % 40 + 9)
      for (int64_t panel = 0; panel < bgemm_panel_count(p.outputs); ++panel) run.run(*k, apart, r, std::min(n, p.rows - r), panel, 1);
    EXPECT_TRUE(same(together, apart)) << k->name;
  }
}

TEST(Bgemm, a_bad_row_spoils_no_other) {
  for (const BgemmKernel* k : kernels()) {
    const Problem p{20, 16, 64, false};
    BgemmRun run(p);
    const kernel_test::Tensor clean = run.whole(*k);
    run.x().at<uint16_t>(3)[63] = 0x7fc0;
    run.x().at<uint16_t>(18)[0] = 0x7f80;
    const kernel_test::Tensor y = run.whole(*k);
    for (int64_t r = 0; r < p.rows; ++r) {
      const bool bad = r == 3 || r == 18;
      for (int64_t o = 0; o < 16; ++o) EXPECT_EQ(std::isfinite(y.at<float>(r)[o]), !bad) << k->name << " row " << r;
      EXPECT_TRUE(bad || std::memcmp(y.row(r), clean.row(r), 64) == 0) << k->name << " row " << r;
    }
  }
}

TEST(Bgemm, panels_hold_exactly_the_source) {
  const Problem p{1, 37, 96, false};
  BgemmRun run(p);
  EXPECT_TRUE(run.panels().intact());
  std::vector<float> row(96);
  for (int64_t o = 0; o < p.outputs; ++o) {
    bgemm_unpack_row(run.panels().data(), p.k, o, row.data());
    EXPECT_EQ(0, std::memcmp(row.data(), run.w().decoded(o).data(), 384)) << "row " << o;
  }
}

TEST(Bgemm, no_rows_is_no_work) {
  BgemmRun run({1, 16, 32, false});
  const kernel_test::Tensor y = run.result();
  run.run(*kernels().front(), y, 0, 0, 0, 1);
  EXPECT_EQ(y.at<uint8_t>(0)[0], 0xa5);
}

TEST(Bgemm, is_chosen_with_tiles_only) {
  const IsaSet all{(1u << kIsas) - 1};
  ASSERT_NE(select_bgemm(DType::bf16, 64, all, nullptr), nullptr);
  EXPECT_EQ(select_bgemm(DType::bf16, 64, all, nullptr)->isa, Isa::amx);
  std::string why;
  EXPECT_EQ(select_bgemm(DType::bf16, 64, all.without(Isa::amx), &why), nullptr);
  EXPECT_NE(why.find("amx: not on this machine"), std::string::npos) << why;
  why.clear();
  EXPECT_EQ(select_bgemm(DType::bf16, 48, all, &why), nullptr);
  EXPECT_NE(why.find("k = 48, needs a multiple of 32"), std::string::npos) << why;
  EXPECT_EQ(select_bgemm(DType::f16, 64, all, &why), nullptr);
}

}  // namespace
