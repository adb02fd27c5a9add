// Default arithmetic: the activations of a linear layer with block-format weights are quantised to int8 rows first, where the provider
// has a kernel for it. Equal inputs (q, k, v; gate and up) share one quantize_rows node.
#include <map>

#include "passes/passes.h"

namespace mainspring::inline v0 {
namespace {

bool wants_int8(const Graph& graph, const PassContext& context, const Node& n) {
  if (n.op != "linear" && n.op != "moe_linear") return false;
  const Value& x = graph.values[static_cast<size_t>(n.in[0])];
  const Value& w = graph.values[static_cast<size_t>(n.in[n.op == "linear" ? 1 : 2])];
  if (x.dtype != DType::f32 || !is_block_format(w.dtype) || x.dims.empty() || x.dims.back().times % 32 != 0 || context.accepts == nullptr) return false;
  std::vector<DType> operands;
  for (ValueId v : n.in) operands.push_back(v == kNone ? DType::f32 : graph.values[static_cast<size_t>(v)].dtype);
  operands[0] = DType::q8_rows;
  return context.accepts(context.user, graph, n, operands);
}

}  // namespace

Result<bool> pass_lower_quantized(Graph& graph, const PassContext& context) {
  if (context.exact) return false;
  std::vector<Node> old = std::move(graph.nodes);
  graph.nodes.clear();
  std::map<ValueId, ValueId> quantized;
  bool changed = false;
  for (Node& n : old) {
    if (wants_int8(graph, context, n)) {
      auto [it, fresh] = quantized.try_emplace(n.in[0], kNone);
      if (fresh) {
        MAINSPRING_TRY(auto made, graph.add_node("quantize_rows", n.name + ".x", {n.in[0]}));
        it->second = made[0];
      }
      n.in[0] = it->second;
      changed = true;
    }
    graph.nodes.push_back(std::move(n));
  }
  return changed;
}

}  // namespace mainspring::inline v0
