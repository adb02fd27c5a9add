// How a pass of tensors rewrites a graph: it looks at the nodes as they stood, and writes the new list in order. In: a Graph. Out: the same Graph with
// another list of nodes. Values keep their ids; a value that another one takes the place of is read there from then on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/evaluate.h"
#include "mainspring/ext/graph.h"

namespace mainspring::inline v0 {

class Rewrite {
 public:
  explicit Rewrite(Graph& graph);

  // the graph as it stood
  std::span<const Node> nodes() const { return old_; }
  /// The node that makes v; null for inputs and weights.
  const Node* maker(ValueId v) const;
  /// The same, where v has one reader and is no output of the graph, and the node is of that operator ("" any).
  const Node* sole(ValueId v, std::string_view op = {}) const;
  int uses(ValueId v) const { return uses_[static_cast<size_t>(v)]; }
  const Value& value(ValueId v) const { return graph_.values[static_cast<size_t>(v)]; }
  bool is_weight(ValueId v) const { return v != kNone && value(v).kind == Kind::weight; }
  /// The number in a floating-point or integer weight of one element.
  std::optional<double> scalar(ValueId v) const;
  /// All integers of a weight; empty where it is none.
  std::optional<std::vector<int64_t>> ints(ValueId v) const;
  /// f32 with constant extents.
  bool is_f32(ValueId v) const;

  // the new list
  /// The node as it stood, reading what took the place of its operands.
  void keep(const Node& node);
  /// A new node; its first output.
  Result<ValueId> add(std::string_view op, std::string_view name, std::vector<ValueId> in, Attrs attrs = {});
  /// A new node that makes the value `out`, which has the dims that it had.
  void make(ValueId out, std::string_view op, std::string_view name, std::vector<ValueId> in, Attrs attrs = {});
  ValueId weight(std::string name, Tensor content) { return graph_.add_value(weight_of(std::move(name), std::move(content))); }
  /// Whoever reads `from` reads `to` (an id of the new list) from here on.
  void replace(ValueId from, ValueId to);
  /// What v is read as in the new list.
  ValueId now(ValueId v) const;
  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }
  bool changed() const { return changed_; }
  /// Puts the outputs right; true when anything changed. To be called at the end.
  bool finish();

 private:
  Graph& graph_;
  std::vector<Node> old_;
  std::vector<int32_t> uses_, made_;
  std::vector<ValueId> now_;
  bool changed_ = false;
};

/// Extents that are all constant.
bool constant(const Dims& dims);
/// The reference of Attrs for an ints attribute.
inline std::vector<int64_t> vector_of(std::span<const int64_t> v) { return {v.begin(), v.end()}; }
/// A weight of integers.
Result<Tensor> int_tensor(Allocator& allocator, std::span<const int64_t> values);
Result<Tensor> float_tensor(Allocator& allocator, std::span<const float> values, const Shape& shape);

}  // namespace mainspring::inline v0
