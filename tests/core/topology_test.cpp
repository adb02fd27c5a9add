#include "core/topology.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

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

TEST(Topology, ListsOfTheKernel) {
  EXPECT_EQ(first_of_list("0-1\n"), 0);
  EXPECT_EQ(first_of_list("3,67\n"), 3);
  EXPECT_EQ(first_of_list("12"), 12);
  EXPECT_EQ(first_of_list(""), -1);
  EXPECT_EQ(first_of_list("x"), -1);
  EXPECT_EQ(first_of_list("-3"), -1);
  EXPECT_EQ(first_of_list("99999999999999"), -1);
}

TEST(Topology, ListsHold) {
  for (const int n : {0, 1, 3, 8}) EXPECT_TRUE(list_holds("0-1,3,8-8\n", n)) << n;
  for (const int n : {2, 4, 7, 9, -1}) EXPECT_FALSE(list_holds("0-1,3,8-8\n", n)) << n;
  for (const char* bad : {"", "\n", "x", "1-", "1-x", "0;1"}) EXPECT_FALSE(list_holds(bad, 1)) << bad;
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

}  // namespace
