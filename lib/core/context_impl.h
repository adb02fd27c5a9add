// What a Context holds. In: the host's options and the debugging environment, read once. Out: its threads, memory, log.
// Immutable after construction but for the pool, which synchronises itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/pool.h"
#include "mainspring/context.h"

namespace mainspring::inline v0 {

/// The debugging variables' values when the Context was made; empty where not set.
struct Environment {
  std::string cpu_isa;       ///< MAINSPRING_CPU_ISA
  std::string passes;        ///< MAINSPRING_PASSES
  std::optional<Level> log;  ///< MAINSPRING_LOG; an unknown word counts as not set
};
Environment read_environment();

struct Context::Impl {
 public:
  Impl(const ContextOptions& options, Environment environment);

  /// What is wrong with the options, if anything. Errors: invalid_argument.
  const Result<void>& checked() const { return checked_; }
  const ContextOptions& options() const { return options_; }
  const Environment& environment() const { return environment_; }
  /// The host's allocator, or the system's.
  Allocator& allocator() const { return options_.allocator ? *options_.allocator : system_allocator(); }
  /// The host's threads, or our own pool (which starts threads at the first run that wants them). Any thread may ask.
  Parallel& parallel() { return options_.parallel ? *options_.parallel : static_cast<Parallel&>(pool_); }
  /// Useful workers, at least 1.
  int workers() const;
  const Pool& pool() const { return pool_; }
  /// All CPUs that workers of our pool are bound to, in rising order; empty: none are.
  std::vector<int> bound_cpus() const;
  /// The cap on the instruction set: the environment's word where set (it is for debugging, so it wins), else the option's.
  const std::string& cpu_isa() const { return environment_.cpu_isa.empty() ? options_.cpu_isa : environment_.cpu_isa; }
  /// Whether a line of this level goes anywhere.
  bool logs(Level level) const { return log_threshold_ && level >= *log_threshold_; }

 private:
  ContextOptions options_;
  Environment environment_;
  std::optional<Level> log_threshold_;
  Result<void> checked_;
  Pool pool_;
};

}  // namespace mainspring::inline v0
