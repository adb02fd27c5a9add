// Older opsets: what a node of then has become. The operators are stand-ins, so that only the importer speaks.
#include "tests/import/onnx_rig.h"

namespace onnx_test {
namespace {

constexpr OpDef kStandIns[] = {
    own_op("Add", same_as_first),       own_op("Unsqueeze", knows_nothing),  own_op("Clip", same_as_first),      own_op("Cast", knows_nothing),       own_op("Softmax", same_as_first),
    own_op("ReduceMean", knows_nothing), own_op("ReduceSum", knows_nothing), own_op("Squeeze", knows_nothing),   own_op("Reshape", knows_nothing),    own_op("Pad", knows_nothing),
    own_op("Slice", knows_nothing),     own_op("Split", knows_nothing),      own_op("TopK", knows_nothing),      own_op("Resize", knows_nothing),     own_op("ScatterElements", same_as_first),
    own_op("Concat", knows_nothing),    own_op("Dropout", same_as_first),    own_op("BatchNormalization", same_as_first), own_op("GroupNormalization", same_as_first), own_op("Expand", knows_nothing),
    own_op("PRelu", same_as_first),     own_op("DFT", knows_nothing),        own_op("GridSample", knows_nothing), own_op("RoiAlign", knows_nothing),  own_op("LpPool", knows_nothing),
    own_op("Tile", knows_nothing),      own_op("Scan", knows_nothing),        own_op("ai.onnx.ml.LabelEncoder", same_as_first), own_op("Range", knows_nothing), own_op("GatherND", knows_nothing), kSame,                              kDark};

struct Upgraded {
  OnnxFile file;
  const mainspring::Graph& graph() const { return file.graph; }
  const Node& node() const { return file.graph.nodes.back(); }
  const Value& in(size_t i) const { return value(file.graph, node().in[i]); }
  bool absent(size_t i) const { return i >= node().in.size() || node().in[i] == kNone; }
};

/// The model x [2, 6, 4, 5] f32, c [6], w … → the node, of that opset.
Result<OnnxFile> load(int64_t opset, const Message& n, std::vector<Message> initializers, Names outputs) {
  std::vector<const OpDef*> ops;
  for (const OpDef& op : kStandIns) ops.push_back(&op);
  Graph g;
  g.nodes = {n};
  g.initializers = std::move(initializers);
  g.inputs = {info("x", tensor_type(kF32, {"2", "6", "4", "5"})), info("c", tensor_type(kF32, {"6"}))};
  for (const auto y : outputs) g.outputs.push_back(info(y, unranked_type(kF32)));
  return read(model(g, opset), ops);
}
Upgraded up(int64_t opset, const Message& n, std::vector<Message> initializers = {}, Names outputs = {"y"}) {
  auto file = load(opset, n, std::move(initializers), outputs);
  EXPECT_TRUE(file) << file.error().message;
  if (!file) return {};
  EXPECT_TRUE(file->graph.verify());
  return {*std::move(file)};
}

void expect_ints(const Value& v, const Ints& want) {
  EXPECT_EQ(v.kind, Kind::weight);
  EXPECT_EQ(v.dtype, DType::i64);
  EXPECT_EQ(elements<int64_t>(v), want);
}

TEST(OnnxUpgrade, BroadcastFromAnAxis) {
  const Upgraded u = up(6, node("Add", {"x", "c"}, {"y"}, {attr("broadcast", 1), attr("axis", 1)}));
  ASSERT_EQ(u.graph().nodes.size(), 2u);
  EXPECT_EQ(u.graph().nodes[0].op, "Unsqueeze");
  EXPECT_EQ(u.graph().nodes[0].in[0], u.graph().inputs[1]);
  expect_ints(value(u.graph(), u.graph().nodes[0].in[1]), {1, 2});
  EXPECT_EQ(u.node().in[1], u.graph().nodes[0].out[0]);
  EXPECT_TRUE(u.node().attrs.all().empty());
  EXPECT_EQ(up(6, node("Add", {"x", "c"}, {"y"}, {attr("broadcast", 1)})).graph().nodes.size(), 1u);  // the last extents: as today
  EXPECT_EQ(up(7, node("Add", {"x", "c"}, {"y"}, {attr("axis", 1)})).graph().nodes.size(), 1u);
  EXPECT_EQ(load(6, node("Add", {"x", "c"}, {"y"}, {attr("broadcast", 1), attr("axis", 4)}), {}, {"y"}).error().code, Errc::corrupt_data);
}

TEST(OnnxUpgrade, AttributesBecomeOperands) {
  const Upgraded mean = up(17, node("ReduceMean", {"x"}, {"y"}, {attr_ints("axes", {1, -1}), attr("keepdims", 0)}));
  expect_ints(mean.in(1), {1, -1});
  EXPECT_EQ(mean.node().attrs.i("keepdims", 1), 0);
  EXPECT_FALSE(mean.node().attrs.has("axes"));
  EXPECT_TRUE(up(17, node("ReduceMean", {"x"}, {"y"})).absent(1));
  expect_ints(up(12, node("ReduceSum", {"x"}, {"y"}, {attr_ints("axes", {2})})).in(1), {2});
  expect_ints(up(12, node("Squeeze", {"x"}, {"y"}, {attr_ints("axes", {0})})).in(1), {0});
  expect_ints(up(1, node("Unsqueeze", {"x"}, {"y"}, {attr_ints("axes", {0, 3})})).in(1), {0, 3});
  expect_ints(up(1, node("Reshape", {"x"}, {"y"}, {attr_ints("shape", {0, -1})})).in(1), {0, -1});
  expect_ints(up(9, node("TopK", {"x"}, {"y", "i"}, {attr("k", 3)})).in(1), {3});
  const Upgraded slice = up(9, node("Slice", {"x"}, {"y"}, {attr_ints("starts", {1}), attr_ints("ends", {9})}));
  expect_ints(slice.in(1), {1});
  expect_ints(slice.in(2), {9});
  EXPECT_TRUE(slice.absent(3));
  const Upgraded pad = up(1, node("Pad", {"x"}, {"y"}, {attr_ints("paddings", {0, 0, 0, 1, 0, 0, 0, 1}), attr_f("value", 2)}));
  expect_ints(pad.in(1), {0, 0, 0, 1, 0, 0, 0, 1});
  EXPECT_EQ(elements<float>(pad.in(2)), std::vector<float>{2});
  const Upgraded dft = up(17, node("DFT", {"x"}, {"y"}));
  EXPECT_TRUE(dft.absent(1));
  expect_ints(dft.in(2), {1});
}

TEST(OnnxUpgrade, Split) {
  const Upgraded sized = up(11, node("Split", {"x"}, {"y", "z"}, {attr_ints("split", {2, 4}), attr("axis", 1)}));
  expect_ints(sized.in(1), {2, 4});
  EXPECT_FALSE(sized.node().attrs.has("num_outputs"));
  EXPECT_EQ(up(13, node("Split", {"x"}, {"y", "z"})).node().attrs.i("num_outputs"), 2);
  EXPECT_FALSE(up(18, node("Split", {"x"}, {"y", "z"})).node().attrs.has("num_outputs"));
}

TEST(OnnxUpgrade, ClipBounds) {
  const Upgraded both = up(6, node("Clip", {"x"}, {"y"}, {attr_f("min", -1), attr_f("max", 6)}));
  EXPECT_EQ(elements<float>(both.in(1)), std::vector<float>{-1});
  EXPECT_EQ(elements<float>(both.in(2)), std::vector<float>{6});
  const Upgraded upper = up(6, node("Clip", {"x"}, {"y"}, {attr_f("max", 6)}));
  EXPECT_TRUE(upper.absent(1));
  EXPECT_EQ(elements<float>(upper.in(2)), std::vector<float>{6});
  EXPECT_EQ(up(6, node("Clip", {"x"}, {"y"})).node().in.size(), 1u);
}

TEST(OnnxUpgrade, SoftmaxOfAMatrix) {
  const Upgraded cut = up(12, node("Softmax", {"x"}, {"y"}));
  EXPECT_EQ(cut.node().attrs.i("axis"), 1);
  EXPECT_EQ(cut.node().attrs.i("legacy_flatten"), 1);
  const Upgraded last = up(12, node("Softmax", {"x"}, {"y"}, {attr("axis", 3)}));
  EXPECT_EQ(last.node().attrs.i("axis"), 3);
  EXPECT_FALSE(last.node().attrs.has("legacy_flatten"));
  EXPECT_FALSE(up(13, node("Softmax", {"x"}, {"y"})).node().attrs.has("axis"));
}

TEST(OnnxUpgrade, ResizeOfThenIsAsymmetric) {
  const Message scales = raw_tensor<float>("s", kF32, {4}, {1, 1, 2, 2});
  for (const auto& [opset, op] : {std::pair{9, "Upsample"}, {10, "Resize"}, {10, "Upsample"}}) {
    const Upgraded u = up(opset, node(op, {"x", "s"}, {"y"}, {attr_s("mode", "nearest")}), {scales});
    EXPECT_EQ(u.node().op, "Resize");
    EXPECT_TRUE(u.absent(1));
    EXPECT_EQ(u.in(2).name, "s");
    EXPECT_EQ(u.node().attrs.s("coordinate_transformation_mode"), "asymmetric");
    EXPECT_EQ(u.node().attrs.s("nearest_mode"), "floor");
  }
  EXPECT_EQ(elements<float>(up(7, Message(node("Upsample", {"x"}, {"y"})).add(5, Message().text(1, "scales").f32(7, 1).f32(7, 3).number(20, 6))).in(2)), (std::vector<float>{1, 3}));
  EXPECT_EQ(elements<float>(up(1, node("Upsample", {"x"}, {"y"}, {attr_f("height_scale", 2), attr_f("width_scale", 3)})).in(2)), (std::vector<float>{1, 1, 2, 3}));
  const Upgraded empty = up(11, node("Resize", {"x", "roi", "none", "sizes"}, {"y"}), {tensor("roi", kF32, {0}), tensor("none", kF32, {0}), ints_tensor("sizes", {1, 1, 8, 8})});
  EXPECT_TRUE(empty.absent(1));
  EXPECT_TRUE(empty.absent(2));
  expect_ints(empty.in(3), {1, 1, 8, 8});
  EXPECT_FALSE(empty.node().attrs.has("coordinate_transformation_mode"));
}

TEST(OnnxUpgrade, NamesAndDefaults) {
  EXPECT_EQ(up(9, node("Scatter", {"x", "x", "x"}, {"y"})).node().op, "ScatterElements");
  EXPECT_EQ(up(3, node("Concat", {"x", "x"}, {"y"})).node().attrs.i("axis"), 1);
  EXPECT_EQ(up(5, node("Cast", {"x"}, {"y"}, {attr_s("to", "INT64")})).node().attrs.i("to"), 7);
  EXPECT_EQ(load(5, node("Cast", {"x"}, {"y"}, {attr_s("to", "INT65")}), {}, {"y"}).error().code, Errc::corrupt_data);
  EXPECT_EQ(up(16, node("GridSample", {"x", "x"}, {"y"}, {attr_s("mode", "bicubic")})).node().attrs.s("mode"), "cubic");
  EXPECT_EQ(up(16, node("GridSample", {"x", "x"}, {"y"})).node().attrs.s("mode"), "linear");
  EXPECT_EQ(up(10, node("RoiAlign", {"x", "x", "x"}, {"y"})).node().attrs.s("coordinate_transformation_mode"), "output_half_pixel");
  EXPECT_EQ(up(1, node("LpPool", {"x"}, {"y"}, {attr_f("p", 3)})).node().attrs.i("p"), 3);
}

TEST(OnnxUpgrade, LabelsOfClasses) {
  const Message classes = Message().text(1, "classes_strings").text(9, "a").text(9, "b").number(20, 8);
  const Upgraded u = up(9, node("LabelEncoder", {"x"}, {"y"}, {classes}, "ai.onnx.ml"));
  ASSERT_EQ(u.node().attrs.ss("values_strings").size(), 2u);
  EXPECT_EQ(u.node().attrs.ss("values_strings")[1], "b");
  ASSERT_EQ(u.node().attrs.is("keys_int64s").size(), 2u);
  EXPECT_EQ(u.node().attrs.is("keys_int64s")[1], 1);
  EXPECT_FALSE(u.node().attrs.has("classes_strings"));
}

TEST(OnnxUpgrade, WhatBelongedToTrainingIsGone) {
  const Upgraded norm = up(6, node("BatchNormalization", {"x", "c", "c", "c", "c"}, {"y", "m", "v", "sm", "sv"}, {attr("is_test", 1), attr("spatial", 1)}));
  EXPECT_EQ(norm.node().out.size(), 1u);
  EXPECT_EQ(load(7, node("BatchNormalization", {"x", "c", "c", "c", "c"}, {"y"}, {attr("spatial", 0)}), {}, {"y"}).error().code, Errc::unsupported);
  EXPECT_FALSE(up(6, node("Dropout", {"x"}, {"y"}, {attr_f("ratio", 0.5f)})).node().attrs.has("ratio"));
}

TEST(OnnxUpgrade, ScalesOfChannels) {
  const Upgraded u = up(18, node("GroupNormalization", {"x", "g", "g"}, {"y"}, {attr("num_groups", 3)}), {raw_tensor<float>("g", kF32, {3}, {1, 2, 3})});
  ASSERT_EQ(u.graph().nodes.size(), 7u);  // twice: a column, widened to the channels of a group, flat
  EXPECT_EQ(u.graph().nodes[1].op, "Expand");
  expect_ints(value(u.graph(), u.graph().nodes[1].in[1]), {3, 2});
  EXPECT_EQ(u.node().in[1], u.graph().nodes[2].out[0]);
  EXPECT_EQ(load(18, node("GroupNormalization", {"x", "c", "c"}, {"y"}, {attr("num_groups", 4)}), {}, {"y"}).error().code, Errc::corrupt_data);
  const Upgraded slope = up(6, node("PRelu", {"x", "c"}, {"y"}));
  expect_ints(value(slope.graph(), slope.graph().nodes[0].in[1]), {1, 2});
}

TEST(OnnxUpgrade, TilesOfAnAxis) {
  const Message t = ints_tensor("t", {3}), a = ints_tensor("a", {2});
  expect_ints(up(5, node("Tile", {"x", "t", "a"}, {"y"}), {t, a}).in(1), {1, 1, 3, 1});
  EXPECT_EQ(load(5, node("Tile", {"x", "t", "c"}, {"y"}), {t}, {"y"}).error().code, Errc::unsupported);
}

TEST(OnnxUpgrade, NamesOfMicrosoft) {
  const Message one = ints_tensor("one", {1}), pads = ints_tensor("pads", {0, 0, 1, 1, 0, 0, 1, 1});
  const Upgraded range = up(17, node("Range", {"one", "one"}, {"y"}, {}, "com.microsoft"), {one});
  EXPECT_EQ(range.node().op, "Range");
  EXPECT_EQ(elements<int64_t>(range.in(2)), (Ints{1}));
  EXPECT_EQ(up(17, node("Range", {"one", "one", "c"}, {"y"}, {}, "com.microsoft"), {one}).node().in[2], range.graph().inputs[1]);
  EXPECT_EQ(up(17, node("GatherND", {"x", "one"}, {"y"}, {}, "com.microsoft"), {one}).node().op, "GatherND");
  const Upgraded pad = up(17, node("Pad", {"x", "pads"}, {"y"}, {}, "com.microsoft"), {pads});
  EXPECT_EQ(pad.node().op, "Pad");
  EXPECT_EQ(pad.graph().nodes.size(), 1u);
  const Message row = raw_tensor("pads", kI64, {1, 8}, Ints{0, 0, 1, 1, 0, 0, 1, 1});
  const Upgraded flat = up(17, node("Pad", {"x", "pads"}, {"y"}, {}, "com.microsoft"), {row});
  ASSERT_EQ(flat.graph().nodes.size(), 2u);
  EXPECT_EQ(flat.graph().nodes[0].op, "Reshape");
  EXPECT_EQ(flat.node().in[1], flat.graph().nodes[0].out[0]);
}

TEST(OnnxUpgrade, ScanOverABatch) {
  Graph body;
  body.nodes = {node("Same", {"s", "i", "c"}, {"so"}, {}, "test"), node("Same", {"i"}, {"yo"}, {}, "test")};
  body.inputs = {info("s", tensor_type(kF32, {"5"})), info("i", tensor_type(kF32, {"5"}))};
  body.outputs = {info("so", unranked_type(kF32)), info("yo", unranked_type(kF32))};
  const Upgraded u = up(8, node("Scan", {"", "x", "x"}, {"z", "y"}, {attr_g("body", body.message()), attr("num_scan_inputs", 1), attr_ints("directions", {1})}));
  const Node& outer = u.node();
  EXPECT_EQ(outer.attrs.i("num_scan_inputs"), 2);
  EXPECT_EQ(outer.attrs.i("n_captures"), 1);
  EXPECT_EQ(outer.in, (std::vector<ValueId>{u.graph().inputs[0], u.graph().inputs[0], u.graph().inputs[1]}));
  const auto& item = *outer.bodies[0];
  ASSERT_EQ(item.inputs.size(), 3u);
  EXPECT_EQ(value(item, item.inputs[0]).dims, (Dims{6, 4, 5}));
  EXPECT_EQ(value(item, item.inputs[2]).dims, (Dims{6}));
  ASSERT_EQ(item.nodes.size(), 1u);
  const Node& inner = item.nodes[0];
  EXPECT_EQ(inner.in, item.inputs);
  EXPECT_EQ(inner.out, item.outputs);
  EXPECT_EQ(inner.attrs.i("num_scan_inputs"), 1);
  EXPECT_EQ(inner.attrs.i("n_captures"), 1);
  EXPECT_EQ(inner.attrs.is("scan_input_directions").size(), 1u);
  EXPECT_EQ(inner.bodies.size(), 1u);
  EXPECT_TRUE(item.verify());
}

}  // namespace
}  // namespace onnx_test
