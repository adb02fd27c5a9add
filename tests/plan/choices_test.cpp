// Measured choice: the rule that picks from times, and that each question costs its time once. The kernels here are waits on a clock that only they move.
#include "plan/choices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace mainspring::inline v0::test {
namespace {

int64_t g_now = 0;

/// Kernels whose every run takes as long as `ns` says, [kernels, loads].
struct Waits {
  std::vector<int64_t> ns;
  int kernels, loads = 2;
  mutable std::vector<int> runs{};
  mutable bool memory_is_right = true;

  Choices::Question question(std::string key) const {
    runs.assign(ns.size(), 0);
    return {std::move(key), kernels, loads, 1000, std::byte{0x5a}, run, this};
  }
  static void run(const void* user, int kernel, int load, std::byte* memory) {
    const Waits& w = *static_cast<const Waits*>(user);
    const auto at = static_cast<size_t>(kernel * w.loads + load);
    if (std::accumulate(w.runs.begin(), w.runs.end(), 0) == 0)
      w.memory_is_right = reinterpret_cast<uintptr_t>(memory) % 64 == 0 && std::all_of(memory, memory + 1000, [](std::byte b) { return b == std::byte{0x5a}; });
    g_now += w.ns[at] + (w.runs[at]++ == 0 ? 70'000 : 0);  // the first run of each finds cold caches
  }
};

class MeasuredChoice : public testing::Test {
 protected:
  static MeasuredChoices choices(std::string machine = "a") { return MeasuredChoices(Context(), std::move(machine), [] { return g_now; }); }
  MeasuredChoices choices_ = choices();
};

TEST(FastestKernel, TheFirstStaysUnlessClearlyBeaten) {
  const auto pick = [](std::vector<int64_t> ns, int kernels) { return fastest(ns, kernels, 2); };
  EXPECT_EQ(pick({100, 1000, 100, 1000}, 2), 0) << "a tie";
  EXPECT_EQ(pick({100, 1000, 96, 960}, 2), 0) << "within the margin";
  EXPECT_EQ(pick({100, 1000, 90, 1000}, 2), 1) << "one row gains";
  EXPECT_EQ(pick({100, 1000, 100, 900}, 2), 1) << "many rows gain";
  EXPECT_EQ(pick({100, 1000, 90, 1040}, 2), 1) << "and the other loses less than the margin";
  EXPECT_EQ(pick({100, 1000, 50, 1060}, 2), 0) << "and the other loses more";
  EXPECT_EQ(pick({100, 1000, 90, 900, 80, 800, 85, 700}, 4), 3) << "the best of several";
  EXPECT_EQ(pick({100, 1000, 20, 2000, 90, 1000}, 3), 2) << "what is out does not stand in the way";
  EXPECT_EQ(fastest(std::vector<int64_t>{100, 80, 90}, 3, 1), 1);
}

TEST_F(MeasuredChoice, AsksTheKernelsOnce) {
  const Waits w{{20'000, 40'000, 10'000, 40'000}, 2};
  const Choices::Choice first = choices_.choose(w.question("q"));
  EXPECT_EQ(first.kernel, 1);
  EXPECT_EQ(first.ns, w.ns) << "the least of several runs";
  EXPECT_TRUE(w.memory_is_right);
  EXPECT_EQ(choices_.measured(), 1);
  const int64_t before = g_now;
  const Choices::Choice again = choices_.choose(w.question("q"));
  EXPECT_EQ(again.kernel, 1);
  EXPECT_EQ(again.ns, w.ns);
  EXPECT_EQ(g_now, before);
  EXPECT_EQ(choices_.measured(), 1);
}

TEST_F(MeasuredChoice, AnAnswerThatWasKeptIsTaken) {
  const Waits w{{20'000, 40'000, 10'000, 40'000}, 2};
  choices_.choose(w.question("q"));
  EXPECT_TRUE(choices_.take_news());
  EXPECT_FALSE(choices_.take_news());
  MeasuredChoices later = choices();
  later.add(choices_.answers());
  const Choices::Choice kept = later.choose(w.question("q"));
  EXPECT_EQ(kept.kernel, 1);
  EXPECT_EQ(kept.ns, w.ns);
  EXPECT_EQ(later.measured(), 0);
  EXPECT_FALSE(later.take_news());

  MeasuredChoices elsewhere = choices("b");
  elsewhere.add(choices_.answers());
  elsewhere.choose(w.question("q"));
  EXPECT_EQ(elsewhere.measured(), 1) << "another machine asks for itself";
  EXPECT_EQ(elsewhere.answers().size(), 2u) << "and keeps the first one's answers";
}

TEST_F(MeasuredChoice, AnAnswerOfAnotherShapeIsNone) {
  const Waits w{{20'000, 40'000, 10'000, 40'000}, 2};
  choices_.choose(w.question("q"));
  MeasuredChoices::Answers bad = choices_.answers();
  ASSERT_EQ(bad.size(), 1u);
  bad.begin()->second.pop_back();
  MeasuredChoices later = choices();
  later.add(bad);
  EXPECT_EQ(later.choose(w.question("q")).ns, w.ns);
  EXPECT_EQ(later.measured(), 1);
  EXPECT_TRUE(later.take_news());
}

TEST_F(MeasuredChoice, BeyondTheBudgetTheFirstStands) {
  const Waits w{{300'000, 300'000, 100'000, 100'000}, 2};
  const int64_t begin = g_now;
  int asked = 0;
  while (!choices_.choose(w.question("q" + std::to_string(asked))).ns.empty()) ++asked;
  EXPECT_EQ(choices_.measured(), asked);
  EXPECT_GE(g_now - begin, MeasuredChoices::kAllNs);
  EXPECT_LT(g_now - begin, MeasuredChoices::kAllNs + 4 * MeasuredChoices::kQuestionNs);
  EXPECT_GE(asked, 5);
  MeasuredChoices later = choices();
  later.add(choices_.answers());
  const Choices::Choice unmeasured = later.choose(w.question("q" + std::to_string(asked)));
  EXPECT_EQ(unmeasured.kernel, 0);
  EXPECT_TRUE(unmeasured.ns.empty());
  EXPECT_EQ(later.measured(), 0) << "a later start gives the same answer, so that its panels fit";
}

TEST_F(MeasuredChoice, AQuestionTakesAboutAMillisecond) {
  for (const int64_t ns : {int64_t{0}, int64_t{2'000}, int64_t{20'000}}) {
    const Waits w{{ns, ns, ns, ns, ns, ns}, 3};
    const int64_t begin = g_now;
    choices_.choose(w.question(std::to_string(ns)));
    EXPECT_LT(g_now - begin, 3 * MeasuredChoices::kQuestionNs / 2) << ns;
    for (const int runs : w.runs) EXPECT_GE(runs, 3) << ns;
  }
}

struct NoMemory final : Allocator {
  void* allocate(size_t, size_t) override { return nullptr; }
  void release(void*, size_t, size_t) override {}
};

TEST(MeasuredChoices, WithoutMemoryNothingIsDecided) {
  NoMemory none;
  MeasuredChoices choices(Context({.allocator = &none}), "a", [] { return g_now; });
  const Waits w{{20'000, 40'000, 10'000, 40'000}, 2};
  EXPECT_EQ(choices.choose(w.question("q")).kernel, 0);
  EXPECT_TRUE(choices.answers().empty());
  EXPECT_FALSE(choices.take_news());
}

}  // namespace
}  // namespace mainspring::inline v0::test
