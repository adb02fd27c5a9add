// What ONNX's own tests of the data operators (tests/onnx) do not show: extents that are not known, hostile operands, bodies and their memory.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <optional>

#include "core/buffer.h"
#include "core/error.h"
#include "graph/evaluate.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
const Dim kN{1, 0}, kAny = Dim::unknown();

template <class T>
Tensor tensor(Shape shape, std::vector<T> values) {
  return *Tensor::copy(std::span<const T>(values), shape);
}
Tensor ints(std::vector<int64_t> values) { return tensor<int64_t>({static_cast<int64_t>(values.size())}, values); }
Tensor floats(Shape shape, std::vector<float> values) { return tensor<float>(shape, std::move(values)); }
Tensor one_bool(bool b) {
  Tensor t = *Tensor::make(system_allocator(), DType::boolean, {});
  t.span<bool>()[0] = b;
  return t;
}
Tensor texts(std::vector<std::string_view> values) { return *Tensor::copy_strings(system_allocator(), values, {static_cast<int64_t>(values.size())}); }
template <class T>
std::vector<T> all(const Tensor& t) {
  const auto s = t.span<T>();
  return {s.begin(), s.end()};
}

ValueInfo known(const Tensor& t) {
  ValueInfo v = tensor_of(t.dtype(), {});
  v.dims.assign(t.shape().dims().begin(), t.shape().dims().end());
  v.value = &t;
  return v;
}
ValueInfo absent() {
  ValueInfo v;
  v.present = false;
  return v;
}
ValueInfo list(int64_t n) { return tensor_of(DType::i64, {n}); }

using Bodies = std::vector<std::shared_ptr<const Graph>>;

Result<std::vector<ValueInfo>> infer(std::string_view op, std::vector<ValueInfo> in, const Attrs& attrs = {}, int n_out = 1, const Bodies& bodies = {}) {
  const OpDef* def = find_op(op);
  while (def->max_in != kVariadic && static_cast<int>(in.size()) < def->max_in) in.push_back(absent());
  return def->infer(OpCall{in, attrs, bodies, n_out});
}
/// Output 0 as text: "f32 [2, ?]"; the kind of error.
std::string told(std::string_view op, std::vector<ValueInfo> in, const Attrs& attrs = {}, int n_out = 1, const Bodies& bodies = {}) {
  const auto out = infer(op, std::move(in), attrs, n_out, bodies);
  if (!out) return name_of(out.error().code);
  std::string text = name_of(out->front().dtype);
  if (!out->front().ranked) return text + " any";
  for (const Dim d : out->front().dims) text += !d.is_known() ? " ?" : d.is_constant() ? fmt::format(" {}", d.times) : fmt::format(" {}s{}", d.times, d.symbol);
  return text;
}

/// Infers with all contents known and runs the reference; `blind`: contents of these operands hidden from inference.
Result<std::vector<Tensor>> run(std::string_view op, std::vector<std::optional<Tensor>> in, const Attrs& attrs = {}, int n_out = 1, bool blind = false) {
  const OpDef* def = find_op(op);
  while (def->max_in != kVariadic && static_cast<int>(in.size()) < def->max_in) in.emplace_back();
  std::vector<ValueInfo> infos;
  std::vector<const Tensor*> operands;
  for (const auto& t : in) {
    infos.push_back(t ? known(*t) : absent());
    if (blind) infos.back().value = nullptr;
    operands.push_back(t ? &*t : nullptr);
  }
  MAINSPRING_TRY(const auto out, def->infer(OpCall{infos, attrs, {}, n_out}));
  return evaluate(*def, operands, out, attrs, system_allocator());
}
template <class T = float>
std::vector<T> got(std::string_view op, std::vector<std::optional<Tensor>> in, const Attrs& attrs = {}, bool blind = false) {
  auto out = run(op, std::move(in), attrs, 1, blind);
  EXPECT_TRUE(out) << (out ? "" : out.error().message);
  return out ? all<T>((*out)[0]) : std::vector<T>();
}

/// A session in small: bodies are functions, memory ends at a limit.
class Call final : public DynamicCall, private Allocator {
 public:
  using Body = std::function<Result<std::vector<Datum>>(std::span<const Datum>)>;
  Call(std::span<const Datum> i, std::span<Datum> o, const Attrs& a, const Bodies& graphs, std::vector<Body> functions, size_t limit)
      : DynamicCall(i, o, a, graphs), bodies_(std::move(functions)), left_(limit) {}
  Result<Tensor> make(DType dtype, const Shape& shape) override { return Tensor::make(*this, dtype, shape); }
  Result<Tensor> make_strings(std::span<const std::string_view> strings, const Shape& shape) override { return Tensor::copy_strings(*this, strings, shape); }
  Result<std::vector<Datum>> run_body(size_t i, std::span<const Datum> own) override { return bodies_[i](own); }
  Result<void> go_on() override {
    if (turns-- > 0) return {};
    return cancelled("the test has seen enough");
  }
  int64_t turns = 1'000'000;

 private:
  void* allocate(size_t bytes, size_t alignment) override {
    if (bytes > left_) return nullptr;
    left_ -= bytes;
    return system_allocator().allocate(bytes, alignment);
  }
  void release(void* memory, size_t bytes, size_t alignment) override {
    left_ += bytes;
    system_allocator().release(memory, bytes, alignment);
  }
  std::vector<Body> bodies_;
  size_t left_;
};

struct Ran {
  Result<void> status;
  std::vector<Datum> out;
  std::string code() const { return status ? "ok" : name_of(status.error().code); }
};
/// `use` sees the outputs while the call lives, which owns their memory.
void call(std::string_view op, std::vector<Datum> in, const Attrs& attrs, size_t n_out, const std::function<void(Ran&)>& use, const Bodies& graphs = {}, std::vector<Call::Body> bodies = {},
          int64_t turns = 1'000'000, size_t limit = 1 << 24) {
  const OpDef* def = find_op(op);
  while (def->max_in != kVariadic && static_cast<int>(in.size()) < def->max_in) in.emplace_back();
  Ran ran;
  ran.out.resize(n_out);
  Call c(in, ran.out, attrs, graphs, std::move(bodies), limit);
  c.turns = turns;
  ran.status = def->dynamic(c);
  use(ran);
  ran.out.clear();
}

/// A body that declares these values; what it does is the fake's.
std::shared_ptr<const Graph> body(std::vector<ValueInfo> inputs, std::vector<ValueInfo> outputs) {
  auto g = std::make_shared<Graph>();
  const auto add = [&g](const ValueInfo& info, std::vector<ValueId>& ids) {
    Value v;
    v.dtype = info.dtype;
    v.dims = info.dims;
    v.ranked = info.ranked;
    v.container = info.container;
    ids.push_back(g->add_value(std::move(v)));
  };
  for (const ValueInfo& v : inputs) add(v, g->inputs);
  for (const ValueInfo& v : outputs) add(v, g->outputs);
  return g;
}
const ValueInfo kCount = tensor_of(DType::i64, {}), kFlag = tensor_of(DType::boolean, {});

TEST(DataShapes, ReshapeSaysWhatItCan) {
  const Tensor split = ints({-1, 4, 3}), keep = ints({0, 4, -1}), mixed = ints({2, -1}), twice = ints({-1, -1}), five = ints({5, -1}), long_one = ints({1, 1, 1, 1, 1, 1, 1, 1, 12});
  const ValueInfo x = tensor_of(DType::f32, {kN, 12});
  EXPECT_EQ(told("Reshape", {x, known(split)}), "f32 1s0 4 3");
  EXPECT_EQ(told("Reshape", {x, known(keep)}), "f32 1s0 4 3");
  EXPECT_EQ(told("Reshape", {x, known(mixed)}), "f32 2 6s0");
  EXPECT_EQ(told("Reshape", {x, known(five)}), "f32 5 ?");
  EXPECT_EQ(told("Reshape", {x, list(3)}), "f32 ? ? ?");
  EXPECT_EQ(told("Reshape", {x, of_rank(DType::i64, 1)}), "f32 any");
  EXPECT_EQ(told("Reshape", {unranked(DType::f32), known(keep)}), "f32 ? 4 ?");
  EXPECT_EQ(told("Reshape", {tensor_of(DType::f32, {kN, Dim(1, 1), 8}), known(keep)}), "f32 1s0 4 2s1");
  EXPECT_EQ(told("Reshape", {x, known(twice)}), "invalid_argument");
  EXPECT_EQ(told("Reshape", {tensor_of(DType::f32, {12}), known(five)}), "invalid_argument");
  EXPECT_EQ(told("Reshape", {tensor_of(DType::f32, {12}), known(long_one)}), "invalid_argument");
  const Tensor empty = ints({0, -1});
  EXPECT_EQ(told("Reshape", {tensor_of(DType::f32, {0, 3}), known(empty)}), "f32 0 3");
  EXPECT_EQ(told("Reshape", {tensor_of(DType::f32, {0, 3}), known(empty)}, {{"allowzero", int64_t{1}}}), "invalid_argument");
}

TEST(DataShapes, AxesThatAreNotKnown) {
  const ValueInfo x = tensor_of(DType::i8, {1, kN, 7});
  const Tensor first = ints({0}), outer = ints({-1, 0}), same = ints({1, 1}), far = ints({5});
  EXPECT_EQ(told("Squeeze", {x, known(first)}), "i8 1s0 7");
  EXPECT_EQ(told("Squeeze", {x}), "i8 any");  // the symbol may be 1
  EXPECT_EQ(told("Squeeze", {x, list(2)}), "i8 ?");
  EXPECT_EQ(told("Squeeze", {x, known(far)}), "invalid_argument");
  EXPECT_EQ(told("Unsqueeze", {x, known(outer)}), "i8 1 1 1s0 7 1");
  EXPECT_EQ(told("Unsqueeze", {x, list(2)}), "i8 ? ? ? ? ?");
  EXPECT_EQ(told("Unsqueeze", {x, list(6)}), "invalid_argument");
  EXPECT_EQ(told("Unsqueeze", {x, known(same)}), "invalid_argument");
  EXPECT_EQ(told("Transpose", {x}), "i8 7 1s0 1");
  EXPECT_EQ(told("Transpose", {unranked(DType::i8)}, {{"perm", std::vector<int64_t>{1, 0}}}), "i8 ? ?");
  EXPECT_EQ(told("Transpose", {x}, {{"perm", std::vector<int64_t>{1, 0, 1}}}), "invalid_argument");
  EXPECT_EQ(told("Flatten", {x}, {{"axis", int64_t{-1}}}), "i8 1s0 7");
  EXPECT_EQ(told("Shape", {x}, {{"start", int64_t{-2}}}), "i64 2");
  EXPECT_EQ(told("Shape", {unranked(DType::i8)}), "i64 ?");
  EXPECT_EQ(told("DepthToSpace", {tensor_of(DType::f32, {1, 8, kN, kAny})}, {{"blocksize", int64_t{2}}}), "f32 1 2 2s0 ?");
  EXPECT_EQ(told("SpaceToDepth", {tensor_of(DType::f32, {1, 2, Dim(4, 0), 5})}, {{"blocksize", int64_t{2}}}), "invalid_argument");
  EXPECT_EQ(told("NonZero", {x}), "i64 3 ?");
  EXPECT_EQ(told("Concat", {x, tensor_of(DType::i8, {1, Dim(2, 0), kAny})}, {{"axis", int64_t{1}}}), "i8 1 3s0 7");
  EXPECT_EQ(told("Concat", {x, tensor_of(DType::u8, {1, kN, 7})}, {{"axis", int64_t{0}}}), "invalid_argument");
  EXPECT_EQ(told("Split", {x, list(2)}, {{"axis", int64_t{2}}}, 2), "i8 1 1s0 ?");
  EXPECT_EQ(told("Split", {tensor_of(DType::i8, {Dim(4, 0)})}, {}, 2), "i8 2s0");
  EXPECT_EQ(told("Expand", {x, list(4)}), "i8 ? ? ? 7");
  EXPECT_EQ(told("Tile", {x, list(3)}), "i8 ? ? ?");
  const Tensor repeats = ints({2, 3, kMost});
  EXPECT_EQ(told("Tile", {x, known(repeats)}), "invalid_argument");
}

TEST(DataShapes, EmptyExtentsNeedNoData) {
  TensorView x;
  x.shape = {3, 0, 5};
  int64_t told_shape[3] = {}, size = -1;
  const StepInfo step;
  const Attrs attrs;
  const TensorView out[] = {{DType::i64, reinterpret_cast<std::byte*>(told_shape), {3}, 1}}, one[] = {{DType::i64, reinterpret_cast<std::byte*>(&size), {}, 0}};
  find_op("Shape")->reference(OpArgs{{&x, 1}, out, attrs, step});
  find_op("Size")->reference(OpArgs{{&x, 1}, one, attrs, step});
  EXPECT_EQ(std::vector<int64_t>(told_shape, told_shape + 3), (std::vector<int64_t>{3, 0, 5}));
  EXPECT_EQ(size, 0);
}

TEST(DataSlice, BoundsAndSymbols) {
  const ValueInfo x = tensor_of(DType::f32, {kN, 10});
  const Tensor zero = ints({0}), end = ints({kMost}), int_max = ints({2147483647}), five = ints({5}), axis = ints({0}), last = ints({-1});
  EXPECT_EQ(told("Slice", {x, known(zero), known(end)}), "f32 1s0 10");
  EXPECT_EQ(told("Slice", {x, known(zero), known(int_max), known(axis)}), "f32 1s0 10");
  EXPECT_EQ(told("Slice", {x, known(zero), known(five)}), "f32 ? 10");
  EXPECT_EQ(told("Slice", {x, known(zero), known(five), known(last)}), "f32 1s0 5");
  EXPECT_EQ(told("Slice", {x, list(1), list(1), known(last)}), "f32 1s0 ?");
  EXPECT_EQ(told("Slice", {x, list(1), list(1), list(1)}), "f32 ? ?");
  EXPECT_EQ(told("Slice", {x, known(zero), known(five), known(axis), known(zero)}), "invalid_argument");
  const Tensor data = floats({5}, {0, 1, 2, 3, 4});
  EXPECT_EQ(got("Slice", {data, ints({kMost}), ints({kLeast}), ints({0}), ints({-2})}), (std::vector<float>{4, 2, 0}));
  EXPECT_EQ(got("Slice", {data, ints({kLeast}), ints({kMost}), ints({0}), ints({kMost})}), (std::vector<float>{0}));
  EXPECT_EQ(got("Slice", {data, ints({-2}), ints({kLeast}), ints({0}), ints({kLeast})}), (std::vector<float>{3}));
  EXPECT_EQ(got("Slice", {data, ints({3}), ints({1})}), (std::vector<float>{}));
  EXPECT_EQ(got("Slice", {floats({0}, {}), ints({0}), ints({kMost}), ints({0}), ints({-1})}), (std::vector<float>{}));
}

TEST(DataPad, EveryBorder) {
  const Tensor x = floats({3}, {1, 2, 3});
  const auto padded = [&](const char* mode, int64_t before, int64_t after) { return got("Pad", {x, ints({before, after})}, {{"mode", std::string(mode)}}); };
  EXPECT_EQ(padded("reflect", 5, 3), (std::vector<float>{2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2}));  // further than the tensor is long
  EXPECT_EQ(padded("wrap", 4, 1), (std::vector<float>{3, 1, 2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(padded("edge", 2, -2), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(padded("constant", -2, 2), (std::vector<float>{3, 0, 0}));
  EXPECT_EQ(padded("constant", -4, 2), (std::vector<float>{0}));
  EXPECT_EQ(got("Pad", {floats({1}, {7}), ints({2, 1})}, {{"mode", std::string("reflect")}}), (std::vector<float>{7, 7, 7, 7}));
  EXPECT_FALSE(run("Pad", {floats({0}, {}), ints({1, 1})}, {{"mode", std::string("edge")}}));
  EXPECT_FALSE(run("Pad", {x, ints({-2, -2})}));
  EXPECT_FALSE(run("Pad", {x, ints({kMost, 1})}));
  EXPECT_EQ(told("Pad", {tensor_of(DType::f32, {kN, 3}), list(4)}), "f32 ? ?");
}

TEST(DataGather, IndicesOutsideDoNoHarm) {
  const Tensor x = floats({3}, {1, 2, 3});
  EXPECT_EQ(run("Gather", {x, ints({3})}).error().code, Errc::invalid_argument);
  EXPECT_EQ(got("Gather", {x, ints({-3, 3, kMost, kLeast, 2})}, {}, true), (std::vector<float>{1, 0, 0, 0, 3}));
  EXPECT_EQ(got("GatherElements", {x, ints({-1, -4, 5})}, {}, true), (std::vector<float>{3, 0, 0}));
  EXPECT_EQ(got("GatherND", {x, tensor<int64_t>({3, 1}, {1, 3, -4})}, {}, true), (std::vector<float>{2, 0, 0}));
  EXPECT_EQ(run("GatherND", {x, tensor<int64_t>({1, 1}, {3})}).error().code, Errc::invalid_argument);
  EXPECT_EQ(got("ScatterElements", {x, ints({-1, 3, kLeast}), floats({3}, {7, 8, 9})}, {}, true), (std::vector<float>{1, 2, 7}));
  EXPECT_EQ(got("ScatterND", {x, tensor<int64_t>({2, 1}, {1, 9}), floats({2}, {7, 8})}, {}, true), (std::vector<float>{1, 7, 3}));
  EXPECT_EQ(run("ScatterElements", {x, ints({3}), floats({1}, {7})}).error().code, Errc::invalid_argument);
  EXPECT_EQ(run("GatherElements", {floats({2, 2}, {1, 2, 3, 4}), tensor<int64_t>({1, 3}, {0, 0, 0})}).error().code, Errc::invalid_argument);
  const Tensor source = texts({"a", "bc"});  // whose characters the result shows
  auto words = run("Gather", {source, ints({1, 7})}, {}, 1, true);
  ASSERT_TRUE(words);
  EXPECT_EQ(all<std::string_view>((*words)[0]), (std::vector<std::string_view>{"bc", ""}));
  EXPECT_EQ(got("TensorScatter", {floats({1, 3, 1}, {1, 2, 3}), floats({1, 2, 1}, {8, 9}), ints({2})}, {}, true), (std::vector<float>{1, 2, 8}));
  EXPECT_EQ(got("TensorScatter", {floats({1, 3, 1}, {1, 2, 3}), floats({1, 2, 1}, {8, 9}), ints({kMost})}, {}, true), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(got("TensorScatter", {floats({1, 3, 1}, {1, 2, 3}), floats({1, 2, 1}, {8, 9}), ints({-1})}, {{"mode", std::string("circular")}}, true), (std::vector<float>{9, 2, 8}));
  EXPECT_EQ(got("ReverseSequence", {floats({2, 2}, {1, 2, 3, 4}), ints({kMost, -5})}), (std::vector<float>{3, 2, 1, 4}));
}

TEST(DataGather, SymbolsAndUnknowns) {
  const ValueInfo x = tensor_of(DType::f32, {kN, 4, 5}), indices = tensor_of(DType::i64, {2, kAny});
  EXPECT_EQ(told("Gather", {x, indices}, {{"axis", int64_t{1}}}), "f32 1s0 2 ? 5");
  EXPECT_EQ(told("Gather", {x, unranked(DType::i64)}), "f32 any");
  EXPECT_EQ(told("Gather", {x, tensor_of(DType::f32, {2})}), "invalid_argument");
  EXPECT_EQ(told("GatherND", {x, indices}), "f32 any");
  EXPECT_EQ(told("GatherND", {x, tensor_of(DType::i64, {kAny, 2})}), "f32 ? 5");
  EXPECT_EQ(told("GatherND", {x, tensor_of(DType::i64, {7, 4})}), "invalid_argument");
  EXPECT_EQ(told("ScatterND", {x, tensor_of(DType::i64, {7, 1}), tensor_of(DType::f32, {7, 4, 6})}), "invalid_argument");
  EXPECT_EQ(told("TopK", {x, list(1)}, {}, 2), "f32 1s0 4 ?");
  EXPECT_EQ(told("OneHot", {indices, tensor_of(DType::i64, {}), tensor_of(DType::f16, {2})}, {{"axis", int64_t{0}}}), "f16 ? 2 ?");
  EXPECT_EQ(told("Compress", {x, tensor_of(DType::boolean, {4})}, {{"axis", int64_t{1}}}), "f32 1s0 ? 5");
  EXPECT_EQ(told("CenterCropPad", {x, list(3)}), "f32 ? ? ?");
}

TEST(DataScatter, ReductionsKeepEveryDigit) {
  const auto reduced = [](const Tensor& x, const Tensor& update, const char* how) { return run("ScatterElements", {x, ints({0}), update}, {{"reduction", std::string(how)}}); };
  constexpr uint64_t kBig = (uint64_t{1} << 63) + 1;
  EXPECT_EQ(all<uint64_t>((*reduced(tensor<uint64_t>({1}, {1}), tensor<uint64_t>({1}, {kBig}), "max"))[0])[0], kBig);
  EXPECT_EQ(all<uint64_t>((*reduced(tensor<uint64_t>({1}, {2}), tensor<uint64_t>({1}, {kBig}), "add"))[0])[0], kBig + 2);
  EXPECT_EQ(all<int64_t>((*reduced(ints({kMost}), ints({kMost - 1}), "min"))[0])[0], kMost - 1);
  EXPECT_EQ(all<int8_t>((*reduced(tensor<int8_t>({1}, {-100}), tensor<int8_t>({1}, {-100}), "add"))[0])[0], 56);
  EXPECT_FALSE(reduced(texts({"a"}), texts({"b"}), "add"));
  EXPECT_FALSE(reduced(floats({1}, {1}), floats({1}, {1}), "mean"));
}

TEST(DataChoose, OrderOfNumbers) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  auto top = run("TopK", {floats({6}, {1, kNaN, -0.0f, 0.0f, 1, -2}), ints({4})}, {}, 2);
  ASSERT_TRUE(top);
  EXPECT_EQ(all<int64_t>((*top)[1]), (std::vector<int64_t>{1, 0, 4, 2}));
  auto least = run("TopK", {tensor<uint64_t>({3}, {~uint64_t{0}, 0, uint64_t{1} << 63}), ints({2})}, {{"largest", int64_t{0}}}, 2);
  ASSERT_TRUE(least);
  EXPECT_EQ(all<int64_t>((*least)[1]), (std::vector<int64_t>{1, 2}));
  EXPECT_FALSE(run("TopK", {floats({2}, {1, 2}), ints({3})}, {}, 2));
  call("Unique", {texts({"b", "a", "b", "c"})}, {{"sorted", int64_t{0}}}, 4, [](Ran& r) {
    ASSERT_EQ(r.code(), "ok");
    EXPECT_EQ(all<std::string_view>(r.out[0].tensor), (std::vector<std::string_view>{"b", "a", "c"}));
    EXPECT_EQ(all<int64_t>(r.out[1].tensor), (std::vector<int64_t>{0, 1, 3}));
    EXPECT_EQ(all<int64_t>(r.out[2].tensor), (std::vector<int64_t>{0, 1, 0, 2}));
    EXPECT_EQ(all<int64_t>(r.out[3].tensor), (std::vector<int64_t>{2, 1, 1}));
  });
  call("Unique", {floats({0, 2}, {})}, {{"axis", int64_t{0}}}, 1, [](Ran& r) { EXPECT_EQ(r.out[0].tensor.shape(), (Shape{0, 2})); });
  call("NonZero", {floats({}, {3})}, {}, 1, [](Ran& r) { EXPECT_EQ(r.out[0].tensor.shape(), (Shape{0, 1})); });
}

TEST(DataStrings, PatternsAndParts) {
  const auto matches = [](std::string pattern, std::vector<std::string_view> words, const std::function<void(Ran&)>& use) { call("RegexFullMatch", {texts(std::move(words))}, {{"pattern", std::move(pattern)}}, 1, use); };
  matches("a+|\\pL\\d", {"aa", "aab", "\xc3\xa9" "1", "\xff", "aa\n"}, [](Ran& r) {
    ASSERT_EQ(r.code(), "ok");
    EXPECT_EQ(all<bool>(r.out[0].tensor), (std::vector<bool>{true, false, true, false, false}));
  });
  matches("(a|aa)+b", {std::string_view("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabc")}, [](Ran& r) { EXPECT_EQ(r.code(), "resource_exhausted"); });
  EXPECT_EQ(told("RegexFullMatch", {tensor_of(DType::string, {kN})}, {{"pattern", std::string("(")}}), "invalid_argument");
  call("StringSplit", {texts({" a\xe3\x80\x80" "b  c ", "", "d"})}, {{"maxsplit", int64_t{1}}}, 2, [](Ran& r) {
    ASSERT_EQ(r.code(), "ok");
    EXPECT_EQ(all<std::string_view>(r.out[0].tensor), (std::vector<std::string_view>{"a", "b  c ", "", "", "d", ""}));
    EXPECT_EQ(all<int64_t>(r.out[1].tensor), (std::vector<int64_t>{2, 0, 1}));
  });
  call("StringNormalizer", {texts({"\xc3\x89T\xc3\x89", "b", "\xff"})}, {{"stopwords", std::vector<std::string>{"\xc3\xa9t\xc3\xa9"}}, {"case_change_action", std::string("UPPER")}}, 1,
       [](Ran& r) { EXPECT_EQ(all<std::string_view>(r.out[0].tensor), (std::vector<std::string_view>{"B", "\xff"})); });
  const Attrs grams{{"mode", std::string("TFIDF")}, {"ngram_counts", std::vector<int64_t>{0, 1}}, {"ngram_indexes", std::vector<int64_t>{2, 0}}, {"weights", std::vector<double>{0.5, 3}},
                    {"pool_strings", std::vector<std::string>{"a", "a", "b"}}, {"min_gram_length", int64_t{1}}, {"max_gram_length", int64_t{2}}, {"max_skip_count", kMost}};
  EXPECT_EQ(got("TfIdfVectorizer", {texts({"a", "b", "a", "b"})}, grams), (std::vector<float>{9, 0, 1}));  // a b at distances 1, 1, 3
  Attrs wrong = grams;
  wrong.set("ngram_counts", std::vector<int64_t>{0, 9});
  EXPECT_EQ(told("TfIdfVectorizer", {tensor_of(DType::string, {2})}, wrong), "invalid_argument");
}

TEST(DataSequences, PositionsAndLimits) {
  const Datum three = Datum::sequence(DType::f32, {floats({1}, {1}), floats({2}, {2, 3}), floats({1}, {4})});
  const auto at = [&](int64_t i) { return tensor<int64_t>({}, {i}); };
  call("SequenceInsert", {three, floats({1}, {9}), at(-3)}, {}, 1, [](Ran& r) { EXPECT_EQ(all<float>(r.out[0].items[0].tensor)[0], 9); });
  call("SequenceInsert", {three, floats({1}, {9}), at(-4)}, {}, 1, [](Ran& r) { EXPECT_EQ(r.code(), "invalid_argument"); });
  call("SequenceErase", {three, at(3)}, {}, 1, [](Ran& r) { EXPECT_EQ(r.code(), "invalid_argument"); });
  call("SequenceErase", {Datum::sequence(DType::f32, {})}, {}, 1, [](Ran& r) { EXPECT_EQ(r.code(), "invalid_argument"); });
  call("SequenceAt", {three, at(kLeast)}, {}, 1, [](Ran& r) { EXPECT_EQ(r.code(), "invalid_argument"); });
  call("ConcatFromSequence", {three}, {{"axis", int64_t{-1}}}, 1, [](Ran& r) { EXPECT_EQ(all<float>(r.out[0].tensor), (std::vector<float>{1, 2, 3, 4})); });
  call("ConcatFromSequence", {three}, {{"axis", int64_t{0}}, {"new_axis", int64_t{1}}}, 1, [](Ran& r) { EXPECT_EQ(r.code(), "invalid_argument"); });
  call("SplitToSequence", {floats({int64_t{1} << 50, 0}, {})}, {}, 1, [](Ran& r) { EXPECT_EQ(r.code(), "invalid_argument"); });
  call("OptionalGetElement", {Datum()}, {}, 1, [](Ran& r) { EXPECT_EQ(r.code(), "invalid_argument"); });
  ValueInfo sequence = tensor_of(DType::f32, {kN, 3});
  sequence.container = Container::sequence;
  EXPECT_EQ(told("SequenceAt", {sequence, tensor_of(DType::i64, {})}), "f32 1s0 3");
  EXPECT_EQ(told("ConcatFromSequence", {sequence}, {{"axis", int64_t{0}}}), "f32 ? 3");
  EXPECT_EQ(told("SequenceInsert", {sequence, tensor_of(DType::f32, {2, 3})}), "f32 ? 3");
  EXPECT_EQ(told("SequenceInsert", {sequence, tensor_of(DType::f64, {2, 3})}), "invalid_argument");
  EXPECT_EQ(told("SequenceAt", {tensor_of(DType::f32, {2}), tensor_of(DType::i64, {})}), "invalid_argument");
}

TEST(DataControl, IfSaysWhatBothBranchesSay) {
  const auto branch = [](Dims dims, DType t = DType::f32) { return body({}, {tensor_of(t, std::move(dims))}); };
  EXPECT_EQ(told("If", {kFlag}, {}, 1, {branch({2, 3}), branch({2, 4})}), "f32 2 ?");
  EXPECT_EQ(told("If", {kFlag}, {}, 1, {branch({2, kN}), branch({2, kN})}), "f32 2 ?");  // a branch's symbols are its own
  EXPECT_EQ(told("If", {kFlag}, {}, 1, {branch({2}), branch({2, 4})}), "f32 any");
  EXPECT_EQ(told("If", {kFlag}, {}, 1, {branch({2}), branch({2}, DType::i32)}), "invalid_argument");
  EXPECT_EQ(told("If", {kFlag}, {}, 2, {branch({2}), branch({2})}), "invalid_argument");
  EXPECT_EQ(told("If", {kFlag}, {}, 1, {branch({2})}), "invalid_argument");
  const Tensor yes = one_bool(true);
  EXPECT_EQ(told("If", {known(yes)}, {}, 1, {branch({2}), branch({2, 4})}), "f32 2");
}

TEST(DataControl, LoopTurnsAndMemory) {
  const ValueInfo x = tensor_of(DType::f32, {2}), made = tensor_of(DType::f32, {kAny, 3});
  const Bodies graphs = {body({kCount, kFlag, x}, {kFlag, x, made})};
  EXPECT_EQ(told("Loop", {kCount, kFlag, x}, {}, 2, graphs), "f32 2");
  EXPECT_EQ(told("Loop", {kCount, kFlag, tensor_of(DType::f32, {5})}, {}, 2, graphs), "f32 ?");
  EXPECT_EQ(told("Loop", {kCount, kFlag}, {}, 2, graphs), "invalid_argument");
  EXPECT_EQ(told("Loop", {kCount, kFlag, x}, {{"n_captures", int64_t{4}}}, 2, graphs), "invalid_argument");
  const auto all_out = infer("Loop", {kCount, kFlag, x}, {}, 2, graphs);
  ASSERT_TRUE(all_out);
  EXPECT_EQ((*all_out)[1].dims.size(), 3u);

  const Tensor start = floats({2}, {1, 2}), row = floats({1, 3}, {4, 5, 6});
  const auto trips = [](int64_t n) { return Datum(tensor<int64_t>({}, {n})); };
  const Call::Body stops_at_5 = [&](std::span<const Datum> own) -> Result<std::vector<Datum>> {
    return std::vector<Datum>{one_bool(all<int64_t>(own[0].tensor)[0] < 4), own[2], row};
  };
  const auto run_loop = [&](Datum most, Datum condition, const std::function<void(Ran&)>& use, int64_t turns = 1'000'000) {
    call("Loop", {std::move(most), std::move(condition), start}, {}, 2, use, graphs, {stops_at_5}, turns, 1 << 20);
  };
  run_loop(trips(0), {}, [](Ran& r) {
    ASSERT_EQ(r.code(), "ok");
    EXPECT_EQ(all<float>(r.out[0].tensor), (std::vector<float>{1, 2}));
    EXPECT_EQ(r.out[1].tensor.shape(), (Shape{0, 0, 3}));
  });
  run_loop(trips(kMost), one_bool(true), [](Ran& r) { EXPECT_EQ(r.out[1].tensor.shape(), (Shape{5, 1, 3})); });
  run_loop(trips(40), {}, [](Ran& r) { EXPECT_EQ(r.out[1].tensor.shape(), (Shape{40, 1, 3})); });  // what the body says counts only beside a condition
  run_loop(trips(kMost), {}, [](Ran& r) { EXPECT_EQ(r.code(), "out_of_memory"); });
  run_loop({}, {}, [](Ran& r) { EXPECT_EQ(r.code(), "cancelled"); }, 7);
  run_loop(trips(-3), one_bool(true), [](Ran& r) { EXPECT_EQ(r.out[1].tensor.shape(), (Shape{0, 0, 3})); });

  const Call::Body grows = [&](std::span<const Datum> own) -> Result<std::vector<Datum>> {
    const auto n = all<int64_t>(own[0].tensor)[0];
    return std::vector<Datum>{one_bool(true), own[2], floats({1, n}, std::vector<float>(static_cast<size_t>(n)))};
  };
  call("Loop", {trips(3), {}, start}, {}, 2, [](Ran& r) { EXPECT_EQ(r.code(), "invalid_argument"); }, graphs, {grows});
}

TEST(DataControl, LoopGathersStrings) {
  const ValueInfo word = tensor_of(DType::string, {});
  const Bodies graphs = {body({kCount, kFlag}, {kFlag, word})};
  const Call::Body says = [](std::span<const Datum> own) -> Result<std::vector<Datum>> {
    const std::string text = fmt::format("turn {}", all<int64_t>(own[0].tensor)[0]);
    const std::string_view view = text;
    MAINSPRING_TRY(Tensor t, Tensor::copy_strings(system_allocator(), {&view, 1}, {}));
    return std::vector<Datum>{one_bool(true), std::move(t)};
  };
  call("Loop", {tensor<int64_t>({}, {5000}), Datum()}, {}, 1, [](Ran& r) {
    ASSERT_EQ(r.code(), "ok");
    const auto words = all<std::string_view>(r.out[0].tensor);
    ASSERT_EQ(words.size(), 5000u);
    EXPECT_EQ(words[17], "turn 17");
    EXPECT_EQ(words[4999], "turn 4999");
  }, graphs, {says});
}

TEST(DataControl, ScanAxesAndDirections) {
  const ValueInfo x = tensor_of(DType::f32, {2});
  const Bodies graphs = {body({x, x}, {x, x})};
  const Call::Body sum = [](std::span<const Datum> own) -> Result<std::vector<Datum>> {
    const auto a = all<float>(own[0].tensor), b = all<float>(own[1].tensor);
    Tensor y = floats({2}, {a[0] + b[0], a[1] + b[1]});
    return std::vector<Datum>{y, y};
  };
  const Attrs attrs{{"num_scan_inputs", int64_t{1}}, {"scan_input_axes", std::vector<int64_t>{1}}, {"scan_input_directions", std::vector<int64_t>{1}},
                    {"scan_output_axes", std::vector<int64_t>{-1}}, {"scan_output_directions", std::vector<int64_t>{1}}};
  const auto out = infer("Scan", {x, tensor_of(DType::f32, {2, kN})}, attrs, 2, graphs);
  ASSERT_TRUE(out);
  EXPECT_EQ((*out)[1].dims, (Dims{2, kN}));
  call("Scan", {floats({2}, {0, 0}), floats({2, 3}, {1, 2, 3, 10, 20, 30})}, attrs, 2, [](Ran& r) {
    ASSERT_EQ(r.code(), "ok");
    EXPECT_EQ(all<float>(r.out[0].tensor), (std::vector<float>{6, 60}));
    EXPECT_EQ(r.out[1].tensor.shape(), (Shape{2, 3}));
    EXPECT_EQ(all<float>(r.out[1].tensor), (std::vector<float>{6, 5, 3, 60, 50, 30}));
  }, graphs, {sum});
  const Attrs batch{{"num_scan_inputs", int64_t{1}}, {"legacy_batch", int64_t{1}}};
  call("Scan", {ints({3, 1}), floats({2, 2}, {0, 0, 0, 0}), floats({2, 3, 2}, {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6})}, batch, 2, [](Ran& r) {
    ASSERT_EQ(r.code(), "ok");
    EXPECT_EQ(all<float>(r.out[0].tensor), (std::vector<float>{6, 6, 4, 4}));
    EXPECT_EQ(r.out[1].tensor.shape(), (Shape{2, 3, 2}));
    EXPECT_EQ(all<float>(r.out[1].tensor), (std::vector<float>{1, 1, 3, 3, 6, 6, 4, 4, 0, 0, 0, 0}));  // zeros behind a sequence's end
  }, graphs, {sum});
  EXPECT_EQ(told("Scan", {x, tensor_of(DType::f32, {3, 2})}, {{"num_scan_inputs", int64_t{3}}}, 2, graphs), "invalid_argument");
}

}  // namespace
}  // namespace mainspring::inline v0
