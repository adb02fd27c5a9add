// What files must be and say: every fault is an error that names it, never a crash.
#include <gtest/gtest.h>

#include <limits>

#include "support/arch_model.h"

namespace mainspring::inline v0 {
namespace {

using test::ArchModel;
using test::tiny_llama;

testing::AssertionResult fails(const ArchModel& m, Errc code, std::string_view part) {
  const auto graph = m.build();
  if (graph) return testing::AssertionFailure() << "built";
  if (graph.error().code == code && graph.error().message.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << name_of(graph.error().code) << ": " << graph.error().message;
}

TEST(ArchBuild, TinyModelBuildsAndStatesItsFacts) {
  ModelFacts facts;
  const auto graph = tiny_llama().build(&facts);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(graph->verify());
  EXPECT_EQ(facts.vocabulary, 16);
  EXPECT_EQ(facts.context_length, 64);
  EXPECT_FALSE(facts.recurrent);
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs.at(0))].name, "logits");
}

TEST(ArchBuild, UnknownArchitectureIsNamed) { EXPECT_TRUE(fails(ArchModel("gpt5000"), Errc::unsupported, "'gpt5000'")); }

TEST(ArchBuild, MissingTensorIsNamed) {
  for (const char* name : {"token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.1.ffn_down.weight", "blk.1.attn_norm.weight"}) {
    ArchModel m = tiny_llama();
    ASSERT_TRUE(m.has_tensor(name));
    m.remove_tensor(name);
    EXPECT_TRUE(fails(m, Errc::corrupt_data, name)) << name;
  }
}

TEST(ArchBuild, WrongShapeIsNamed) {
  const std::pair<const char*, std::vector<int64_t>> wrong[] = {
      {"blk.0.attn_q.weight", {32, 16}}, {"blk.1.ffn_up.weight", {32, 48}}, {"blk.0.attn_norm.weight", {31}}, {"output_norm.weight", {2, 32}},
      {"token_embd.weight", {32}},       {"token_embd.weight", {16, 64}},   {"output.weight", {17, 32}},      {"rope_freqs.weight", {5}}};
  for (const auto& [name, extents] : wrong) {
    ArchModel m = tiny_llama();
    m.tensor(name, extents);
    EXPECT_TRUE(fails(m, Errc::corrupt_data, name)) << name;
  }
}

TEST(ArchBuild, ExtentsOfOneCountForNothing) {
  ArchModel m = tiny_llama();
  m.tensor("output_norm.weight", {1, 32});
  EXPECT_TRUE(m.build());
}

TEST(ArchBuild, UnusedTensorIsNamed) {
  ArchModel m = tiny_llama();
  m.tensor("blk.1.attn_sinks.weight", {2});
  EXPECT_TRUE(fails(m, Errc::unsupported, "blk.1.attn_sinks.weight"));
  ArchModel far = tiny_llama();
  far.tensor("blk.99999999999999999999.attn_q.weight", {2});
  EXPECT_TRUE(fails(far, Errc::unsupported, "attn_q"));
}

TEST(ArchBuild, ScalesOfInputsAreNotWanted) {
  ArchModel m = tiny_llama();
  m.tensor("blk.1.attn_q.input_scale", {1});
  m.tensor("blk.1.attn_q.scale", {1});
  EXPECT_TRUE(m.build());
}

TEST(ArchBuild, BlocksForDraftsDoNotRun) {
  ArchModel m = tiny_llama();
  m.number("nextn_predict_layers", 1);
  m.remove_tensor("blk.1.attn_q.weight");
  EXPECT_TRUE(m.build());
  m.number("nextn_predict_layers", 2);
  EXPECT_TRUE(fails(m, Errc::corrupt_data, "nextn_predict_layers"));
}

TEST(ArchBuild, UnknownKeyCountsUnlessNeutralOrInert) {
  ArchModel m = tiny_llama();
  m.number("attention.surprise", 0);
  m.flag("attention.other_surprise", false);
  m.number("pooling_type", 7);
  EXPECT_TRUE(m.build());
  m.number("attention.surprise", 3);
  EXPECT_TRUE(fails(m, Errc::unsupported, "llama.attention.surprise"));
}

TEST(ArchBuild, KeysThatCannotBeHonoured) {
  ArchModel rope = tiny_llama();
  rope.text("rope.scaling.type", "spiral");
  EXPECT_TRUE(fails(rope, Errc::unsupported, "spiral"));
  ArchModel encoder = tiny_llama();
  encoder.flag("attention.causal", false);
  EXPECT_TRUE(fails(encoder, Errc::unsupported, "attention.causal"));
}

TEST(ArchBuild, KeysOfTheWrongType) {
  ArchModel m = tiny_llama();
  m.text("embedding_length", "many");
  EXPECT_TRUE(fails(m, Errc::corrupt_data, "embedding_length"));
  ArchModel list = tiny_llama();
  list.list("attention.head_count", {2});
  EXPECT_TRUE(fails(list, Errc::corrupt_data, "attention.head_count"));
}

TEST(ArchBuild, MissingKeysAreNamed) {
  for (const char* key : {"block_count", "embedding_length", "attention.layer_norm_rms_epsilon"}) {
    ArchModel m = tiny_llama();
    m.remove_key(key);
    EXPECT_TRUE(fails(m, Errc::corrupt_data, key)) << key;
  }
}

TEST(ArchBuild, AbsurdNumbersAreErrors) {
  const double huge = 4294967295.0;
  for (const char* key :
       {"block_count", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv", "attention.key_length",
        "attention.value_length", "rope.dimension_count", "expert_count", "context_length", "nextn_predict_layers"}) {
    ArchModel m = tiny_llama();
    m.number(key, huge);
    EXPECT_FALSE(m.build()) << key;
    m.number(key, 2147483648.0);
    EXPECT_FALSE(m.build()) << key;
  }
  for (const char* key :
       {"block_count", "embedding_length", "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length"}) {
    ArchModel m = tiny_llama();
    m.number(key, 0);
    EXPECT_TRUE(fails(m, Errc::corrupt_data, "")) << key;
  }
  ArchModel odd = tiny_llama();
  odd.number("rope.dimension_count", 7);
  EXPECT_TRUE(fails(odd, Errc::corrupt_data, "rope.dimension_count"));
  ArchModel heads = tiny_llama();
  heads.number("attention.head_count", 3);
  EXPECT_FALSE(heads.build());
  for (double base : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    ArchModel m = tiny_llama();
    m.number("rope.freq_base", base);
    EXPECT_FALSE(m.build()) << base;
  }
}

TEST(ArchBuild, ExpertsNeedSaneCounts) {
  ArchModel m = tiny_llama();
  m.tensor("blk.0.ffn_gate_inp.weight", {4, 32});
  EXPECT_TRUE(fails(m, Errc::corrupt_data, "expert_used_count"));
  m.number("expert_count", 4);
  m.number("expert_used_count", 5);
  EXPECT_TRUE(fails(m, Errc::corrupt_data, "expert_used_count"));
}

TEST(ArchBuild, LearnedPositionsEnd) {
  ArchModel m("gpt2");
  m.number("block_count", 1);
  m.number("context_length", 8);
  m.number("embedding_length", 32);
  m.number("attention.head_count", 2);
  m.number("attention.layer_norm_epsilon", 1e-5);
  m.tensor("token_embd.weight", {16, 32});
  m.tensor("position_embd.weight", {8, 32});
  for (const char* name : {"output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"}) m.tensor(std::string(name) + ".weight", {32});
  m.tensor("blk.0.attn_qkv.weight", {96, 32});
  m.tensor("blk.0.attn_output.weight", {32, 32});
  m.tensor("blk.0.ffn_up.weight", {64, 32});
  m.tensor("blk.0.ffn_down.weight", {32, 64});
  ModelFacts facts;
  const auto graph = m.build(&facts);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(facts.max_positions, 8);
  m.number("context_length", 9);
  EXPECT_TRUE(fails(m, Errc::corrupt_data, "position_embd.weight"));
}

}  // namespace
}  // namespace mainspring::inline v0
