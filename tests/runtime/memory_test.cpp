// Memory is the host's: a step takes none, each allocation may fail, the plan tells the truth, sessions share what they can.
#include <atomic>
#include <cstdlib>
#include <new>

#include "runtime/fault_allocator.h"
#include "runtime/runner.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // gcc 12 looks into the replaced operators and sees malloc
#endif

namespace {
std::atomic<long> news{0};
void* counted(std::size_t n) {
  ++news;
  return std::malloc(n ? n : 1);
}
}  // namespace
void* operator new(std::size_t n) {
  if (void* p = counted(n)) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t n) { return operator new(n); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return counted(n); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return counted(n); }
void* operator new(std::size_t n, std::align_val_t a) {
  ++news;
  if (void* p = std::aligned_alloc(static_cast<std::size_t>(a), (n + static_cast<std::size_t>(a) - 1) / static_cast<std::size_t>(a) * static_cast<std::size_t>(a))) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace mainspring::inline v0::test {

long calls_of_new() { return news; }

namespace {

constexpr const char* kModels[] = {"phi3-dense", "gemma3-dense", "gpt-oss-moe", "mamba2-dense", "qwen35-dense", "deepseek2-moe"};

TEST(StepMemory, AStepAllocatesNothing) {
  for (const char* name : kModels) {
    const std::string bytes = arch_model(zoo_model(name)).file(DType::q4_0);
    FaultAllocator allocator;
    const Model model = open_file(bytes, {.threads = 2, .allocator = &allocator});
    Session session = open_session(model, {.max_context = 200, .max_sequences = 2, .max_batch_tokens = 32, .threads = 2});
    const std::vector<int32_t> tokens = ids(100, model.vocabulary_size());
    ASSERT_TRUE(session.step(std::span(tokens).first(1)));  // starts the pool's threads (context.h)
    ASSERT_TRUE(session.truncate(0, 0));
    const long before = news, calls = allocator.calls;
    bool ok = true;
    auto r = session.step(tokens, 0, {.budget = std::chrono::nanoseconds(1)});
    while (r && r->in_progress) r = session.resume({.budget = std::chrono::microseconds(50)});
    ok &= r.has_value();
    for (int i = 0; i < 8; ++i) {
      const StepItem items[] = {{0, std::span(tokens).subspan(static_cast<size_t>(i), 1), Logits::last}, {1, std::span(tokens).first(3), Logits::none}};
      ok &= session.step(items).has_value();
    }
    ok &= session.truncate(0, 0).has_value() && session.step(std::span(tokens).first(5)).has_value();
    EXPECT_EQ(news - before, 0) << name;
    EXPECT_EQ(allocator.calls - calls, 0) << name;
    EXPECT_TRUE(ok) << name;
  }
}

TEST(FailingMemory, EachAllocationFailedOnceIsAnErrorAndNoLeak) {
  for (const char* name : kModels) {
    const std::string bytes = arch_model(zoo_model(name)).file(DType::q8_0);
    const std::vector<int32_t> tokens = ids(20, 64);
    const Model other_model = open_file(bytes);
    Session other = open_session(other_model, {.max_context = 64, .threads = 1});
    long failures = 0;
    for (long n = 1;; ++n) {
      ASSERT_LT(n, 10000);
      FaultAllocator allocator;
      allocator.fail_at = n;
      {
        const Context context({.threads = 1, .allocator = &allocator});
        const auto attempt = [&]() -> Result<void> {
          MAINSPRING_TRY(const Model model, Model::open(std::as_bytes(std::span(bytes)), {.context = &context}));
          MAINSPRING_TRY(Session session, Session::create(model, {.max_context = 64}));
          MAINSPRING_TRY(const StepResult r, session.step(tokens));
          EXPECT_EQ(r.rows, 1);
          return {};
        };
        const auto result = attempt();
        if (result) {
          EXPECT_LT(allocator.calls, n) << name << ": allocation " << n << " failed and nobody noticed";
          EXPECT_EQ(allocator.live, 0) << name;
          break;
        }
        EXPECT_EQ(result.error().code, Errc::out_of_memory) << name << ": " << result.error().message;
        ++failures;
      }
      EXPECT_EQ(allocator.live, 0) << name << " leaks when allocation " << n << " fails";
    }
    EXPECT_GT(failures, 3) << name;
    EXPECT_TRUE(other.step(tokens)) << name;
  }
}

TEST(MemoryPlan, TellsBeforehandWhatASessionTakes) {
  for (const char* name : kModels) {
    const std::string bytes = arch_model(zoo_model(name)).file(DType::q4_0);
    FaultAllocator allocator;
    const Model model = open_file(bytes, {.threads = 2, .allocator = &allocator});
    const SessionOptions options{.max_context = 2000, .max_sequences = 3, .threads = 2};
    const long base = allocator.live;
    auto plan = Session::plan_memory(model, options);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(allocator.live, base) << name << ": planning keeps memory";
    Session session = open_session(model, options);
    EXPECT_EQ(plan->total(), session.memory().total()) << name;
    const double took = static_cast<double>(allocator.live - base), told = static_cast<double>(plan->total() - plan->weights_file);
    EXPECT_NEAR(took / told, 1.0, 0.03) << name << " took " << took << ", told " << told;

    const long one = allocator.live;
    Session second = open_session(model, options);
    const auto more = static_cast<size_t>(allocator.live - one);
    EXPECT_LE(more, static_cast<size_t>(took) - plan->panels + 4096) << name << ": panels are not shared";
  }
}

}  // namespace
}  // namespace mainspring::inline v0::test
