#include "core/topology.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <tuple>

#include <fmt/format.h>

#include "core/error.h"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace mainspring::inline v0 {
namespace {

constexpr int kMostCpus = 1 << 18;

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

#if defined(__linux__)
/// The kernel's bit mask of CPUs, as large as asked: a cpu_set_t alone ends at 1024.
class CpuMask {
 public:
  explicit CpuMask(int room) : room_(room), bits_(CPU_ALLOC_SIZE(room) / sizeof(cpu_set_t) + 1) {}
  size_t bytes() const { return CPU_ALLOC_SIZE(room_); }
  cpu_set_t* get() { return bits_.data(); }
  void add(int cpu) { CPU_SET_S(cpu, bytes(), get()); }
  std::vector<int> numbers() const {
    std::vector<int> out;
    for (int i = 0; i < room_; ++i)
      if (CPU_ISSET_S(i, bytes(), bits_.data())) out.push_back(i);
    return out;
  }

 private:
  int room_;
  std::vector<cpu_set_t> bits_;
};
#endif

std::vector<int> allowed_cpus() {
#if defined(__linux__)
  for (int room = 1024; room <= kMostCpus; room *= 2)  // EINVAL asks for more
    if (CpuMask mask(room); sched_getaffinity(0, mask.bytes(), mask.get()) == 0) return mask.numbers();
#endif
  std::vector<int> ids;
  for (int i = 0; i < static_cast<int>(std::thread::hardware_concurrency()); ++i) ids.push_back(i);
  return ids;
}

/// What the system tells of a core's speed (0: nothing), in one unit for all: the scheduler's capacity (ARM), the kinds of an Intel hybrid, else the clock.
/// `slow`: a hybrid's slow threads, none elsewhere.
double speed_of(const std::string& root, int id, const std::optional<std::vector<int>>& slow) {
  const auto told = [](const std::optional<std::string>& text) { return text ? number(*text).value_or(0) : 0; };
  const std::string cpu = fmt::format("{}/sys/devices/system/cpu/cpu{}", root, id);
  if (const double capacity = told(read_text(cpu + "/cpu_capacity")); capacity > 0) return capacity;
  if (slow) return std::binary_search(slow->begin(), slow->end(), id) ? 0.5 : 1;  // half the vector width a cycle
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

std::optional<std::vector<int>> numbers_of_list(std::string_view list) {
  while (!list.empty() && (list.back() == '\n' || list.back() == ' ')) list.remove_suffix(1);
  std::set<int> numbers;
  for (const char *p = list.data(), *end = p + list.size();; ++p) {
    int first = 0;
    const auto [after, error] = std::from_chars(p, end, first);
    int last = first;
    if (error != std::errc{} || first < 0) return std::nullopt;
    p = after;
    if (p < end && *p == '-') {
      const auto [behind, bad] = std::from_chars(p + 1, end, last);
      if (bad != std::errc{}) return std::nullopt;
      p = behind;
    }
    if (last < first || last >= kMostCpus) return std::nullopt;
    for (int n = first; n <= last; ++n) numbers.insert(n);
    if (p == end) return std::vector<int>(numbers.begin(), numbers.end());
    if (*p != ',') return std::nullopt;
  }
}

std::string list_of_numbers(const std::vector<int>& rising) {
  std::string out;
  for (size_t i = 0, last = 0; i < rising.size(); i = last + 1) {
    for (last = i; last + 1 < rising.size() && rising[last + 1] == rising[last] + 1;) ++last;
    out += fmt::format("{}{}", out.empty() ? "" : ",", rising[i]);
    if (last > i) out += fmt::format("-{}", rising[last]);
  }
  return out;
}

namespace {

/// One of the machine's useful hardware threads in the order in which workers take them.
struct Home {
  int group;  // 0: of a fast core, 1: of a slow one, 2: a further thread of a core (3, ...: the next)
  int turn;   // of its node
  int id, node;
  auto key() const { return std::tuple(group, turn, id); }
};

constexpr double kSlow = 0.7;  // of the fastest core

std::vector<Home> homes_of(const Machine& machine, int first_node) {
  double fastest = 0;
  for (const MachineCpu& cpu : machine.cpus)
    if (cpu.allowed) fastest = std::max(fastest, cpu.speed);
  std::vector<Home> homes;
  std::map<int, int> taken;  // hardware threads of each core so far
  std::vector<MachineCpu> cpus = machine.cpus;
  std::sort(cpus.begin(), cpus.end(), [](const MachineCpu& a, const MachineCpu& b) { return a.id < b.id; });
  for (const MachineCpu& cpu : cpus) {
    if (!cpu.allowed) continue;
    const int before = machine.chosen ? 0 : taken[cpu.core]++;
    const bool slow = !machine.chosen && cpu.speed < kSlow * fastest;
    homes.push_back({before > 0 ? before + 1 : slow ? 1 : 0, cpu.node == first_node ? -1 : cpu.node, cpu.id, cpu.node});
  }
  std::sort(homes.begin(), homes.end(), [](const Home& a, const Home& b) { return a.key() < b.key(); });
  return homes;
}

}  // namespace

std::vector<int> placement(const Machine& machine, int workers, int first_node) {
  const std::vector<Home> homes = homes_of(machine, first_node);
  std::vector<int> out;
  for (int w = 0; w < workers && !homes.empty(); ++w) out.push_back(homes[static_cast<size_t>(w) % homes.size()].id);
  return out;
}

std::vector<std::vector<int>> bindings(const Machine& machine, int workers, int first_node) {
  const std::vector<Home> homes = homes_of(machine, first_node);
  if (homes.empty() || workers < 1) return {};
  const int last_group = homes[std::min(static_cast<size_t>(workers), homes.size()) - 1].group;
  std::map<int, std::vector<int>> sets;  // by node
  for (const Home& h : homes)
    if (h.group <= last_group) sets[h.node].push_back(h.id);
  const bool everything = sets.size() == 1 && sets.begin()->second.size() == homes.size();
  if (everything && !machine.chosen) return {};
  for (auto& [node, ids] : sets) std::sort(ids.begin(), ids.end());
  std::vector<std::vector<int>> out;
  for (int w = 0; w < workers; ++w) out.push_back(sets[homes[static_cast<size_t>(w) % homes.size()].node]);
  return out;
}

Result<Machine> with_chosen(Machine machine, std::string_view list) {
  const auto numbers = numbers_of_list(list);
  if (!numbers) return invalid("cpus: '{}' is not a list such as 0-3,8", list);
  std::vector<int> usable;
  for (const MachineCpu& cpu : machine.cpus)
    if (cpu.allowed) usable.push_back(cpu.id);
  std::sort(usable.begin(), usable.end());
  for (const int n : *numbers)
    if (!std::binary_search(usable.begin(), usable.end(), n))
      return invalid("cpus: '{}' names {}, but this process may use {}", list, n, usable.empty() ? "none" : list_of_numbers(usable));
  for (MachineCpu& cpu : machine.cpus) cpu.allowed = std::binary_search(numbers->begin(), numbers->end(), cpu.id);
  machine.chosen = true;
  return machine;
}

bool bind_this_thread(const std::vector<int>& cpus) {
#if defined(__linux__)
  if (cpus.empty()) return false;
  CpuMask mask(*std::max_element(cpus.begin(), cpus.end()) + 1);
  for (const int cpu : cpus) mask.add(cpu);
  return sched_setaffinity(0, mask.bytes(), mask.get()) == 0;
#else
  return cpus.empty();
#endif
}

int this_cpu() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

void make_way_on(int cpu) {
#if defined(__linux__)
  if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getcpu() != cpu) return;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;  // more CPUs than this set holds: stay
  cpu_set_t others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
#else
  static_cast<void>(cpu);
#endif
}

int node_of_caller(const Machine& machine) {
  const int here = this_cpu();
  for (const MachineCpu& cpu : machine.cpus)
    if (cpu.id == here) return cpu.node;
  return -1;
}

int default_workers(const Machine& machine) {
  double fast_worth = 0, slow_worth = 0;
  int fast = 0, slow = 0, further = 0;
  std::map<int, double> speeds;  // of the cores
  for (const MachineCpu& cpu : machine.cpus)
    if (cpu.allowed) speeds[cpu.id] = cpu.speed;
  for (const Home& h : homes_of(machine, -1)) {
    if (h.group == 0) ++fast, fast_worth += speeds[h.id];
    if (h.group == 1) ++slow, slow_worth += speeds[h.id];
    if (h.group > 1) ++further;
  }
  int workers = slow_worth > fast_worth ? fast + slow : fast;
  if (workers == 1 && machine.hypervisor) workers += further;
  if (machine.quota > 0 && machine.quota < workers) workers = static_cast<int>(std::floor(machine.quota));
  return std::max(workers, 1);
}

Machine read_machine(const std::string& root) {
  Machine machine;
  const bool hybrid = read_text(root + "/sys/devices/cpu_core/cpus").has_value();
  const auto list = [&](const std::string& path) {
    const auto text = read_text(root + path);
    return text ? numbers_of_list(*text) : std::nullopt;
  };
  const auto slow = hybrid ? list("/sys/devices/cpu_atom/cpus") : std::nullopt;
  for (int id : allowed_cpus()) {
    const auto siblings = list(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", id));
    machine.cpus.push_back({.id = id, .core = siblings ? siblings->front() : id, .allowed = true, .speed = speed_of(root, id, slow)});
  }
  for (const int node : list("/sys/devices/system/node/online").value_or(std::vector<int>{}))
    if (const auto members = list(fmt::format("/sys/devices/system/node/node{}/cpulist", node)))
      for (MachineCpu& cpu : machine.cpus)
        if (std::binary_search(members->begin(), members->end(), cpu.id)) cpu.node = node;
  if (std::any_of(machine.cpus.begin(), machine.cpus.end(), [](const MachineCpu& cpu) { return cpu.speed <= 0; }))
    for (MachineCpu& cpu : machine.cpus) cpu.speed = 1;  // told of some only: no comparison
  machine.quota = read_quota(root);
  machine.hypervisor = under_hypervisor();
  return machine;
}

}  // namespace mainspring::inline v0
