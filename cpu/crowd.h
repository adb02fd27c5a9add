// How many workers to enter a run with where other programs want the cores too. In: when tiles took far longer than a tile can. Out: a number.
//
// A worker that the system puts aside in the middle of a tile holds up the step for a time slice, some milliseconds: as long as a small model's
// whole token. Fewer workers that each have a core are faster than more that share one (with one of two cores busy, one worker is about as fast
// as one alone). So a run that saw a worker put aside is followed by runs with fewer, and after a while by a trial with one more. Trials that
// fail become rarer. Pure: the clock is the caller's. One thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mainspring::inline v0::cpu {

class Crowd {
 public:
  /// A tile is at most about 100 µs of work; what takes longer than this did not have its core.
  static constexpr int64_t kPutAsideNs = 1'500'000;
  static constexpr int64_t kLeastHoldNs = 20'000'000, kMostHoldNs = 640'000'000;

  explicit Crowd(int workers) : all_(workers), limit_(workers) {}

  /// Workers for a run that begins now.
  int workers(int64_t now) {
    if (limit_ < all_ && now >= until_) {
      ++limit_;
      until_ = now + kLeastHoldNs;  // the next one more, if this one does well
    }
    if (limit_ == all_ && now >= until_ + kMostHoldNs) hold_ = kLeastHoldNs;
    return limit_;
  }
  /// `n` workers were put aside in a tile, the last one at `when`.
  void put_aside(int n, int64_t when) {
    if (n <= 0) return;
    limit_ = std::max(1, limit_ - n);
    until_ = when + hold_;
    hold_ = std::min(2 * hold_, kMostHoldNs);
  }
  /// When workers() will answer more than it just did; never where all work.
  int64_t more_at() const { return limit_ < all_ ? until_ : INT64_MAX; }

 private:
  int all_, limit_;
  int64_t until_ = 0, hold_ = kLeastHoldNs;
};

}  // namespace mainspring::inline v0::cpu
