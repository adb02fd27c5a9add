// Default arithmetic: the activations of a linear layer with block-format weights are quantised first, to int8 rows or (x_bits = 16) int16
// rows, and those of one with bf16 weights are rounded to bf16, where the provider has a kernel for it. Equal inputs (q, k, v; gate and up) share one quantize_rows node.
#include <map>

#include "passes/passes.h"

namespace mainspring::inline v0 {
namespace {

/// The activations that this node's kernel takes: bf16 with bf16 weights, else what x_bits wishes, else int8; f32 where it takes none of them.
DType lowered_dtype(const Graph& graph, const PassContext& context, const Node& n) {
  if (n.op != "linear" && n.op != "moe_linear") return DType::f32;
  const Value& x = graph.values[static_cast<size_t>(n.in[0])];
  const Value& w = graph.values[static_cast<size_t>(n.in[n.op == "linear" ? 1 : 2])];
  if (x.dtype != DType::f32 || x.dims.empty() || x.dims.back().times % 32 != 0) return DType::f32;
  if (w.dtype == DType::bf16) return accepts(context, graph, n, DType::bf16) ? DType::bf16 : DType::f32;
  if (!is_block_format(w.dtype)) return DType::f32;
  for (const DType wish : {DType::q16_rows, DType::q8_rows}) {
    if (wish == DType::q16_rows && n.attrs.i("x_bits", 8) != 16) continue;
    if (accepts(context, graph, n, wish)) return wish;
  }
  return DType::f32;
}

}  // namespace

Result<bool> pass_lower_quantized(Graph& graph, const PassContext& context) {
  if (context.exact) return false;
  std::vector<Node> old = std::move(graph.nodes);
  graph.nodes.clear();
  std::map<std::pair<ValueId, DType>, ValueId> quantized;
  bool changed = false;
  for (Node& n : old) {
    if (const DType to = lowered_dtype(graph, context, n); to != DType::f32) {
      auto [it, fresh] = quantized.try_emplace({n.in[0], to}, kNone);
      if (fresh) {
        Attrs attrs;
        if (to != DType::q8_rows) attrs.set("rows", std::string(name_of(to)));
        MAINSPRING_TRY(auto made, graph.add_node("quantize_rows", n.name + ".x", {n.in[0]}, std::move(attrs)));
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
