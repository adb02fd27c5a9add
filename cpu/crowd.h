// How many workers to enter a run with where other programs want the cores too. In: when tiles took far longer than a tile can. Out: a number.
//
// A worker that the system puts aside in the middle of a tile holds up the step for a time slice, some milliseconds: as long as a small model's
// whole token. Fewer workers that each have a core are faster than more that share one. So a run that saw a worker put aside is followed by runs
// with fewer. One more comes as a guest: it works for less than a time slice, leaves between two tiles before its core is taken from it, and
// rests as long; the system lets one who has rested run first. Guests that got through stay a little longer the next time, and a guest that
// stays long enough is one of the workers again; one that was put aside stays half as long. Pure: the clock is the caller's. One thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mainspring::inline v0::cpu {

class Crowd {
 public:
  /// A tile is at most about 100 µs of work; what takes longer than this did not have its core.
  static constexpr int64_t kPutAsideNs = 1'500'000;
  static constexpr int64_t kFirstStayNs = 1'000'000, kLeastStayNs = 500'000, kMostStayNs = 12'000'000;
  static constexpr int64_t kLeastHoldNs = 5'000'000, kMostHoldNs = 640'000'000;

  explicit Crowd(int workers) : all_(workers), limit_(workers) {}

  /// Workers for a run that begins now. With a guest it is the last of them.
  int workers(int64_t now) {
    guest_ = limit_ < all_ && now >= until_;
    return limit_ + (guest_ ? 1 : 0);
  }
  /// How long the last worker may still stay; never reached where it is no guest.
  int64_t stay() const { return guest_ ? stay_ - stayed_ : INT64_MAX; }

  /// How long a guest rests when it has stayed, and how long nobody new comes after a worker was put aside. Any thread, within a run.
  int64_t rest() const { return stay_; }
  int64_t hold() const { return hold_; }

  /// The guest was in the run for `ran`, until `when`: it left, or the run ended.
  void guest_stayed(int64_t ran, int64_t when) {
    stayed_ += ran;
    if (stayed_ < stay_) return;
    until_ = when + rest();  // its share of a core that two want
    stayed_ = 0;
    hold_ = kLeastHoldNs;
    stay_ += stay_ / 16;
    if (stay_ < kMostStayNs) return;
    ++limit_;
    stay_ = kFirstStayNs;
  }
  /// `n` workers were put aside in a tile, the last one at `when`.
  void put_aside(int n, int64_t when) {
    if (n <= 0) return;
    limit_ = std::max(1, limit_ + (guest_ ? 1 : 0) - n);
    if (guest_) stay_ = std::max(stay_ / 2, kLeastStayNs);
    stayed_ = 0;
    until_ = when + hold();
    hold_ = std::min(2 * hold_, kMostHoldNs);
  }
  /// When workers() will answer more than it just did; never where all work or the guest is in.
  int64_t more_at() const { return limit_ < all_ && !guest_ ? until_ : INT64_MAX; }

 private:
  int all_, limit_;
  bool guest_ = false;
  int64_t until_ = 0, hold_ = kLeastHoldNs, stay_ = kFirstStayNs, stayed_ = 0;
};

}  // namespace mainspring::inline v0::cpu
