// Our own threads, for hosts that lend none. In: a body and a number of workers. Out: every worker's call made, on some thread.
// Knows nothing of steps or tensors.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include <pthread.h>

#include "mainspring/context.h"

namespace mainspring::inline v0 {

/// The default Parallel. The constructor makes no thread: the first run with more than one worker does, once. A thread that the
/// system refuses is one fewer: the caller makes its calls.
///
/// The caller takes worker 0; the others are claimed from a counter by whoever is awake, the caller too once it is done with its
/// own. So a thread that wakes late costs nothing but its help, and run() never waits for a call that has not begun.
/// A thread that wakes on the caller's own core moves to another before it begins: there it would only take turns with the caller.
/// Idle threads look for work for kSpinMicroseconds, then sleep: an idle pool takes no processor time. They block all signals.
///
/// run() from several threads at once, or from inside a body: the second one makes all its calls itself, one after another.
class Pool final : public Parallel {
 public:
  static constexpr int kSpinMicroseconds = 20;  // about what waking a sleeping thread costs

  /// `workers` >= 1, the caller among them. `cpus`: what each worker's thread is bound to when it starts (the caller, worker 0, never is);
  /// empty: nothing. A thread that the system doesn't let bind runs where the system likes.
  explicit Pool(int workers, std::vector<std::vector<int>> cpus = {});
  /// Joins the threads. No run may be under way.
  ~Pool() override;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int workers() const override { return workers_; }
  void run(int workers, void (*body)(void* user, int worker), void* user) override;
  /// Threads that exist (tests).
  int threads_started() const { return started_.load(std::memory_order_relaxed); }
  /// What the threads are bound to, by worker, or will be.
  const std::vector<std::vector<int>>& cpus() const { return cpus_; }
  /// Threads that the system did not let bind.
  int threads_unbound() const { return unbound_.load(std::memory_order_relaxed); }

 private:
  static void* thread_main(void* self);
  void start_threads();
  void work();
  bool work_once(bool own_thread);
  void wait_for_others();

  const int workers_;
  const std::vector<std::vector<int>> cpus_;
  std::atomic<int> born_{0}, unbound_{0};
  std::atomic<bool> busy_{false};   // a run is under way. Not a mutex: a body may ask again on the thread that holds it
  std::vector<pthread_t> threads_;  // written by the first run
  std::atomic<int> started_{0};
  bool start_tried_ = false;

  // One job at a time. A successful claim from ticket_ is what allows to read body_ and user_: the job cannot end before that
  // call has returned, so nobody writes them meanwhile.
  void (*body_)(void*, int) = nullptr;
  void* user_ = nullptr;
  int caller_cpu_ = -1;  // where the caller was when the job began
  alignas(64) std::atomic<uint64_t> ticket_{0};    // generation (24 bits) | workers (20) | next worker to claim (20)
  alignas(64) std::atomic<uint32_t> unfinished_{0};  // calls of the job that have not returned, worker 0's not counted
  alignas(64) std::atomic<uint32_t> epoch_{0};     // what idle threads sleep on: changes with every job and at the end
  std::atomic<bool> stop_{false};
};

}  // namespace mainspring::inline v0
