// How many workers are useful. In: /sys, /proc and the affinity mask, as a plain description of the machine. Out: a number.
// The decision is a pure function over the description, so that tables of machines test it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mainspring::inline v0 {

struct MachineCpu {
  int id = 0;           ///< the system's number of the hardware thread
  int core = 0;         ///< equal for the hardware threads of one physical core: the lowest id among them
  bool allowed = true;  ///< online and in the process's affinity mask
  double speed = 1;     ///< compared with the machine's other cores, in any unit
};

struct Machine {
  std::vector<MachineCpu> cpus;
  double quota = 0;         ///< processors' worth of time that the control group allows; 0: no limit
  bool hypervisor = false;  ///< a virtual machine
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
int default_workers(const Machine& machine);

/// This machine. `root` is put before /sys and /proc (tests). What cannot be read counts as: every allowed thread is a core, no quota.
Machine read_machine(const std::string& root = "");

/// Whether a kernel list like "0-3,8" names the number.
bool list_holds(std::string_view list, int number);
/// The first number of a kernel list like "3,67" or "0-1" (thread_siblings_list), or -1.
int first_of_list(std::string_view list);

}  // namespace mainspring::inline v0
