// The operators of ai.onnx.ml, few of which ONNX's own tests show, against numbers worked out by hand.
#include "support/tensor_call.h"

namespace mainspring::inline v0 {
namespace {

using namespace test;

constexpr double kClose = 1e-5;
using Reals = std::vector<double>;
using Ints = std::vector<int64_t>;
using Names = std::vector<std::string>;

Operand texts(Shape s, std::vector<std::string_view> values) {
  Operand o(DType::string, s);
  for (size_t i = 0; i < values.size(); ++i) o.view().as<std::string_view>()[i] = values[i];
  return o;
}
std::vector<std::string> texts_of(Operand o) {
  std::vector<std::string> all;
  for (int64_t i = 0; i < o.shape.elements(); ++i) all.emplace_back(o.view().as<std::string_view>()[i]);
  return all;
}
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(Classical, features) {
  const Operand x = floats({2, 3}, {1, -2, 0, 4, 5, 6});
  expect_near(run("ai.onnx.ml.ArrayFeatureExtractor", {x, numbers(DType::i64, {2}, {2, 0})})[0], floats({2, 2}, {0, 1, 6, 4}), 0);
  expect_near(run("ai.onnx.ml.ArrayFeatureExtractor", {floats({3}, {1, 2, 3}), numbers(DType::i64, {1, 1}, {1})})[0], floats({1, 1}, {2}), 0);
  expect_refused("ai.onnx.ml.ArrayFeatureExtractor", {x, numbers(DType::i64, {1}, {3})});
  expect_near(run("ai.onnx.ml.Binarizer", {x}, {{"threshold", 1.0}})[0], floats({2, 3}, {0, 0, 0, 1, 1, 1}), 0);
  expect_near(run("ai.onnx.ml.FeatureVectorizer", {x, numbers(DType::i32, {2, 1}, {7, 8})}, {{"inputdimensions", Ints{2, 2}}})[0], floats({2, 4}, {1, -2, 7, 0, 4, 5, 8, 0}), 0);
  expect_near(run("ai.onnx.ml.Imputer", {floats({2, 2}, {NAN, 1, 2, NAN})}, {{"imputed_value_floats", Reals{8, 9}}, {"replaced_value_float", NAN}})[0], floats({2, 2}, {8, 1, 2, 9}), 0);
  expect_near(run("ai.onnx.ml.Imputer", {numbers(DType::i64, {3}, {-1, 4, -1})}, {{"imputed_value_int64s", Ints{7}}, {"replaced_value_int64", int64_t{-1}}})[0], numbers(DType::i64, {3}, {7, 4, 7}), 0);
  expect_near(run("ai.onnx.ml.Normalizer", {x}, {{"norm", "MAX"}})[0], floats({2, 3}, {0.5, -1, 0, 4.0 / 6, 5.0 / 6, 1}), kClose);
  expect_near(run("ai.onnx.ml.Normalizer", {x}, {{"norm", "L1"}})[0], floats({2, 3}, {1.0 / 3, -2.0 / 3, 0, 4.0 / 15, 5.0 / 15, 6.0 / 15}), kClose);
  expect_near(run("ai.onnx.ml.Normalizer", {floats({2}, {3, 4})}, {{"norm", "L2"}})[0], floats({2}, {0.6, 0.8}), kClose);
  expect_near(run("ai.onnx.ml.Scaler", {x}, {{"offset", Reals{1}}, {"scale", Reals{1, 2, 3}}})[0], floats({2, 3}, {0, -6, -3, 3, 8, 15}), 0);
  expect_refused("ai.onnx.ml.Scaler", {x}, {{"offset", Reals{1, 2}}, {"scale", Reals{1}}});
}

TEST(Classical, tables) {
  const Operand names = texts({3}, {"b", "nobody", "a"});
  expect_near(run("ai.onnx.ml.LabelEncoder", {names}, {{"keys_strings", Names{"a", "b", "b"}}, {"values_int64s", Ints{5, 6, 7}}, {"default_int64", int64_t{-3}}})[0],
              numbers(DType::i64, {3}, {7, -3, 5}), 0);  // the last of equal keys
  EXPECT_EQ(texts_of(run("ai.onnx.ml.LabelEncoder", {numbers(DType::i64, {2}, {2, 9})}, {{"keys_int64s", Ints{1, 2}}, {"values_strings", Names{"one", "two"}}})[0]), (Names{"two", "_Unused"}));
  expect_near(run("ai.onnx.ml.LabelEncoder", {floats({3}, {NAN, 2, 0.5})}, {{"keys_floats", Reals{2, NAN}}, {"values_floats", Reals{20, 30}}})[0], floats({3}, {30, 20, 0}), 0);
  expect_refused("ai.onnx.ml.LabelEncoder", {names}, {{"keys_floats", Reals{2}}, {"values_floats", Reals{20}}});
  const Attrs cats{{"cats_int64s", Ints{3, 4}}, {"cats_strings", Names{"a", "b"}}};
  expect_near(run("ai.onnx.ml.CategoryMapper", {names}, cats)[0], numbers(DType::i64, {3}, {4, -1, 3}), 0);
  EXPECT_EQ(texts_of(run("ai.onnx.ml.CategoryMapper", {numbers(DType::i64, {2}, {3, 5})}, cats)[0]), (Names{"a", "_Unused"}));
  expect_near(run("ai.onnx.ml.OneHotEncoder", {names}, {{"cats_strings", Names{"a", "b"}}})[0], floats({3, 2}, {0, 1, 0, 0, 1, 0}), 0);
  expect_near(run("ai.onnx.ml.OneHotEncoder", {numbers(DType::i32, {1, 2}, {4, 3})}, {{"cats_int64s", Ints{3, 4}}})[0], floats({1, 2, 2}, {0, 1, 1, 0}), 0);
}

TEST(Classical, linear_models) {
  const Operand x = floats({2, 2}, {1, 2, -3, 1});
  expect_near(run("ai.onnx.ml.LinearRegressor", {x}, {{"coefficients", Reals{1, 2, 3, 4}}, {"intercepts", Reals{10, 20}}, {"targets", int64_t{2}}})[0], floats({2, 2}, {15, 31, 9, 15}), 0);
  auto y = run("ai.onnx.ml.LinearClassifier", {x}, {{"coefficients", Reals{1, 2, -1, -2, 3, 0}}, {"intercepts", Reals{0, 0, 0}}, {"classlabels_strings", Names{"a", "b", "c"}}, {"post_transform", "SOFTMAX"}}, 2);
  EXPECT_EQ(texts_of(y[0]), (Names{"a", "b"}));
  const double first = std::exp(5) + std::exp(-5) + std::exp(3);
  EXPECT_NEAR(y[1].numbers()[0], std::exp(5) / first, 1e-6);
  // One score for two classes.
  y = run("ai.onnx.ml.LinearClassifier", {x}, {{"coefficients", Reals{1, 2}}, {"intercepts", Reals{0}}, {"classlabels_ints", Ints{7, 8}}, {"post_transform", "LOGISTIC"}}, 2);
  EXPECT_EQ(y[0].numbers(), (Reals{8, 7}));
  expect_near(y[1], floats({2, 2}, {sigmoid(-5), sigmoid(5), sigmoid(1), sigmoid(-1)}), kClose);
  expect_refused("ai.onnx.ml.LinearRegressor", {x}, {{"coefficients", Reals{1, 2, 3}}});
}

TEST(Classical, support_vectors) {
  const Operand x = floats({2, 2}, {1, 0, 0, 2});
  const Attrs rbf{{"kernel_type", "RBF"}, {"kernel_params", Reals{0.5, 0, 0}}, {"support_vectors", Reals{1, 0, 0, 0}}, {"coefficients", Reals{2, -1}}, {"rho", Reals{0.25}}, {"n_supports", int64_t{2}}};
  const double e = std::exp(-0.5), far = std::exp(-2.5), near = std::exp(-2.0);
  expect_near(run("ai.onnx.ml.SVMRegressor", {x}, rbf)[0], floats({2, 1}, {2 - e + 0.25, 2 * far - near + 0.25}), kClose);
  expect_near(run("ai.onnx.ml.SVMRegressor", {x}, {{"coefficients", Reals{1, -1}}, {"rho", Reals{0.5}}, {"one_class", int64_t{1}}})[0], floats({2, 1}, {1, -1}), 0);
  // Three classes of one vector each, linear kernel: three decisions, votes count.
  const Attrs three{{"classlabels_ints", Ints{4, 5, 6}}, {"vectors_per_class", Ints{1, 1, 1}}, {"support_vectors", Reals{1, 0, 0, 1, -1, -1}}, {"coefficients", Reals{1, -1, -1, 1, 1, -1}},
                    {"rho", Reals{0, 0, 0}}, {"kernel_type", "LINEAR"}};
  auto y = run("ai.onnx.ml.SVMClassifier", {x}, three, 2);
  EXPECT_EQ(y[0].numbers(), (Reals{4, 5}));
  // x = (1, 0): kernels 1, 0, -1. 4 against 5: w[0][0]·1 + w[0][1]·0 = 1; 4 against 6: w[1][0]·1 + w[0][2]·(-1) = 2; 5 against 6: w[1][1]·0 + w[1][2]·(-1) = 1.
  EXPECT_EQ((Reals{y[1].numbers()[0], y[1].numbers()[1], y[1].numbers()[2]}), (Reals{1, 2, 1}));
  Attrs chances = three;
  chances.set("prob_a", Reals{-1, -1, -1});
  chances.set("prob_b", Reals{0, 0, 0});
  y = run("ai.onnx.ml.SVMClassifier", {x}, chances, 2);
  const Reals p = y[1].numbers();
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-6);
  EXPECT_GT(p[0], p[1]);
  EXPECT_GT(p[1], p[2]);
  expect_refused("ai.onnx.ml.SVMClassifier", {x}, {{"classlabels_ints", Ints{1, 2, 3}}, {"vectors_per_class", Ints{1, 1}}, {"support_vectors", Reals{1, 0, 0, 1}}, {"coefficients", Reals{1, 1}}, {"rho", Reals{0}}});
}

/// Two stumps on features 0 and 1: x <= split goes to leaf 1, else to leaf 2.
Attrs stumps(const std::string& votes, Ints targets, Reals weights) {
  Attrs a{{"nodes_treeids", Ints{0, 0, 0, 1, 1, 1}}, {"nodes_nodeids", Ints{0, 1, 2, 0, 1, 2}}, {"nodes_featureids", Ints{0, 0, 0, 1, 0, 0}},
          {"nodes_modes", Names{"BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"}}, {"nodes_values", Reals{0.5, 0, 0, 2, 0, 0}},
          {"nodes_truenodeids", Ints{1, 0, 0, 1, 0, 0}}, {"nodes_falsenodeids", Ints{2, 0, 0, 2, 0, 0}}, {"nodes_missing_value_tracks_true", Ints{1, 0, 0, 0, 0, 0}}};
  a.set(votes + "_treeids", Ints{0, 0, 1, 1});
  a.set(votes + "_nodeids", Ints{1, 2, 1, 2});
  a.set(votes + "_ids", std::move(targets));
  a.set(votes + "_weights", std::move(weights));
  return a;
}

TEST(Classical, trees_that_add_up) {
  const Operand x = floats({3, 2}, {0, 3, 1, 2, NAN, 1});
  Attrs a = stumps("target", {0, 0, 0, 0}, {1, 2, 10, 20});
  a.set("n_targets", int64_t{1});
  expect_near(run("ai.onnx.ml.TreeEnsembleRegressor", {x}, a)[0], floats({3, 1}, {11, 22, 21}), 0);
  a.set("base_values", Reals{100});
  a.set("aggregate_function", "AVERAGE");
  expect_near(run("ai.onnx.ml.TreeEnsembleRegressor", {x}, a)[0], floats({3, 1}, {105.5, 111, 110.5}), 0);
  a.set("aggregate_function", "MAX");
  expect_near(run("ai.onnx.ml.TreeEnsembleRegressor", {x}, a)[0], floats({3, 1}, {110, 120, 120}), 0);
  Attrs lost = a;
  lost.set("nodes_truenodeids", Ints{7, 0, 0, 1, 0, 0});
  expect_refused("ai.onnx.ml.TreeEnsembleRegressor", {x}, lost);
  Attrs circle = a;  // a node that leads to itself ends without a vote
  circle.set("nodes_truenodeids", Ints{0, 0, 0, 1, 0, 0});
  expect_near(run("ai.onnx.ml.TreeEnsembleRegressor", {floats({1, 2}, {0, 3})}, circle)[0], floats({1, 1}, {110}), 0);
}

TEST(Classical, trees_that_decide) {
  const Operand x = floats({2, 2}, {0, 3, 1, 2});
  Attrs a = stumps("class", {0, 1, 2, 1}, {1, 2, 4, 3});
  a.set("classlabels_strings", Names{"a", "b", "c"});
  auto y = run("ai.onnx.ml.TreeEnsembleClassifier", {x}, a, 2);
  EXPECT_EQ(texts_of(y[0]), (Names{"c", "b"}));
  expect_near(y[1], floats({2, 3}, {1, 0, 4, 0, 5, 0}), 0);
  // Two classes, and trees that speak of one: a probability where no weight is negative, else the argument of one.
  a = stumps("class", {0, 0, 0, 0}, {0.1, 0.5, 0.2, 0.3});
  a.set("classlabels_int64s", Ints{7, 8});
  y = run("ai.onnx.ml.TreeEnsembleClassifier", {x}, a, 2);
  EXPECT_EQ(y[0].numbers(), (Reals{7, 8}));
  expect_near(y[1], floats({2, 2}, {0.7, 0.3, 0.2, 0.8}), kClose);
  a = stumps("class", {0, 0, 0, 0}, {-1, 1, -1, 2});
  a.set("classlabels_int64s", Ints{7, 8});
  a.set("post_transform", "LOGISTIC");
  y = run("ai.onnx.ml.TreeEnsembleClassifier", {x}, a, 2);
  EXPECT_EQ(y[0].numbers(), (Reals{7, 8}));
  expect_near(y[1], floats({2, 2}, {sigmoid(2), sigmoid(-2), sigmoid(-3), sigmoid(3)}), kClose);
}

}  // namespace
}  // namespace mainspring::inline v0
