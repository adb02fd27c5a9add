// Arena offsets from lifetimes: largest first, each at the lowest offset that is free over its whole life
// ("greedy by size", Pisarchyk & Lee 2020, arXiv:2001.03288): within a few per cent of the lower bound on transformer graphs.
#include <algorithm>

#include "core/checked.h"
#include "plan/plan.h"

namespace mainspring::inline v0 {

size_t assign_offsets(std::vector<Interval>& intervals) {
  std::vector<Interval*> order;
  order.reserve(intervals.size());
  for (Interval& i : intervals) order.push_back(&i);
  std::stable_sort(order.begin(), order.end(), [](const Interval* a, const Interval* b) { return a->bytes > b->bytes; });
  std::vector<Interval*> placed;  // by offset
  size_t total = 0;
  for (Interval* now : order) {
    const size_t bytes = round_up(now->bytes, 64);
    size_t at = 0;
    for (const Interval* other : placed) {
      if (other->last < now->first || now->last < other->first) continue;
      if (at + bytes <= other->offset) break;
      at = std::max(at, other->offset + round_up(other->bytes, 64));
    }
    now->offset = at;
    total = std::max(total, at + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), now, [](const Interval* a, const Interval* b) { return a->offset < b->offset; }), now);
  }
  return total;
}

}  // namespace mainspring::inline v0
