// ModelProto → Graph: names, symbols, weights, order, sub-graphs with captures, functions, missing operators, external data.
#include <filesystem>
#include <fstream>

#include "tests/import/onnx_rig.h"

namespace onnx_test {
namespace {

TEST(Onnx, ReadsInputsSymbolsWeightsNodesAndMetadata) {
  Graph g = chain({same({"x", "w"}, {"h"}, "first"), same({"h"}, {"y"}, "second")}, {raw_tensor<float>("w", kF32, {2}, {1, 2})});
  g.inputs.push_back(info("z", tensor_type(kI64, {"N", "?", "M"})));
  const std::string bytes = model(g);
  ASSERT_TRUE(looks_like_onnx(bytes_of(bytes)));
  auto file = read(bytes, kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const auto& graph = file->graph;
  ASSERT_EQ(graph.inputs.size(), 2u);
  const Value &x = value(graph, graph.inputs[0]), &z = value(graph, graph.inputs[1]);
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.dims, (Dims{Dim(1, 0), 3}));
  EXPECT_EQ(z.dtype, DType::i64);
  ASSERT_EQ(z.dims.size(), 3u);
  EXPECT_EQ(z.dims[0], x.dims[0]);  // one name, one symbol
  EXPECT_FALSE(z.dims[1].is_known());
  ASSERT_EQ(graph.symbols.size(), 2u);
  EXPECT_EQ(graph.symbols[1].name, "M");
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[0].name, "first");
  EXPECT_EQ(graph.nodes[0].op, "test.Same");
  const Value& w = value(graph, graph.nodes[0].in[1]);
  EXPECT_EQ(w.kind, Kind::weight);
  EXPECT_EQ(elements<float>(w), (std::vector<float>{1, 2}));
  ASSERT_EQ(graph.outputs.size(), 1u);
  EXPECT_EQ(value(graph, graph.outputs[0]).name, "y");
  EXPECT_EQ(value(graph, graph.outputs[0]).dims, x.dims);
  EXPECT_TRUE(graph.verify());
  EXPECT_EQ(file->metadata.find("onnx.producer_name")->as_string(), "test");
  EXPECT_EQ(file->metadata.find("onnx.opset")->as_int(), 28);
  EXPECT_EQ(file->metadata.find("onnx.ir_version")->as_int(), 10);
  EXPECT_EQ(file->metadata.find("author")->as_string(), "me");
}

TEST(Onnx, InputWithInitializerIsAWeight) {
  Graph g = chain({same({"x", "w"}, {"y"})}, {raw_tensor<float>("w", kF32, {1}, {5})});
  g.inputs.push_back(info("w", tensor_type(kF32, {"1"})));
  auto file = read(model(g, 28, {}, 3), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->graph.inputs.size(), 1u);
  EXPECT_EQ(value(file->graph, "w")->kind, Kind::weight);
}

TEST(Onnx, ConstantsOfEveryFormAreWeights) {
  const Ints two = {4, 5};
  Graph g = chain({node("Constant", {}, {"t"}, {attr_t("value", ints_tensor("", {7, 8}))}), node("Constant", {}, {"i"}, {attr("value_int", -3)}),
                   node("Constant", {}, {"is"}, {attr_ints("value_ints", two)}), node("Constant", {}, {"f"}, {attr_f("value_float", 0.5f)}),
                   node("Constant", {}, {"s"}, {attr_s("value_string", "abc")}),
                   node("Constant", {}, {"sp"}, {Message().text(1, "sparse_value").number(20, 11).add(22, Message().add(1, raw_tensor<float>("", kF32, {2}, {3, 9})).add(2, ints_tensor("", {1, 3})).number(3, 4))}),
                   same({"x", "t", "i", "is", "f", "s", "sp"}, {"y"})});
  auto file = read(model(g), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const auto& graph = file->graph;
  EXPECT_EQ(elements<int64_t>(*value(graph, "t")), (Ints{7, 8}));
  EXPECT_EQ(elements<int64_t>(*value(graph, "i")), (Ints{-3}));
  EXPECT_TRUE(value(graph, "i")->dims.empty());
  EXPECT_EQ(elements<int64_t>(*value(graph, "is")), two);
  EXPECT_EQ(elements<float>(*value(graph, "f")), std::vector<float>{0.5f});
  EXPECT_EQ(elements<std::string_view>(*value(graph, "s")), std::vector<std::string_view>{"abc"});
  EXPECT_EQ(elements<float>(*value(graph, "sp")), (std::vector<float>{0, 3, 0, 9}));
}

TEST(Onnx, AttributesKeepNamesAndTypes) {
  const Message type = Message().add(4, Message().add(1, tensor_type(kI32, {})));
  Graph g = chain({node("Same", {"x"}, {"y"}, {attr("i", 3), attr_f("f", 0.25f), attr_s("s", "ab"), attr_ints("is", {1, -2}), attr_t("t", ints_tensor("", {9})),
                        Message().text(1, "type").add(14, type).number(20, 13)}, "test")});
  auto file = read(model(g), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const Attrs& a = file->graph.nodes[0].attrs;
  EXPECT_EQ(a.i("i"), 3);
  EXPECT_EQ(a.f("f"), 0.25);
  EXPECT_EQ(a.s("s"), "ab");
  ASSERT_EQ(a.is("is").size(), 2u);
  EXPECT_EQ(a.is("is")[1], -2);
  ASSERT_NE(a.t("t"), nullptr);
  EXPECT_EQ(a.t("t")->span<int64_t>()[0], 9);
  EXPECT_EQ(a.i("dtype"), kI32);
  EXPECT_EQ(a.i("container"), static_cast<int64_t>(Container::sequence));
}

TEST(Onnx, NodesOutOfOrderAreSorted) {
  auto file = read(model(chain({same({"b"}, {"y"}, "third"), same({"a"}, {"b"}, "second"), same({"x"}, {"a"}, "first")})), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->graph.nodes[0].name, "first");
  EXPECT_EQ(file->graph.nodes[2].name, "third");
  EXPECT_TRUE(file->graph.verify());
}

TEST(Onnx, DeclaredShapesFillInWhatInferenceCannotTell) {
  Graph g = chain({node("Dark", {"x"}, {"h"}, {}, "test"), node("Dark", {"h"}, {"y"}, {}, "test")});
  g.infos = {info("h", tensor_type(kF32, {"N", "other", "4"}))};
  auto file = read(model(g), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const Value& h = *value(file->graph, "h");
  ASSERT_TRUE(h.ranked);
  ASSERT_EQ(h.dims.size(), 3u);
  EXPECT_EQ(h.dims[0], Dim(1, 0));
  EXPECT_FALSE(h.dims[1].is_known());  // no input has this symbol: nothing would give it a value
  EXPECT_EQ(h.dims[2], Dim(4));
  EXPECT_FALSE(value(file->graph, "y")->ranked);
}

TEST(Onnx, InferenceWinsOverADeclarationThatLies) {
  Graph g = chain({same({"x"}, {"h"}), same({"h"}, {"y"})});
  g.infos = {info("h", tensor_type(kF32, {"N", "4"}))};
  auto file = read(model(g), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(value(file->graph, "h")->dims[1], Dim(3));
}

// ---- sub-graphs --------------------------------------------------------------------------------------------------------------

Message branch(std::vector<Message> nodes, std::string_view out, std::vector<Message> initializers = {}) {
  Graph g;
  g.nodes = std::move(nodes);
  g.outputs = {info(out, unranked_type(kF32))};
  g.initializers = std::move(initializers);
  return g.message();
}

TEST(Onnx, AllBodiesOfANodeTakeTheSameCaptures) {
  // The file has else before then; one branch sees `a` and `x`, the other `b`; `w` is a weight and is captured by nobody.
  const Message then = branch({same({"a", "x", "w"}, {"t"})}, "t"), otherwise = branch({same({"b"}, {"e"})}, "e");
  Graph g = chain({same({"x"}, {"a"}), same({"x"}, {"b"}), node("Same", {"c"}, {"y"}, {attr_g("else_branch", otherwise), attr_g("then_branch", then)}, "test", "if")},
                  {raw_tensor<float>("w", kF32, {1}, {2})});
  g.inputs.push_back(info("c", tensor_type(kBool, {})));
  auto file = read(model(g), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const Node& n = file->graph.nodes[2];
  ASSERT_EQ(n.bodies.size(), 2u);
  EXPECT_EQ(n.attrs.i("n_captures"), 3);
  ASSERT_EQ(n.in.size(), 4u);
  EXPECT_EQ(value(file->graph, n.in[1]).name, "a");
  EXPECT_EQ(value(file->graph, n.in[2]).name, "x");
  EXPECT_EQ(value(file->graph, n.in[3]).name, "b");
  for (const auto& body : n.bodies) {
    ASSERT_EQ(body->inputs.size(), 3u);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(value(*body, body->inputs[i]).name, value(file->graph, n.in[i + 1]).name);
      EXPECT_EQ(value(*body, body->inputs[i]).kind, Kind::input);
      EXPECT_EQ(value(*body, body->inputs[i]).dims.size(), 2u);
    }
    EXPECT_TRUE(body->verify());
  }
  EXPECT_EQ(value(*n.bodies[0], n.bodies[0]->outputs[0]).name, "t");
  EXPECT_EQ(value(*n.bodies[0], "w")->kind, Kind::weight);
  EXPECT_TRUE(file->graph.verify());
}

TEST(Onnx, CapturesPassThroughEveryLevel) {
  const Message inner = branch({same({"x"}, {"i"})}, "i");
  const Message middle = branch({node("Same", {}, {"m"}, {attr_g("body", inner)}, "test")}, "m");
  auto file = read(model(chain({node("Same", {}, {"y"}, {attr_g("body", middle)}, "test")})), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const Node& outer = file->graph.nodes[0];
  ASSERT_EQ(outer.in.size(), 1u);
  EXPECT_EQ(outer.in[0], file->graph.inputs[0]);
  const Node& nested = outer.bodies[0]->nodes[0];
  ASSERT_EQ(nested.in.size(), 1u);
  EXPECT_EQ(nested.in[0], outer.bodies[0]->inputs[0]);
  EXPECT_EQ(value(*nested.bodies[0], nested.bodies[0]->inputs[0]).name, "x");
}

TEST(Onnx, ABranchMayHandOutAnOuterValue) {
  auto file = read(model(chain({node("Same", {}, {"y"}, {attr_g("then_branch", branch({}, "x"))}, "test")})), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const auto& body = *file->graph.nodes[0].bodies[0];
  ASSERT_EQ(body.outputs.size(), 1u);
  EXPECT_EQ(body.outputs[0], body.inputs[0]);
}

TEST(Onnx, OwnInputsComeBeforeCaptures) {
  Graph body;
  body.nodes = {same({"own", "x"}, {"o"})};
  body.inputs = {info("own", tensor_type(kF32, {"K", "2"}))};
  body.outputs = {info("o", unranked_type(kF32))};
  auto file = read(model(chain({node("Same", {"x"}, {"y"}, {attr_g("body", body.message())}, "test")})), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const auto& b = *file->graph.nodes[0].bodies[0];
  ASSERT_EQ(b.inputs.size(), 2u);
  EXPECT_EQ(value(b, b.inputs[0]).name, "own");
  EXPECT_FALSE(value(b, b.inputs[0]).dims[0].is_known());  // may differ from one turn to the next
  EXPECT_EQ(value(b, b.inputs[0]).dims[1], Dim(2));
  EXPECT_EQ(value(b, b.inputs[1]).name, "x");
  EXPECT_EQ(file->graph.nodes[0].attrs.i("n_captures"), 1);
}

// ---- functions ---------------------------------------------------------------------------------------------------------------

TEST(Onnx, FunctionsAreInlinedWithTheirAttributes) {
  const Function f{"local", "F", {"a", "b"}, {"r"}, {"k"},
                   {node("Same", {"a", "b"}, {"h"}, {attr_ref("k", "k", 2), attr_ref("d", "d", 2), attr_ref("gone", "gone", 2)}, "test"), same({"h"}, {"r"})}, {attr("d", 11)}};
  Graph g = chain({node("F", {"x"}, {"h"}, {attr("k", 5)}, "local", "one"), node("F", {"h", "x"}, {"y"}, {attr("k", 6), attr("d", 12)}, "local", "two")});
  auto file = read(model(g, 28, {f}), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  const auto& graph = file->graph;
  ASSERT_EQ(graph.nodes.size(), 4u);
  EXPECT_EQ(graph.nodes[0].attrs.i("k"), 5);
  EXPECT_EQ(graph.nodes[0].attrs.i("d"), 11);
  EXPECT_FALSE(graph.nodes[0].attrs.has("gone"));
  EXPECT_EQ(graph.nodes[0].in.size(), 1u);  // b is left out
  EXPECT_EQ(graph.nodes[2].attrs.i("k"), 6);
  EXPECT_EQ(graph.nodes[2].attrs.i("d"), 12);
  EXPECT_EQ(graph.nodes[2].in.size(), 2u);
  EXPECT_EQ(value(graph, graph.nodes[0].out[0]).name, "one/h");
  EXPECT_EQ(value(graph, graph.nodes[2].out[0]).name, "two/h");
  EXPECT_EQ(value(graph, graph.outputs[0]).name, "y");
  EXPECT_TRUE(graph.verify());
}

TEST(Onnx, AFunctionsBodiesCaptureItsValuesOnly) {
  const Function f{"local", "F", {"a"}, {"r"}, {}, {node("Same", {}, {"r"}, {attr_g("then_branch", branch({same({"a"}, {"t"})}, "t"))}, "test")}, {}};
  auto file = read(model(chain({node("F", {"x"}, {"y"}, {}, "local")}), 28, {f}), kOwn);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->graph.nodes[0].in, file->graph.inputs);
  const Function leaks{"local", "F", {"a"}, {"r"}, {}, {same({"x"}, {"r"})}, {}};
  EXPECT_EQ(refused(model(chain({node("F", {"x"}, {"y"}, {}, "local")}), 28, {leaks}), kOwn).code, Errc::corrupt_data);
}

// ---- operators that are missing ----------------------------------------------------------------------------------------------

TEST(Onnx, AllMissingOperatorsAreNamedAtOnce) {
  // What comes after a missing operator is still looked at, in sub-graphs and functions too; what its outputs would be is not held against anybody.
  const Function f{"local", "F", {"a"}, {"r"}, {}, {node("Deep", {"a"}, {"r"}, {}, "com.example", "deep")}, {}};
  Graph g = chain({node("Fancy", {"x"}, {"a"}, {}, "com.example", "one"), node("Wrong", {"a"}, {"b"}, {}, "test"), node("F", {"b"}, {"c"}, {}, "local"),
                   node("Same", {"c"}, {"d"}, {attr_g("body", branch({node("Novel", {"x"}, {"n"}, {}, "", "img")}, "n"))}, "test"), node("Fancy", {"d"}, {"y"}, {}, "com.example", "two")});
  const Error e = refused(model(g, 27, {f}), kOwn);
  EXPECT_EQ(e.code, Errc::unsupported);
  EXPECT_TRUE(has_text(e, "3 operators are not supported: ai.onnx.Novel-27 (node 'img'), com.example.Deep (node 'deep'), com.example.Fancy (nodes 'one', 'two')")) << e.message;
}

// ---- external data -----------------------------------------------------------------------------------------------------------

class OnnxExternal : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / ("onnx_external_" + std::to_string(reinterpret_cast<uintptr_t>(this)) + std::to_string(std::hash<std::string>()(testing::UnitTest::GetInstance()->current_test_info()->name())));
    std::filesystem::create_directories(root_ / "model" / "sub");
    write(root_ / "outside.bin", std::string(64, '\1'));
    write(root_ / "model" / "sub" / "w.bin", std::string(64, '\0') + std::string("\0\0\x80\x3f\0\0\0\x40", 8));
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  static void write(const std::filesystem::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
  static Message entry(std::string_view key, std::string_view v) { return Message().text(1, key).text(2, v); }

  Result<OnnxFile> load(std::string_view location, std::string_view offset, std::string_view length) {
    Message w = tensor("w", kF32, {2}).number(14, 1).add(13, entry("location", location)).add(13, entry("offset", offset));
    if (!length.empty()) w.add(13, entry("length", length));
    const auto path = root_ / "model" / "m.onnx";
    write(path, model(chain({same({"x", "w"}, {"y"})}, {w})));
    auto source = ByteSource::map(path.string());
    if (!source) return source.error();
    return read_onnx(*source, [](const std::string& p) { return ByteSource::map(p); }, path.string(), kOwn, system_allocator());
  }
  std::filesystem::path root_;
};

TEST_F(OnnxExternal, DataBesideTheModelAreMapped) {
  for (const char* length : {"8", ""}) {
    auto file = load("sub/w.bin", "64", length);
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_EQ(file->sources.size(), 2u);
    const Value& w = *value(file->graph, "w");
    EXPECT_EQ(w.source, 1);
    EXPECT_EQ(w.bytes.data(), file->sources[1]->bytes().data() + 64);
    EXPECT_EQ(elements<float>(w), (std::vector<float>{1, 2}));
  }
}

TEST_F(OnnxExternal, NothingOutsideTheFolderIsRead) {
  std::filesystem::create_symlink(root_ / "outside.bin", root_ / "model" / "link.bin");
  std::filesystem::create_directory_symlink(root_, root_ / "model" / "up");
  const std::string absolute = (root_ / "model" / "sub" / "w.bin").string();
  for (const std::string& location : {std::string("../outside.bin"), std::string("sub/../../outside.bin"), std::string("link.bin"), std::string("up/outside.bin"), absolute}) {
    auto file = load(location, "0", "8");
    ASSERT_FALSE(file) << location;
    EXPECT_EQ(file.error().code, Errc::corrupt_data) << location << ": " << file.error().message;
  }
}

TEST_F(OnnxExternal, OffsetsAndLengthsAreChecked) {
  EXPECT_EQ(load("sub/w.bin", "68", "8").error().code, Errc::corrupt_data);
  EXPECT_EQ(load("sub/w.bin", "18446744073709551615", "8").error().code, Errc::corrupt_data);
  EXPECT_EQ(load("sub/w.bin", "-8", "8").error().code, Errc::corrupt_data);
  EXPECT_EQ(load("sub/w.bin", "0", "4").error().code, Errc::corrupt_data);
  EXPECT_EQ(load("sub/w.bin", "0", "x").error().code, Errc::corrupt_data);
  EXPECT_EQ(load("absent.bin", "0", "8").error().code, Errc::not_found);
}

TEST(Onnx, AModelInMemoryHasNoExternalData) {
  const Message w = tensor("w", kF32, {2}).number(14, 1).add(13, Message().text(1, "location").text(2, "w.bin"));
  EXPECT_EQ(refused(model(chain({same({"x", "w"}, {"y"})}, {w})), kOwn).code, Errc::unsupported);
}

}  // namespace
}  // namespace onnx_test
