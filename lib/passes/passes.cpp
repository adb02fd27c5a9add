#include "passes/passes.h"

#include <algorithm>

#include "core/error.h"

namespace mainspring::inline v0 {

#define MAINSPRING_PASS(name) Result<bool> pass_##name(Graph&, const PassContext&);
#include "passes/passes.inc"
#undef MAINSPRING_PASS

namespace {

constexpr Pass kPasses[] = {
#define MAINSPRING_PASS(name) {#name, pass_##name},
#include "passes/passes.inc"
#undef MAINSPRING_PASS
};

bool switched_off(std::string_view switches, std::string_view name) {
  while (!switches.empty()) {
    const size_t comma = std::min(switches.find(','), switches.size());
    const std::string_view one = switches.substr(0, comma);
    if (one.size() > 1 && one[0] == '-' && one.substr(1) == name) return true;
    switches.remove_prefix(std::min(comma + 1, switches.size()));
  }
  return false;
}

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

Result<void> run_passes(Graph& graph, const PassContext& context, std::string_view switches) {
  for (int round = 0; round < 4; ++round) {
    bool changed = false;
    for (const Pass& pass : kPasses) {
      if (switched_off(switches, pass.name)) continue;
      auto did = pass.run(graph, context);
      if (!did) return within(fmt::format("pass {}", pass.name), std::move(did).error());
      changed |= *did;
    }
    if (!changed) break;
  }
  return graph.verify();
}

std::vector<int32_t> use_counts(const Graph& graph) {
  std::vector<int32_t> uses(graph.values.size(), 0);
  for (const Node& n : graph.nodes)
    for (ValueId v : n.in)
      if (v != kNone) ++uses[static_cast<size_t>(v)];
  for (ValueId v : graph.outputs) ++uses[static_cast<size_t>(v)];
  return uses;
}

void replace_uses(Graph& graph, ValueId from, ValueId to) {
  for (Node& n : graph.nodes) std::replace(n.in.begin(), n.in.end(), from, to);
  std::replace(graph.outputs.begin(), graph.outputs.end(), from, to);
}

Makers::Makers(const Graph& graph) : graph_(graph), uses_(use_counts(graph)), made_(graph.values.size(), kNone) {
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (ValueId v : graph.nodes[i].out) made_[static_cast<size_t>(v)] = static_cast<NodeId>(i);
}

const Node* Makers::of_one_reader(ValueId v) const {
  const NodeId maker = made_[static_cast<size_t>(v)];
  return maker == kNone || uses_[static_cast<size_t>(v)] != 1 ? nullptr : &graph_.nodes[static_cast<size_t>(maker)];
}

bool accepts(const PassContext& context, const Graph& graph, const Node& node, std::optional<DType> x) {
  if (context.accepts == nullptr) return false;
  std::vector<DType> operands;
  for (ValueId v : node.in) operands.push_back(v == kNone ? DType::f32 : graph.values[static_cast<size_t>(v)].dtype);
  if (x) operands[0] = *x;
  return context.accepts(context.user, graph, node, operands);
}

}  // namespace mainspring::inline v0
