// Common sub-expressions: of two nodes with the same op, operands and attributes the second is dropped. Nodes that touch state stay.
#include <algorithm>
#include <map>

#include "mainspring/ext/op.h"
#include "passes/passes.h"

namespace mainspring::inline v0 {

Result<bool> pass_cse(Graph& graph, const PassContext&) {
  std::map<std::pair<std::string, std::vector<ValueId>>, std::vector<size_t>> seen;
  std::vector<bool> drop(graph.nodes.size(), false);
  bool changed = false;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& n = graph.nodes[i];
    const bool stateful = std::any_of(n.in.begin(), n.in.end(), [&](ValueId v) { return v != kNone && graph.values[static_cast<size_t>(v)].kind == Kind::state; });
    const OpDef* op = graph.find_op(n.op);
    if (stateful || op == nullptr || op->random) continue;
    auto& same = seen[{n.op, n.in}];
    const auto twin = std::find_if(same.begin(), same.end(), [&](size_t j) { return graph.nodes[j].attrs == n.attrs && graph.nodes[j].bodies == n.bodies && graph.nodes[j].out.size() == n.out.size(); });
    if (twin == same.end()) {
      same.push_back(i);
      continue;
    }
    for (size_t k = 0; k < n.out.size(); ++k) replace_uses(graph, n.out[k], graph.nodes[*twin].out[k]);
    drop[i] = changed = true;
  }
  if (!changed) return false;
  size_t to = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (!drop[i]) {
      if (to != i) graph.nodes[to] = std::move(graph.nodes[i]);
      ++to;
    }
  graph.nodes.resize(to);
  return true;
}

}  // namespace mainspring::inline v0
