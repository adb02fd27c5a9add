// A norm that ends a layer (rms_norm with a residual) and the quantised norm that begins the next one become one rms_norm_add_quant: both are of
// whole rows, and a step with one small tile costs more in waiting than in work. The sum stays an output, for the residual after it. The same bits.
#include <algorithm>
#include <map>

#include "passes/passes.h"

namespace mainspring::inline v0 {

Result<bool> pass_fuse_norms(Graph& graph, const PassContext& context) {
  const auto value = [&](ValueId v) -> const Value& { return graph.values[static_cast<size_t>(v)]; };
  std::map<ValueId, Node*> sums;
  bool changed = false;
  for (Node& q : graph.nodes) {
    if (q.op == "rms_norm" && q.in.size() > 2 && q.in[2] != kNone && value(q.out[0]).dims.size() == 2) sums[q.out[0]] = &q;
    if (q.op != "rms_norm_quant") continue;
    const auto sum = sums.find(q.in[0]);
    const ValueId w = q.in.size() > 1 ? q.in[1] : kNone;
    if (sum == sums.end() || (w != kNone && value(w).kind != Kind::weight)) continue;
    Node n = *sum->second;
    n.op = "rms_norm_add_quant";
    n.attrs.set("eps_next", q.attrs.f("eps", 1e-5));
    if (q.attrs.has("rows")) n.attrs.set("rows", std::string(q.attrs.s("rows")));
    n.in.push_back(w);
    n.out.push_back(q.out[0]);
    if (!accepts(context, graph, n)) continue;
    *sum->second = std::move(n);
    sums.erase(sum);
    q.op.clear();  // its value has its maker
    changed = true;
  }
  std::erase_if(graph.nodes, [](const Node& n) { return n.op.empty(); });
  return changed;
}

}  // namespace mainspring::inline v0
