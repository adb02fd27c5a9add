// Measurements of whole runs: repeated timings by name, printed as a table, written as JSON in the shape of Google Benchmark for compare.py.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "mainspring/result.h"

namespace bench {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

double median(std::vector<double> values);

struct Timing {
  std::string name;
  std::vector<double> seconds;  ///< of each repetition
};
/// Writes to `path`; ends the program with a message where that fails.
void write_json(const std::string& path, const std::vector<Timing>& timings);

/// Prints to stderr and ends the program.
[[noreturn]] void fail(const std::string& message);

template <class T>
T must(mainspring::Result<T> result) {
  if (!result) fail(result.error().message);
  return *std::move(result);
}
inline void must(mainspring::Result<void> result) {
  if (!result) fail(result.error().message);
}

/// The command line of a program with one operand and options of the form --name VALUE.
class Arguments {
 public:
  Arguments(int count, char** values, std::string usage);
  const std::string& operand() const { return operand_; }
  /// Whole numbers, separated by commas.
  std::vector<int> numbers(const std::string& name, std::vector<int> otherwise);
  int number(const std::string& name, int otherwise) { return numbers(name, {otherwise})[0]; }
  std::string text(const std::string& name);
  bool flag(const std::string& name);
  /// To be called when all options were asked for: what is left is a mistake.
  void done() const;

 private:
  [[noreturn]] void usage(const std::string& why) const;
  std::vector<std::string> rest_;
  std::string usage_, operand_;
};

}  // namespace bench
