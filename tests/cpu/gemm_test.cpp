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

// The same sums as a GemmArgs call makes, from panels and from a matrix as it lies, cut along k anywhere; and sums that begin with something.
TEST(Gemm, blocks_are_the_same_sums) {
  for (const GemmKernel* kernel : kernels())
    for (const Problem& p : {Problem{1, 1, 1, DType::f32, false}, {1, 100, 70, DType::f32, false}, {7, 16, 9, DType::f32, false}, {29, 83, 145, DType::f32, false}}) {
      SCOPED_TRACE(describe(*kernel, p));
      const int64_t panels = gemm_panel_count(p.outputs), panel = p.k * kGemmWidth, stride = p.outputs + 3;
      const kernel_test::Tensor x = kernel_test::floats({p.rows, p.k}, 7, 1, true, 3), w = kernel_test::floats({p.outputs, p.k}, 11, 1, false);
      const kernel_test::Tensor begin = kernel_test::floats({p.rows, p.outputs}, 17, 1, true, 1), bias = kernel_test::vector_of({p.outputs}, 13);
      Guarded made(static_cast<size_t>(panels * panel) * 4), columns(static_cast<size_t>(panels * panel) * 4), lying(static_cast<size_t>(p.k * stride - 3) * 4);
      auto* matrix = reinterpret_cast<float*>(lying.data());
      for (int64_t i = 0; i < p.k; ++i)
        for (int64_t o = 0; o < p.outputs; ++o) matrix[i * stride + o] = w.at<float>(o)[i];
      for (int64_t i = 0; i < panels; ++i)
        gemm_panel_of_rows(*kernel, w.at<float>(i * 16), w.stride(), std::min<int64_t>(16, p.outputs - i * 16), p.k, reinterpret_cast<float*>(made.data()) + i * panel);
      gemm_panels_of_columns(matrix, stride, p.outputs, p.k, panel, reinterpret_cast<float*>(columns.data()));
      EXPECT_EQ(0, std::memcmp(made.data(), columns.data(), made.size()));
      EXPECT_TRUE(made.intact() && columns.intact() && lying.intact());
      kernel_test::Tensor want = kernel_test::output({p.rows, p.outputs}, DType::f32, 5), got = want;
      want.allocate();
      got.allocate();
      kernel->run(DType::f32)({made.data(), x.at<float>(0), x.stride(), want.at<float>(0), want.stride(), nullptr, p.k, p.rows, panels, p.outputs});
      for (const bool in_place : {false, true})
        for (const int64_t depth : {p.k, (p.k + 2) / 3}) {
          for (int64_t k = 0; k < p.k; k += depth) {
            GemmBlock g{};
            g.w = in_place ? matrix + k * stride : reinterpret_cast<const float*>(made.data()) + k * kGemmWidth;
            g.panel_stride = in_place ? kGemmWidth : panel;
            g.w_stride = in_place ? stride : kGemmWidth;
            g.x = x.at<float>(0) + k;
            g.x_stride = x.stride();
            g.y = got.at<float>(0);
            g.y_stride = got.stride();
            g.start = k ? g.y : nullptr;
            g.start_stride = got.stride();
            g.k = std::min(depth, p.k - k);
            g.rows = p.rows;
            g.outputs = p.outputs;
            (in_place ? kernel->fn->in_place : kernel->fn->panels)(g);
          }
          EXPECT_TRUE(same(got, want)) << (in_place ? "in place" : "panels") << ", " << depth << " k at a time";
          EXPECT_TRUE(got.memory->intact());
        }
      GemmBlock g{};
      g.w = matrix;
      g.panel_stride = kGemmWidth;
      g.w_stride = stride;
      g.y = got.at<float>(0);
      g.y_stride = got.stride();
      g.start = begin.at<float>(0);
      g.start_stride = begin.stride();
      g.bias = bias.at<float>(0);
      g.rows = p.rows;
      g.outputs = p.outputs;
      kernel->fn->in_place(g);  // no depth: the beginning alone
      for (int64_t r = 0; r < p.rows; ++r)
        for (int64_t o = 0; o < p.outputs; ++o) EXPECT_EQ(got.at<float>(r)[o], begin.at<float>(r)[o] + bias.at<float>(0)[o]);
    }
}

TEST(Gemm, no_rows_is_no_work) {
  GemmRun run(*kernels().front(), {1, 16, 8, DType::f32, false});
  const kernel_test::Tensor y = run.result();
  run.packed(y, 0, 0, 0, 1);
  EXPECT_EQ(y.at<uint8_t>(0)[0], 0xa5);
}

}  // namespace
