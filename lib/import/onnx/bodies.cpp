// Attributes, and the sub-graphs among them: bodies, and the outer values that they capture.
#include <algorithm>

#include "core/error.h"
#include "import/onnx/importer.h"
#include "ops/onnx_dtype.h"

namespace mainspring::inline v0::onnx {
namespace {

constexpr size_t kMaxAttrs = 256;  // of a node: they are looked up one after the other
constexpr int kMaxBodies = 32;  // inside each other
constexpr uint64_t kGraphBytes = 32;  // that a byte of a GraphProto becomes: a short node takes 15 there, 500 here

/// The bodies' order in Node::bodies, where an operator has several.
int rank_of(std::string_view name) {
  constexpr std::string_view order[] = {"then_branch", "else_branch", "score_mod", "prob_mod"};
  return static_cast<int>(std::find(std::begin(order), std::end(order), name) - std::begin(order));
}

/// What a body's own input is when the graph does not say: i64 and bool of a Loop's first two, else the operand that is handed to it.
const Value* operand_of(const Graph& graph, const Node& node, size_t input) {
  if (input >= node.in.size() || node.in[input] == kNone) return nullptr;
  return &graph.values[static_cast<size_t>(node.in[input])];
}

}  // namespace

/// A node's attributes; those that refer to the function's are replaced by the call's, or left out where the call has none.
Result<std::vector<BoundAttr>> Importer::bind_attrs(Scope& s, const NodeProto& n) {
  if (n.attrs.size() > kMaxAttrs) return unsupported("has {} attributes, at most {} are read", n.attrs.size(), kMaxAttrs);
  std::vector<BoundAttr> out;
  out.reserve(n.attrs.size());
  for (const AttributeProto& a : n.attrs) {
    if (a.ref.empty()) {
      out.push_back({a, &s});
      continue;
    }
    const auto& bound = s.frame->attrs;
    const auto found = std::find_if(bound.begin(), bound.end(), [&a](const BoundAttr& b) { return b.proto.name == a.ref; });
    if (found == bound.end()) continue;
    out.push_back(*found);
    out.back().proto.name = a.name;
  }
  return out;
}

Result<void> Importer::set_attrs(Scope& s, const NodeProto& n, std::span<const BoundAttr> attrs, Node& node) {
  std::vector<const BoundAttr*> graphs;
  for (const BoundAttr& attr : attrs) {
    const AttributeProto& a = attr.proto;
    std::string name(a.name);
    switch (a.type) {
      case AttributeProto::f32: node.attrs.set(std::move(name), static_cast<double>(a.f)); break;
      case AttributeProto::integer: node.attrs.set(std::move(name), a.i); break;
      case AttributeProto::text: node.attrs.set(std::move(name), std::string(a.s)); break;
      case AttributeProto::floats: {
        MAINSPRING_TRY(std::vector<double> list, floats_of(a));
        node.attrs.set(std::move(name), std::move(list));
        break;
      }
      case AttributeProto::ints: {
        MAINSPRING_TRY(std::vector<int64_t> list, ints_of(a));
        node.attrs.set(std::move(name), std::move(list));
        break;
      }
      case AttributeProto::texts: {
        MAINSPRING_TRY(std::vector<std::string> list, texts_of(a));
        node.attrs.set(std::move(name), std::move(list));
        break;
      }
      case AttributeProto::tensor:
      case AttributeProto::sparse: {
        int source = -1;
        MAINSPRING_TRY(Tensor tensor, constant(attr, source));
        node.attrs.set(std::move(name), std::move(tensor));
        break;
      }
      case AttributeProto::type_proto: {
        MAINSPRING_TRY(const TypeProto type, read_type(a.part));
        MAINSPRING_TRY(const ValueInfo info, info_of(type, *s.body, false));
        node.attrs.set("dtype", onnx_of_dtype(info.dtype));
        node.attrs.set("container", static_cast<int64_t>(info.container));
        break;
      }
      case AttributeProto::graph: graphs.push_back(&attr); break;
      case AttributeProto::undefined: break;  // an attribute without a value stands for its default
      default: return unsupported("attribute '{}' of type {}", shown(a.name), a.type);
    }
  }
  if (graphs.empty()) return {};
  if (n.op == "FlexAttention")
    for (const BoundAttr* g : graphs) node.attrs.set(fmt::format("has_{}", g->proto.name), int64_t{1});
  std::stable_sort(graphs.begin(), graphs.end(), [](const BoundAttr* a, const BoundAttr* b) { return rank_of(a->proto.name) < rank_of(b->proto.name); });
  return add_bodies(s, graphs, node);
}

Result<void> Importer::add_bodies(Scope& s, std::span<const BoundAttr* const> graphs, Node& node) {
  if (s.body->depth == kMaxBodies) return unsupported("sub-graphs are nested more than {} deep", kMaxBodies);
  std::vector<Body> bodies(graphs.size());
  for (size_t i = 0; i < graphs.size(); ++i) {
    const BoundAttr& attr = *graphs[i];
    if (attr.scope->frame->depth > 0 || attr.scope->frame != s.frame) MAINSPRING_TRY_VOID(budget_.take(kGraphBytes * attr.proto.part.size()));
    MAINSPRING_TRY(const GraphProto g, read_graph(attr.proto.part));
    Body& body = bodies[i];
    body.outer = s.body;
    body.depth = s.body->depth + 1;
    body.graph.custom_ops = s.body->graph.custom_ops;
    Scope inner{attr.scope, &body, attr.scope->frame, {}, {}};
    for (const auto* list : {&g.infos, &g.outputs})
      for (const ValueInfoProto& v : *list) inner.declared.insert_or_assign(v.name, &v.type);
    const auto where = [&](Error e) { return within(fmt::format("in '{}'", shown(attr.proto.name)), std::move(e)); };
    if (auto r = add_body_inputs(inner, g, s, node); !r) return where(std::move(r).error());
    if (auto r = add_weights(inner, g); !r) return where(std::move(r).error());
    if (auto r = add_nodes(inner, g.nodes); !r) return where(std::move(r).error());
    if (auto r = add_outputs(inner, g); !r) return where(std::move(r).error());
  }
  // All bodies take the same captures, in one order: the node's last operands serve each of them.
  std::vector<ValueId> captures;
  std::unordered_map<ValueId, size_t> place;
  for (const Body& body : bodies)
    for (const auto& [outer, inner] : body.captures)
      if (place.emplace(outer, captures.size()).second) captures.push_back(outer);
  for (Body& body : bodies) {
    std::vector<ValueId> inputs(captures.size(), kNone);
    for (const auto& [outer, inner] : body.captures) inputs[place[outer]] = inner;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] == kNone) inputs[i] = carry(*s.body, captures[i], body);
      body.graph.inputs.push_back(inputs[i]);
    }
    node.bodies.push_back(std::make_shared<const Graph>(std::move(body.graph)));
  }
  node.in.insert(node.in.end(), captures.begin(), captures.end());
  node.attrs.set("n_captures", static_cast<int64_t>(captures.size()));
  return {};
}

/// A body's own inputs. Extents that the file names by symbols may differ from one turn to the next: they are unknown here.
Result<void> Importer::add_body_inputs(Scope& s, const GraphProto& g, const Scope& outer, const Node& node) {
  for (size_t i = 0; i < g.inputs.size(); ++i) {
    const ValueInfoProto& in = g.inputs[i];
    MAINSPRING_TRY(ValueInfo info, info_of(in.type, *s.body, false));
    const Value* operand = operand_of(outer.body->graph, node, i);
    const bool loops = node.op == "Loop" && i < 2;
    if (in.type.elem_type == 0 && loops) {
      info.dtype = i == 0 ? DType::i64 : DType::boolean;
    } else if (in.type.elem_type == 0 && operand != nullptr) {
      info.dtype = operand->dtype;
      info.container = node.op == "SequenceMap" && i == 0 ? Container::tensor : operand->container;
    }
    Value v;
    v.name = s.frame->prefix + std::string(in.name);
    v.dtype = info.dtype;
    v.dims = std::move(info.dims);
    v.ranked = info.ranked;
    v.container = info.container;
    v.kind = Kind::input;
    const ValueId id = s.body->graph.add_value(std::move(v));
    s.body->graph.inputs.push_back(id);
    MAINSPRING_TRY_VOID(define(s, in.name, id));
  }
  return {};
}

/// The value `id` of `from` in `to`, a graph inside it at any depth: weights are there directly, others become inputs of each graph on the way.
ValueId Importer::carry(Body& from, ValueId id, Body& to) {
  if (&from == &to) return id;
  id = carry(from, id, *to.outer);
  if (const auto known = to.carried.find(id); known != to.carried.end()) return known->second;
  const Graph& outer = to.outer->graph;
  Value v = outer.values[static_cast<size_t>(id)];
  for (Dim& d : v.dims) {
    if (d.is_constant() || !d.is_known()) continue;
    const auto [symbol, is_new] = to.carried_symbols.emplace(d.symbol, kNone);
    if (is_new) symbol->second = to.graph.add_symbol(outer.symbols[static_cast<size_t>(d.symbol)]);
    d.symbol = symbol->second;
  }
  const bool weight = v.kind == Kind::weight;
  if (!weight) v.kind = Kind::input;
  const ValueId inner = to.graph.add_value(std::move(v));
  to.carried.emplace(id, inner);
  if (!weight) to.captures.emplace_back(id, inner);
  const auto& untold = to.outer->untold;
  if (std::binary_search(untold.begin(), untold.end(), id)) to.untold.push_back(inner);
  return inner;
}

}  // namespace mainspring::inline v0::onnx
