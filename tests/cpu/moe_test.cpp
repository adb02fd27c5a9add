// moe_route and moe_combine against their references, through op_test's rules of tolerance where numbers are continuous and exactly where
// experts are chosen.
#include <gtest/gtest.h>

#include "cpu/linear_harness.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

struct RouteCase {
  const char* gating;
  int64_t experts, used;
  bool bias, norm;
  double scale;
  int64_t groups, groups_used;
};

Attrs attrs_of(const RouteCase& c) {
  return {{"n_used", c.used},   {"gating", std::string(c.gating)}, {"norm", int64_t{c.norm}}, {"scale", c.scale},
          {"groups", c.groups}, {"groups_used", c.groups_used}};
}

struct Routed {
  std::vector<int64_t> ids;
  std::vector<double> weights;
};

/// The obvious way, in double, by sorting.
Routed expected(const RouteCase& c, const float* logits, const float* bias) {
  std::vector<double> p(logits, logits + c.experts);
  const double top = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double v : p) sum += std::exp(v - top);
  const std::string gating = c.gating;
  for (double& v : p) v = gating == "softmax" ? std::exp(v - top) / sum : gating == "sigmoid" ? 1 / (1 + std::exp(-v)) : v;
  std::vector<double> choice = p;
  for (size_t e = 0; bias && e < choice.size(); ++e) choice[e] += static_cast<double>(bias[e]);
  if (c.groups > 1) {
    const int64_t size = c.experts / c.groups;
    std::vector<std::pair<double, int64_t>> scores;
    for (int64_t g = 0; g < c.groups; ++g) {
      std::vector<double> m(choice.begin() + g * size, choice.begin() + (g + 1) * size);
      std::sort(m.rbegin(), m.rend());
      scores.push_back({-(m[0] + (size > 1 ? m[1] : 0)), g});
    }
    std::sort(scores.begin(), scores.end());
    for (int64_t i = c.groups_used; i < c.groups; ++i)
      for (int64_t e = 0; e < size; ++e) choice[static_cast<size_t>(scores[static_cast<size_t>(i)].second * size + e)] = -INFINITY;
  }
  std::vector<int64_t> order(choice.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return choice[static_cast<size_t>(a)] > choice[static_cast<size_t>(b)]; });
  Routed r;
  for (int64_t k = 0; k < c.used; ++k) {
    r.ids.push_back(order[static_cast<size_t>(k)]);
    r.weights.push_back(p[static_cast<size_t>(r.ids.back())]);
  }
  if (gating == "softmax_weight") {
    double total = 0;
    const double most = *std::max_element(r.weights.begin(), r.weights.end());
    for (double& w : r.weights) total += w = std::exp(w - most);
    for (double& w : r.weights) w /= total;
  }
  double factor = c.scale == 0 ? 1 : c.scale;
  if (c.norm) factor /= std::max(0x1p-14, std::accumulate(r.weights.begin(), r.weights.end(), 0.0));
  for (double& w : r.weights) w *= factor;
  return r;
}

TEST(MoeRoute, chooses_as_the_obvious_way_does) {
  const RouteCase cases[] = {
      {"softmax", 8, 2, false, false, 0, 0, 0},        {"softmax", 60, 4, false, true, 0, 0, 0},  {"softmax", 128, 8, true, true, 1.5, 0, 0},
      {"sigmoid", 64, 6, true, true, 2.5, 8, 3},       {"sigmoid", 16, 1, false, false, 0, 0, 0}, {"softmax_weight", 32, 4, false, false, 0, 0, 0},
      {"softmax_weight", 32, 4, true, false, 0, 0, 0}, {"softmax", 7, 7, false, true, 0, 0, 0},   {"softmax", 12, 3, false, false, 0, 4, 2},
      {"sigmoid", 256, 8, true, true, 2.5, 8, 4},      {"softmax", 4, 2, false, false, 0, 4, 2},
  };
  std::vector<IsaSet> sets = {*cap(machine(), "scalar"), *cap(machine(), "avx2"), machine()};
  for (const IsaSet isa : sets)
    for (const RouteCase& c : cases) {
      SCOPED_TRACE(fmt::format("isa {:#x} {} {} of {} groups {}", isa.bits, c.gating, c.used, c.experts, c.groups));
      const int64_t n = 21;
      const Tensor logits = floats({n, c.experts}, 3, 2, true, 3), bias = c.bias ? vector_of({c.experts}, 5, 0.3f) : absent();
      Tensor ids = output({n, c.used}, DType::i32, 1), weights = output({n, c.used}, DType::f32, 2);
      Bound b(cpu::bind_moe_route, "moe_route", attrs_of(c), {logits, bias}, {ids, weights}, isa);
      ASSERT_TRUE(b.ok()) << b.error();
      b.run(n, 1);
      for (int64_t r = 0; r < n; ++r) {
        const Routed want = expected(c, logits.at<float>(r), c.bias ? bias.at<float>(0) : nullptr);
        for (int64_t k = 0; k < c.used; ++k) {
          ASSERT_EQ(b.out(0).at<int32_t>(r)[k], want.ids[static_cast<size_t>(k)]) << "row " << r << " choice " << k;
          const double w = want.weights[static_cast<size_t>(k)];
          ASSERT_NEAR(static_cast<double>(b.out(1).at<float>(r)[k]), w, 0x1p-24 * (2 * std::sqrt(static_cast<double>(c.experts)) + 12) * w);
        }
      }
    }
}

TEST(MoeRoute, ties_go_to_the_lower_id_and_nan_leads_nowhere_bad) {
  Tensor logits = floats({3, 10}, 3);
  std::fill_n(logits.at<float>(0), 10, 1.5f);
  std::fill_n(logits.at<float>(1), 10, NAN);
  for (int i = 0; i < 10; ++i) logits.at<float>(2)[i] = i < 5 ? -INFINITY : 2.0f;
  Bound b(cpu::bind_moe_route, "moe_route", {{"n_used", int64_t{3}}}, {logits, absent()}, {output({3, 3}, DType::i32), output({3, 3})}, machine());
  ASSERT_TRUE(b.ok()) << b.error();
  b.run(3);
  for (int32_t k = 0; k < 3; ++k) {
    EXPECT_EQ(b.out(0).at<int32_t>(0)[k], k);
    EXPECT_EQ(b.out(0).at<int32_t>(1)[k], k);
    EXPECT_EQ(b.out(0).at<int32_t>(2)[k], 5 + k);
  }
}

TEST(MoeCombine, adds_in_order) {
  for (const int64_t m : {1, 31, 1024, 2500}) {
    const Tensor y = floats({7, 3, m}, 3, 1, true, 5), w = floats({7, 3}, 4, 1, true, 1);
    Bound b(cpu::bind_moe_combine, "moe_combine", {}, {y, w}, {output({7, m}, DType::f32, 2)}, machine());
    ASSERT_TRUE(b.ok()) << b.error();
    b.run(7, 1);
    for (int64_t r = 0; r < 7; ++r)
      for (int64_t i = 0; i < m; ++i) {
        double sum = 0, size = 0;
        for (int64_t j = 0; j < 3; ++j) {
          const double t = static_cast<double>(w.at<float>(r)[j]) * static_cast<double>(y.at<float>(r * 3 + j)[i]);
          sum += t;
          size += std::fabs(t);
        }
        ASSERT_NEAR(static_cast<double>(b.out().at<float>(r)[i]), sum, 0x1p-24 * 4 * size) << m;
      }
  }
}

}  // namespace
