#include "mainspring/context.h"

#include <algorithm>
#include <cstdlib>
#include <set>

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

/// Workers and their CPUs. A wrong list is an error for later: a constructor has none.
struct Crew {
  int workers = 1;
  std::vector<std::vector<int>> cpus;
};

Crew crew_of(const ContextOptions& options, Result<void>& checked) {
  if (options.parallel) return {};  // our pool stays unused
  Machine machine = read_machine();
  if (!options.cpus.empty()) {
    auto chosen = with_chosen(machine, options.cpus);
    if (chosen) machine = *std::move(chosen);
    else checked = std::move(chosen).error();
  }
  const int workers = std::min(options.threads > 0 ? options.threads : default_workers(machine), kMaxThreads);
  return {workers, bindings(machine, workers, node_of_caller(machine))};
}

Pool make_pool(const ContextOptions& options, Result<void>& checked) {
  Crew crew = crew_of(options, checked);
  return Pool(crew.workers, std::move(crew.cpus));
}

}  // namespace

Environment read_environment() {
  return {.cpu_isa = variable("MAINSPRING_CPU_ISA"), .passes = variable("MAINSPRING_PASSES"), .log = level_named(variable("MAINSPRING_LOG"))};
}

Context::Impl::Impl(const ContextOptions& options, Environment environment)
    : options_(options),
      environment_(std::move(environment)),
      log_threshold_(options.log ? std::optional(options.log_level) : environment_.log),
      pool_(make_pool(options, checked_)) {}

int Context::Impl::workers() const { return options_.parallel ? std::max(1, options_.parallel->workers()) : pool_.workers(); }

std::vector<int> Context::Impl::bound_cpus() const {
  std::set<int> all;
  for (const auto& cpus : pool_.cpus()) all.insert(cpus.begin(), cpus.end());
  return {all.begin(), all.end()};
}

Context::Context(const ContextOptions& options) : impl_(std::make_shared<Impl>(options, read_environment())) {}
const ContextOptions& Context::options() const { return impl_->options(); }
int Context::workers() const { return impl_->workers(); }
bool Context::bind_caller() const {
  const std::vector<int> cpus = impl_->bound_cpus();
  return cpus.empty() || bind_this_thread(cpus);
}

}  // namespace mainspring::inline v0
