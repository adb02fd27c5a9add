// add(residual, linear(…)) becomes one linear node with a residual where nobody else reads the layer's own result, and so does a norm that ends a
// layer (rms_norm): the sum is made while it is in the cache. The fused node stands in the add's place, where both its operands are known; it gives
// the same bits.
#include "passes/passes.h"

namespace mainspring::inline v0 {
namespace {

/// Which operand of this operator is a residual; 0: none.
size_t residual_of(std::string_view op) { return op == "linear" ? 3 : op == "rms_norm" ? 2 : 0; }

/// The maker of y with the add's result, or a node without operator where it takes no residual or has one, or not just this reader, or not this shape.
Node fused(const Graph& graph, const Makers& makers, const Node& add, ValueId y, ValueId residual) {
  const Node* maker = makers.of_one_reader(y);
  if (maker == nullptr) return {};
  Node n = *maker;
  const size_t at = residual_of(n.op);
  const auto value = [&](ValueId v) -> const Value& { return graph.values[static_cast<size_t>(v)]; };
  for (const ValueId v : {residual, add.out[0]})
    if (at == 0 || value(v).dtype != DType::f32 || value(v).dims != value(y).dims) return {};
  n.in.resize(at + 1, kNone);
  if (n.in[at] != kNone) return {};
  n.in[at] = residual;
  n.out = add.out;
  return n;
}

}  // namespace

Result<bool> pass_fuse_residual(Graph& graph, const PassContext& context) {
  const Makers makers(graph);
  bool changed = false;
  for (Node& add : graph.nodes) {
    if (add.op != "add") continue;
    Node a = fused(graph, makers, add, add.in[0], add.in[1]), b = fused(graph, makers, add, add.in[1], add.in[0]);
    if (a.op.empty() == b.op.empty()) continue;
    Node& n = a.op.empty() ? b : a;
    if (!accepts(context, graph, n)) continue;
    add = std::move(n);  // the old node dies with dead_code
    changed = true;
  }
  return changed;
}

}  // namespace mainspring::inline v0
