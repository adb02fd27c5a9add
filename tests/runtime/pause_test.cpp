// A forward pass that stops and goes on, is cancelled, or runs on a host's odd threads: the same bits, and everybody else lives on.
#include <mutex>
#include <thread>

#include "runtime/runner.h"

namespace mainspring::inline v0::test {
namespace {

constexpr SessionOptions kOptions{.max_context = 128, .max_sequences = 2, .max_batch_tokens = 16, .max_output_rows = 128, .threads = 2};

struct Fixture {
  explicit Fixture(const char* name = "phi3-dense", const ContextOptions& context = {})
      : bytes(arch_model(zoo_model(name)).file(DType::q4_0)), model(open_file(bytes, context)), tokens(ids(100, model.vocabulary_size())) {}
  std::string bytes;
  Model model;
  std::vector<int32_t> tokens;
};

Rows straight(const Fixture& f) {
  Session session = open_session(f.model, {.max_context = 128, .max_output_rows = 128, .threads = 1});
  return feed(session, f.tokens);
}

TEST(Pause, ABudgetOfNothingStillEnds) {
  const Fixture f;
  const Rows want = straight(f);
  Session session = open_session(f.model, kOptions);
  const StepItem item{0, f.tokens, Logits::all};
  const StepOptions little{.budget = std::chrono::nanoseconds(1)};
  auto r = session.step(std::span(&item, 1), little);
  int pauses = 0;
  for (; r && r->in_progress; r = session.resume(little)) {
    ASSERT_LT(++pauses, 1000000);
    if (pauses == 3) {
      EXPECT_EQ(session.step(f.tokens).error().code, Errc::invalid_argument);
      EXPECT_EQ(session.truncate(0, 0).error().code, Errc::invalid_argument);
    }
  }
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_GT(pauses, 10);
  EXPECT_TRUE(same_bits(Rows(r->logits, r->logits + r->rows * r->vocabulary), want));
  EXPECT_EQ(session.position(), 100);
  EXPECT_EQ(session.resume().error().code, Errc::invalid_argument);
}

TEST(Pause, TheHostsMemoryMayGoAwayBetweenStepAndResume) {
  const Fixture f;
  Session session = open_session(f.model, kOptions);
  std::vector<int32_t> mine = f.tokens;
  const StepItem item{0, mine, Logits::all};
  auto r = session.step(std::span(&item, 1), {.budget = std::chrono::nanoseconds(1)});
  ASSERT_TRUE(r && r->in_progress);
  std::fill(mine.begin(), mine.end(), -1);
  while (r && r->in_progress) r = session.resume();
  ASSERT_TRUE(r);
  EXPECT_TRUE(same_bits(Rows(r->logits, r->logits + r->rows * r->vocabulary), straight(f)));
}

TEST(Cancel, LeavesWholePassesAndTheNeighbour) {
  const Fixture f;
  const Rows want = straight(f);
  Session session = open_session(f.model, kOptions);
  const Rows first = feed(session, std::span(f.tokens).first(40), {40}, 1);
  std::atomic<bool> stop{false};
  struct Watch { std::atomic<bool>* stop; int64_t last; } watch{&stop, 0};
  const auto progress = [](void* user, int64_t done, int64_t total) {
    auto& w = *static_cast<Watch*>(user);
    EXPECT_GT(done, w.last);
    EXPECT_EQ(total, 100);
    w.last = done;
    if (done >= 48) *w.stop = true;
  };
  const StepItem item{0, f.tokens, Logits::all};
  auto r = session.step(std::span(&item, 1), {.cancel = &stop, .progress = progress, .progress_user = &watch});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::cancelled);
  EXPECT_EQ(session.position(0), 48);
  EXPECT_EQ(session.position(1), 40);
  const auto vocabulary = static_cast<size_t>(f.model.vocabulary_size());
  EXPECT_TRUE(same_bits(feed(session, std::span(f.tokens).subspan(48)), Rows(want.begin() + static_cast<std::ptrdiff_t>(48 * vocabulary), want.end())));
  const Rows rest = feed(session, std::span(f.tokens).subspan(40), {7}, 1);
  EXPECT_TRUE(same_bits(first, Rows(want.begin(), want.begin() + static_cast<std::ptrdiff_t>(40 * vocabulary))));
  EXPECT_TRUE(same_bits(rest, Rows(want.begin() + static_cast<std::ptrdiff_t>(40 * vocabulary), want.end())));
}

TEST(Cancel, ARecurrentSequenceMustStartAgain) {
  const Fixture f("mamba2-dense");
  Session session = open_session(f.model, kOptions);
  std::atomic<bool> stop{true};
  const StepItem item{0, f.tokens, Logits::last};
  EXPECT_EQ(session.step(std::span(&item, 1), {.cancel = &stop}).error().code, Errc::cancelled);
  EXPECT_EQ(session.step(f.tokens).error().code, Errc::invalid_argument);
  ASSERT_TRUE(session.truncate(0, 0));
  EXPECT_TRUE(same_bits(feed(session, f.tokens), straight(f)));
}

/// Runs bodies one after another, the last first: workers that come late, or never while another one waits.
struct OneByOne final : Parallel {
  int workers() const override { return 4; }
  void run(int n, void (*body)(void*, int), void* user) override {
    for (int w = n - 1; w >= 0; --w) body(user, w);
  }
};
/// A fresh thread for each body, one of them late.
struct FreshThreads final : Parallel {
  int workers() const override { return 3; }
  void run(int n, void (*body)(void*, int), void* user) override {
    std::vector<std::thread> threads;
    for (int w = 0; w < n; ++w)
      threads.emplace_back([=] {
        if (w == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        body(user, w);
      });
    for (auto& t : threads) t.join();
  }
};

TEST(HostThreads, AnyOrderGivesTheSameBits) {
  const Fixture plain;
  const Rows want = straight(plain);
  OneByOne serial;
  FreshThreads fresh;
  for (Parallel* parallel : {static_cast<Parallel*>(&serial), static_cast<Parallel*>(&fresh)}) {
    const Fixture f("phi3-dense", {.parallel = parallel});
    SessionOptions options = kOptions;
    options.threads = 0;  // the host's
    Session session = open_session(f.model, options);
    EXPECT_EQ(session.options().threads, parallel->workers());
    EXPECT_TRUE(same_bits(feed(session, f.tokens, {30, 1}), want));
  }
}

}  // namespace
}  // namespace mainspring::inline v0::test
