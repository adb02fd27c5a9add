// glu_quant of two linear layers of the same rows becomes one glu_linear_quant where nobody else reads what they make: gate and up never go through
// memory. The same bits.
#include "passes/passes.h"

namespace mainspring::inline v0 {
namespace {

/// The linear node behind one side of the unit where nobody else reads it and it has no residual; else null.
const Node* layer(const Makers& makers, ValueId side) {
  const Node* n = makers.of_one_reader(side);
  return n != nullptr && n->op == "linear" && (n->in.size() < 4 || n->in[3] == kNone) ? n : nullptr;
}

ValueId bias_of(const Node& linear) { return linear.in.size() > 2 ? linear.in[2] : kNone; }

}  // namespace

Result<bool> pass_fuse_glu_linear(Graph& graph, const PassContext& context) {
  const Makers makers(graph);
  bool changed = false;
  for (Node& glu : graph.nodes) {
    if (glu.op != "glu_quant") continue;
    const Node *gate = layer(makers, glu.in[0]), *up = layer(makers, glu.in[1]);
    if (gate == nullptr || up == nullptr || gate->in[0] != up->in[0]) continue;
    Node n = glu;
    n.op = "glu_linear_quant";
    n.in = {gate->in[0], gate->in[1], up->in[1], bias_of(*gate), bias_of(*up)};
    if (!accepts(context, graph, n)) continue;
    glu = std::move(n);  // the old nodes die with dead_code
    changed = true;
  }
  return changed;
}

}  // namespace mainspring::inline v0
