// The plan in words: node → kernel → bytes → why.
#include <algorithm>
#include <map>
#include <numeric>

#include "core/context_impl.h"
#include "core/error.h"
#include "core/json.h"
#include "core/topology.h"
#include "runtime/session_impl.h"

namespace mainspring::inline v0 {
namespace {

/// The symbol that counts the node's rows, or kNone.
SymbolId rows_of(const Plan& plan, const PlannedNode& n) {
  const Dims& dims = plan.graph.values[static_cast<size_t>(plan.graph.nodes[static_cast<size_t>(n.node)].out[0])].dims;
  return dims.empty() ? kNone : dims[0].symbol;
}

int64_t ops_of_rows(const Plan& plan, SymbolId rows) {
  int64_t ops = 0;
  for (const PlannedNode& n : plan.nodes)
    if (rows_of(plan, n) == rows) ops += n.ops_per_row;
  return ops;
}

}  // namespace

int64_t Session::ops_per_token() const { return impl_->plan == nullptr ? 0 : ops_of_rows(*impl_->plan, LlmSymbols::n_tokens); }
int64_t Session::ops_per_output_row() const { return impl_->plan == nullptr ? 0 : ops_of_rows(*impl_->plan, LlmSymbols::n_outputs); }

namespace {

std::string explain_plan(const Plan& plan, bool json, const Context& context);

}  // namespace

std::string Session::explain(bool json) const {
  if (impl_->runner == nullptr) return json ? "[" + explain_plan(*impl_->plan, true, impl_->model.context()) + "]" : explain_plan(*impl_->plan, false, impl_->model.context());
  std::string all;
  for (const Plan* plan : impl_->runner->plans()) {
    if (json && !all.empty()) all += ",\n ";
    all += explain_plan(*plan, json, impl_->model.context());
  }
  return json ? "[" + all + "]" : all;
}

namespace {

std::string explain_plan(const Plan& plan, bool json, const Context& context) {
  std::string out;
  for (const PlannedNode& n : plan.nodes) {
    const Node& node = plan.graph.nodes[static_cast<size_t>(n.node)];
    if (json) {
      out += fmt::format("{}{{\"node\":{},\"op\":{},\"kernel\":{},\"steps\":{},\"bytes_read\":{},\"ops_per_row\":{},\"rows\":{},\"why\":{}}}", !out.empty() ? ",\n " : "", json_string(node.name),
                         json_string(node.op), json_string(n.kernel), n.n_steps, n.bytes_read, n.ops_per_row, json_string(rows_of(plan, n) == kNone ? "" : plan.graph.symbols[static_cast<size_t>(rows_of(plan, n))].name), json_string(n.why));
      continue;
    }
    out += fmt::format("{:<28} {:<16} {:<28} {:>12} bytes{}{}\n", node.name, node.op, n.kernel, n.bytes_read, n.why.empty() ? "" : "  # ", n.why);
  }
  if (json) return out;
  const auto barriers = std::count_if(plan.steps.begin(), plan.steps.end(), [](const Step& s) { return !s.beside; });
  std::map<const std::byte*, size_t> cached;  // panels that several nodes share count once
  for (const auto& p : plan.panels)
    if (p->from_cache) cached[p->data] = p->bytes;
  const size_t cached_bytes = std::accumulate(cached.begin(), cached.end(), size_t{0}, [](size_t sum, const auto& p) { return sum + p.second; });
  out += fmt::format("{} nodes, {} steps in {} groups; panels {} bytes ({} of the cache), source {} bytes, arena {} bytes, state {} bytes\n", plan.nodes.size(),
                     plan.steps.size(), barriers, plan.panel_bytes, cached_bytes, plan.source_bytes, plan.arena_bytes, plan.state_bytes);
  const Context::Impl& host = *context.impl();
  out += fmt::format("{} workers", plan.options.workers);
  if (host.options().parallel != nullptr) out += ", the host's threads";
  else if (const std::vector<int> cpus = host.bound_cpus(); !cpus.empty()) out += fmt::format(", bound to cpus {}", list_of_numbers(cpus));
  if (const int unbound = host.pool().threads_unbound(); unbound > 0) out += fmt::format(" ({} threads: the system refused)", unbound);
  return out + "\n";
}

}  // namespace

}  // namespace mainspring::inline v0
