#include "core/topology.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sched.h>

namespace {

using namespace mainspring;

// Cores of `per_core` hardware threads, numbered as Linux does: all first threads, then all second ones.
Machine machine(int cores, int per_core, double quota = 0, bool hypervisor = false) {
  Machine m{.cpus = {}, .quota = quota, .hypervisor = hypervisor};
  for (int t = 0; t < per_core; ++t)
    for (int c = 0; c < cores; ++c) m.cpus.push_back({.id = t * cores + c, .core = c, .allowed = true});
  return m;
}

TEST(Topology, OneWorkerForEachPhysicalCore) {
  struct Row { Machine machine; int workers; const char* what; };
  const Row rows[] = {
      {machine(8, 2), 8, "desktop with hyper-threads"},
      {machine(64, 1), 64, "no hyper-threads"},
      {machine(4, 8), 4, "eight threads a core"},
      {machine(1, 1), 1, "one of all"},
      {machine(1, 2), 1, "one real core, two threads"},
      {machine(1, 2, 0, true), 2, "rented machine that shows two threads of a core"},
      {machine(2, 1, 0, true), 2, "rented machine that shows two cores"},
      {machine(16, 2, 0, true), 16, "large virtual machine: its topology is believed"},
      {machine(8, 2, 4), 4, "container with four processors"},
      {machine(8, 2, 2.5), 2, "quota is rounded down"},
      {machine(8, 2, 0.5), 1, "but at least one"},
      {machine(8, 2, 100), 8, "a quota above the machine"},
      {machine(1, 2, 1, true), 1, "rented machine with a quota"},
      {Machine{}, 1, "nothing is known"},
  };
  for (const Row& row : rows) EXPECT_EQ(default_workers(row.machine), row.workers) << row.what;
}

// Fast cores with two threads each, then slow cores with one.
Machine hybrid(int fast, int slow, double slow_speed, int per_fast = 2) {
  Machine m = machine(fast, per_fast);
  for (int i = 0; i < slow; ++i) m.cpus.push_back({.id = fast * per_fast + i, .core = fast * per_fast + i, .allowed = true, .speed = slow_speed});
  return m;
}

TEST(Topology, SlowCoresAreLeftOutUnlessTheyAreWorthMore) {
  struct Row { Machine machine; int workers; const char* what; };
  const Row rows[] = {
      {hybrid(6, 8, 0.5), 6, "laptop of 6 and 8"},
      {hybrid(8, 16, 0.5), 8, "desktop of 8 and 16: worth as much, not more"},
      {hybrid(2, 8, 0.5), 10, "small laptop of 2 and 8"},
      {hybrid(4, 4, 0.4, 1), 4, "phone of 4 and 4"},
      {hybrid(1, 3, 0.85, 1), 4, "one best core, three a little slower"},
      {hybrid(4, 4, 0.9), 8, "favoured cores"},
      {hybrid(0, 4, 0.5), 4, "slow cores only"},
  };
  for (const Row& row : rows) EXPECT_EQ(default_workers(row.machine), row.workers) << row.what;
  Machine m = hybrid(6, 8, 0.5);
  for (MachineCpu& cpu : m.cpus) cpu.allowed = cpu.id >= 12;
  EXPECT_EQ(default_workers(m), 8) << "a process that is kept on the slow ones";
  m = hybrid(6, 8, 0.5);
  m.quota = 3;
  EXPECT_EQ(default_workers(m), 3);
}

TEST(Topology, AffinityCounts) {
  Machine m = machine(8, 2);
  for (MachineCpu& cpu : m.cpus) cpu.allowed = cpu.core < 3;
  EXPECT_EQ(default_workers(m), 3);
  for (MachineCpu& cpu : m.cpus) cpu.allowed = cpu.id >= 8;  // the second threads only: each core still counts
  EXPECT_EQ(default_workers(m), 8);
  for (MachineCpu& cpu : m.cpus) cpu.allowed = false;
  EXPECT_EQ(default_workers(m), 1);
}

TEST(Topology, Lists) {
  using Numbers = std::vector<int>;
  const std::pair<const char*, Numbers> good[] = {{"0-1\n", {0, 1}}, {"3,67\n", {3, 67}}, {"12", {12}}, {"0-1,3,8-8\n", {0, 1, 3, 8}}, {"8,0-2,1", {0, 1, 2, 8}}, {"262143", {262143}}};
  for (const auto& [text, numbers] : good) EXPECT_EQ(numbers_of_list(text), numbers) << text;
  for (const char* bad : {"", "\n", "x", "1-", "1-x", "0;1", "-3", "3-1", "1,", ",1", "0-3 ,8", "0-262144", "99999999999999"}) EXPECT_EQ(numbers_of_list(bad), std::nullopt) << bad;
  EXPECT_EQ(list_of_numbers({}), "");
  EXPECT_EQ(list_of_numbers({0, 1, 2, 5, 8, 9}), "0-2,5,8-9");
}

// Fast cores 0.. of each node in turn, then their second threads, as two sockets of two nodes are numbered.
Machine nodes(int count, int cores, int per_core) {
  Machine m = machine(count * cores, per_core);
  for (MachineCpu& cpu : m.cpus) cpu.node = cpu.core / cores;
  return m;
}

Machine allowing(Machine m, std::vector<int> ids) {
  for (MachineCpu& cpu : m.cpus) cpu.allowed = std::find(ids.begin(), ids.end(), cpu.id) != ids.end();
  return m;
}

Machine sparse() {  // half of a large machine's CPUs went offline: numbers with holes, siblings gone
  Machine m;
  for (const int id : {3, 7, 64, 67, 130}) m.cpus.push_back({.id = id, .core = id >= 64 ? id % 64 : id, .allowed = id != 7, .node = id / 64});
  m.cpus[4].core = 66;
  return m;
}

// Placement of `asked` workers (0: of the default number), and what the last one's thread is bound to ("": nothing).
TEST(Topology, PlacesWorkersOnTheMachine) {
  struct Row { const char* what; Machine machine; int workers, asked; const char* placement; const char* last_bound; int first_node = -1; };
  const Row rows[] = {
      {"one of all", machine(1, 1), 1, 0, "0", ""},
      {"no siblings, one node: nothing to bind", machine(4, 1), 4, 0, "0 1 2 3", ""},
      {"fewer asked than cores, nothing to bind", machine(4, 1), 4, 2, "0 1", ""},
      {"desktop 8 cores 16 threads", machine(8, 2), 8, 0, "0 1 2 3 4 5 6 7", "0-7"},
      {"any of its cores will do for two", machine(8, 2), 8, 2, "0 1", "0-7"},
      {"siblings when all cores have one", machine(4, 2), 4, 6, "0 1 2 3 4 5", ""},
      {"more than there are", machine(2, 2), 2, 5, "0 1 2 3 0", ""},
      {"laptop of 6 and 8", hybrid(6, 8, 0.5), 6, 0, "0 1 2 3 4 5", "0-5"},
      {"its slow cores before siblings", hybrid(6, 8, 0.5), 6, 8, "0 1 2 3 4 5 12 13", "0-5,12-19"},
      {"small laptop of 2 and 8", hybrid(2, 8, 0.5), 10, 0, "0 1 4 5 6 7 8 9 10 11", "0-1,4-11"},
      {"phone of 4 and 4", hybrid(4, 4, 0.4, 1), 4, 0, "0 1 2 3", "0-3"},
      {"favoured cores are no kind of their own", hybrid(4, 4, 0.9, 1), 8, 0, "0 1 2 3 4 5 6 7", ""},
      {"two sockets of two nodes", nodes(4, 2, 2), 8, 0, "0 1 2 3 4 5 6 7", "6-7"},
      {"within one node", nodes(4, 2, 2), 8, 2, "0 1", "0-1"},
      {"one node before the next", nodes(4, 2, 2), 8, 3, "0 1 2", "2-3"},
      {"the caller's node first", nodes(4, 2, 2), 8, 3, "4 5 0", "0-1", 2},
      {"two nodes, no siblings", nodes(2, 3, 1), 6, 4, "0 1 2 3", "3-5"},
      {"a node with siblings in use", nodes(2, 2, 2), 4, 5, "0 1 2 3 4", "0-1,4-5"},
      {"kept on one node", allowing(nodes(2, 4, 1), {4, 5, 6, 7}), 4, 0, "4 5 6 7", ""},
      {"container on one core's two threads", allowing(machine(8, 2), {2, 10}), 1, 0, "2", "2"},
      {"the same, two asked for", allowing(machine(8, 2), {2, 10}), 1, 2, "2 10", ""},
      {"the second threads only", allowing(machine(4, 2), {4, 5, 6, 7}), 4, 0, "4 5 6 7", ""},
      {"sparse numbers", sparse(), 3, 0, "3 64 130", "130"},
      {"rented machine that shows two threads of a core", machine(1, 2, 0, true), 2, 0, "0 1", ""},
      {"quota", machine(8, 2, 2.5), 2, 0, "0 1", "0-7"},
      {"nothing is known", Machine{}, 1, 0, "", ""},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(default_workers(row.machine), row.workers) << row.what;
    const int n = row.asked > 0 ? row.asked : row.workers;
    std::string homes;
    for (const int id : placement(row.machine, n, row.first_node)) homes += (homes.empty() ? "" : " ") + std::to_string(id);
    EXPECT_EQ(homes, row.placement) << row.what;
    const auto bound = bindings(row.machine, n, row.first_node);
    EXPECT_TRUE(bound.empty() || bound.size() == static_cast<size_t>(n)) << row.what;
    EXPECT_EQ(bound.empty() ? "" : list_of_numbers(bound.back()), row.last_bound) << row.what;
  }
}

TEST(Topology, ChosenCpusAllCount) {
  const Machine m = *with_chosen(hybrid(2, 2, 0.5), "0,2,5");  // a core's two threads and a slow core
  EXPECT_EQ(default_workers(m), 3);
  EXPECT_EQ(placement(m, 4), (std::vector<int>{0, 2, 5, 0}));
  EXPECT_EQ(bindings(m, 2), (std::vector<std::vector<int>>(2, {0, 2, 5})));
  EXPECT_EQ(bindings(*with_chosen(machine(2, 1), "0-1"), 1), (std::vector<std::vector<int>>{{0, 1}})) << "asked for, so bound, though it is all";
  EXPECT_EQ(default_workers(*with_chosen(machine(8, 1, 2), "0-3")), 2) << "the quota counts";
  EXPECT_EQ(bindings(*with_chosen(nodes(2, 4, 1), "2-5"), 4), (std::vector<std::vector<int>>{{2, 3}, {2, 3}, {4, 5}, {4, 5}}));
}

TEST(Topology, ChosenCpusMustBeUsable) {
  const auto message = [](const Machine& m, const char* list) {
    const auto chosen = with_chosen(m, list);
    return chosen ? std::string() : chosen.error().message;
  };
  EXPECT_EQ(message(machine(4, 1), "0-"), "cpus: '0-' is not a list such as 0-3,8");
  EXPECT_EQ(message(machine(4, 1), "2-5"), "cpus: '2-5' names 4, but this process may use 0-3");
  EXPECT_EQ(message(allowing(machine(4, 1), {1, 3}), "3,2"), "cpus: '3,2' names 2, but this process may use 1,3");
  EXPECT_EQ(message(Machine{}, "0"), "cpus: '0' names 0, but this process may use none");
}

class FakeSystem : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "mainspring-sys-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(FakeSystem, NothingReadable) {
  const Machine m = read_machine(root_ + "/none");
  EXPECT_FALSE(m.cpus.empty());
  for (const MachineCpu& cpu : m.cpus) EXPECT_EQ(cpu.core, cpu.id);
  EXPECT_EQ(m.quota, 0);
}

TEST_F(FakeSystem, SiblingsShareACore) {
  for (const MachineCpu& cpu : read_machine(root_).cpus)
    write("/sys/devices/system/cpu/cpu" + std::to_string(cpu.id) + "/topology/thread_siblings_list", "5-1023\n");
  const Machine m = read_machine(root_);
  for (const MachineCpu& cpu : m.cpus) EXPECT_EQ(cpu.core, 5);
}

TEST_F(FakeSystem, NodesHaveCpus) {
  const auto cpus = read_machine(root_).cpus;
  for (const MachineCpu& cpu : cpus) EXPECT_EQ(cpu.node, 0);
  const int last = cpus.back().id;
  write("/sys/devices/system/node/online", "0,2-3\n");
  write("/sys/devices/system/node/node0/cpulist", "100000\n");
  write("/sys/devices/system/node/node2/cpulist", "\n");  // memory without CPUs
  write("/sys/devices/system/node/node3/cpulist", std::to_string(last) + "\n");
  EXPECT_EQ(read_machine(root_).cpus.back().node, 3);
  for (const MachineCpu& cpu : read_machine(root_).cpus) EXPECT_EQ(cpu.node, cpu.id == last ? 3 : 0);
}

TEST_F(FakeSystem, SpeedIsCapacityThenKindThenClock) {
  const std::vector<MachineCpu> cpus = read_machine(root_).cpus;
  const int id = cpus[0].id;
  const std::string cpu = "/sys/devices/system/cpu/cpu" + std::to_string(id);
  const auto speed = [&] { return read_machine(root_).cpus[0].speed; };
  EXPECT_EQ(speed(), 1);
  write(cpu + "/cpufreq/cpuinfo_max_freq", "3800000\n");
  if (cpus.size() > 1) {
    EXPECT_EQ(speed(), 1) << "nothing to compare with";
  }
  for (const MachineCpu& c : cpus) write("/sys/devices/system/cpu/cpu" + std::to_string(c.id) + "/cpufreq/cpuinfo_max_freq", "3800000\n");
  EXPECT_EQ(speed(), 3800000);
  write("/sys/devices/cpu_core/cpus", "100000-100001\n");
  write("/sys/devices/cpu_atom/cpus", std::to_string(id) + "\n");
  EXPECT_EQ(speed(), 0.5);
  write("/sys/devices/cpu_atom/cpus", "100002\n");
  EXPECT_EQ(speed(), 1);
  for (const MachineCpu& c : cpus) write("/sys/devices/system/cpu/cpu" + std::to_string(c.id) + "/cpu_capacity", "446\n");
  EXPECT_EQ(speed(), 446);
}

TEST_F(FakeSystem, QuotaOfTheSecondVersionAtEveryLevel) {
  write("/proc/self/cgroup", "0::/a/b\n");
  EXPECT_EQ(read_machine(root_).quota, 0);
  write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(read_machine(root_).quota, 0);
  write("/sys/fs/cgroup/a/cpu.max", "350000 100000\n");
  EXPECT_EQ(read_machine(root_).quota, 3.5);
  write("/sys/fs/cgroup/cpu.max", "100000 50000\n");
  EXPECT_EQ(read_machine(root_).quota, 2);
  write("/sys/fs/cgroup/a/b/cpu.max", "nonsense\n");
  EXPECT_EQ(read_machine(root_).quota, 2);
}

TEST_F(FakeSystem, QuotaOfTheFirstVersion) {
  write("/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/\n");
  write("/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "150000\n");
  write("/sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(read_machine(root_).quota, 1.5);
  write("/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(read_machine(root_).quota, 0);
}

TEST(Topology, ThisMachineObeysItsAffinity) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(read_machine().cpus.size(), static_cast<size_t>(CPU_COUNT(&before)));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) GTEST_SKIP() << "the affinity can't be set here";
  EXPECT_EQ(default_workers(read_machine()), 1);
  sched_setaffinity(0, sizeof before, &before);
}

TEST(Topology, AThreadMakesWayAndMayComeBack) {
  const auto allowed = [] {
    std::vector<int> ids;
    for (const MachineCpu& cpu : read_machine().cpus)
      if (cpu.allowed) ids.push_back(cpu.id);
    return ids;
  };
  const std::vector<int> before = allowed();
  if (before.size() < 2 || this_cpu() < 0) GTEST_SKIP() << "one CPU";
  std::thread([&] {
    int left = 0;
    for (int i = 0; i < 20; ++i) {
      const int here = this_cpu();
      make_way_on(here);
      left += this_cpu() != here;  // the system may have brought it back since
    }
    EXPECT_GT(left, 0);
    EXPECT_EQ(allowed(), before);
  }).join();
}

}  // namespace
