#include "cpu/executor.h"

#include <algorithm>

#include "core/clock.h"

namespace mainspring::inline v0::cpu {
namespace {

// About 10 µs on current machines: a tile of the other worker usually ends within it, and a core that the host needs is not held longer.
constexpr int kSpins = 400;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

constexpr int kRegroup = 3;
constexpr int kField = 22;
constexpr uint64_t kMask = (uint64_t{1} << kField) - 1;
constexpr int64_t kMaxTiles = static_cast<int64_t>(kMask) - 4096;
constexpr uint64_t step_of(uint64_t claim) { return claim >> (2 * kField); }
constexpr uint64_t tiles_of(uint64_t claim) { return claim >> kField & kMask; }
constexpr uint64_t next_of(uint64_t claim) { return claim & kMask; }

}  // namespace

RunStatus Executor::run(std::span<const Step> steps, const StepEnv& env, bool fresh, const StopConditions& stop) {
  steps_ = steps;
  env_ = &env;
  stop_ = stop;
  status_.store(0, std::memory_order_relaxed);
  moved_.store(false, std::memory_order_relaxed);
  if (fresh) open_next(0);
  while (step_of(claim_.load(std::memory_order_relaxed)) < steps_.size()) {
    enter();
    int regroup = kRegroup;
    if (!status_.compare_exchange_strong(regroup, 0, std::memory_order_relaxed)) break;
  }
  if (step_of(claim_.load(std::memory_order_acquire)) >= steps_.size()) return RunStatus::done;
  return status_.load(std::memory_order_relaxed) == 2 ? RunStatus::cancelled : RunStatus::paused;
}

void Executor::enter() {
  const int workers = crowd_.workers(now_ns());
  stay_ = crowd_.stay();
  guest_ = stay_ < INT64_MAX ? workers - 1 : workers;
  guest_ran_.store(0, std::memory_order_relaxed);
  inside_.store(0, std::memory_order_relaxed);
  put_aside_.store(0, std::memory_order_relaxed);
  regroup_at_.store(crowd_.more_at(), std::memory_order_relaxed);
  if (workers > 1) parallel_->run(workers, body, this);
  else work(0);
  const int put_aside = put_aside_.load(std::memory_order_relaxed);
  if (put_aside > 0) crowd_.put_aside(put_aside, left_at_.load(std::memory_order_relaxed));
  else if (const int64_t ran = guest_ran_.load(std::memory_order_relaxed)) crowd_.guest_stayed(ran, left_at_.load(std::memory_order_relaxed));
}

void Executor::body(void* self, int worker) { static_cast<Executor*>(self)->work(worker); }

void Executor::stop_with(int status) {
  int running = 0;
  status_.compare_exchange_strong(running, status, std::memory_order_seq_cst);
  signal_.fetch_add(1, std::memory_order_seq_cst);
  signal_.notify_all();
}

bool Executor::should_stop() {
  if (stop_.cancel != nullptr && stop_.cancel->load(std::memory_order_relaxed)) {
    stop_with(2);
    return true;
  }
  if (stop_.deadline_ns != 0 && moved_.load(std::memory_order_relaxed) && now_ns() >= stop_.deadline_ns) {
    stop_with(1);
    return true;
  }
  return false;
}

/// Opens the first step from `step` on that has tiles, with those that stand beside it, or the end. Called by one worker only: the one that did the
/// last tile.
void Executor::open_next(int64_t step) {
  const auto n = static_cast<int64_t>(steps_.size());
  int64_t tiles = 0;
  for (; step < n; step += n_open_) {
    n_open_ = 0;
    do {
      const Step& s = steps_[static_cast<size_t>(step + n_open_)];
      tiles += std::max<int64_t>(0, s.tiles(s.params, *env_));
      ends_[n_open_++] = tiles;
    } while (n_open_ < kMostBeside && step + n_open_ < n && steps_[static_cast<size_t>(step + n_open_)].beside);
    if (tiles > 0) break;
  }
  if (tiles > kMaxTiles) tiles = kMaxTiles;  // no kernel cuts a step this fine ; never reached
  left_.store(tiles, std::memory_order_relaxed);
  claim_.store(static_cast<uint64_t>(step) << (2 * kField) | static_cast<uint64_t>(tiles) << kField, std::memory_order_seq_cst);
  signal_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) signal_.notify_all();
}

/// Returns when another step is open or a worker has stopped the run.
void Executor::wait_beyond(uint64_t step) {
  for (int i = 0; i < kSpins; ++i) {
    if (step_of(claim_.load(std::memory_order_acquire)) != step) return;
    relax();
  }
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  const uint32_t signal = signal_.load(std::memory_order_seq_cst);
  if (step_of(claim_.load(std::memory_order_seq_cst)) == step && status_.load(std::memory_order_seq_cst) == 0) signal_.wait(signal, std::memory_order_seq_cst);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

/// True where another worker is there to go on.
bool Executor::leave() {
  int inside = inside_.load(std::memory_order_relaxed);
  while (inside > 1)
    if (inside_.compare_exchange_weak(inside, inside - 1, std::memory_order_relaxed)) return true;
  return false;
}

/// True where the guest has stayed its time and left.
bool Executor::stayed(int64_t entered, int64_t now) {
  if (now - entered < stay_ || !leave()) return false;
  regroup_at_.store(now + crowd_.rest(), std::memory_order_relaxed);
  return true;
}

void Executor::work(int worker) {
  const int64_t entered = worker == guest_ ? now_ns() : 0;
  do_tiles(worker, entered);
  if (entered == 0) return;
  const int64_t now = now_ns();
  left_at_.store(now, std::memory_order_relaxed);
  guest_ran_.store(now - entered, std::memory_order_relaxed);
}

void Executor::do_tiles(int worker, int64_t entered) {
  inside_.fetch_add(1, std::memory_order_relaxed);
  const uint64_t n = steps_.size();
  const bool may_stop = stop_.cancel != nullptr || stop_.deadline_ns != 0;
  for (;;) {
    const uint64_t seen = claim_.load(std::memory_order_acquire);
    if (step_of(seen) >= n) return;
    if (status_.load(std::memory_order_relaxed) != 0 || (may_stop && should_stop())) return;
    if (next_of(seen) >= tiles_of(seen)) {
      // A guest that slept would have to wait for its core, and the end of the run for it.
      if (entered == 0) wait_beyond(step_of(seen));
      else if (stayed(entered, now_ns())) return;
      else relax();
      continue;
    }
    const uint64_t mine = claim_.fetch_add(1, std::memory_order_acq_rel);
    if (next_of(mine) >= tiles_of(mine)) continue;  // somebody was faster, or the list has ended
    const uint64_t first = step_of(mine);
    auto tile = static_cast<int64_t>(next_of(mine));
    int which = 0;
    while (which + 1 < n_open_ && tile >= ends_[which]) ++which;
    if (which > 0) tile -= ends_[which - 1];
    const uint64_t s = first + static_cast<uint64_t>(which), following = first + static_cast<uint64_t>(n_open_);
    const int64_t begin = now_ns();
    steps_[s].run(steps_[s].params, *env_, tile, worker);
    const int64_t end = now_ns();
    if (env_->recorder != nullptr) env_->recorder->note(worker, static_cast<int64_t>(s), tile, begin, end);
    if (may_stop) moved_.store(true, std::memory_order_relaxed);
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) open_next(static_cast<int64_t>(following));
    if (end >= regroup_at_.load(std::memory_order_relaxed)) return stop_with(kRegroup);
    if (end - begin > Crowd::kPutAsideNs && leave()) {
      left_at_.store(end, std::memory_order_relaxed);
      regroup_at_.store(end + crowd_.hold(), std::memory_order_relaxed);
      put_aside_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (entered != 0 && stayed(entered, end)) return;
  }
}

}  // namespace mainspring::inline v0::cpu
