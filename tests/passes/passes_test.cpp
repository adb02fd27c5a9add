// Each pass keeps the function: reference(before) against reference(after), for every model of the zoo; done twice it changes nothing.
#include "passes/passes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "mainspring/mainspring.h"
#include "support/reference_runner.h"
#include "support/zoo.h"

namespace mainspring::inline v0::test {
namespace {

bool takes_int8(void*, const Graph&, const Node&, std::span<const DType>) { return true; }
bool takes_nothing(void*, const Graph&, const Node&, std::span<const DType>) { return false; }

const Pass& pass(std::string_view name) {
  for (const Pass& p : all_passes())
    if (name == p.name) return p;
  std::abort();
}

std::vector<float> logits(const Graph& graph, const ZooModel& m) { return ReferenceRunner(graph).run(std::span(m.tokens).first(9)); }

bool same(const std::vector<float>& a, const std::vector<float>& b) { return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0; }

double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, power = 0;
  for (size_t i = 0; i < a.size(); ++i) error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]), power += static_cast<double>(b[i]) * b[i];
  return error / power;
}

size_t count(const Graph& g, std::string_view op) {
  return static_cast<size_t>(std::count_if(g.nodes.begin(), g.nodes.end(), [&](const Node& n) { return n.op == op; }));
}

size_t with_residual(const Graph& g) {
  return static_cast<size_t>(std::count_if(g.nodes.begin(), g.nodes.end(), [](const Node& n) {
    const size_t at = n.op == "linear" ? 3 : n.op == "rms_norm" ? 2 : n.in.size();
    return n.in.size() > at && n.in[at] != kNone;
  }));
}

class Passes : public testing::TestWithParam<const char*> {
 protected:
  Passes() : m_(zoo_model(GetParam())), bytes_(arch_model(m_).file(DType::q4_0)), model_(*Model::open(std::as_bytes(std::span(bytes_)))), graph_(model_.graph()) {}
  bool apply(const char* name, Graph& g, const PassContext& context = {false, takes_int8, nullptr}) {
    auto changed = pass(name).run(g, context);
    EXPECT_TRUE(changed) << name;
    EXPECT_TRUE(g.verify()) << name;
    return changed && *changed;
  }
  const ZooModel& m_;
  std::string bytes_;
  Model model_;
  Graph graph_;
};

TEST_P(Passes, CseAndDeadCodeKeepEachBit) {
  const std::vector<float> want = logits(graph_, m_);
  for (const char* name : {"cse", "dead_code"}) {
    apply(name, graph_);
    EXPECT_TRUE(same(logits(graph_, m_), want)) << name;
    EXPECT_FALSE(apply(name, graph_)) << name << " is not done after one run";
  }
}

TEST_P(Passes, LoweringCostsOnlyTheQuantiser) {
  const std::vector<float> want = logits(graph_, m_);
  Graph exact = graph_, refused = graph_;
  EXPECT_FALSE(apply("lower_quantized", exact, {true, takes_int8, nullptr})) << "exact arithmetic is not lowered";
  EXPECT_FALSE(apply("lower_quantized", refused, {false, takes_nothing, nullptr})) << "nothing is lowered that no kernel takes";
  ASSERT_TRUE(apply("lower_quantized", graph_));
  const std::vector<float> lowered = logits(graph_, m_);
  EXPECT_LT(relative_error(lowered, want), 5e-3);
  EXPECT_FALSE(same(lowered, want)) << "int8 activations leave a trace";
  EXPECT_FALSE(apply("lower_quantized", graph_));

  const size_t quantisers = count(graph_, "quantize_rows");
  apply("fuse_quantize", graph_);
  apply("dead_code", graph_);
  EXPECT_LT(count(graph_, "quantize_rows"), quantisers) << "at least the norms take their quantiser in";
  EXPECT_TRUE(same(logits(graph_, m_), lowered)) << "fusion is exact";
  EXPECT_FALSE(apply("fuse_quantize", graph_));
}

TEST_P(Passes, Bf16WeightsRoundTheirActivationsToBf16) {
  const std::string bytes = arch_model(m_).file(DType::bf16);
  const Model model = *Model::open(std::as_bytes(std::span(bytes)));
  Graph graph = model.graph(), refused = graph;
  const std::vector<float> want = logits(graph, m_);
  EXPECT_FALSE(apply("lower_quantized", refused, {false, takes_nothing, nullptr}));
  ASSERT_TRUE(apply("lower_quantized", graph));
  for (const Node& n : graph.nodes) EXPECT_TRUE(n.op != "quantize_rows" || graph.values[static_cast<size_t>(n.out[0])].dtype == DType::bf16) << n.name;
  const std::vector<float> lowered = logits(graph, m_);
  EXPECT_LT(relative_error(lowered, want), 1e-3);
  EXPECT_FALSE(same(lowered, want)) << "the rounding leaves a trace";
  apply("fuse_quantize", graph);
  apply("dead_code", graph);
  EXPECT_TRUE(same(logits(graph, m_), lowered)) << "fusion is exact";
}

TEST_P(Passes, GateAndUpJoinToTheBit) {
  ASSERT_TRUE(apply("lower_quantized", graph_));
  apply("fuse_quantize", graph_);
  apply("dead_code", graph_);
  const std::vector<float> want = logits(graph_, m_);
  Graph refused = graph_;
  EXPECT_FALSE(apply("fuse_glu_linear", refused, {false, takes_nothing, nullptr})) << "nothing is fused that no kernel takes";
  const size_t linears = count(graph_, "linear"), units = count(graph_, "glu_quant");
  const bool changed = apply("fuse_glu_linear", graph_);
  EXPECT_EQ(changed, count(graph_, "glu_linear_quant") > 0);
  apply("dead_code", graph_);
  EXPECT_EQ(count(graph_, "linear") + 2 * count(graph_, "glu_linear_quant"), linears);
  EXPECT_EQ(count(graph_, "glu_quant") + count(graph_, "glu_linear_quant"), units);
  if (std::string_view(m_.name) == "gemma3-dense") {
    EXPECT_EQ(count(graph_, "glu_quant"), 0u);
  }
  EXPECT_TRUE(same(logits(graph_, m_), want));
  EXPECT_FALSE(apply("fuse_glu_linear", graph_));
}

TEST_P(Passes, ResidualsJoinTheLayerToTheBit) {
  const std::vector<float> want = logits(graph_, m_);
  Graph refused = graph_, without = graph_;
  EXPECT_FALSE(apply("fuse_residual", refused, {true, takes_nothing, nullptr})) << "nothing is fused that no kernel takes";
  const size_t adds = count(graph_, "add"), linears = count(graph_, "linear");
  const bool changed = apply("fuse_residual", graph_);
  EXPECT_EQ(changed, with_residual(graph_) > 0);
  apply("dead_code", graph_);
  EXPECT_EQ(count(graph_, "add"), adds - with_residual(graph_));
  EXPECT_EQ(count(graph_, "linear"), linears);
  EXPECT_TRUE(same(logits(graph_, m_), want));
  EXPECT_FALSE(apply("fuse_residual", graph_));
  ASSERT_TRUE(run_passes(without, {false, takes_int8, nullptr}, "-fuse_residual"));
  EXPECT_EQ(with_residual(without), 0u);
}

TEST_P(Passes, NormsThatFollowEachOtherJoinToTheBit) {
  ASSERT_TRUE(apply("lower_quantized", graph_));
  for (const char* pass : {"fuse_quantize", "fuse_residual", "dead_code"}) apply(pass, graph_);
  const std::vector<float> want = logits(graph_, m_);
  Graph refused = graph_;
  EXPECT_FALSE(apply("fuse_norms", refused, {false, takes_nothing, nullptr})) << "nothing is fused that no kernel takes";
  const size_t norms = count(graph_, "rms_norm") + count(graph_, "rms_norm_quant");
  const bool changed = apply("fuse_norms", graph_);
  EXPECT_EQ(changed, count(graph_, "rms_norm_add_quant") > 0);
  EXPECT_EQ(count(graph_, "rms_norm") + count(graph_, "rms_norm_quant") + 2 * count(graph_, "rms_norm_add_quant"), norms);
  if (std::string_view(m_.name) == "gemma3-dense") {
    EXPECT_EQ(count(graph_, "rms_norm_add_quant"), 3u) << "behind attention twice, and between the layers; the last sum's rows are gathered first";
  }
  ASSERT_TRUE(graph_.verify());
  EXPECT_TRUE(same(logits(graph_, m_), want));
  EXPECT_FALSE(apply("fuse_norms", graph_));
}

TEST_P(Passes, RotationsJoinTheStoreOfKeysToTheBit) {
  const std::vector<float> want = logits(graph_, m_);
  Graph refused = graph_;
  EXPECT_FALSE(apply("fuse_rope_store", refused, {true, takes_nothing, nullptr})) << "nothing is fused that no kernel takes";
  const size_t ropes = count(graph_, "rope"), stores = count(graph_, "kv_store");
  const bool changed = apply("fuse_rope_store", graph_);
  EXPECT_EQ(changed, count(graph_, "rope_kv_store") > 0);
  apply("dead_code", graph_);
  EXPECT_EQ(count(graph_, "rope"), ropes - count(graph_, "rope_kv_store"));
  EXPECT_EQ(count(graph_, "kv_store"), stores - count(graph_, "rope_kv_store"));
  if (std::string_view(GetParam()) == "phi3-dense") {
    EXPECT_EQ(count(graph_, "rope_kv_store"), stores / 2) << "one for each layer";
  }
  EXPECT_TRUE(same(logits(graph_, m_), want));
  EXPECT_FALSE(apply("fuse_rope_store", graph_));
}

TEST_P(Passes, AreSwitchedOffByName) {
  const PassContext context{false, takes_int8, nullptr};
  Graph all = graph_, without = graph_;
  ASSERT_TRUE(run_passes(all, context));
  ASSERT_TRUE(run_passes(without, context, "-lower_quantized,-cse"));
  EXPECT_GT(count(all, "rms_norm_quant") + count(all, "quantize_rows") + count(all, "glu_quant") + count(all, "glu_linear_quant"), 0u);
  EXPECT_EQ(count(without, "rms_norm_quant") + count(without, "quantize_rows") + count(without, "glu_quant") + count(without, "glu_linear_quant"), 0u);
  EXPECT_TRUE(same(logits(without, m_), logits(graph_, m_)));
}

INSTANTIATE_TEST_SUITE_P(Zoo, Passes, testing::Values("gemma3-dense", "phi3-dense", "olmo2-dense", "qwen2moe-moe", "gpt-oss-moe", "deepseek2-moe", "mamba2-dense", "qwen35-dense"),
                         [](const auto& test) { std::string s = test.param; std::replace(s.begin(), s.end(), '-', '_'); return s; });

TEST(Cse, MergesWhatIsEqualOnly) {
  const std::string bytes = arch_model(zoo_model("phi3-dense")).file();
  const Model model = *Model::open(std::as_bytes(std::span(bytes)));
  Graph g = model.graph();
  const size_t before = g.nodes.size();
  const ValueId logits = g.outputs[0];
  auto once = g.add_node("scale", "a", {logits}, {{"factor", 2.0}}), again = g.add_node("scale", "b", {logits}, {{"factor", 2.0}}), other = g.add_node("scale", "c", {logits}, {{"factor", 3.0}});
  ASSERT_TRUE(once && again && other) << (once ? "" : once.error().message);
  auto ab = g.add_node("add", "ab", {(*once)[0], (*again)[0]}), abc = g.add_node("add", "abc", {(*ab)[0], (*other)[0]});
  ASSERT_TRUE(ab && abc);
  g.outputs[0] = (*abc)[0];
  ASSERT_TRUE(run_passes(g, {true, takes_nothing, nullptr}));
  EXPECT_EQ(count(g, "scale"), count(model.graph(), "scale") + 2);
  EXPECT_EQ(g.nodes.size(), before + 4);
}

/// x [n, 32] and what linear layers make of it.
struct Layers {
  Graph g;
  ValueId x, w, early;
  Layers() {
    const SymbolId n = g.add_symbol({"n_tokens", 1, 8, 8});
    Value input, weight;
    input.name = "x", input.kind = Kind::input, input.dims = {Dim(1, n), Dim(32)};
    weight.name = "w", weight.kind = Kind::weight, weight.dims = {Dim(32), Dim(32)};
    bytes.assign(32 * 32 * 4, std::byte{0});
    weight.bytes = bytes;
    x = g.add_value(input);
    w = g.add_value(weight);
    g.inputs = {x};
    early = node("linear", "early", {x, w});
  }
  ValueId node(const char* op, const char* name, std::vector<ValueId> in) { return g.add_node(op, name, std::move(in)).value()[0]; }
  size_t fuse() {
    auto changed = pass("fuse_residual").run(g, {false, takes_int8, nullptr});
    EXPECT_TRUE(changed);
    EXPECT_TRUE(g.verify());
    return with_residual(g);
  }
  std::vector<std::byte> bytes;
};

TEST(FuseResidual, WaitsForAnOperandThatIsMadeLater) {
  Layers l;
  const ValueId later = l.node("silu", "later", {l.x}), sum = l.node("add", "sum", {l.early, later});
  l.g.outputs = {sum};
  ASSERT_EQ(l.fuse(), 1u);
  const Node& n = l.g.nodes.back();
  EXPECT_EQ(n.name, "early");
  EXPECT_EQ(n.in, (std::vector<ValueId>{l.x, l.w, kNone, later}));
  EXPECT_EQ(n.out, std::vector<ValueId>{sum});
}

TEST(FuseResidual, LeavesWhatOthersReadAndWhatIsNotOneLayersSum) {
  Layers read, shown, twice, two, narrow;
  read.g.outputs = {read.node("add", "sum", {read.x, read.early}), read.node("silu", "reader", {read.early})};
  EXPECT_EQ(read.fuse(), 0u);
  shown.g.outputs = {shown.node("add", "sum", {shown.x, shown.early}), shown.early};
  EXPECT_EQ(shown.fuse(), 0u);
  twice.g.outputs = {twice.node("add", "sum", {twice.early, twice.early})};
  EXPECT_EQ(twice.fuse(), 0u);
  two.g.outputs = {two.node("add", "sum", {two.early, two.node("linear", "other", {two.x, two.w})})};
  EXPECT_EQ(two.fuse(), 0u);
  Value row;
  row.name = "row", row.kind = Kind::weight, row.dims = {Dim(32)}, row.bytes = std::span(narrow.bytes).first(128);
  narrow.g.outputs = {narrow.node("add", "sum", {narrow.early, narrow.g.add_value(row)})};
  EXPECT_EQ(narrow.fuse(), 0u);
}

TEST(FuseResidual, ANormThatEndsALayerTakesTheSum) {
  Layers l;
  const ValueId sum = l.node("add", "sum", {l.node("rms_norm", "post", {l.early}), l.x});
  l.g.outputs = {sum};
  ASSERT_EQ(l.fuse(), 1u);
  EXPECT_EQ(l.g.nodes.back().op, "rms_norm");
  EXPECT_EQ(l.g.nodes.back().in, (std::vector<ValueId>{l.early, kNone, l.x}));
}

TEST(FuseResidual, AChainOfLayersTakesEachSum) {
  Layers l;
  const ValueId first = l.node("add", "sum", {l.x, l.early});
  l.g.outputs = {l.node("add", "sum", {l.node("linear", "next", {l.x, l.w}), first})};
  EXPECT_EQ(l.fuse(), 2u);
}

TEST(DeadCode, GoesAndWhatChangesAStateStays) {
  const std::string bytes = arch_model(zoo_model("phi3-dense")).file();
  const Model model = *Model::open(std::as_bytes(std::span(bytes)));
  Graph g = model.graph();
  const size_t stores = count(g, "kv_store");
  ASSERT_GT(stores, 0u);
  ASSERT_TRUE(g.add_node("scale", "unused", {g.outputs[0]}, {{"factor", 2.0}}));
  ASSERT_TRUE(run_passes(g, {true, takes_nothing, nullptr}));
  EXPECT_EQ(count(g, "kv_store"), stores);
  for (const Node& n : g.nodes) EXPECT_NE(n.name, "unused");
}

}  // namespace
}  // namespace mainspring::inline v0::test
