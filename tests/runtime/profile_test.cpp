// A session's profile: every tile of every pass once, in order, for any number of workers; a full lane counts what it drops.
#include <algorithm>
#include <map>

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
