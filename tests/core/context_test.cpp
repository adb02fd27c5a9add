#include "mainspring/context.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "core/context_impl.h"
#include "core/log.h"
#include "core/topology.h"
#include "mainspring/model.h"

namespace {

using namespace mainspring;

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

struct Line {
  Level level;
  std::string text;
};
void collect(void* user, Level level, std::string_view line) { static_cast<std::vector<Line>*>(user)->push_back({level, std::string(line)}); }

class Serial final : public Parallel {
 public:
  int workers() const override { return claimed; }
  void run(int workers, void (*body)(void*, int), void* user) override {
    for (int w = workers; w-- > 0;) body(user, w);
  }
  int claimed = 7;
};

TEST(Context, DefaultsToTheMachine) {
  const Context context;
  EXPECT_EQ(context.workers(), default_workers(read_machine()));
  EXPECT_EQ(&context.impl()->allocator(), &system_allocator());
  EXPECT_EQ(context.impl()->parallel().workers(), context.workers());
}

TEST(Context, TakesWhatTheHostLends) {
  Serial serial;
  ContextOptions options;
  options.parallel = &serial;
  options.threads = 3;
  const Context context(options);
  EXPECT_EQ(context.workers(), 7);
  EXPECT_EQ(&context.impl()->parallel(), &serial);
  serial.claimed = 0;  // a host that says none still has the calling thread
  EXPECT_EQ(context.workers(), 1);
  options.parallel = nullptr;
  EXPECT_EQ(Context(options).workers(), 3);
  options.threads = -5;
  EXPECT_GE(Context(options).workers(), 1);
  options.threads = 1 << 30;
  EXPECT_LE(Context(options).workers(), 1024);
}

TEST(Context, CopiesShareEverything) {
  ContextOptions options;
  options.threads = 2;
  const Context a(options);
  const Context b = a;
  EXPECT_EQ(&a.impl()->parallel(), &b.impl()->parallel());
}

TEST(Context, LogsFromTheChosenLevel) {
  std::vector<Line> lines;
  ContextOptions options;
  options.log = collect;
  options.log_user = &lines;
  options.log_level = Level::warning;
  const Context context(options);
  log(context, Level::info, "not {}", "this");
  log(context, Level::warning, "this {}", 1);
  log(context, Level::error, "and {:.1f}", 2.0);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].text, "this 1");
  EXPECT_EQ(lines[1].level, Level::error);
  EXPECT_EQ(lines[1].text, "and 2.0");
}

TEST(Context, IsSilentByDefault) {
  testing::internal::CaptureStderr();
  log(Context(), Level::error, "nobody hears this");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  const Variable log_variable("MAINSPRING_LOG", "shout");
  testing::internal::CaptureStderr();
  log(Context(), Level::error, "nor this");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Context, ReadsTheEnvironmentOnce) {
  ContextOptions options;
  options.cpu_isa = "avx512";
  std::vector<Line> lines;
  ContextOptions logging;
  logging.log = collect;
  logging.log_user = &lines;
  {
    const Variable isa("MAINSPRING_CPU_ISA", "scalar"), passes("MAINSPRING_PASSES", "-cse"), level("MAINSPRING_LOG", "warning");
    const Context context(options);
    unsetenv("MAINSPRING_CPU_ISA");
    EXPECT_EQ(context.impl()->cpu_isa(), "scalar");
    EXPECT_EQ(context.impl()->environment().passes, "-cse");
    testing::internal::CaptureStderr();
    log(context, Level::info, "low");
    log(context, Level::warning, "high");
    log(Context(logging), Level::info, "a host with a sink gets its own lines");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "mainspring warning: high\n");
    EXPECT_EQ(lines.size(), 1u);
  }
  EXPECT_EQ(Context(options).impl()->cpu_isa(), "avx512");
  EXPECT_EQ(Context().impl()->cpu_isa(), "");
}

TEST(Context, ChosenCpus) {
  const int first = read_machine().cpus.front().id;
  const Context context({.cpus = std::to_string(first)});
  EXPECT_TRUE(context.impl()->checked());
  EXPECT_EQ(context.workers(), 1);
  EXPECT_EQ(context.impl()->bound_cpus(), std::vector{first});
  EXPECT_EQ(Context({.threads = 3, .cpus = std::to_string(first)}).workers(), 3);
  std::thread caller([&] {  // a thread of its own: the binding ends with it
    EXPECT_TRUE(context.bind_caller());
    EXPECT_EQ(read_machine().cpus.size(), 1u);
    EXPECT_EQ(read_machine().cpus.front().id, first);
  });
  caller.join();
}

TEST(Context, WrongCpusAreToldAtOpen) {
  const Context context({.cpus = "0-x"});
  const auto model = Model::open("/nowhere", {.context = &context});
  const std::byte bytes[4] = {};
  const auto from_memory = Model::open(bytes, {.context = &context});
  ASSERT_FALSE(from_memory);
  EXPECT_EQ(from_memory.error().code, Errc::invalid_argument);
  EXPECT_EQ(from_memory.error().message, "cpus: '0-x' is not a list such as 0-3,8");
  EXPECT_FALSE(model);
}

TEST(Context, CpusAreNoBusinessOfLentThreads) {
  Serial serial;
  const Context context({.parallel = &serial, .cpus = "nonsense"});
  EXPECT_TRUE(context.impl()->checked());
  EXPECT_TRUE(context.impl()->bound_cpus().empty());
}

}  // namespace
