// Older opsets → the newest. In: a node with its operands in the graph, as a file of opset N wrote it. Out: the same in the newest opset's form, perhaps with
// constants and nodes before it. The rules stand in upgrades.inc.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "import/onnx/importer.h"
#include "mainspring/context.h"
#include "mainspring/ext/graph.h"

namespace mainspring::inline v0::onnx {

/// A node on its way. `node.out` is not used: `n_out` counts its outputs.
struct Upgrading {
  Graph& graph;
  Allocator& allocator;
  Node& node;
  int& n_out;
  int64_t opset;  ///< of ai.onnx

  /// Operand i, or null.
  const Value* operand(size_t i) const;
  /// Sets operand i, with absent ones before it where there are none.
  void set_operand(size_t i, ValueId id);
  ValueId add_weight(Tensor tensor);
  /// A constant of one i64 dimension, or a scalar of a dtype. Errors: out_of_memory.
  Result<ValueId> ints(std::span<const int64_t> elements);
  Result<ValueId> scalar(DType dtype, double value);
  /// A node before this one; its only output. Errors: as Graph::add_node.
  Result<ValueId> before(std::string_view op, std::vector<ValueId> in, Attrs attrs = {});
  /// Takes attributes away.
  void drop(std::initializer_list<std::string_view> names);
  /// An attribute of integers becomes operand i. Nothing where it is absent. Errors: out_of_memory.
  Result<void> ints_to_operand(std::string_view attr, size_t i);
};

/// What an operator is called today: Upsample has become Resize, Scatter ScatterElements; some of com.microsoft mean the same as ai.onnx's.
std::string_view newest_name(std::string_view op);
/// Brings the node's attributes and operands up to date; its name stays. Errors: unsupported, corrupt_data, those of Graph::add_node.
Result<void> upgrade(Upgrading u);

}  // namespace mainspring::inline v0::onnx
