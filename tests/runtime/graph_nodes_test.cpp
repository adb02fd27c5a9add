// Session::run on what plans alone cannot do: bodies, sequences, strings, extents that hang on data; and outputs that no node makes.
#include "runtime/graph_rig.h"

namespace mainspring::inline v0::test {
namespace {

using ox::kBool;
using ox::kF32;
using ox::kI64;
using ox::kString;

ox::Message f32s(std::string_view name, std::initializer_list<std::string_view> dims) { return ox::info(name, ox::tensor_type(kF32, dims)); }
ox::Message any(std::string_view name, int64_t type = kF32) { return ox::info(name, ox::unranked_type(type)); }
ox::Message sequence_of(std::string_view name, int64_t type) { return ox::info(name, ox::Message().add(4, ox::Message().add(1, ox::unranked_type(type)))); }

TEST(RunControl, ALoopReadsWhatItCaptures) {
  const std::string bytes = loop_model();
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 2});
  const Tensor x = data<float>(Shape{2}, {1, -2});
  for (int repeat = 0; repeat < 2; ++repeat) {
    const RunResult r = run(session, {{"n", scalar<int64_t>(3)}, {"x", x}});
    EXPECT_EQ(elements(r["last"]), (std::vector<float>{2.5f, -0.5f}));
    EXPECT_EQ(r["rows"].shape(), (Shape{3, 2}));
    EXPECT_EQ(elements(r["rows"]), (std::vector<float>{1.5f, 3.0f, 2.0f, 2.0f, 2.5f, 1.0f}));
  }
  const RunResult none = run(session, {{"n", scalar<int64_t>(0)}, {"x", x}});
  EXPECT_EQ(elements(none["last"]), elements(x));
  EXPECT_EQ(none["rows"].elements(), 0);
}

TEST(RunControl, BranchesMayGiveOtherExtents) {
  ox::Graph doubled, whole;
  doubled.outputs = {any("d")};
  doubled.nodes = {ox::node("Concat", {"x", "sum"}, {"d"}, {ox::attr("axis", 0)})};
  whole.outputs = {any("w")};
  whole.nodes = {ox::node("Mul", {"sum", "two"}, {"w"})};
  ox::Graph g;
  g.inputs = {ox::info("c", ox::tensor_type(kBool, {})), f32s("x", {"N"})};
  g.outputs = {any("y")};
  g.initializers = {ox::raw_tensor<float>("two", kF32, {}, {2.0f})};
  g.nodes = {ox::node("Add", {"x", "two"}, {"sum"}), ox::node("If", {"c"}, {"z"}, {ox::attr_g("then_branch", doubled.message()), ox::attr_g("else_branch", whole.message())}),
             ox::node("Neg", {"z"}, {"y"})};
  const std::string bytes = ox::model(g);
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 1});
  const Tensor x = data<float>(Shape{2}, {1, 5});
  for (int repeat = 0; repeat < 2; ++repeat) {  // plans of both branches stay
    EXPECT_EQ(elements(run(session, {{"c", scalar(true)}, {"x", x}})["y"]), (std::vector<float>{-1, -5, -3, -7}));
    EXPECT_EQ(elements(run(session, {{"c", scalar(false)}, {"x", x}})["y"]), (std::vector<float>{-6, -14}));
  }
}

TEST(RunControl, AScanCarriesItsState) {
  ox::Graph body;
  body.inputs = {f32s("s", {"2"}), f32s("row", {"2"})};
  body.outputs = {f32s("next", {"2"}), f32s("out", {"2"})};
  body.nodes = {ox::node("Add", {"s", "row"}, {"sum"}), ox::node("Mul", {"sum", "factor"}, {"next"}), ox::node("Identity", {"sum"}, {"out"})};
  ox::Graph g;
  g.inputs = {f32s("s0", {"2"}), f32s("x", {"T", "2"}), f32s("factor", {"1"})};
  g.outputs = {f32s("s1", {"2"}), f32s("y", {"T", "2"})};
  g.nodes = {ox::node("Scan", {"s0", "x"}, {"s1", "y"}, {ox::attr_g("body", body.message()), ox::attr("num_scan_inputs", 1)})};
  const RunResult r = run_model(ox::model(g), {{"s0", data<float>(Shape{2}, {1, 0})}, {"x", data<float>(Shape{3, 2}, {1, 2, 3, 4, 5, 6})}, {"factor", data<float>(Shape{1}, {2})}});
  EXPECT_EQ(elements(r["y"]), (std::vector<float>{2, 2, 7, 8, 19, 22}));
  EXPECT_EQ(elements(r["s1"]), (std::vector<float>{38, 44}));
}

TEST(RunControl, LoopsInLoopsAndBranchesInLoops) {
  // acc += i · j for j < i, and only where i is odd
  ox::Graph inner, odd, even, outer, g;
  inner.inputs = {ox::info("j", ox::tensor_type(kI64, {})), ox::info("c2", ox::tensor_type(kBool, {})), ox::info("a", ox::tensor_type(kI64, {}))};
  inner.outputs = {ox::info("c3", ox::tensor_type(kBool, {})), ox::info("a2", ox::tensor_type(kI64, {}))};
  inner.nodes = {ox::node("Mul", {"i", "j"}, {"ij"}), ox::node("Add", {"a", "ij"}, {"a2"}), ox::node("Identity", {"c2"}, {"c3"})};
  odd.outputs = {any("o", kI64)};
  odd.nodes = {ox::node("Loop", {"i", "", "acc"}, {"o"}, {ox::attr_g("body", inner.message())})};
  even.outputs = {any("e", kI64)};
  even.nodes = {ox::node("Identity", {"acc"}, {"e"})};
  outer.inputs = {ox::info("i", ox::tensor_type(kI64, {})), ox::info("c", ox::tensor_type(kBool, {})), ox::info("acc", ox::tensor_type(kI64, {}))};
  outer.outputs = {ox::info("c1", ox::tensor_type(kBool, {})), ox::info("acc1", ox::tensor_type(kI64, {}))};
  outer.nodes = {ox::node("Identity", {"c"}, {"c1"}), ox::node("Mod", {"i", "two"}, {"m"}), ox::node("Equal", {"m", "one"}, {"is_odd"}),
                 ox::node("If", {"is_odd"}, {"acc1"}, {ox::attr_g("then_branch", odd.message()), ox::attr_g("else_branch", even.message())})};
  g.inputs = {ox::info("n", ox::tensor_type(kI64, {}))};
  g.outputs = {ox::info("y", ox::tensor_type(kI64, {}))};
  g.initializers = {ox::raw_tensor<int64_t>("zero", kI64, {}, {0}), ox::raw_tensor<int64_t>("one", kI64, {}, {1}), ox::raw_tensor<int64_t>("two", kI64, {}, {2})};
  g.nodes = {ox::node("Loop", {"n", "", "zero"}, {"y"}, {ox::attr_g("body", outer.message())})};
  const std::string bytes = ox::model(g);
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 2});
  for (const int64_t n : {0, 1, 6, 9}) {
    int64_t want = 0;
    for (int64_t i = 1; i < n; i += 2)
      for (int64_t j = 0; j < i; ++j) want += i * j;
    EXPECT_EQ(elements<int64_t>(run(session, {{"n", scalar(n)}})["y"]), std::vector<int64_t>{want}) << n;
  }
}

TEST(RunData, ExtentsMayHangOnData) {
  ox::Graph g;
  g.inputs = {f32s("x", {"N"})};
  g.outputs = {any("picked"), any("where", kI64), any("twice")};
  g.initializers = {ox::raw_tensor<float>("zero", kF32, {}, {0.0f}), ox::raw_tensor<float>("two", kF32, {}, {2.0f}), ox::ints_tensor("flat", {-1})};
  g.nodes = {ox::node("Greater", {"x", "zero"}, {"positive"}), ox::node("NonZero", {"positive"}, {"where"}), ox::node("Reshape", {"where", "flat"}, {"index"}),
             ox::node("Gather", {"x", "index"}, {"picked"}), ox::node("Mul", {"picked", "two"}, {"twice"})};
  const std::string bytes = ox::model(g);
  const Model model = open_file(bytes);
  Session session = open_session(model, {.threads = 2});
  for (const std::vector<float>& x : {std::vector<float>{1, -1, 3, 0}, {-1, -2, -3, -4}, {1, 2, 3, 4}, {}}) {
    const RunResult r = run(session, {{"x", data(Shape{static_cast<int64_t>(x.size())}, x)}});
    std::vector<float> picked, twice;
    std::vector<int64_t> index;
    for (size_t i = 0; i < x.size(); ++i)
      if (x[i] > 0) picked.push_back(x[i]), twice.push_back(2 * x[i]), index.push_back(static_cast<int64_t>(i));
    EXPECT_EQ(elements(r["picked"]), picked);
    EXPECT_EQ(elements(r["twice"]), twice);
    EXPECT_EQ(elements<int64_t>(r["where"]), index);
    EXPECT_EQ(r["where"].shape(), (Shape{1, static_cast<int64_t>(index.size())}));
  }
}

TEST(RunData, OutputsWhoseExtentsHangOnDataGoToTheCallersMemoryToo) {
  ox::Graph g;
  g.inputs = {f32s("x", {"N"})};
  g.outputs = {any("where", kI64)};
  g.nodes = {ox::node("NonZero", {"x"}, {"where"})};
  const std::string bytes = ox::model(g);
  Session session = open_session(open_file(bytes), {.threads = 1});
  const Tensor x = data<float>(Shape{4}, {0, 3, 0, 4});
  std::vector<int64_t> memory(4, -7);
  const auto place = [&](int64_t n) { return *Tensor::borrow(std::span(memory).subspan(1, static_cast<size_t>(n)), Shape{1, n}); };
  EXPECT_TRUE(run(session, {{"x", x}}, {{"where", place(2)}}).values.empty());
  EXPECT_EQ(memory, (std::vector<int64_t>{-7, 1, 3, -7}));
  const auto refused = session.run({{"x", x}}, {{"where", place(1)}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  EXPECT_NE(refused.error().message.find("'where'"), std::string::npos) << refused.error().message;
  EXPECT_EQ(elements<int64_t>(run(session, {{"x", x}})["where"]), (std::vector<int64_t>{1, 3}));
}

TEST(RunData, ExtentsMayBeAnInput) {
  ox::Graph g;
  g.inputs = {f32s("x", {"N"}), ox::info("to", ox::tensor_type(kI64, {"R"}))};
  g.outputs = {any("y")};
  g.nodes = {ox::node("Reshape", {"x", "to"}, {"r"}), ox::node("Neg", {"r"}, {"y"})};
  const std::string bytes = ox::model(g);
  Session session = open_session(open_file(bytes), {.threads = 1});
  const Tensor x = noise(Shape{12});
  for (const Shape& to : {Shape{3, 4}, Shape{12, 1}, Shape{2, 3, 2}, Shape{3, 4}}) {
    const Tensor y = run(session, {{"x", x}, {"to", data(Shape{to.rank()}, std::vector<int64_t>(to.dims().begin(), to.dims().end()))}})["y"];
    EXPECT_EQ(y.shape(), to);
  }
  const auto refused = session.run({{"x", x}, {"to", data<int64_t>(Shape{2}, {5, 5})}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
}

TEST(RunData, AnIndexOutsideIsAnErrorAndNoAccess) {
  ox::Graph g;
  g.inputs = {f32s("x", {"N"}), ox::info("i", ox::tensor_type(kI64, {"M"}))};
  g.outputs = {any("y")};
  g.nodes = {ox::node("Gather", {"x", "i"}, {"y"})};
  const std::string bytes = ox::model(g);
  Session session = open_session(open_file(bytes), {.threads = 1});
  const Tensor x = noise(Shape{4});
  (void)session.run({{"x", x}, {"i", data<int64_t>(Shape{3}, {4, -5, INT64_MAX})}});  // an error or harmless values; sanitizers watch
  EXPECT_EQ(elements(run(session, {{"x", x}, {"i", data<int64_t>(Shape{2}, {3, -4})}})["y"]), (std::vector<float>{elements(x)[3], elements(x)[0]}));
}

TEST(RunSequences, GoInAndComeOut) {
  ox::Graph g;
  g.inputs = {sequence_of("in", kF32), f32s("x", {"N"})};
  g.outputs = {sequence_of("longer", kF32), any("joined"), ox::info("length", ox::tensor_type(kI64, {}))};
  g.nodes = {ox::node("SequenceInsert", {"in", "x"}, {"longer"}), ox::node("ConcatFromSequence", {"longer"}, {"joined"}, {ox::attr("axis", 0)}), ox::node("SequenceLength", {"longer"}, {"length"})};
  const std::string bytes = ox::model(g);
  const Model model = open_file(bytes);
  ASSERT_TRUE(model.inputs()[0].sequence);
  ASSERT_TRUE(model.outputs()[0].sequence);
  RunResult r;
  {
    Session session = open_session(model, {.threads = 1});
    r = run(session, {{"in", Datum::sequence(DType::f32, {data<float>(Shape{1}, {1}), data<float>(Shape{2}, {2, 3})})}, {"x", data<float>(Shape{1}, {4})}});
  }
  ASSERT_EQ(r.values.size(), 3u);
  ASSERT_EQ(r.values[0].items.size(), 3u);
  EXPECT_EQ(elements(r.values[0].items[1].tensor), (std::vector<float>{2, 3}));
  EXPECT_EQ(elements(r.values[0].items[2].tensor), (std::vector<float>{4}));
  EXPECT_EQ(elements(r["joined"]), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(elements<int64_t>(r["length"]), std::vector<int64_t>{3});
  EXPECT_TRUE(r["longer"].empty());
}

TEST(RunStrings, GoInAndComeOutAsTheResultsOwn) {
  ox::Graph g;
  g.inputs = {ox::info("a", ox::tensor_type(kString, {"N"})), ox::info("b", ox::tensor_type(kString, {"N"}))};
  g.outputs = {any("joined", kString), any("same", kString), sequence_of("list", kString)};
  g.nodes = {ox::node("StringConcat", {"a", "b"}, {"joined"}), ox::node("Identity", {"a"}, {"same"}), ox::node("SequenceConstruct", {"a"}, {"list"})};
  const std::string bytes = ox::model(g);
  Session session = open_session(open_file(bytes), {.threads = 1});
  RunResult r;
  {
    std::string one = "größe ", two = std::string("\0x", 2), three = "!";
    const std::string_view left[] = {one, two}, right[] = {three, std::string_view()};
    const auto a = Tensor::borrow(std::span<const std::string_view>(left), Shape{2}), b = Tensor::borrow(std::span<const std::string_view>(right), Shape{2});
    ASSERT_TRUE(a && b);
    r = run(session, {{"a", *a}, {"b", *b}});
    one.assign(one.size(), '?');
    two.assign(two.size(), '?');
  }
  EXPECT_EQ(elements<std::string_view>(r["joined"]), (std::vector<std::string_view>{"größe !", std::string_view("\0x", 2)}));
  EXPECT_EQ(elements<std::string_view>(r["same"]), (std::vector<std::string_view>{"größe ", std::string_view("\0x", 2)}));
  ASSERT_EQ(r.values[2].items.size(), 1u);
  EXPECT_EQ(elements<std::string_view>(r.values[2].items[0].tensor), (std::vector<std::string_view>{"größe ", std::string_view("\0x", 2)}));
  const Tensor place = data<std::string_view>(Shape{1}, {""}), word = data<std::string_view>(Shape{1}, {"word"});
  EXPECT_FALSE(session.run({{"a", word}, {"b", word}}, {{"same", place}}));  // no room for characters
}

TEST(RunOutputs, MayBeInputsConstantsAndSecondNames) {
  ox::Graph g;
  g.inputs = {f32s("x", {"N"})};
  g.outputs = {f32s("x", {"N"}), f32s("c", {"2"}), any("y"), any("again"), any("kept")};
  g.initializers = {ox::raw_tensor<float>("c", kF32, {2}, {3.0f, 4.0f})};
  g.nodes = {ox::node("Neg", {"x"}, {"y"}), ox::node("Identity", {"y"}, {"again"}), ox::node("Identity", {"c"}, {"kept"})};
  const std::string bytes = ox::model(g);
  Session session = open_session(open_file(bytes), {.threads = 1});
  std::vector<float> x = {1, 2, 3};
  const auto input = Tensor::borrow(std::span(x), Shape{3});
  ASSERT_TRUE(input);
  const RunResult r = run(session, {{"x", *input}});
  x = {0, 0, 0};  // results are no views of what the caller lent
  EXPECT_EQ(elements(r["x"]), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(elements(r["c"]), (std::vector<float>{3, 4}));
  EXPECT_EQ(elements(r["y"]), (std::vector<float>{-1, -2, -3}));
  EXPECT_EQ(elements(r["again"]), (std::vector<float>{-1, -2, -3}));
  EXPECT_EQ(elements(r["kept"]), (std::vector<float>{3, 4}));
  float to_x[3], to_c[2], to_y[3], to_again[3], to_kept[2];
  const auto at = [](std::span<float> m) { return *Tensor::borrow(m, Shape{static_cast<int64_t>(m.size())}); };
  x = {1, 2, 3};
  run(session, {{"x", *input}}, {{"x", at(to_x)}, {"c", at(to_c)}, {"y", at(to_y)}, {"again", at(to_again)}, {"kept", at(to_kept)}});
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(to_x[i], x[i]);
    EXPECT_EQ(to_y[i], -x[i]);
    EXPECT_EQ(to_again[i], -x[i]);
  }
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(to_c[i], static_cast<float>(3 + i));
    EXPECT_EQ(to_kept[i], static_cast<float>(3 + i));
  }
}

TEST(RunOutputs, AGraphWithoutNodesPassesOn) {
  ox::Graph g;
  g.inputs = {f32s("x", {"N"})};
  g.outputs = {f32s("x", {"N"})};
  EXPECT_EQ(elements(run_model(ox::model(g), {{"x", data<float>(Shape{2}, {5, 6})}})["x"]), (std::vector<float>{5, 6}));
}

TEST(RunShapes, NothingIsATensorToo) {
  ox::Graph g;
  g.inputs = {f32s("x", {"N", "3"})};
  g.outputs = {any("m"), any("sum"), any("most"), any("joined"), any("flat")};
  g.initializers = {weights("w", {3, 2}, 1), ox::raw_tensor<float>("row", kF32, {1, 2}, {7.0f, 8.0f}), ox::ints_tensor("shape", {0, 6}), ox::ints_tensor("first", {0}),
                    ox::raw_tensor<float>("floor", kF32, {1, 2}, {0.0f, 0.0f})};
  g.nodes = {ox::node("MatMul", {"x", "w"}, {"p"}), ox::node("Relu", {"p"}, {"m"}), ox::node("ReduceSum", {"m", "first"}, {"sum"}, {ox::attr("keepdims", 0)}),
             ox::node("Concat", {"m", "row"}, {"joined"}, {ox::attr("axis", 0)}), ox::node("ReduceMax", {"joined", "first"}, {"most"}, {ox::attr("keepdims", 0)}),
             ox::node("Concat", {"x", "x"}, {"wide"}, {ox::attr("axis", 1)}), ox::node("Reshape", {"wide", "shape"}, {"flat"})};
  const std::string bytes = ox::model(g);
  Session session = open_session(open_file(bytes), {.threads = 2});
  const RunResult r = run(session, {{"x", data<float>(Shape{0, 3}, {})}});
  EXPECT_EQ(r["m"].shape(), (Shape{0, 2}));
  EXPECT_EQ(elements(r["sum"]), (std::vector<float>{0, 0}));
  EXPECT_EQ(elements(r["joined"]), (std::vector<float>{7, 8}));
  EXPECT_EQ(elements(r["most"]), (std::vector<float>{7, 8}));
  EXPECT_EQ(r["flat"].shape(), (Shape{0, 6}));
  EXPECT_EQ(run(session, {{"x", noise(Shape{2, 3})}})["joined"].shape(), (Shape{3, 2}));
}

TEST(RunInputs, DefaultsMayBeLeftOut) {
  ox::Graph g;
  g.inputs = {f32s("x", {"2"}), f32s("d", {"2"})};
  g.outputs = {f32s("y", {"2"})};
  g.initializers = {ox::raw_tensor<float>("d", kF32, {2}, {10.0f, 20.0f})};
  g.nodes = {ox::node("Add", {"x", "d"}, {"y"})};
  EXPECT_EQ(elements(run_model(ox::model(g), {{"x", data<float>(Shape{2}, {1, 2})}})["y"]), (std::vector<float>{11, 22}));
}

}  // namespace
}  // namespace mainspring::inline v0::test
