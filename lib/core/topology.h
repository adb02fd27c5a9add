// How many workers are useful, and where. In: /sys, /proc and the affinity mask, as a plain description of the machine. Out: a number, lists of CPUs.
// The decisions are pure functions over the description, so that tables of machines test them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mainspring/result.h"

namespace mainspring::inline v0 {

struct MachineCpu {
  int id = 0;           ///< the system's number of the hardware thread
  int core = 0;         ///< equal for the hardware threads of one physical core: the lowest id among them
  bool allowed = true;  ///< online and in the process's affinity mask
  double speed = 1;     ///< compared with the machine's other cores, in any unit
  int node = 0;         ///< of memory (NUMA)
};

struct Machine {
  std::vector<MachineCpu> cpus;
  double quota = 0;         ///< processors' worth of time that the control group allows; 0: no limit
  bool hypervisor = false;  ///< a virtual machine
  bool chosen = false;      ///< somebody named the allowed CPUs: each counts, whatever its kind
};

/// One worker for each fast physical core with an allowed hardware thread, at most the quota rounded down, at least 1.
///
/// Two hardware threads of a core share its vector units and its load ports, so a second worker there gains little and doubles the
/// cost of every meeting point. Quota is rounded down: a worker that is stopped for the rest of a period makes all others wait.
/// A core below 70 % of the fastest is slow. Slow cores are left out unless they are together worth more than the fast ones (2 + 8 of a small
/// laptop): whoever is last ends a step, and a tile takes a slow core twice as long, while the fast ones alone nearly fill the memory's bandwidth.
/// Cores that differ by less (the favoured ones of a processor, the middle ones of a phone) all count.
/// A virtual machine that shows only one core shows all its hardware threads as siblings of it; small rented machines do so whether
/// or not it is true, so there each hardware thread counts.
/// Where CPUs were chosen, each of them is one core of the fast kind; the quota still counts.
int default_workers(const Machine& machine);

/// The hardware thread that each of `workers` is meant for: one of each fast core, those of one node before the next; then of each slow core;
/// then the cores' other threads; then round again. `first_node`: whose turn is first (where the caller runs), or -1.
std::vector<int> placement(const Machine& machine, int workers, int first_node = -1);

/// The CPUs that each worker's thread is bound to: not one CPU but all that are as good, which are those of its node in the groups above that
/// `workers` of them reach. A host that is busy on one of them, or another process with the same idea, then only moves a worker along. Empty where that
/// is every CPU the process may use (one node, one kind, no siblings): nothing to bind.
std::vector<std::vector<int>> bindings(const Machine& machine, int workers, int first_node = -1);

/// This machine. `root` is put before /sys and /proc (tests). What cannot be read counts as: every allowed thread is a core, one node, no quota.
Machine read_machine(const std::string& root = "");
/// The node of the CPU that the calling thread runs on now, or -1.
int node_of_caller(const Machine& machine);

/// Lets the calling thread run on these CPUs only. False where the system refuses.
bool bind_this_thread(const std::vector<int>& cpus);

/// The CPU that the calling thread runs on now, or -1. No system call where the kernel maps it.
int this_cpu();
/// Moves the calling thread away from `cpu` if it runs there and may run elsewhere; it may come back later. Allocates nothing.
void make_way_on(int cpu);

/// Only the CPUs of a list are allowed. Errors: invalid_argument (no list; a CPU that the process may not use).
Result<Machine> with_chosen(Machine machine, std::string_view list);

/// The numbers that a list like "0-3,8" names, as the kernel writes them, in rising order; nullopt for what is no list.
std::optional<std::vector<int>> numbers_of_list(std::string_view list);
/// The other way.
std::string list_of_numbers(const std::vector<int>& rising);

}  // namespace mainspring::inline v0
