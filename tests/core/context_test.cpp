#include "mainspring/context.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/context_impl.h"
#include "core/log.h"
#include "core/topology.h"

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

}  // namespace
