// Workers on a machine that others use too: the policy, and the executor that follows it.
#include "cpu/crowd.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "cpu/executor.h"

namespace mainspring::inline v0::cpu {
namespace {

TEST(Crowd, AllWorkersUntilOneIsPutAside) {
  Crowd crowd(4);
  EXPECT_EQ(crowd.workers(0), 4);
  crowd.put_aside(0, 10);
  EXPECT_EQ(crowd.workers(20), 4);
  crowd.put_aside(1, 30);
  EXPECT_EQ(crowd.workers(31), 3);
  crowd.put_aside(7, 40);
  EXPECT_EQ(crowd.workers(41), 1) << "one always works";
}

TEST(Crowd, AGuestRestsAsLongAsItStayed) {
  Crowd crowd(2);
  crowd.put_aside(1, 0);
  ASSERT_EQ(crowd.workers(1), 1);
  EXPECT_EQ(crowd.stay(), INT64_MAX) << "no guest is in";
  int64_t now = crowd.more_at();
  ASSERT_EQ(crowd.workers(now), 2);
  const int64_t stay = crowd.stay();
  EXPECT_EQ(stay, Crowd::kFirstStayNs);
  EXPECT_EQ(crowd.more_at(), INT64_MAX) << "all are in";
  crowd.guest_stayed(stay / 4, now + stay / 4);  // the run ended
  ASSERT_EQ(crowd.workers(now + stay / 4), 2) << "and it goes on in the next";
  EXPECT_EQ(crowd.stay(), stay - stay / 4);
  now += stay;
  crowd.guest_stayed(crowd.stay(), now);
  EXPECT_EQ(crowd.workers(now + stay - 1), 1);
  EXPECT_EQ(crowd.workers(now + stay), 2);
  EXPECT_GT(crowd.stay(), stay) << "it got through";
}

TEST(Crowd, AGuestThatIsPutAsideStaysHalfAsLongAndWaits) {
  Crowd crowd(2);
  int64_t now = 0, last_wait = 0;
  for (int i = 0; i < 10; ++i) {
    crowd.put_aside(1, now);
    ASSERT_EQ(crowd.workers(now), 1);
    const int64_t wait = crowd.more_at() - now;
    EXPECT_GE(wait, last_wait);
    EXPECT_LE(wait, Crowd::kMostHoldNs);
    now += wait;
    last_wait = wait;
    ASSERT_EQ(crowd.workers(now), 2);
    EXPECT_GE(crowd.stay(), Crowd::kLeastStayNs);
    EXPECT_LE(crowd.stay(), i == 0 ? Crowd::kFirstStayNs : std::max(Crowd::kFirstStayNs >> i, Crowd::kLeastStayNs));
  }
  EXPECT_EQ(last_wait, Crowd::kMostHoldNs);
  crowd.guest_stayed(crowd.stay(), now);
  crowd.workers(now += Crowd::kFirstStayNs);
  crowd.put_aside(1, now);
  EXPECT_EQ(crowd.workers(now), 1);
  EXPECT_EQ(crowd.more_at(), now + Crowd::kLeastHoldNs) << "the one that got through made good";
}

TEST(Crowd, GuestsThatStayLongEnoughAreWorkersAgainOneByOne) {
  Crowd crowd(4);
  crowd.put_aside(3, 0);
  int64_t now = Crowd::kLeastHoldNs, stays = 0;
  for (int want = 2; want <= 4; ++want) {
    while (crowd.workers(now) < want || crowd.stay() < INT64_MAX) {
      ASSERT_LE(crowd.workers(now), want);
      if (crowd.stay() == INT64_MAX) {
        now = crowd.more_at();
        continue;
      }
      now += crowd.stay();
      crowd.guest_stayed(crowd.stay(), now);
      ASSERT_LT(++stays, 1000);
    }
  }
  EXPECT_EQ(crowd.more_at(), INT64_MAX);
  EXPECT_LT(now, 2'000'000'000);
}

/// Threads of its own for each run; remembers how many it was asked for.
struct Threads final : Parallel {
  int workers() const override { return 2; }
  void run(int n, void (*body)(void*, int), void* user) override {
    asked.push_back(n);
    std::vector<std::thread> threads;
    for (int w = 1; w < n; ++w) threads.emplace_back(body, user, w);
    body(user, 0);
    for (std::thread& t : threads) t.join();
  }
  std::vector<int> asked;
};

struct Tiles {
  std::atomic<int64_t> done{0};
  std::atomic<int> begun{0};
  bool sleep = false;
};

/// The second tile of the first step sleeps where it is told to, once the first has begun: as if the system had put its worker aside.
void run_tile(const void* params, const StepEnv&, int64_t tile, int) {
  auto& t = *static_cast<Tiles*>(const_cast<void*>(params));
  t.begun.fetch_add(1);
  if (t.sleep && tile < 2 && t.done.load() < 8) {
    while (t.begun.load() < 2) std::this_thread::yield();
    if (tile == 1) std::this_thread::sleep_for(std::chrono::nanoseconds(2 * Crowd::kPutAsideNs));
  }
  t.done.fetch_add(1);
}
int64_t eight_tiles(const void*, const StepEnv&) { return 8; }

TEST(Executor, AWorkerThatWasPutAsideLeavesAndTheNextRunHasFewer) {
  bool fewer = false;
  for (int attempt = 0; attempt < 20 && !fewer; ++attempt) {  // more than one only where this thread is itself put aside between the two runs
    Threads threads;
    Executor executor(&threads, 2);
    Tiles tiles;
    const std::vector<Step> steps(5, Step{run_tile, eight_tiles, &tiles});
    StepEnv env{};
    tiles.sleep = true;
    ASSERT_EQ(executor.run(steps, env, true, {}), RunStatus::done);
    ASSERT_EQ(tiles.done, 40) << "the other worker did the rest";
    tiles.sleep = false;
    ASSERT_EQ(executor.run(steps, env, true, {}), RunStatus::done);
    ASSERT_EQ(tiles.done, 80);
    ASSERT_EQ(threads.asked.front(), 2);
    fewer = threads.asked.size() == 1;  // one worker needs no region
  }
  EXPECT_TRUE(fewer);
}

/// A step that notes which of its tiles ran, and that all of the group before were done.
struct Member {
  int64_t n = 0;
  int group = 0;
  std::vector<std::atomic<int>>* done = nullptr;  ///< tiles, by group
  const std::vector<int64_t>* of_group = nullptr;
  std::vector<std::atomic<int>> runs = std::vector<std::atomic<int>>(40);
  std::atomic<bool> early{false};
};
int64_t member_tiles(const void* params, const StepEnv&) { return static_cast<const Member*>(params)->n; }
void run_member(const void* params, const StepEnv&, int64_t tile, int) {
  Member& m = *static_cast<Member*>(const_cast<void*>(params));
  if (m.group > 0 && (*m.done)[static_cast<size_t>(m.group - 1)] != (*m.of_group)[static_cast<size_t>(m.group - 1)]) m.early = true;
  ++m.runs[static_cast<size_t>(tile)];
  ++(*m.done)[static_cast<size_t>(m.group)];
}

TEST(Executor, StepsBesideEachOtherRunEachTileOnceAndGroupsFollow) {
  for (const int most : {1, 3, 21}) {  // 21: more than are opened at once
    std::vector<std::atomic<int>> done(30);
    std::vector<int64_t> of_group(30);
    std::vector<Member> members(static_cast<size_t>(30 * most));
    std::vector<Step> steps;
    for (size_t i = 0; i < members.size(); ++i) {
      Member& m = members[i];
      m.group = static_cast<int>(i) / most;
      m.n = static_cast<int64_t>(i * 7 % 11 % 5) * static_cast<int64_t>(i % 8);  // some have none
      if (m.group % 5 == 4) m.n = 0;                                              // a whole group has none
      m.done = &done;
      m.of_group = &of_group;
      of_group[static_cast<size_t>(m.group)] += m.n;
      steps.push_back({.run = run_member, .tiles = member_tiles, .params = &m, .beside = i % static_cast<size_t>(most) != 0});
    }
    Threads threads;
    Executor executor(&threads, 2);
    StepEnv env{};
    for (int round = 1; round <= 20; ++round) {
      ASSERT_EQ(executor.run(steps, env, true, {}), RunStatus::done);
      for (const Member& m : members) {
        for (int64_t t = 0; t < 40; ++t) ASSERT_EQ(m.runs[static_cast<size_t>(t)], t < m.n ? round : 0);
        ASSERT_FALSE(m.early);
      }
      for (std::atomic<int>& d : done) d = 0;
    }
  }
}

void nap(const void* params, const StepEnv&, int64_t, int) {
  std::this_thread::sleep_for(std::chrono::microseconds(200));
  static_cast<Tiles*>(const_cast<void*>(params))->done.fetch_add(1);
}

TEST(Executor, InALongRunGuestsComeAndGo) {
  Threads threads;
  Executor executor(&threads, 2);
  Tiles tiles;
  tiles.sleep = true;
  std::vector<Step> steps{Step{run_tile, eight_tiles, &tiles}};
  for (int i = 0; i < 80; ++i) steps.push_back(Step{nap, eight_tiles, &tiles});  // 128 ms of naps
  StepEnv env{};
  ASSERT_EQ(executor.run(steps, env, true, {}), RunStatus::done);
  EXPECT_EQ(tiles.done, 8 * 81);
  EXPECT_GE(threads.asked.size(), 3u);
}

TEST(Executor, TheLastWorkerStays) {
  Executor executor(nullptr, 1);
  Tiles tiles;
  tiles.begun = 2;
  tiles.sleep = true;
  const std::vector<Step> steps(1, Step{run_tile, eight_tiles, &tiles});
  StepEnv env{};
  ASSERT_EQ(executor.run(steps, env, true, {}), RunStatus::done);
  EXPECT_EQ(tiles.done, 8);
}

}  // namespace
}  // namespace mainspring::inline v0::cpu
