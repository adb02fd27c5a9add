#include "mainspring/context.h"

#include <algorithm>
#include <cstdlib>

#include "core/context_impl.h"
#include "core/topology.h"

namespace mainspring::inline v0 {
namespace {

// A wrong number must not start a million threads.
constexpr int kMaxThreads = 1024;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::optional<Level> level_named(std::string_view word) {
  if (word == "debug") return Level::debug;
  if (word == "info") return Level::info;
  if (word == "warning") return Level::warning;
  if (word == "error") return Level::error;
  return std::nullopt;
}

int pool_size(const ContextOptions& options) {
  if (options.parallel) return 1;  // our pool stays unused
  if (options.threads > 0) return std::min(options.threads, kMaxThreads);
  return std::min(default_workers(read_machine()), kMaxThreads);
}

}  // namespace

Environment read_environment() {
  return {.cpu_isa = variable("MAINSPRING_CPU_ISA"), .passes = variable("MAINSPRING_PASSES"), .log = level_named(variable("MAINSPRING_LOG"))};
}

Context::Impl::Impl(const ContextOptions& options, Environment environment)
    : options_(options),
      environment_(std::move(environment)),
      log_threshold_(options.log ? std::optional(options.log_level) : environment_.log),
      pool_(pool_size(options)) {}

int Context::Impl::workers() const { return options_.parallel ? std::max(1, options_.parallel->workers()) : pool_.workers(); }

Context::Context(const ContextOptions& options) : impl_(std::make_shared<Impl>(options, read_environment())) {}
const ContextOptions& Context::options() const { return impl_->options(); }
int Context::workers() const { return impl_->workers(); }

}  // namespace mainspring::inline v0
