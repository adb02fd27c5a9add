// kv_store(keys, rope(k)) becomes one rope_kv_store where nobody else reads the rotated keys: a step and a trip through memory less for each layer.
// The same bits.
#include "passes/passes.h"

namespace mainspring::inline v0 {

Result<bool> pass_fuse_rope_store(Graph& graph, const PassContext& context) {
  const Makers makers(graph);
  bool changed = false;
  for (Node& store : graph.nodes) {
    if (store.op != "kv_store") continue;
    const ValueId keys = store.in[0];
    const Node* rope = makers.of_one_reader(store.in[1]);
    if (graph.values[static_cast<size_t>(keys)].state_kind != StateKind::kv_keys || rope == nullptr || rope->op != "rope") continue;
    Node n = *rope;
    n.op = "rope_kv_store";
    n.name = store.name;
    n.in.insert(n.in.begin(), keys);
    n.out = store.out;
    if (!accepts(context, graph, n)) continue;
    store = std::move(n);  // the old node dies with dead_code
    changed = true;
  }
  return changed;
}

}  // namespace mainspring::inline v0
