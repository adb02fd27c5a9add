// Which nodes may run side by side. Steps of one stage have no barrier between them: q, k and v, gate and up, rope of q and k and the store of v each
// cost one wait of all workers instead of two or three.
#include <algorithm>

#include "plan/plan.h"

namespace mainspring::inline v0 {
namespace {

/// What a state's storage has seen: versions of a state share it, so that node order counts where one of two writes.
struct Seen {
  int32_t read = -1, written = -1;
};

}  // namespace

std::vector<int32_t> stages_of(const Graph& graph, std::span<const Placement> placements) {
  std::vector<int32_t> stages, made(graph.values.size(), -1);
  std::vector<Seen> states(graph.values.size());
  const auto is_state = [&](ValueId v) { return graph.values[static_cast<size_t>(v)].kind == Kind::state; };
  const auto state = [&](ValueId v) -> Seen& { return states[static_cast<size_t>(placements[static_cast<size_t>(v)].root)]; };
  int32_t last = -1;
  for (const Node& n : graph.nodes) {
    const bool view = is_view(graph, placements, n);
    int32_t after = -1;  // the stage of the latest thing that this node must find done
    for (const ValueId v : n.in) {
      if (v == kNone) continue;
      after = std::max(after, is_state(v) ? state(v).written : made[static_cast<size_t>(v)]);
    }
    for (const ValueId v : n.out)
      if (is_state(v)) after = std::max({after, state(v).written, state(v).read});
    // Not far ahead of its place: what is made early is kept long.
    const int32_t stage = view ? after : std::max(after + 1, last - 1);
    last = std::max(last, stage);
    for (const ValueId v : n.in)
      if (v != kNone && is_state(v)) state(v).read = std::max(state(v).read, stage);
    for (const ValueId v : n.out) {
      made[static_cast<size_t>(v)] = stage;
      if (is_state(v)) state(v).written = stage;
    }
    stages.push_back(stage);
  }
  return stages;
}

}  // namespace mainspring::inline v0
