// A session's profile: every tile of every pass once, in order, for any number of workers; a full lane counts what it drops.
#include <algorithm>
#include <map>
#include <sstream>

#include "runtime/runner.h"

namespace mainspring::inline v0::test {
namespace {

struct Fixture {
  Fixture() : bytes(arch_model(zoo_model("phi3-dense")).file()), model(open_file(bytes, {.threads = 3})) {}
  std::string bytes;
  Model model;
};

TEST(Profile, EachTileOnce) {
  const Fixture f;
  const std::vector<int32_t> tokens = ids(20, f.model.vocabulary_size());
  for (const int threads : {1, 3}) {
    Session session = open_session(f.model, {.max_context = 64, .max_batch_tokens = 8, .threads = threads});
    ASSERT_TRUE(session.start_profile());
    ASSERT_TRUE(session.step(tokens));
    const Profile p = *session.stop_profile();
    ASSERT_EQ(p.passes.size(), 3u);
    EXPECT_EQ(p.passes[0].rows, 8);
    EXPECT_EQ(p.passes[0].output_rows, 0);
    EXPECT_EQ(p.passes[2].rows, 4);
    EXPECT_EQ(p.passes[2].output_rows, 1);
    EXPECT_EQ(p.dropped, 0);
    std::map<std::pair<int32_t, int32_t>, std::vector<int32_t>> seen;  // (pass, step) → tiles
    int32_t last_step = -1;
    for (size_t i = 0; i < p.tiles.size(); ++i) {
      const Profile::Tile& t = p.tiles[i];
      EXPECT_LT(t.worker, threads);
      EXPECT_LE(t.begin_ns, t.end_ns);
      if (i > 0 && p.tiles[i - 1].worker == t.worker) {
        EXPECT_LE(p.tiles[i - 1].end_ns, t.begin_ns);
      }
      seen[{t.pass, t.step}].push_back(t.tile);
      last_step = std::max(last_step, t.step);
    }
    for (auto& [at, tiles] : seen) {
      std::sort(tiles.begin(), tiles.end());
      for (size_t i = 0; i < tiles.size(); ++i) ASSERT_EQ(tiles[i], static_cast<int32_t>(i)) << "pass " << at.first << " step " << at.second;
    }
    EXPECT_TRUE(seen.contains({2, last_step}));
    EXPECT_FALSE(seen.contains({0, last_step})) << "no logits in the first pass: the head has no tile";
  }
}

TEST(Profile, IsOffUnlessAskedFor) {
  const Fixture f;
  Session session = open_session(f.model, {.max_context = 64});
  ASSERT_TRUE(session.step(ids(4, f.model.vocabulary_size())));
  EXPECT_TRUE(session.stop_profile()->tiles.empty());
  ASSERT_TRUE(session.start_profile());
  ASSERT_TRUE(session.stop_profile());
  ASSERT_TRUE(session.step(ids(4, f.model.vocabulary_size())));
  EXPECT_TRUE(session.stop_profile()->tiles.empty());
}

TEST(Profile, AFullLaneCountsWhatItDrops) {
  const Fixture f;
  Session session = open_session(f.model, {.max_context = 64, .threads = 1});
  ASSERT_TRUE(session.start_profile());
  ASSERT_TRUE(session.step(ids(4, f.model.vocabulary_size())));
  const auto all = static_cast<int64_t>(session.stop_profile()->tiles.size());
  ASSERT_GT(all, 5);
  ASSERT_TRUE(session.truncate(0, 0));
  ASSERT_TRUE(session.start_profile(5));
  ASSERT_TRUE(session.step(ids(4, f.model.vocabulary_size())));
  const Profile p = *session.stop_profile();
  EXPECT_EQ(p.tiles.size(), 5u);
  EXPECT_EQ(p.dropped, all - 5);
}

/// Bytes of the node's run in the last pass; the node is the first of this op whose name holds `part`.
int64_t last_bytes(const Session& session, const Profile& p, std::string_view op, std::string_view part = "") {
  std::istringstream lines(session.explain());
  std::string line, name, its_op;
  const size_t nodes = p.bytes.size() / p.passes.size();
  for (size_t i = 0; i < nodes && std::getline(lines, line); ++i)
    if (std::istringstream(line) >> name >> its_op && its_op == op && name.find(part) != name.npos) return p.bytes[(p.passes.size() - 1) * nodes + i];
  ADD_FAILURE() << "no " << op << ' ' << part;
  return 0;
}

/// The last step of feeding `tokens` to each sequence, profiled.
Profile last_step(Session& session, std::span<const int32_t> tokens, std::span<const int32_t> last, int sequences = 1) {
  std::vector<StepItem> items;
  for (int s = 0; s < sequences; ++s) {
    if (!tokens.empty()) {
      EXPECT_TRUE(session.step(tokens, s));
    }
    items.push_back({s, last});
  }
  EXPECT_TRUE(session.start_profile());
  EXPECT_TRUE(session.step(items));
  return *session.stop_profile();
}

TEST(Profile, BytesAreThoseThatAStepMustMove) {
  // Llama: rows of 64, four heads of 16 on two of keys and values, f32 weights, vocabulary 258.
  const std::string file = text_model().file();
  const Model model = open_file(file);
  const std::vector<int32_t> tokens = ids(9, model.vocabulary_size());
  for (const DType kv : {DType::f16, DType::q8_0, DType::f32}) {
    const int64_t position = 2 * (kv == DType::f16 ? 2 * 16 : kv == DType::f32 ? 4 * 16 : 16 + 4);  // the keys of two heads
    for (const int sequences : {1, 3}) {
      Session session = open_session(model, {.max_context = 128, .max_sequences = sequences, .kv_dtype = kv});
      const Profile p = last_step(session, tokens, std::span(tokens).first(1), sequences);
      ASSERT_EQ(p.passes.size(), 1u);
      const auto bytes = [&](std::string_view op, std::string_view part = "") { return last_bytes(session, p, op, part); };
      EXPECT_EQ(bytes("attention"), sequences * (10 * 2 * position + 2 * 64 * 4));
      EXPECT_EQ(bytes("kv_store"), sequences * (position + 32 * 4));
      EXPECT_EQ(bytes("rope_kv_store"), sequences * (position + 32 * 4));
      EXPECT_EQ(bytes("rope"), sequences * (2 * 64 * 4 + 4));
      EXPECT_EQ(bytes("rms_norm", "attn_norm"), sequences * 2 * 64 * 4 + 64 * 4);
      EXPECT_EQ(bytes("embed"), sequences * (2 * 64 * 4 + 4));
      EXPECT_EQ(bytes("linear", "attn_q"), sequences * 2 * 64 * 4 + 64 * 64 * 4);
    }
  }
  Session session = open_session(model, {.max_context = 128});
  const Profile p = last_step(session, {}, tokens);
  EXPECT_EQ(last_bytes(session, p, "attention"), 9 * 2 * 64 + 9 * 2 * 64 * 4) << "the rows of a tile read keys and values together";
  EXPECT_EQ(last_bytes(session, p, "gather_rows"), 2 * 64 * 4 + 4) << "one row of nine";
}

TEST(Profile, BytesOfAWindowAreThoseThatARowSees) {
  // Gemma 3: two heads of 128, a window of 32 in the first layer, none in the second.
  const std::string file = arch_model(zoo_model("gemma3-dense")).file();
  const Model model = open_file(file);
  const std::vector<int32_t> tokens = ids(100, model.vocabulary_size());
  Session session = open_session(model, {.max_context = 128});
  const Profile p = last_step(session, std::span(tokens).first(99), std::span(tokens).last(1));
  const int64_t position = 2 * 2 * 128 * 2, rows = 2 * 2 * 128 * 4;
  EXPECT_EQ(last_bytes(session, p, "attention", "blk.0"), 32 * position + rows);
  EXPECT_EQ(last_bytes(session, p, "attention", "blk.1"), 100 * position + rows);
}

TEST(Profile, BytesOfARecurrentStateAreReadAndWritten) {
  const std::string file = arch_model(zoo_model("mamba2-dense")).file();
  const Model model = open_file(file);
  int64_t by_sequences[3] = {};
  for (const int n : {1, 2}) {
    Session session = open_session(model, {.max_context = 64, .max_sequences = 2});
    by_sequences[n] = last_bytes(session, last_step(session, {}, ids(1, model.vocabulary_size()), n), "ssm_scan");
  }
  Session one = open_session(model, {.max_context = 64, .max_sequences = 2});
  const int64_t two_rows = last_bytes(one, last_step(one, {}, ids(2, model.vocabulary_size())), "ssm_scan");
  const size_t state = one.memory().recurrent / 2;  // of a sequence, convolutions among it
  EXPECT_GT(by_sequences[2] - two_rows, 0) << "two rows of one sequence pass through one state";
  EXPECT_LT(static_cast<size_t>(by_sequences[2] - two_rows), 2 * state);
}

TEST(Profile, BitsAreTheSame) {
  const Fixture f;
  const std::vector<int32_t> tokens = ids(12, f.model.vocabulary_size());
  Session a = open_session(f.model, {.max_context = 64, .max_output_rows = 12}), b = open_session(f.model, {.max_context = 64, .max_output_rows = 12});
  ASSERT_TRUE(b.start_profile());
  EXPECT_TRUE(same_bits(feed(a, tokens), feed(b, tokens)));
}

TEST(Profile, RefusesWhatItCannot) {
  const Fixture f;
  Session session = open_session(f.model, {.max_context = 64});
  for (const int64_t tiles : {int64_t{0}, int64_t{-1}, int64_t{1} << 40}) {
    const auto r = session.start_profile(tiles);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Errc::invalid_argument);
  }
}

TEST(Roof, OpsAreThoseOfTheMatrices) {
  const Fixture f;
  const Session session = open_session(f.model, {.max_context = 64});
  int64_t layers = 0, width = 0;
  for (const WeightInfo& w : f.model.weights()) {
    if (w.shape.rank() == 2 && w.name.starts_with("blk.")) layers += 2 * w.shape.elements();
    if (w.name == "token_embd.weight") width = w.shape[1];
  }
  EXPECT_EQ(session.ops_per_token(), layers);
  EXPECT_EQ(session.ops_per_output_row(), 2 * width * f.model.vocabulary_size());
}

}  // namespace
}  // namespace mainspring::inline v0::test
