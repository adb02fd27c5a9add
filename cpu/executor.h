// Runs a flat list of steps SPMD inside the host's parallel region. In: steps, a StepEnv, a Parallel. Out: done, paused or cancelled.
//
// One atomic word holds (step, next tile). A worker claims a tile by adding one; whoever finishes a step's last tile opens the next
// step. So the next step begins when all tiles are done, not when all workers have arrived: a worker that the system has put aside
// and that holds no tile delays nobody, and bodies may start late or run one after another. Waiting spins briefly, then sleeps.
// Steps that stand beside each other are opened together: their tiles are counted through.
// A worker that was put aside while it held a tile leaves the run to the others, and fewer enter (crowd.h); when one more is to come as a guest, all
// return and enter anew. A guest leaves by itself, and does not sleep in the run: it might not get its core back in time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "cpu/crowd.h"
#include "mainspring/context.h"
#include "mainspring/ext/provider.h"

namespace mainspring::inline v0::cpu {

class Executor final : public RunState {
 public:
  Executor(Parallel* parallel, int workers) : parallel_(parallel), crowd_(parallel != nullptr ? workers : 1) {}
  RunStatus run(std::span<const Step> steps, const StepEnv& env, bool fresh, const StopConditions& stop);

 private:
  static void body(void* self, int worker);
  void work(int worker);
  void do_tiles(int worker, int64_t entered);
  bool should_stop();
  void open_next(int64_t step);
  void wait_beyond(uint64_t step);
  void enter();
  void stop_with(int status);
  bool leave();
  bool stayed(int64_t entered, int64_t now);

  static constexpr int kMostBeside = 8;  // more that stand beside each other are opened in turns

  Parallel* parallel_;
  Crowd crowd_;
  std::span<const Step> steps_;
  const StepEnv* env_ = nullptr;
  StopConditions stop_;
  int guest_ = 0;     // the worker that is one, in this region; `workers` where none is
  int64_t stay_ = 0;  // of the guest
  std::atomic<int64_t> guest_ran_{0};
  // The open steps: how many, and the tiles up to the end of each. Written by the worker that opens them, before claim_.
  int n_open_ = 0;
  int64_t ends_[kMostBeside] = {};
  // first open step (20 bits) | tiles of all (22) | next tile (22): one word, so that a claim and the count it is checked against belong together.
  // At most `workers` claims overshoot the count, so the low field never carries.
  alignas(64) std::atomic<uint64_t> claim_{0};
  alignas(64) std::atomic<int64_t> left_{0};     // tiles of the open steps that are not done
  alignas(64) std::atomic<uint32_t> signal_{0};  // changes when a step opens or a worker stops: what sleepers watch
  std::atomic<int> sleepers_{0};
  std::atomic<int> status_{0};                   // 0 running, 1 paused, 2 cancelled, 3 to enter anew
  std::atomic<int> inside_{0};                   // bodies that have begun and not left: the last one stays
  std::atomic<int> put_aside_{0};                // workers that were, since they entered
  std::atomic<int64_t> left_at_{0};              // when the last of them left
  std::atomic<int64_t> regroup_at_{INT64_MAX};   // from when on more workers may enter
  std::atomic<bool> moved_{false};  // a tile was done in this run: a deadline that has already passed still gets one
};

}  // namespace mainspring::inline v0::cpu
