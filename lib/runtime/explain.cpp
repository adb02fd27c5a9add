// The plan in words: node → kernel → bytes → why.
#include "core/error.h"
#include "core/json.h"
#include "runtime/session_impl.h"

namespace mainspring::inline v0 {

std::string Session::explain(bool json) const {
  const Plan& plan = *impl_->plan;
  std::string out = json ? "[" : "";
  for (const PlannedNode& n : plan.nodes) {
    const Node& node = plan.graph.nodes[static_cast<size_t>(n.node)];
    if (json) {
      out += fmt::format("{}{{\"node\":{},\"op\":{},\"kernel\":{},\"steps\":{},\"bytes_read\":{},\"ops_per_row\":{},\"why\":{}}}", out.size() > 1 ? ",\n " : "", json_string(node.name),
                         json_string(node.op), json_string(n.kernel), n.n_steps, n.bytes_read, n.ops_per_row, json_string(n.why));
      continue;
    }
    out += fmt::format("{:<28} {:<16} {:<28} {:>12} bytes{}{}\n", node.name, node.op, n.kernel, n.bytes_read, n.why.empty() ? "" : "  # ", n.why);
  }
  if (json) return out + "]";
  out += fmt::format("{} nodes, {} steps; panels {} bytes, source {} bytes, arena {} bytes, state {} bytes\n", plan.nodes.size(), plan.steps.size(), plan.panel_bytes, plan.source_bytes,
                     plan.arena_bytes, plan.state_bytes);
  return out;
}

}  // namespace mainspring::inline v0
