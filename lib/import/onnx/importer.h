// Inside of the importer: graphs under construction, scopes of names, calls of functions. See graph.cpp, bodies.cpp, functions.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "import/onnx/proto.h"
#include "import/onnx/tensors.h"
#include "mainspring/ext/graph.h"
#include "mainspring/ext/op.h"

namespace mainspring::inline v0::onnx {

struct Scope;

/// An attribute with the scope in which its sub-graph's names are to be looked up: that of the node which wrote it.
struct BoundAttr {
  AttributeProto proto;
  Scope* scope = nullptr;
};

/// What nodes see besides values: the model's, or that of a function's call.
struct Frame {
  int64_t opset = 1;             ///< of ai.onnx
  std::vector<BoundAttr> attrs;  ///< of the call, under the function's names
  std::string prefix;            ///< of names, for people
  int depth = 0;
};

/// A graph under construction: the model's or a body's.
struct Body {
  Graph graph;
  Body* outer = nullptr;
  int depth = 0;
  std::unordered_map<std::string_view, SymbolId> symbols;
  std::unordered_map<ValueId, ValueId> carried;  ///< the outer graph's value → ours
  std::unordered_map<SymbolId, SymbolId> carried_symbols;
  std::vector<std::pair<ValueId, ValueId>> captures;  ///< those of them that are inputs here
  std::vector<ValueId> untold;  ///< ids of outputs of operators that are missing or failed: nothing is known about them (sorted)
};

/// Names of a graph or of a function's body.
struct Scope {
  Scope* outer = nullptr;  ///< null in a function: it sees its operands only
  Body* body = nullptr;
  const Frame* frame = nullptr;
  std::unordered_map<std::string_view, ValueId> names;  ///< kNone: an operand that the call left out
  std::unordered_map<std::string_view, const TypeProto*> declared;
};

class Importer {
 public:
  Importer(TensorLoader& loader, Budget& budget, std::span<const OpDef* const> custom_ops) : loader_(loader), budget_(budget), custom_ops_(custom_ops) {}

  /// `name`: the graph's.
  Result<Graph> run(const ModelProto& model, std::string_view& name);

 private:
  using FunctionKey = std::tuple<std::string_view, std::string_view, std::string_view>;  // domain, name, overload
  struct Missing {
    size_t n = 0;
    std::vector<std::string> nodes;  ///< the first few
  };

  // graph.cpp
  Result<void> add_weights(Scope& s, const GraphProto& g);
  Result<void> add_inputs(Scope& s, const GraphProto& g);
  Result<void> add_nodes(Scope& s, std::span<const NodeProto> nodes);
  Result<void> add_node(Scope& s, const NodeProto& n);
  Result<void> add_constant(Scope& s, const NodeProto& n, std::span<const BoundAttr> attrs);
  Result<void> add_outputs(Scope& s, const GraphProto& g);
  Result<Tensor> constant(const BoundAttr& attr, int& source);
  Result<void> run_node(Scope& s, const NodeProto& n, Node node, int n_out);
  void refine(Scope& s, std::string_view name, Value& v);
  Result<void> define(Scope& s, std::string_view name, ValueId id);
  Result<ValueId> find(Scope& s, std::string_view name);
  void tell_nothing(Scope& s, const NodeProto& n, int n_out);
  void note_missing(const NodeProto& n, std::string op);
  Error missing_error() const;

  // bodies.cpp
  Result<std::vector<BoundAttr>> bind_attrs(Scope& s, const NodeProto& n);
  Result<void> set_attrs(Scope& s, const NodeProto& n, std::span<const BoundAttr> attrs, Node& node);
  Result<void> add_bodies(Scope& s, std::span<const BoundAttr* const> graphs, Node& node);
  Result<void> add_body_inputs(Scope& s, const GraphProto& g, const Scope& outer, const Node& node);
  ValueId carry(Body& from, ValueId id, Body& to);

  // functions.cpp
  Result<void> read_functions(const ModelProto& model);
  const FunctionProto* function_of(const NodeProto& n) const;
  Result<void> call(Scope& s, const NodeProto& n, const FunctionProto& f, std::span<const BoundAttr> attrs);

  TensorLoader& loader_;
  Budget& budget_;
  std::span<const OpDef* const> custom_ops_;
  std::vector<FunctionProto> functions_;
  std::map<FunctionKey, const FunctionProto*> by_name_;
  std::map<std::string, Missing> missing_;  // by operator
  std::optional<Error> first_error_;
};

/// "" for ai.onnx, which files write either way.
inline std::string_view domain_of(std::string_view domain) { return domain == "ai.onnx" ? std::string_view() : domain; }
/// The version of ai.onnx; `otherwise` where it is not among them.
int64_t opset_of(std::span<const OpsetProto> opsets, int64_t otherwise);
/// The node's name, or its first output's.
std::string_view name_of(const NodeProto& n);
/// Dtype, extents and container as declared. Symbols that are not yet known are added with `add`, else unknown. Errors: unsupported.
Result<ValueInfo> info_of(const TypeProto& type, Body& body, bool add_symbols);

/// A weight of these elements.
Value weight_of(std::string_view name, Tensor tensor, int source);

}  // namespace mainspring::inline v0::onnx
