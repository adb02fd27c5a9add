// Reductions, softmax and norms of tensors against loops in double.
#include "cpu/bind/tensor_binders.h"
#include "cpu/tensor_harness.h"

namespace {

using namespace mainspring;
using namespace kernel_test;

std::vector<int64_t> index_of(int64_t e, const std::vector<int64_t>& dims) {
  std::vector<int64_t> at(dims.size());
  for (size_t d = dims.size(); d-- > 0; e /= dims[d]) at[d] = e % dims[d];
  return at;
}

/// The elements that go into each result.
std::vector<std::vector<double>> sets_of(const Tensor& x, const std::vector<bool>& reduced) {
  int64_t results = 1;
  for (size_t d = 0; d < reduced.size(); ++d) results *= reduced[d] ? 1 : x.dims[d];
  std::vector<std::vector<double>> sets(static_cast<size_t>(results));
  for (int64_t e = 0; e < count(x); ++e) {
    const auto i = index_of(e, x.dims);
    int64_t to = 0;
    for (size_t d = 0; d < reduced.size(); ++d)
      if (!reduced[d]) to = to * x.dims[d] + i[d];
    sets[static_cast<size_t>(to)].push_back(at(x, e));
  }
  return sets;
}

double reduced_by(const std::string& op, const std::vector<double>& v) {
  double sum = 0, abs = 0, square = 0, prod = 1, high = v[0], low = v[0], exps = 0;
  for (const double x : v) sum += x, abs += std::fabs(x), square += x * x, prod *= x, high = std::max(high, x), low = std::min(low, x), exps += std::exp(x);
  const auto n = static_cast<double>(v.size());
  if (op == "ReduceSum") return sum;
  if (op == "ReduceMean") return sum / n;
  if (op == "ReduceMax") return high;
  if (op == "ReduceMin") return low;
  if (op == "ReduceProd") return prod;
  if (op == "ReduceL1") return abs;
  if (op == "ReduceL2") return std::sqrt(square);
  if (op == "ReduceSumSquare") return square;
  if (op == "ReduceLogSum") return std::log(sum);
  return std::log(exps);
}

TEST(TensorReduce, every_reduction_over_every_kind_of_axes) {
  const std::pair<std::vector<int64_t>, std::vector<double>> cases[] = {{{3, 5, 70}, {2}},    {{3, 5, 70}, {1}}, {{3, 5, 70}, {0, 2}}, {{4, 3, 5, 2}, {1, 3}}, {{4, 3, 5, 150}, {0, 2}},
                                                                        {{3, 1, 33}, {1}},    {{2, 3, 4}, {}},   {{1000}, {0}},        {{7, 300}, {0}},        {{2, 3, 4, 5}, {-1, -2}}};
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"})
    for (const auto& [dims, axes] : cases) {
      const std::string name = op;
      const bool positive = name == "ReduceLogSum", product = name == "ReduceProd";
      const Tensor x = dense(DType::f32, dims, 3, positive ? 0.1 : product ? 0.97 : -2, product ? 1.03 : 2);
      std::vector<bool> reduced(dims.size(), axes.empty());
      for (const double a : axes) reduced[static_cast<size_t>(a < 0 ? a + static_cast<double>(dims.size()) : a)] = true;
      std::vector<int64_t> out;
      for (size_t d = 0; d < dims.size(); ++d) out.push_back(reduced[d] ? 1 : dims[d]);
      const auto sets = sets_of(x, reduced);
      expect_each(cpu::bind_reduce, name, {}, {x, constant(DType::i64, {static_cast<int64_t>(axes.size())}, axes)}, {dense(DType::f32, out)},
                  [&](size_t, int64_t e) { return reduced_by(name, sets[static_cast<size_t>(e)]); },
                  [&](double w) { return 1e-6 * (std::fabs(w) + std::sqrt(static_cast<double>(sets[0].size()))); });
    }
}

TEST(TensorReduce, integers_and_pools_of_everything) {
  const Tensor x = dense(DType::i64, {3, 5, 7}, 1, -9, 9), y = dense(DType::f32, {2, 3, 4, 9}, 2);
  for (const char* op : {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare"}) {
    const auto sets = sets_of(x, {true, false, true});
    expect_each(cpu::bind_reduce, op, {}, {x, constant(DType::i64, {2}, {0, 2})}, {dense(DType::i64, {1, 5, 1})}, [&](size_t, int64_t e) { return reduced_by(op, sets[static_cast<size_t>(e)]); },
                [](double) { return 0.0; });
  }
  const auto sets = sets_of(y, {false, false, true, true});
  expect_each(cpu::bind_reduce, "GlobalAveragePool", {}, {y}, {dense(DType::f32, {2, 3, 1, 1})}, [&](size_t, int64_t e) { return reduced_by("ReduceMean", sets[static_cast<size_t>(e)]); }, [](double) { return 2e-6; });
  expect_each(cpu::bind_reduce, "GlobalMaxPool", {}, {y}, {dense(DType::f32, {2, 3, 1, 1})}, [&](size_t, int64_t e) { return reduced_by("ReduceMax", sets[static_cast<size_t>(e)]); }, [](double) { return 0.0; });
}

TEST(TensorReduce, nan_is_the_largest_and_the_smallest) {
  Tensor x = dense(DType::f32, {4, 50}, 1);
  x.at<float>(2)[17] = NAN;
  for (const char* op : {"ReduceMax", "ReduceMin"}) {
    const auto sets = sets_of(x, {false, true});
    expect_each(cpu::bind_reduce, op, {}, {x, constant(DType::i64, {1}, {1})}, {dense(DType::f32, {4, 1})}, [&](size_t, int64_t e) { return e == 2 ? NAN : reduced_by(op, sets[static_cast<size_t>(e)]); },
                [](double) { return 0.0; });
    expect_each(cpu::bind_reduce, op, {}, {x, constant(DType::i64, {1}, {0})}, {dense(DType::f32, {1, 50})},
                [&](size_t, int64_t e) { return e == 17 ? NAN : reduced_by(op, {at(x, e), at(x, 50 + e), at(x, 100 + e), at(x, 150 + e)}); }, [](double) { return 0.0; });
  }
}

TEST(TensorReduce, softmax_over_any_axis) {
  const Tensor x = dense(DType::f32, {3, 11, 37}, 1, -8, 8);
  for (const int64_t axis : {0, 1, 2, -1})
    for (const bool log : {false, true}) {
      const size_t a = static_cast<size_t>(axis < 0 ? axis + 3 : axis);
      int64_t inner = 1;
      for (size_t d = a + 1; d < 3; ++d) inner *= x.dims[d];
      expect_each(cpu::bind_axis_softmax, log ? "LogSoftmax" : "Softmax", {{"axis", axis}}, {x}, {dense(DType::f32, x.dims)}, [&](size_t, int64_t e) {
        const int64_t n = x.dims[a], first = e / (n * inner) * n * inner + e % inner;
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += std::exp(at(x, first + i * inner));
        return log ? at(x, e) - std::log(sum) : std::exp(at(x, e)) / sum;
      }, [](double w) { return 2e-6 * (1 + std::fabs(w)); });
    }
}

TEST(TensorReduce, along_one_axis) {
  const Tensor x = dense(DType::f32, {3, 8, 200}, 1), ties = constant(DType::f32, {2, 5}, {1, 3, 3, 0, 0, 2, 2, 2, 2, 2});
  for (const int64_t axis : {0, 1, 2}) {
    int64_t inner = 1;
    for (size_t d = static_cast<size_t>(axis) + 1; d < 3; ++d) inner *= x.dims[d];
    const int64_t n = x.dims[static_cast<size_t>(axis)];
    std::vector<int64_t> out = x.dims;
    out[static_cast<size_t>(axis)] = 1;
    expect_each(cpu::bind_arg_extreme, "ArgMax", {{"axis", axis}}, {x}, {dense(DType::i64, out)}, [&](size_t, int64_t e) {
      const int64_t first = e / inner * n * inner + e % inner;
      int64_t best = 0;
      for (int64_t i = 1; i < n; ++i)
        if (at(x, first + i * inner) > at(x, first + best * inner)) best = i;
      return static_cast<double>(best);
    }, [](double) { return 0.0; });
    for (const int64_t mode : {0, 1, 2, 3})
      expect_each(cpu::bind_cum_sum, "CumSum", {{"exclusive", mode & 1}, {"reverse", mode >> 1}}, {x, constant(DType::i64, {}, {static_cast<double>(axis)})}, {dense(DType::f32, x.dims)}, [&](size_t, int64_t e) {
        const int64_t row = e / inner % n, first = e - row * inner;
        double sum = 0;
        for (int64_t i = 0; i < n; ++i)
          if (mode >> 1 ? i > row || (i == row && !(mode & 1)) : i < row || (i == row && !(mode & 1))) sum += at(x, first + i * inner);
        return sum;
      }, [](double w) { return 1e-6 * (1 + std::fabs(w)); });
    out[static_cast<size_t>(axis)] = 3;
    expect_each(cpu::bind_top_k, "TopK", {{"axis", axis}}, {x, constant(DType::i64, {1}, {3})}, {dense(DType::f32, out), dense(DType::i64, out)}, [&](size_t o, int64_t e) {
      const int64_t k = e / inner % 3, first = e / (3 * inner) * n * inner + e % inner;
      std::vector<std::pair<double, int64_t>> all;
      for (int64_t i = 0; i < n; ++i) all.push_back({-at(x, first + i * inner), i});
      std::sort(all.begin(), all.end());
      return o == 0 ? -all[static_cast<size_t>(k)].first : static_cast<double>(all[static_cast<size_t>(k)].second);
    }, [](double) { return 0.0; });
  }
  const double last[] = {2, 4}, least[] = {3, 0};
  expect_each(cpu::bind_arg_extreme, "ArgMax", {{"axis", int64_t{1}}, {"select_last_index", int64_t{1}}}, {ties}, {dense(DType::i64, {2, 1})}, [&](size_t, int64_t e) { return last[e]; }, [](double) { return 0.0; });
  expect_each(cpu::bind_arg_extreme, "ArgMin", {{"axis", int64_t{1}}}, {ties}, {dense(DType::i64, {2, 1})}, [&](size_t, int64_t e) { return least[e]; }, [](double) { return 0.0; });
}

struct Moments {
  double mean, deviation;
};
template <class At>
Moments moments(int64_t n, double eps, At element) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) sum += element(i);
  const double mean = sum / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) squares += (element(i) - mean) * (element(i) - mean);
  return {mean, std::sqrt(squares / static_cast<double>(n) + eps)};
}

TEST(TensorNorm, of_the_last_extents) {
  const Tensor x = dense(DType::f32, {2, 6, 45}, 1), skip = dense(DType::f32, {6, 45}, 2), w = dense(DType::f32, {45}, 3), b = dense(DType::f32, {45}, 4), bias = dense(DType::f32, {45}, 5);
  const auto slack = [](double w_) { return 4e-6 * (1 + std::fabs(w_)); };
  for (const bool with_bias : {false, true})
    expect_each(cpu::bind_tensor_norm, "LayerNormalization", {{"epsilon", 1e-5}}, {x, w, with_bias ? b : absent()}, {dense(DType::f32, x.dims)}, [&](size_t, int64_t e) {
      const auto m = moments(45, 1e-5, [&](int64_t i) { return at(x, e / 45 * 45 + i); });
      return (at(x, e) - m.mean) / m.deviation * at(w, e % 45) + (with_bias ? at(b, e % 45) : 0);
    }, slack);
  expect_each(cpu::bind_tensor_norm, "com.microsoft.SkipLayerNormalization", {{"epsilon", 1e-5}}, {x, skip, w, b, bias}, {dense(DType::f32, x.dims), absent(), absent(), dense(DType::f32, x.dims)}, [&](size_t o, int64_t e) {
    const auto sum = [&](int64_t at_) { return at(x, at_) + at(skip, at_ % (6 * 45)) + at(bias, at_ % 45); };
    const auto m = moments(45, 1e-5, [&](int64_t i) { return sum(e / 45 * 45 + i); });
    return o == 3 ? sum(e) : (sum(e) - m.mean) / m.deviation * at(w, e % 45) + at(b, e % 45);
  }, slack);
}

TEST(TensorNorm, of_groups_of_channels) {
  const Tensor x = dense(DType::f32, {2, 6, 5, 7}, 1), w = dense(DType::f32, {6}, 3), b = dense(DType::f32, {6}, 4);
  for (const int64_t groups : {6, 2, 1}) {
    const int64_t d = 6 / groups * 35;
    expect_each(cpu::bind_channel_norm, groups == 6 ? "InstanceNormalization" : "GroupNormalization", {{"num_groups", groups}}, {x, w, b}, {dense(DType::f32, x.dims)}, [&](size_t, int64_t e) {
      const auto m = moments(d, 1e-5, [&](int64_t i) { return at(x, e / d * d + i); });
      return (at(x, e) - m.mean) / m.deviation * at(w, e / 35 % 6) + at(b, e / 35 % 6);
    }, [](double v) { return 4e-6 * (1 + std::fabs(v)); });
  }
}

}  // namespace
