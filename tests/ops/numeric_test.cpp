// What ONNX's own tests of the numeric operators (tests/onnx) do not show: shapes that are not known, hostile contents, integers at their limits, roundings.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/onnx_dtype.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();

/// A tensor that the test owns.
struct Given {
  DType dtype = DType::f32;
  Shape shape;
  std::vector<uint64_t> memory;  // aligned

  Given(DType t, Shape s) : dtype(t), shape(s), memory(static_cast<size_t>(s.elements() * info_of(t).bytes + 15) / 8 + 1, 0x5a5a5a5a5a5a5a5a) {}
  TensorView view() { return {dtype, reinterpret_cast<std::byte*>(memory.data()), shape, shape.rank() && shape[0] ? shape.elements() / shape[0] : 0}; }
  Tensor tensor() { return *Tensor::borrow_bytes(dtype, shape, memory.data(), static_cast<size_t>(shape.elements() * info_of(dtype).bytes)); }
};
Given reals(DType t, Shape s, std::vector<double> values) {
  Given g(t, s);
  for (size_t i = 0; i < values.size(); ++i) store(g.view(), static_cast<int64_t>(i), values[i]);
  return g;
}
Given ints(DType t, Shape s, std::vector<int64_t> values) {
  Given g(t, s);
  for (size_t i = 0; i < values.size(); ++i) store_int(t, g.view().data, static_cast<int64_t>(i), values[i]);
  return g;
}
Given texts(std::vector<std::string_view> values) {
  Given g(DType::string, {static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); ++i) g.view().as<std::string_view>()[i] = values[i];
  return g;
}

ValueInfo absent() {
  ValueInfo v;
  v.present = false;
  return v;
}

Result<std::vector<ValueInfo>> infer(const char* op, std::vector<ValueInfo> in, const Attrs& attrs = {}, int n_out = 1) {
  const OpDef* def = find_op(op);
  if (def->max_in != kVariadic)
    while (static_cast<int>(in.size()) < def->max_in) in.push_back(absent());
  return def->infer(OpCall{in, attrs, {}, n_out});
}
ValueInfo inferred(const char* op, std::vector<ValueInfo> in, const Attrs& attrs = {}) {
  auto all = infer(op, std::move(in), attrs);
  EXPECT_TRUE(all) << (all ? "" : all.error().message);
  return all ? all->front() : ValueInfo{};
}

/// Infers with all contents known, then runs the reference.
std::vector<Given> run(const char* op, std::vector<Given> in, const Attrs& attrs = {}, int n_out = 1) {
  std::vector<Tensor> tensors;
  for (Given& g : in) tensors.push_back(g.tensor());
  std::vector<ValueInfo> infos;
  std::vector<TensorView> views, outs;
  for (size_t i = 0; i < in.size(); ++i) {
    infos.push_back(tensor_of(in[i].dtype, *dims_of(in[i].shape.dims())));
    infos.back().value = &tensors[i];
    views.push_back(in[i].view());
  }
  const auto all = infer(op, infos, attrs, n_out);
  EXPECT_TRUE(all) << (all ? "" : all.error().message);
  std::vector<Given> out;
  if (!all) return out;
  for (const ValueInfo& v : *all) {
    EXPECT_TRUE(all_constant(v));
    Shape s;
    for (const Dim& d : v.dims) s.push_back(d.times);
    out.emplace_back(v.dtype, s);
  }
  for (Given& g : out) outs.push_back(g.view());
  const OpDef* def = find_op(op);
  if (def->max_in != kVariadic) views.resize(static_cast<size_t>(def->max_in));
  const StepInfo step;
  def->reference(OpArgs{views, outs, attrs, step});
  return out;
}
std::vector<int64_t> run_ints(const char* op, std::vector<Given> in, const Attrs& attrs = {}) {
  auto out = run(op, std::move(in), attrs);
  return out.empty() ? std::vector<int64_t>() : ints_of(out[0].view());
}
std::vector<double> run_reals(const char* op, std::vector<Given> in, const Attrs& attrs = {}) {
  auto out = run(op, std::move(in), attrs);
  std::vector<double> all;
  for (int64_t i = 0; !out.empty() && i < out[0].shape.elements(); ++i) all.push_back(load(out[0].view(), i));
  return all;
}

using I = std::vector<int64_t>;
using R = std::vector<double>;
const Dim kAny = Dim::unknown(), kS = Dim(1, 0);

TEST(NumericInfer, BroadcastsSymbols) {
  const ValueInfo y = inferred("Add", {tensor_of(DType::f32, {kS, 1, 4}), tensor_of(DType::f32, {3, 1})});
  EXPECT_EQ(y.dims, (Dims{kS, 3, 4}));
  EXPECT_EQ(inferred("Less", {tensor_of(DType::i64, {kAny}), tensor_of(DType::i64, {5})}).dims, Dims{5});
  EXPECT_EQ(inferred("Less", {tensor_of(DType::i64, {}), tensor_of(DType::i64, {})}).dtype, DType::boolean);
  EXPECT_FALSE(inferred("Sum", {tensor_of(DType::f32, {2}), unranked(DType::f32)}).ranked);
  EXPECT_FALSE(infer("Add", {tensor_of(DType::f32, {3}), tensor_of(DType::f32, {4})}));
  EXPECT_FALSE(infer("Add", {tensor_of(DType::f32, {3}), tensor_of(DType::f64, {3})}));
  EXPECT_FALSE(infer("Add", {tensor_of(DType::string, {3}), tensor_of(DType::string, {3})}));
  EXPECT_FALSE(infer("Sum", {}));
  EXPECT_FALSE(infer("PRelu", {tensor_of(DType::f32, {3}), tensor_of(DType::f32, {2, 3})}));
}

TEST(NumericInfer, ReducesWhatItKnows) {
  Given axes = ints(DType::i64, {1}, {-2});
  const Tensor content = axes.tensor();
  ValueInfo known = tensor_of(DType::i64, {1}), other = tensor_of(DType::i64, {1});
  known.value = &content;
  const ValueInfo x = tensor_of(DType::f32, {kS, 5, 7});
  EXPECT_EQ(inferred("ReduceSum", {x, known}).dims, (Dims{kS, 1, 7}));
  EXPECT_EQ(inferred("ReduceSum", {x, known}, {{"keepdims", int64_t{0}}}).dims, (Dims{kS, 7}));
  EXPECT_EQ(inferred("ReduceSum", {x, other}, {{"keepdims", int64_t{0}}}).dims.size(), 2u);
  EXPECT_EQ(inferred("ReduceSum", {x, other}).dims.size(), 3u);
  EXPECT_EQ(inferred("ReduceSum", {x}, {{"keepdims", int64_t{0}}}).dims, Dims{});
  EXPECT_EQ(inferred("ReduceSum", {x}, {{"noop_with_empty_axes", int64_t{1}}}).dims, x.dims);
  EXPECT_FALSE(inferred("ReduceSum", {unranked(DType::f32), known}).ranked);
  EXPECT_FALSE(infer("ReduceSum", {tensor_of(DType::f32, {3}), known}));
  EXPECT_FALSE(infer("ArgMax", {tensor_of(DType::f32, {0})}));
}

TEST(NumericInfer, MatricesOfSymbols) {
  EXPECT_EQ(inferred("MatMul", {tensor_of(DType::f32, {kS, 1, 2, 3}), tensor_of(DType::f32, {4, 3, kAny})}).dims.size(), 4u);
  EXPECT_EQ(inferred("MatMul", {tensor_of(DType::f32, {3}), tensor_of(DType::f32, {3})}).dims, Dims{});
  EXPECT_EQ(inferred("Gemm", {tensor_of(DType::f32, {3, kS}), tensor_of(DType::f32, {4, 3})}, {{"transA", int64_t{1}}, {"transB", int64_t{1}}}).dims, (Dims{kS, 4}));
  EXPECT_FALSE(infer("MatMul", {tensor_of(DType::f32, {2, 3}), tensor_of(DType::f32, {4, 5})}));
  EXPECT_FALSE(infer("MatMul", {tensor_of(DType::f32, {}), tensor_of(DType::f32, {4})}));
  EXPECT_FALSE(infer("Det", {tensor_of(DType::f32, {2, 3})}));
}

TEST(NumericInfer, Einsum) {
  const ValueInfo a = tensor_of(DType::f32, {kS, 2, 3}), b = tensor_of(DType::f32, {3, 4});
  EXPECT_EQ(inferred("Einsum", {a, b}, {{"equation", "...ij, jk -> ...ik"}}).dims, (Dims{kS, 2, 4}));
  EXPECT_EQ(inferred("Einsum", {a}, {{"equation", "bij"}}).dims, a.dims);
  EXPECT_EQ(inferred("Einsum", {b}, {{"equation", "zA"}}).dims, (Dims{4, 3}));
  EXPECT_FALSE(inferred("Einsum", {unranked(DType::f32)}, {{"equation", "...i"}}).ranked);
  EXPECT_EQ(inferred("Einsum", {unranked(DType::f32)}, {{"equation", "...i->i"}}).dims.size(), 1u);
  for (const char* wrong : {"ij", "ijk,jk", "ijk,kl->ill", "ijk,kl->z", "i-k", "......", "", ",", "ijk,kl,->i", "i.j"})
    EXPECT_FALSE(infer("Einsum", {a, b}, {{"equation", wrong}})) << wrong;
  std::vector<ValueInfo> many(8, tensor_of(DType::f32, {int64_t{1} << 30}));
  EXPECT_FALSE(infer("Einsum", many, {{"equation", "a,b,c,d,e,f,g,h->"}}));  // a loop without end
}

TEST(NumericInfer, ShapesFromContents) {
  EXPECT_EQ(inferred("ConstantOfShape", {tensor_of(DType::i64, {3})}).dims.size(), 3u);
  EXPECT_FALSE(inferred("ConstantOfShape", {tensor_of(DType::i64, {kS})}).ranked);
  EXPECT_EQ(inferred("Range", {tensor_of(DType::i64, {}), tensor_of(DType::i64, {}), tensor_of(DType::i64, {})}).dims.size(), 1u);
  const auto range = [](Given a, Given b, Given c) {
    const Tensor t[] = {a.tensor(), b.tensor(), c.tensor()};
    std::vector<ValueInfo> in(3, tensor_of(a.dtype, {}));
    for (size_t i = 0; i < 3; ++i) in[i].value = &t[i];
    const auto y = infer("Range", in);
    return y ? y->front().dims[0].times : -1;
  };
  const auto i64 = [](int64_t v) { return ints(DType::i64, {}, {v}); };
  const auto f32 = [](double v) { return reals(DType::f32, {}, {v}); };
  EXPECT_EQ(range(i64(0), i64(10), i64(3)), 4);
  EXPECT_EQ(range(i64(10), i64(4), i64(-2)), 3);
  EXPECT_EQ(range(i64(4), i64(4), i64(-2)), 0);
  EXPECT_EQ(range(i64(kLeast), i64(kMost), i64(kMost)), 3);
  EXPECT_EQ(range(i64(kMost), i64(kLeast), i64(kLeast)), 2);
  EXPECT_EQ(range(i64(kLeast), i64(kMost), i64(1)), -1);
  EXPECT_EQ(range(i64(0), i64(1), i64(0)), -1);
  EXPECT_EQ(range(f32(0), f32(1), f32(0)), -1);
  EXPECT_EQ(range(f32(0), f32(NAN), f32(1)), -1);
  EXPECT_EQ(range(f32(0), f32(1), f32(0.3)), 4);
  Given negative = ints(DType::i64, {2}, {2, -1}), deep = ints(DType::i64, {9}, I(9, 1));
  for (Given* shape : {&negative, &deep}) {
    const Tensor content = shape->tensor();
    ValueInfo v = tensor_of(DType::i64, *dims_of(shape->shape.dims()));
    v.value = &content;
    EXPECT_FALSE(infer("ConstantOfShape", {v}));
  }
}

TEST(NumericInfer, QuantisationFits) {
  const ValueInfo x = tensor_of(DType::f32, {kS, 6, 5});
  const auto scales = [](Dims d) { return tensor_of(DType::f32, std::move(d)); };
  EXPECT_EQ(inferred("QuantizeLinear", {x, scales({6})}).dims, x.dims);
  EXPECT_TRUE(infer("QuantizeLinear", {x, scales({kS, 2, 5})}, {{"block_size", int64_t{4}}}));
  EXPECT_FALSE(infer("QuantizeLinear", {x, scales({kS, 3, 5})}, {{"block_size", int64_t{4}}}));
  EXPECT_FALSE(infer("QuantizeLinear", {x, scales({7})}));
  EXPECT_FALSE(infer("QuantizeLinear", {x, scales({6})}, {{"axis", int64_t{3}}}));
  EXPECT_FALSE(infer("QuantizeLinear", {x, scales({6}), tensor_of(DType::u8, {5})}));
  EXPECT_FALSE(infer("QuantizeLinear", {x, scales({6}), tensor_of(DType::u8, {6})}, {{"output_dtype", onnx_of_dtype(DType::i8)}}));
  EXPECT_FALSE(infer("DequantizeLinear", {tensor_of(DType::u8, {2}), scales({}), tensor_of(DType::i8, {})}));
}

TEST(Numeric, IntegersAtTheirLimits) {
  const auto i8 = [](I v) { return ints(DType::i8, {static_cast<int64_t>(v.size())}, v); };
  const auto i64 = [](I v) { return ints(DType::i64, {static_cast<int64_t>(v.size())}, v); };
  const auto u64 = [](std::vector<uint64_t> v) { return ints(DType::u64, {static_cast<int64_t>(v.size())}, I(v.begin(), v.end())); };
  constexpr uint64_t kTop = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(run_ints("Add", {i8({127, -128}), i8({1, -1})}), (I{-128, 127}));
  EXPECT_EQ(run_ints("Add", {i64({kMost}), i64({1})}), I{kLeast});
  EXPECT_EQ(run_ints("Mul", {i64({kMost, 3}), i64({2, -5})}), (I{-2, -15}));
  EXPECT_EQ(run_ints("Div", {i64({kLeast, 7, -7}), i64({-1, 0, 2})}), (I{kLeast, 0, -3}));
  EXPECT_EQ(run_ints("Div", {i8({-128}), i8({-1})}), I{-128});
  EXPECT_EQ(run_ints("Mod", {i64({kLeast, 7, -7, 7}), i64({-1, 0, 3, -3})}), (I{0, 0, 2, -2}));
  EXPECT_EQ(run_ints("Mod", {i64({-7, 7}), i64({3, -3})}, {{"fmod", int64_t{1}}}), (I{-1, 1}));
  EXPECT_EQ(run_ints("Pow", {i64({3, 2, -1, 2, 0}), i64({39, 64, -3, -1, 0})}), (I{4052555153018976267, 0, -1, 0, 1}));
  EXPECT_EQ(run_ints("Abs", {i64({kLeast, kMost, -1})}), (I{kLeast, kMost, 1}));
  EXPECT_EQ(run_ints("Sign", {u64({0, 5, kTop})}), (I{0, 1, 1}));
  EXPECT_EQ(run_ints("Max", {u64({1, kTop}), u64({kTop, 3})}), (I{-1, -1}));
  EXPECT_EQ(run_ints("Div", {u64({kTop}), u64({2})}), I{kMost});
  EXPECT_EQ(run_ints("Less", {u64({1}), u64({kTop})}), I{1});
  EXPECT_EQ(run_ints("BitShift", {i8({-128, 64, 1, -1, 5}), i8({1, 1, 7, 100, -1})}, {{"direction", "RIGHT"}}), (I{-64, 32, 0, -1, 0}));
  EXPECT_EQ(run_ints("BitShift", {i8({64, 1, 1}), i8({1, 8, 64})}, {{"direction", "LEFT"}}), (I{-128, 0, 0}));
  EXPECT_EQ(run_ints("ReduceSum", {i64({kMost, 1})}), I{kLeast});
  EXPECT_EQ(run_ints("Cast", {i64({300, -1})}, {{"to", onnx_of_dtype(DType::u8)}}), (I{44, 255}));
  EXPECT_EQ(run_reals("Cast", {u64({kTop, (uint64_t{1} << 63) + 1})}, {{"to", onnx_of_dtype(DType::f64)}}), (R{0x1p64, 0x1p63}));
  EXPECT_EQ(run_ints("Cast", {reals(DType::f64, {5}, {0x1p63, -0x1p63, 1e300, NAN, -2.9})}, {{"to", onnx_of_dtype(DType::i64)}}), (I{kMost, kLeast, kMost, 0, -2}));
  EXPECT_EQ(run_ints("MatMul", {i64({kMost, 1}), i64({2, 1})}), I{-1});
}

TEST(Numeric, NothingToReduce) {
  const auto empty = [](DType t) { return Given(t, {2, 0}); };
  const Given axis = ints(DType::i64, {1}, {1});
  EXPECT_EQ(run_reals("ReduceMax", {empty(DType::f32), axis}), (R{-kInfinity, -kInfinity}));
  EXPECT_EQ(run_ints("ReduceMin", {empty(DType::i8), axis}), (I{127, 127}));
  EXPECT_EQ(run_ints("ReduceMax", {empty(DType::i8), axis}), (I{-128, -128}));
  EXPECT_EQ(run_ints("ReduceMean", {empty(DType::i32), axis}), (I{0, 0}));
  EXPECT_EQ(run_reals("ReduceLogSumExp", {empty(DType::f32), axis}), (R{-kInfinity, -kInfinity}));
  EXPECT_EQ(run_reals("ReduceLogSumExp", {reals(DType::f32, {2}, {1e30, 1e30})}), R{static_cast<double>(1e30f)});
}

TEST(Numeric, NanIsPassedOn) {
  const Given x = reals(DType::f32, {3}, {1, NAN, 3});
  EXPECT_TRUE(std::isnan(run_reals("ReduceMax", {x})[0]));
  EXPECT_TRUE(std::isnan(run_reals("Min", {x, reals(DType::f32, {}, {0})})[1]));
  EXPECT_TRUE(std::isnan(run_reals("Clip", {x, reals(DType::f32, {}, {2})})[1]));
  EXPECT_TRUE(std::isnan(run_reals("Relu", {x})[1]));
  EXPECT_EQ(run_ints("ArgMax", {x}), I{1});
  EXPECT_EQ(run_ints("ArgMin", {x}), I{1});
}

TEST(Numeric, RoundsOnce) {
  // 1 + 2^-11 + 2^-40: by way of f32 it would be a tie, which goes to 1.
  const Attrs to_f16{{"to", onnx_of_dtype(DType::f16)}};
  EXPECT_EQ(run_reals("Cast", {reals(DType::f64, {2}, {1 + 0x1p-11 + 0x1p-40, -(1 + 0x1p-11 + 0x1p-40)})}, to_f16), (R{1 + 0x1p-10, -(1 + 0x1p-10)}));
  EXPECT_EQ(run_reals("Cast", {reals(DType::f64, {2}, {1e300, -kInfinity})}, to_f16), (R{kInfinity, -kInfinity}));
  EXPECT_EQ(run_reals("Round", {reals(DType::f32, {5}, {0.5, 1.5, -2.5, 2.4, -0.6})}), (R{0, 2, -2, 2, -1}));
}

TEST(Numeric, SoftmaxOfOldCoercesToAMatrix) {
  const Given x = reals(DType::f32, {2, 2, 2}, R(8, 3));
  EXPECT_EQ(run_reals("Softmax", {x}), R(8, 0.5));
  EXPECT_EQ(run_reals("Softmax", {x}, {{"legacy_flatten", int64_t{1}}}), R(8, 0.25));
  EXPECT_EQ(run_reals("Softmax", {x}, {{"legacy_flatten", int64_t{1}}, {"axis", int64_t{0}}}), R(8, 0.125));
  EXPECT_EQ(run_reals("Softmax", {reals(DType::f32, {}, {7})}), R{1});
}

TEST(Numeric, HostileContentsStayInside) {
  const Given x = reals(DType::f32, {2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(run_reals("Trilu", {x, ints(DType::i64, {}, {kLeast})}), (R{1, 2, 3, 4}));
  EXPECT_EQ(run_reals("Trilu", {x, ints(DType::i64, {}, {kMost})}), (R{0, 0, 0, 0}));
  EXPECT_EQ(run_reals("EyeLike", {x}, {{"k", kLeast}}), (R{0, 0, 0, 0}));
  EXPECT_EQ(run_reals("NegativeLogLikelihoodLoss", {x, ints(DType::i64, {2}, {kMost, -5})}, {{"reduction", "none"}}), (R{0, 0}));
  EXPECT_EQ(run_reals("MelWeightMatrix", {ints(DType::i64, {}, {2}), ints(DType::i64, {}, {4}), ints(DType::i64, {}, {1}), reals(DType::f32, {}, {-1e30}), reals(DType::f32, {}, {1e30})}).size(), 6u);
  EXPECT_EQ(run_reals("CumSum", {x, ints(DType::i64, {}, {-1})}, {{"reverse", int64_t{1}}, {"exclusive", int64_t{1}}}), (R{2, 0, 4, 0}));
}

TEST(Numeric, SoftmaxRoundsAsSmallerOperatorsWould) {
  // Exponentials of 0 and -1 in bf16: 1 and 0.3671875; with each addition rounded their sum is 1.734375, whose third is rounded once.
  EXPECT_EQ(run_reals("Softmax", {reals(DType::bf16, {3}, {1, 0, 0})}), (R{0.578125, 0.2119140625, 0.2119140625}));
  // A long row's sum does not stall.
  const R even = run_reals("Softmax", {reals(DType::bf16, {4096}, R(4096, 1.0))});
  EXPECT_EQ(even, R(4096, 1.0 / 4096));
}

/// What a session gives to dynamic operators.
class Call : public DynamicCall {
 public:
  Call(std::span<const Datum> i, std::span<Datum> o, const Attrs& a) : DynamicCall(i, o, a) {}
  Result<Tensor> make(DType, const Shape&) override { return Error{Errc::internal, "not asked for"}; }
  Result<Tensor> make_strings(std::span<const std::string_view> strings, const Shape&) override {
    for (const std::string_view s : strings) made.emplace_back(s);
    return Tensor();
  }
  Result<std::vector<Datum>> run_body(size_t, std::span<const Datum>) override { return Error{Errc::internal, "not asked for"}; }
  Result<void> go_on() override { return {}; }
  std::vector<std::string> made;
};

std::vector<std::string> written(Given x) {
  const Attrs attrs{{"to", onnx_of_dtype(DType::string)}};
  EXPECT_FALSE(inferred("Cast", {tensor_of(x.dtype, {3})}, attrs).ranked);
  const Datum in[] = {x.tensor()};
  Datum out[1];
  Call call(in, out, attrs);
  EXPECT_TRUE(find_op("Cast")->dynamic(call));
  return call.made;
}

TEST(Cast, WritesTheShortestText) {
  using S = std::vector<std::string>;
  EXPECT_EQ(written(reals(DType::f32, {9}, {0.1, 1, -0.0, 123456789, 1e16, 1e-5, 0.0001, 3.4028234663852886e38, -2.5})),
            (S{"0.1", "1.0", "-0.0", "123456790.0", "1e+16", "1e-05", "1e-04", "3.4028235e+38", "-2.5"}));
  EXPECT_EQ(written(reals(DType::f64, {5}, {0.1, 1.0 / 3, NAN, kInfinity, -kInfinity})), (S{"0.1", "0.3333333333333333", "nan", "inf", "-inf"}));
  EXPECT_EQ(written(reals(DType::f16, {2}, {0.1, 65504})), (S{"0.1", "65500.0"}));
  EXPECT_EQ(written(ints(DType::u64, {1}, {-1})), S{"18446744073709551615"});
  EXPECT_EQ(written(ints(DType::i64, {1}, {kLeast})), S{"-9223372036854775808"});
  EXPECT_EQ(written(ints(DType::boolean, {2}, {0, 1})), (S{"False", "True"}));
}

TEST(Cast, ReadsText) {
  const auto to = [](DType t) { return Attrs{{"to", onnx_of_dtype(t)}}; };
  const R x = run_reals("Cast", {texts({"3.5", " +INF ", "-inf", "1E3", "1e400", "-1e400", "1e-400", "7"})}, to(DType::f64));
  EXPECT_EQ(x, (R{3.5, kInfinity, -kInfinity, 1000, kInfinity, -kInfinity, 0, 7}));
  for (const double v : run_reals("Cast", {texts({"NaN", "Hello", "", "1.5x", "e400"})}, to(DType::f32))) EXPECT_TRUE(std::isnan(v));
  EXPECT_EQ(run_ints("Cast", {texts({"9223372036854775807", "-12", "2.7", "+4", "Hello"})}, to(DType::i64)), (I{kMost, -12, 2, 4, 0}));
  EXPECT_EQ(run_ints("Cast", {texts({"18446744073709551615"})}, to(DType::u64)), I{-1});
  EXPECT_EQ(run_reals("Cast", {texts({"1.1", "1e9"})}, to(DType::f8e4m3fn)), (R{1.125, 448}));
}

TEST(Random, SeedsRepeat) {
  const Attrs seeded{{"shape", I{1000}}, {"seed", 3.0}}, free{{"shape", I{1000}}};
  const R a = run_reals("RandomUniform", {}, seeded), b = run_reals("RandomUniform", {}, seeded);
  EXPECT_EQ(a, b);
  EXPECT_NE(run_reals("RandomUniform", {}, free), run_reals("RandomUniform", {}, free));
  EXPECT_NEAR(a[0], 0.5507979025745755, 1e-7);  // numpy.random.RandomState(3).uniform()
  double sum = 0;
  for (const double x : a) {
    EXPECT_TRUE(x >= 0 && x <= 1);
    sum += x;
  }
  EXPECT_NEAR(sum / 1000, 0.5, 4 * std::sqrt(1.0 / 12 / 1000));
  EXPECT_NEAR(run_reals("RandomNormal", {}, seeded)[0], 1.7886284734303186, 1e-6);  // numpy.random.RandomState(3).normal()
}

TEST(Random, ChoosesByWeight) {
  const Attrs attrs{{"sample_size", int64_t{2000}}, {"seed", 1.0}};
  const I chosen = run_ints("Multinomial", {reals(DType::f32, {1, 3}, {std::log(1.0), -kInfinity, std::log(3.0)})}, attrs);
  int64_t twos = 0;
  for (const int64_t c : chosen) {
    EXPECT_NE(c, 1);
    twos += c == 2;
  }
  EXPECT_NEAR(static_cast<double>(twos) / 2000, 0.75, 4 * std::sqrt(0.75 * 0.25 / 2000));
}

TEST(Random, DropoutKeepsTheMean) {
  Given x = reals(DType::f32, {4000}, R(4000, 1));
  auto out = run("Dropout", {x, reals(DType::f32, {}, {0.25}), ints(DType::boolean, {}, {1})}, {{"seed", int64_t{5}}}, 2);
  ASSERT_EQ(out.size(), 2u);
  double sum = 0;
  for (int64_t i = 0; i < 4000; ++i) {
    EXPECT_EQ(load(out[0].view(), i), load_int(out[1].view(), i) ? static_cast<double>(4.0f / 3.0f) : 0.0);
    sum += load(out[0].view(), i);
  }
  EXPECT_NEAR(sum / 4000, 1, 4 * std::sqrt(0.25 / 0.75 / 4000));
  EXPECT_EQ(run_reals("Dropout", {x}), R(4000, 1));
}

}  // namespace
}  // namespace mainspring::inline v0
