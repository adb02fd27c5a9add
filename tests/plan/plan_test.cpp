// The arena: no two values that live at once share a byte, memory is used again, and a dry plan tells the sizes of the real one.
#include "plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "mainspring/mainspring.h"
#include "runtime/model_impl.h"
#include "support/zoo.h"

namespace mainspring::inline v0::test {
namespace {

TEST(Offsets, NeverOverlapInTimeAndMemory) {
  uint32_t state = 1;
  const auto random = [&](uint32_t n) { return (state = state * 1664525u + 1013904223u) / 65536 % n; };
  for (int round = 0; round < 200; ++round) {
    std::vector<Interval> all;
    size_t sum = 0;
    for (uint32_t i = 0, n = 1 + random(40); i < n; ++i) {
      const auto first = static_cast<int32_t>(random(30));
      all.push_back({64 * (1 + random(20)), first, first + static_cast<int32_t>(random(6))});
      sum += all.back().bytes;
    }
    const size_t arena = assign_offsets(all);
    size_t most = 0;
    for (int32_t t = 0; t < 40; ++t) {
      size_t live = 0;
      for (const Interval& a : all) live += a.first <= t && t <= a.last ? a.bytes : 0;
      most = std::max(most, live);
    }
    EXPECT_GE(arena, most);
    EXPECT_LE(arena, sum);
    EXPECT_LE(static_cast<double>(arena), 1.6 * static_cast<double>(most)) << "memory is used again";
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_LE(all[i].offset + all[i].bytes, arena);
      for (size_t j = 0; j < i; ++j) {
        const bool time = all[i].first <= all[j].last && all[j].first <= all[i].last;
        const bool memory = all[i].offset < all[j].offset + all[j].bytes && all[j].offset < all[i].offset + all[i].bytes;
        EXPECT_FALSE(time && memory);
      }
    }
  }
}

class Plans : public testing::TestWithParam<const char*> {
 protected:
  Plans() : bytes_(arch_model(zoo_model(GetParam())).file(DType::q4_0)), model_(*Model::open(std::as_bytes(std::span(bytes_)))) {}
  std::shared_ptr<const Plan> plan(bool dry) { return *compile(*model_.impl(), {false, 2, 2, 200, dry}, 32, 4); }
  std::string bytes_;
  Model model_;
};

TEST_P(Plans, LiveValuesOfARealGraphDoNotMeet) {
  const auto p = plan(false);
  struct Life { size_t begin, end; int32_t first = INT32_MAX, last = -1; };
  std::map<ValueId, Life> lives;  // by root
  const auto touch = [&](ValueId v, int32_t at) {
    if (v == kNone) return;
    const Placement& place = p->placements[static_cast<size_t>(v)];
    if (place.ref.space != Space::arena) return;
    const Placement& root = p->placements[static_cast<size_t>(place.root)];
    auto [it, fresh] = lives.try_emplace(place.root);
    if (fresh) it->second.begin = static_cast<size_t>(root.ref.offset), it->second.end = it->second.begin + max_bytes(p->graph, p->graph.values[static_cast<size_t>(place.root)]);
    it->second.first = std::min(it->second.first, at);
    it->second.last = std::max(it->second.last, at);
  };
  for (size_t i = 0; i < p->graph.nodes.size(); ++i) {  // in time of stages: nodes of one stage live at once
    for (const ValueId v : p->graph.nodes[i].in) touch(v, p->nodes[i].stage);
    for (const ValueId v : p->graph.nodes[i].out) touch(v, p->nodes[i].stage);
  }
  ASSERT_GT(lives.size(), 10u);
  size_t sum = 0;
  for (auto a = lives.begin(); a != lives.end(); ++a) {
    EXPECT_EQ(a->second.begin % 64, 0u);
    EXPECT_LE(a->second.end, p->arena_bytes);
    sum += a->second.end - a->second.begin;
    for (auto b = lives.begin(); b != a; ++b) {
      const bool time = a->second.first <= b->second.last && b->second.first <= a->second.last;
      const bool memory = a->second.begin < b->second.end && b->second.begin < a->second.end;
      EXPECT_FALSE(time && memory) << p->graph.values[static_cast<size_t>(a->first)].name << " and " << p->graph.values[static_cast<size_t>(b->first)].name;
    }
  }
  EXPECT_LT(p->arena_bytes, sum) << "memory is used again";
}

TEST_P(Plans, AStageBeginsWhenWhatItsNodesTouchIsDone) {
  const auto p = plan(false);
  struct Touch { int32_t stage; bool writes; };
  std::map<ValueId, std::vector<Touch>> touched;  // by root
  std::map<ValueId, int32_t> made;
  const auto root = [&](ValueId v) { return p->placements[static_cast<size_t>(v)].root; };
  for (size_t i = 0; i < p->graph.nodes.size(); ++i) {
    const Node& n = p->graph.nodes[i];
    const int32_t stage = p->nodes[i].stage;
    const bool view = is_view(p->graph, p->placements, n);
    for (const ValueId v : n.in) {
      if (v == kNone) continue;
      if (made.contains(v)) {
        EXPECT_LT(made[v], stage + view) << n.name;
      }
      if (p->graph.values[static_cast<size_t>(v)].kind != Kind::state) continue;
      for (const Touch& t : touched[root(v)])
        EXPECT_TRUE(!t.writes || t.stage < stage) << n.name;
    }
    for (const ValueId v : n.out) {
      made[v] = stage;
      if (p->graph.values[static_cast<size_t>(v)].kind != Kind::state) continue;
      for (const Touch& t : touched[root(v)]) EXPECT_LT(t.stage, stage) << n.name;
      touched[root(v)].push_back({stage, true});
    }
    for (const ValueId v : n.in)
      if (v != kNone && p->graph.values[static_cast<size_t>(v)].kind == Kind::state && made[v] != stage) touched[root(v)].push_back({stage, false});
  }
}

TEST_P(Plans, StepsStandByStage) {
  const auto p = plan(false);
  ASSERT_FALSE(p->steps.empty());
  EXPECT_FALSE(p->steps[0].beside);
  std::map<int32_t, int> nodes_steps;
  int32_t before = -1, together = 0;
  for (size_t i = 0; i < p->steps.size(); ++i) {
    const int32_t stage = p->nodes[static_cast<size_t>(p->step_node[i])].stage;
    EXPECT_GE(stage, before);
    if (p->steps[i].beside) {
      EXPECT_EQ(stage, before);
      EXPECT_EQ(nodes_steps[p->step_node[i]], nodes_steps[p->step_node[i - 1]] - 1) << "the same step of another node";
      ++together;
    }
    ++nodes_steps[p->step_node[i]];
    before = stage;
  }
  for (const auto& [node, steps] : nodes_steps) EXPECT_EQ(steps, p->nodes[static_cast<size_t>(node)].n_steps);
  if (p->kv_bytes > 0) {
    EXPECT_GT(together, 0) << "q, k and v, or their like";
  }
}

TEST_P(Plans, ADryPlanHasTheSizesOfTheRealOne) {
  const auto real = plan(false), dry = plan(true);
  EXPECT_EQ(real->arena_bytes, dry->arena_bytes);
  EXPECT_EQ(real->state_bytes, dry->state_bytes);
  EXPECT_EQ(real->kv_bytes, dry->kv_bytes);
  EXPECT_EQ(real->panel_bytes, dry->panel_bytes);
  EXPECT_EQ(real->source_bytes, dry->source_bytes);
  EXPECT_EQ(real->worker_scratch_bytes, dry->worker_scratch_bytes);
  EXPECT_TRUE(dry->panels.empty());
  EXPECT_EQ(plan(false), real) << "sessions with equal options share one plan";
}

TEST_P(Plans, PanelsStayWithinATenthOfTheFile) {
  const auto p = plan(false);
  size_t weights = 0;
  for (const WeightInfo& w : model_.weights()) weights += w.bytes;
  EXPECT_LE(static_cast<double>(p->panel_bytes + p->source_bytes), 1.1 * static_cast<double>(weights) + 65536);
}

TEST_P(Plans, ExplainIsJsonAndGivesReasons) {
  auto session = Session::create(model_, {.max_context = 64});
  ASSERT_TRUE(session);
  const std::string text = session->explain(true);
  size_t nodes = 0, depth = 0, most = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && text[i - 1] != '\\') quoted = !quoted;
    if (quoted) continue;
    if (text[i] == '{') ++nodes;
    if (text[i] == '{' || text[i] == '[') most = std::max(most, ++depth);
    if (text[i] == '}' || text[i] == ']') --depth;
  }
  EXPECT_EQ(depth, 0u);
  EXPECT_FALSE(quoted);
  EXPECT_EQ(most, 2u);
  EXPECT_EQ(nodes, plan(true)->nodes.size());
}

INSTANTIATE_TEST_SUITE_P(Zoo, Plans, testing::Values("gemma3-dense", "phi3-dense", "qwen2moe-moe", "deepseek2-moe", "mamba2-dense", "qwen35-dense"),
                         [](const auto& test) { std::string s = test.param; std::replace(s.begin(), s.end(), '-', '_'); return s; });

}  // namespace
}  // namespace mainspring::inline v0::test
