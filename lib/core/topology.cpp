#include "core/topology.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <thread>

#include <fmt/format.h>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace mainspring::inline v0 {
namespace {

// Small files of /sys and /proc: their size isn't known before they are read.
std::optional<std::string> read_text(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (!file) return std::nullopt;
  std::string text(16384, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

std::optional<double> number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return static_cast<double>(value);
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

double smaller_quota(double a, double b) { return a > 0 && b > 0 ? std::min(a, b) : std::max(a, b); }

// cgroup v2: "max 100000" or "150000 100000" (microseconds of each period).
double quota_v2(const std::string& folder) {
  const auto text = read_text(folder + "/cpu.max");
  if (!text) return 0;
  const std::string_view line = first_line(*text);
  const size_t space = line.find(' ');
  if (space == line.npos) return 0;
  const auto time = number(line.substr(0, space)), period = number(line.substr(space + 1));
  return time && period && *time > 0 && *period > 0 ? *time / *period : 0;
}

double quota_v1(const std::string& folder) {
  const auto time_text = read_text(folder + "/cpu.cfs_quota_us"), period_text = read_text(folder + "/cpu.cfs_period_us");
  if (!time_text || !period_text) return 0;
  const auto time = number(*time_text), period = number(*period_text);
  return time && period && *time > 0 && *period > 0 ? *time / *period : 0;
}

// A limit binds at every level, so we walk from the process's group up to the root of what we can see.
template <class Quota>
double quota_upwards(const std::string& mount, std::string group, Quota quota) {
  double least = 0;
  for (;;) {
    least = smaller_quota(least, quota(mount + group));
    const size_t slash = group.rfind('/');
    if (slash == group.npos || group.empty()) return least;
    group.resize(slash);
  }
}

// Lines "0::/a/b" (v2) and "4:cpu,cpuacct:/a/b" (v1).
double read_quota(const std::string& root) {
  const auto text = read_text(root + "/proc/self/cgroup");
  if (!text) return 0;
  double least = 0;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view line = first_line(rest);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const size_t a = line.find(':'), b = a == line.npos ? a : line.find(':', a + 1);
    if (b == line.npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(a + 1, b - a - 1));
    std::string group(line.substr(b + 1));
    if (group == "/") group.clear();
    if (controllers == ",,") least = smaller_quota(least, quota_upwards(root + "/sys/fs/cgroup", group, quota_v2));
    if (controllers.find(",cpu,") != controllers.npos) least = smaller_quota(least, quota_upwards(root + "/sys/fs/cgroup/cpu", group, quota_v1));
  }
  return least;
}

std::vector<int> allowed_cpus() {
  std::vector<int> ids;
#if defined(__linux__)
  // The mask must be as large as the kernel's own; EINVAL asks for more.
  for (int room = 1024; room <= 1 << 18; room *= 2) {
    cpu_set_t* set = CPU_ALLOC(room);
    if (!set) break;
    const size_t bytes = CPU_ALLOC_SIZE(room);
    CPU_ZERO_S(bytes, set);
    const bool ok = sched_getaffinity(0, bytes, set) == 0;
    for (int i = 0; ok && i < room; ++i)
      if (CPU_ISSET_S(i, bytes, set)) ids.push_back(i);
    CPU_FREE(set);
    if (ok) break;
  }
#endif
  if (ids.empty())
    for (int i = 0; i < static_cast<int>(std::thread::hardware_concurrency()); ++i) ids.push_back(i);
  return ids;
}

/// What the system tells of a core's speed (0: nothing), in one unit for all: the scheduler's capacity (ARM), the kinds of an Intel hybrid, else the clock.
/// `slow`: the list of a hybrid's slow threads, none elsewhere.
double speed_of(const std::string& root, int id, const std::optional<std::string>& slow) {
  const auto told = [](const std::optional<std::string>& text) { return text ? number(*text).value_or(0) : 0; };
  const std::string cpu = fmt::format("{}/sys/devices/system/cpu/cpu{}", root, id);
  if (const double capacity = told(read_text(cpu + "/cpu_capacity")); capacity > 0) return capacity;
  if (slow) return list_holds(*slow, id) ? 0.5 : 1;  // half the vector width a cycle
  return told(read_text(cpu + "/cpufreq/cpuinfo_max_freq"));
}

bool under_hypervisor() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c >> 31 & 1);  // the bit that hypervisors set and no processor does
#else
  return false;
#endif
}

}  // namespace

int first_of_list(std::string_view list) {
  int value = -1;
  const auto [end, error] = std::from_chars(list.data(), list.data() + list.size(), value);
  return error == std::errc{} && value >= 0 ? value : -1;
}

bool list_holds(std::string_view list, int number) {
  for (const char *p = list.data(), *end = p + list.size(); p < end;) {
    int first = 0;
    const auto [after, error] = std::from_chars(p, end, first);
    if (error != std::errc{}) return false;
    int last = first;
    p = after;
    if (p < end && *p == '-') {
      const auto [behind, bad] = std::from_chars(p + 1, end, last);
      if (bad != std::errc{}) return false;
      p = behind;
    }
    if (number >= first && number <= last) return true;
    if (p == end || *p != ',') return false;
    ++p;
  }
  return false;
}

int default_workers(const Machine& machine) {
  constexpr double kSlow = 0.7;  // of the fastest core
  std::map<int, double> cores;   // with the speed of each
  int threads = 0;
  double fastest = 0;
  for (const MachineCpu& cpu : machine.cpus) {
    if (!cpu.allowed) continue;
    double& speed = cores[cpu.core];
    speed = std::max(speed, cpu.speed);
    fastest = std::max(fastest, speed);
    ++threads;
  }
  int fast = 0;
  double fast_worth = 0, slow_worth = 0;
  for (const auto& [core, speed] : cores) {
    const bool is_fast = speed >= kSlow * fastest;
    fast += is_fast;
    (is_fast ? fast_worth : slow_worth) += speed;
  }
  int workers = slow_worth > fast_worth ? static_cast<int>(cores.size()) : fast;
  if (workers == 1 && machine.hypervisor) workers = threads;
  if (machine.quota > 0 && machine.quota < workers) workers = static_cast<int>(std::floor(machine.quota));
  return std::max(workers, 1);
}

Machine read_machine(const std::string& root) {
  Machine machine;
  const bool hybrid = read_text(root + "/sys/devices/cpu_core/cpus").has_value();
  const auto slow = hybrid ? read_text(root + "/sys/devices/cpu_atom/cpus") : std::nullopt;
  for (int id : allowed_cpus()) {
    const auto siblings = read_text(fmt::format("{}/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", root, id));
    const int first = siblings ? first_of_list(*siblings) : -1;
    machine.cpus.push_back({.id = id, .core = first >= 0 ? first : id, .allowed = true, .speed = speed_of(root, id, slow)});
  }
  if (std::any_of(machine.cpus.begin(), machine.cpus.end(), [](const MachineCpu& cpu) { return cpu.speed <= 0; }))
    for (MachineCpu& cpu : machine.cpus) cpu.speed = 1;  // told of some only: no comparison
  machine.quota = read_quota(root);
  machine.hypervisor = under_hypervisor();
  return machine;
}

}  // namespace mainspring::inline v0
