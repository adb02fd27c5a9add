// Bytes that mean harm, and plain mistakes: an error each, nothing else.
#include <unordered_set>

#include "import/onnx/wire.h"
#include "tests/import/onnx_rig.h"

namespace onnx_test {
namespace {

std::string rich_model() {
  Graph body;
  body.nodes = {same({"x", "own"}, {"o"})};
  body.inputs = {info("own", tensor_type(kF32, {"2"}))};
  body.outputs = {info("o", unranked_type(kF32))};
  const Function f{"local", "F", {"a"}, {"r"}, {"k"}, {node("Same", {"a"}, {"r"}, {attr_ref("k", "k", 2)}, "test")}, {attr("k", 1)}};
  Graph g = chain({node("Constant", {}, {"c"}, {attr_t("value", ints_tensor("", {1, 2}))}), node("F", {"x"}, {"h"}, {}, "local", "f"),
                   node("Same", {"h", "c"}, {"y"}, {attr_g("body", body.message()), attr_ints("is", {1, 2}), attr_s("s", "t"), attr_f("f", 1)}, "test")},
                  {raw_tensor<float>("w", kF32, {2}, {1, 2}), tensor("i", kI32, {2}).packed(5, Ints{1, 2})});
  g.infos = {info("h", tensor_type(kF32, {"N", "3"}))};
  return model(g, 28, {f});
}

TEST(OnnxHostile, TruncatedAnywhere) {
  const std::string bytes = rich_model();
  ASSERT_TRUE(read(bytes, kOwn));
  size_t errors = 0;
  for (size_t n = 0; n < bytes.size(); ++n) {
    const std::string part = bytes.substr(0, n);  // memory of its own: a sanitizer sees where it ends
    auto file = read(part, kOwn);
    if (file) continue;  // cut between fields of the model
    ++errors;
    EXPECT_TRUE(file.error().code == Errc::corrupt_data || file.error().code == Errc::unsupported) << n << ": " << file.error().message;
  }
  EXPECT_GT(errors, bytes.size() / 2);
}

TEST(OnnxHostile, EveryByteOfEveryValue) {
  // Each byte becomes what breaks lengths, tags and numbers: nothing may crash; what is read must hold together.
  const std::string bytes = rich_model();
  for (size_t at = 0; at < bytes.size(); ++at)
    for (const unsigned char b : {0x00, 0x01, 0x0b, 0x7f, 0x80, 0xff}) {
      std::string wrong = bytes;
      wrong[at] = static_cast<char>(b);
      auto file = read(wrong, kOwn);
      EXPECT_TRUE(!file || file->graph.verify()) << at << " " << int{b};
    }
}

TEST(OnnxHostile, LengthsBehindTheEnd) {
  std::string bytes = Message().number(1, 10).data;
  bytes += "\x3a";  // the graph
  for (const std::string_view length : {"\x05", "\xff\xff\xff\xff\x0f", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\xff"}) {
    const Error e = refused(bytes + std::string(length));
    EXPECT_EQ(e.code, Errc::corrupt_data);
    EXPECT_TRUE(has_text(e, "ModelProto")) << e.message;
  }
}

TEST(OnnxHostile, UnknownFieldsAreSkippedGroupsTooUpToADepth) {
  const std::string good = model(chain({same({"x"}, {"y"})}));
  const std::string group = "\xa3\x06\x08\x01\xa3\x06\xa4\x06\xa4\x06";  // field 100: a number and a group inside
  auto file = read(good + Message().number(1000, 5).text(1001, "abc").f32(1002, 1).data + group, kOwn);
  EXPECT_TRUE(file) << file.error().message;
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "\xa3\x06";
  for (int i = 0; i < 100; ++i) deep += "\xa4\x06";
  EXPECT_EQ(refused(good + deep, kOwn).code, Errc::corrupt_data);
  EXPECT_EQ(refused(good + "\xa3\x06\x9c\x06", kOwn).code, Errc::corrupt_data);  // another group's end
  EXPECT_EQ(refused(good + "\xa4\x06", kOwn).code, Errc::corrupt_data);
  EXPECT_EQ(refused(good + "\xa3\x06", kOwn).code, Errc::corrupt_data);
  EXPECT_EQ(refused(good + "\xa7\x06", kOwn).code, Errc::corrupt_data);  // wire type 7
  EXPECT_EQ(refused(good + std::string("\x00\x01", 2), kOwn).code, Errc::corrupt_data);  // field 0
}

TEST(OnnxHostile, SubGraphsAndTypesNestedTooDeep) {
  Graph inner;
  inner.outputs = {info("x", unranked_type(kF32))};
  Message g = inner.message();
  for (int i = 0; i < 200; ++i) {
    Graph outer;
    outer.nodes = {node("Same", {}, {"o"}, {attr_g("body", g)}, "test")};
    outer.outputs = {info("o", unranked_type(kF32))};
    g = outer.message();
  }
  EXPECT_EQ(refused(model(chain({node("Same", {}, {"y"}, {attr_g("body", g)}, "test")})), kOwn).code, Errc::unsupported);
  Message type = tensor_type(kF32, {});
  for (int i = 0; i < 1000; ++i) type = Message().add(4, Message().add(1, type));
  Graph deep = chain({same({"x"}, {"y"})});
  deep.inputs.push_back(info("z", type));
  EXPECT_EQ(refused(model(deep), kOwn).code, Errc::unsupported);
}

TEST(OnnxHostile, Cycles) {
  const Error e = refused(model(chain({same({"x", "b"}, {"a"}, "one"), same({"a"}, {"b"}, "two"), same({"b"}, {"y"})})), kOwn);
  EXPECT_EQ(e.code, Errc::corrupt_data);
  EXPECT_TRUE(has_text(e, "cycle")) << e.message;
  EXPECT_EQ(refused(model(chain({same({"x", "y"}, {"y"})})), kOwn).code, Errc::corrupt_data);
}

TEST(OnnxHostile, ValuesWrittenTwiceOrNever) {
  const auto wrong = [](const Graph& g, std::string_view text) {
    const Error e = refused(model(g), kOwn);
    EXPECT_EQ(e.code, Errc::corrupt_data);
    EXPECT_TRUE(has_text(e, text)) << e.message;
  };
  wrong(chain({same({"x"}, {"y"}), same({"x"}, {"y"})}), "'y' is written twice");
  wrong(chain({same({"x"}, {"y", "y"})}), "'y' is written twice");
  wrong(chain({same({"x"}, {"x"}), same({"x"}, {"y"})}), "waits for itself");
  wrong(chain({same({"x"}, {"y"})}, {raw_tensor<float>("w", kF32, {1}, {1}), raw_tensor<float>("w", kF32, {1}, {1})}), "'w' is written twice");
  wrong(chain({same({"nobody"}, {"y"})}), "'nobody'");
  wrong(chain({same({"x"}, {"z"})}), "output 'y'");
  Graph twice = chain({same({"x"}, {"y"})});
  twice.inputs.push_back(twice.inputs[0]);
  wrong(twice, "'x'");
  Graph untyped = chain({same({"x"}, {"y"})});
  untyped.inputs.push_back(Message().text(1, "z"));
  wrong(untyped, "'z' has no element type");
}

TEST(OnnxHostile, WhatAnOperatorRefusesIsTheFilesFault) {
  const Error e = refused(model(chain({node("Wrong", {"x"}, {"y"}, {}, "test", "bad")})), kOwn);
  EXPECT_EQ(e.code, Errc::corrupt_data);
  EXPECT_TRUE(has_text(e, "node 'bad' (Wrong)") && has_text(e, "no such thing")) << e.message;
}

TEST(OnnxHostile, FunctionsThatCallThemselvesOrUnfoldWithoutEnd) {
  const Function self{"local", "F", {"a"}, {"r"}, {}, {node("F", {"a"}, {"h"}, {}, "local"), node("F", {"h"}, {"r"}, {}, "local")}, {}};
  EXPECT_EQ(refused(model(chain({node("F", {"x"}, {"y"}, {}, "local")}), 28, {self}), kOwn).code, Errc::corrupt_data);
  static constexpr std::string_view names[] = {"F0", "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F12", "F13", "F14", "F15", "F16", "F17", "F18", "F19", "F20", "F21", "F22", "F23", "F24"};
  std::vector<Function> bomb;
  for (size_t i = 0; i + 1 < std::size(names); ++i)
    bomb.push_back({"local", names[i], {"a"}, {"r"}, {}, {node(names[i + 1], {"a"}, {"h"}, {}, "local"), node(names[i + 1], {"h"}, {"r"}, {}, "local")}, {}});
  bomb.push_back({"local", "F24", {"a"}, {"r"}, {}, {same({"a"}, {"r"})}, {}});
  const Error e = refused(model(chain({node("F0", {"x"}, {"y"}, {}, "local")}), 28, bomb), kOwn);
  EXPECT_EQ(e.code, Errc::unsupported);
  EXPECT_TRUE(has_text(e, "unfolds")) << e.message;
  const Function one{"local", "F", {"a"}, {"r"}, {}, {same({"a"}, {"r"})}, {}};
  EXPECT_EQ(refused(model(chain({node("F", {"x", "x"}, {"y"}, {}, "local")}), 28, {one}), kOwn).code, Errc::corrupt_data);
  EXPECT_EQ(refused(model(chain({node("F", {"x"}, {"y"}, {}, "local")}), 28, {one, one}), kOwn).code, Errc::corrupt_data);
}

TEST(OnnxHostile, VersionsThatAreNotKnown) {
  const Graph g = chain({same({"x"}, {"y"})});
  for (const int64_t ir : {3, 14}) EXPECT_TRUE(read(model(g, 28, {}, ir), kOwn));
  for (const int64_t ir : {0, 2, 15}) {
    const Error e = refused(model(g, 28, {}, ir), kOwn);
    EXPECT_EQ(e.code, Errc::unsupported);
    EXPECT_TRUE(has_text(e, "IR version " + std::to_string(ir))) << e.message;
  }
  const Error e = refused(model(g, 29), kOwn);
  EXPECT_EQ(e.code, Errc::unsupported);
  EXPECT_TRUE(has_text(e, "opset 29")) << e.message;
}

TEST(OnnxHostile, LooksLikeOnnxIsCareful) {
  EXPECT_FALSE(looks_like_onnx({}));
  EXPECT_FALSE(looks_like_onnx(bytes_of("GGUF\3\0\0\0")));
  EXPECT_FALSE(looks_like_onnx(bytes_of("{\"a\": 1}")));
  EXPECT_FALSE(looks_like_onnx(bytes_of("PK\3\4")));
  EXPECT_FALSE(looks_like_onnx(bytes_of(std::string("\x08\x01\0\0\0\0\0\0{\"a\"", 12))));  // safetensors
  EXPECT_FALSE(looks_like_onnx(bytes_of(std::string(64, '\0'))));
  EXPECT_FALSE(looks_like_onnx(bytes_of(Message().number(1, 5000).data)));
  EXPECT_FALSE(looks_like_onnx(bytes_of(Message().number(1, 8).text(99, "x").data)));
  const std::string good = rich_model();
  EXPECT_TRUE(looks_like_onnx(bytes_of(good)));
  EXPECT_TRUE(looks_like_onnx(bytes_of(good.substr(0, good.size() / 2))));  // cut off: to be told so
}

TEST(OnnxHostile, MetadataKeysStandOnce) {
  const std::string twice = model(chain({same({"x"}, {"y"})})) + Message().add(14, Message().text(1, "author").text(2, "you")).data;
  EXPECT_EQ(refused(twice, kOwn).code, Errc::corrupt_data);
}

}  // namespace
}  // namespace onnx_test
