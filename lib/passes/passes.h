// GRAPH → GRAPH. In: a graph as an importer built it. Out: the same function with fewer or faster nodes.
// Every pass stands in passes.inc, in order, and can be switched off by name (MAINSPRING_PASSES=-name). Must not know models or sessions.
#pragma once

#include <optional>
#include <string_view>

#include "mainspring/ext/graph.h"

namespace mainspring::inline v0 {

std::span<const Pass> all_passes();

/// Runs the passes in order until nothing changes (each at most a few times), then verifies the graph.
/// `switches`: comma-separated names with '-' before them are left out. Errors: internal (a pass broke the graph; names it).
Result<void> run_passes(Graph& graph, const PassContext& context, std::string_view switches = {});

/// How often each value is read, as a graph output included.
std::vector<int32_t> use_counts(const Graph& graph);
/// Makes every reader of `from` read `to` (node inputs and graph outputs).
void replace_uses(Graph& graph, ValueId from, ValueId to);
/// Who makes and reads the values of a graph, as it stood at the beginning of a pass.
class Makers {
 public:
  explicit Makers(const Graph& graph);
  /// The node that makes v where v is read once and no graph output; null where there is none, or more than one reader.
  const Node* of_one_reader(ValueId v) const;

 private:
  const Graph& graph_;
  std::vector<int32_t> uses_;
  std::vector<NodeId> made_;
};
/// The pass dead_code, for a pass that leaves behind what the next one must not see.
Result<bool> pass_dead_code(Graph& graph, const PassContext& context);
/// Whether the provider has a kernel for the node, with `x` in place of the first operand's dtype where given. False without a provider to ask.
bool accepts(const PassContext& context, const Graph& graph, const Node& node, std::optional<DType> x = {});

}  // namespace mainspring::inline v0
