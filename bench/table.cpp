#include "bench/table.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "bench/machine.h"

namespace bench {

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2;
}

void fail(const std::string& message) {
  fmt::print(stderr, "error: {}\n", message);
  std::exit(1);
}

void write_json(const std::string& path, const std::vector<Timing>& timings) {
  std::string rows;
  for (const Timing& t : timings)
    for (size_t i = 0; i < t.seconds.size(); ++i)
      rows += fmt::format("{}\n    {{\"name\": \"{}\", \"run_name\": \"{}\", \"run_type\": \"iteration\", \"repetition_index\": {}, \"real_time\": {}, \"time_unit\": \"ns\"}}",
                          rows.empty() ? "" : ",", t.name, t.name, i, t.seconds[i] * 1e9);
  std::FILE* f = std::fopen(path.c_str(), "w");
  if (!f) fail(path + ": cannot be written");
  fmt::print(f, "{{\n  \"context\": {{\"machine\": \"{}\", \"commit\": \"{}\"}},\n  \"benchmarks\": [{}\n  ]\n}}\n", machine_line(), commit(), rows);
  if (std::fclose(f) != 0) fail(path + ": cannot be written");
}

Arguments::Arguments(int count, char** values, std::string usage_line) : rest_(values + 1, values + count), usage_(std::move(usage_line)) {
  if (rest_.empty() || rest_[0].starts_with("--")) usage("no model");
  operand_ = rest_[0];
  rest_.erase(rest_.begin());
}

void Arguments::usage(const std::string& why) const {
  fmt::print(stderr, "{}\nusage: {}\n", why, usage_);
  std::exit(2);
}

std::string Arguments::text(const std::string& name) {
  const auto at = std::find(rest_.begin(), rest_.end(), name);
  if (at == rest_.end()) return {};
  if (at + 1 == rest_.end()) usage(name + " needs a value");
  std::string value = *(at + 1);
  rest_.erase(at, at + 2);
  return value;
}

bool Arguments::flag(const std::string& name) {
  const auto at = std::find(rest_.begin(), rest_.end(), name);
  if (at == rest_.end()) return false;
  rest_.erase(at);
  return true;
}

std::vector<int> Arguments::numbers(const std::string& name, std::vector<int> otherwise) {
  const std::string list = text(name);
  if (list.empty()) return otherwise;
  std::vector<int> all;
  for (const char *p = list.data(), *end = p + list.size();; ++p) {
    int n = -1;
    const auto [after, error] = std::from_chars(p, end, n);
    if (error != std::errc() || n < 0 || (after != end && *after != ',')) usage(fmt::format("{} {}: expected whole numbers, separated by commas", name, list));
    all.push_back(n);
    p = after;
    if (p == end) return all;
  }
}

void Arguments::done() const {
  if (!rest_.empty()) usage("unknown argument " + rest_[0]);
}

}  // namespace bench
