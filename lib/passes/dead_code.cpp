// Drops nodes whose results nobody reads. A node that makes a new version of a state is alive.
#include <algorithm>

#include "passes/passes.h"

namespace mainspring::inline v0 {

Result<bool> pass_dead_code(Graph& graph, const PassContext&) {
  std::vector<bool> live(graph.values.size(), false);
  for (ValueId v : graph.outputs) live[static_cast<size_t>(v)] = true;
  std::vector<bool> keep(graph.nodes.size(), false);
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& n = graph.nodes[i];
    keep[i] = std::any_of(n.out.begin(), n.out.end(), [&](ValueId v) { return live[static_cast<size_t>(v)] || graph.values[static_cast<size_t>(v)].kind == Kind::state; });
    if (!keep[i]) continue;
    for (ValueId v : n.in)
      if (v != kNone) live[static_cast<size_t>(v)] = true;
  }
  size_t to = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (keep[i]) {
      if (to != i) graph.nodes[to] = std::move(graph.nodes[i]);
      ++to;
    }
  const bool changed = to != graph.nodes.size();
  graph.nodes.resize(to);
  return changed;
}

}  // namespace mainspring::inline v0
