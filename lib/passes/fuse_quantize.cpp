// rms_norm → quantize_rows and glu → quantize_rows become one node each where nobody else reads the f32 rows: one pass over memory instead of two.
// The fused ops give the same bits.
#include "passes/passes.h"

namespace mainspring::inline v0 {

Result<bool> pass_fuse_quantize(Graph& graph, const PassContext&) {
  const Makers makers(graph);
  bool changed = false;
  for (Node& q : graph.nodes) {
    if (q.op != "quantize_rows") continue;
    const Node* from = makers.of_one_reader(q.in[0]);
    if (from == nullptr || (from->op != "rms_norm" && from->op != "glu")) continue;
    if (graph.values[static_cast<size_t>(q.in[0])].dims.size() != 2) continue;
    q.op = from->op + "_quant";
    q.name = from->name;
    const std::string rows(q.attrs.s("rows"));
    q.attrs = from->attrs;
    if (!rows.empty()) q.attrs.set("rows", rows);
    q.in = std::vector<ValueId>(from->in);  // the old node dies with dead_code
    changed = true;
  }
  return changed;
}

}  // namespace mainspring::inline v0
