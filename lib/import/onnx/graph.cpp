// GraphProto → Graph: weights, inputs, nodes in an order in which they can run, outputs.
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "import/onnx/importer.h"
#include "import/onnx/upgrade.h"
#include "ops/onnx_dtype.h"

namespace mainspring::inline v0::onnx {
namespace {

constexpr int64_t kNewestOpset = 28;       // of ai.onnx, which the operators here have the meaning of
constexpr int64_t kLargestExtent = INT32_MAX;  // of a symbol: no profile is known at import
constexpr size_t kNodesShown = 4;
constexpr uint64_t kMostBytes = 16;            // that a byte of a TensorProto becomes: half of a varint's complex number, a string without characters

Error at_node(const NodeProto& n, Error e) {
  if (e.code == Errc::invalid_argument) e.code = Errc::corrupt_data;  // it was the file that called the operator so
  if (e.code == Errc::not_found) e.code = Errc::unsupported;          // an operator that an upgrade puts before the node
  return within(fmt::format("node '{}' ({})", shown(name_of(n)), shown(n.op)), std::move(e));
}

/// Some exporters write one text for every extent that they don't know: these are not the same extent.
bool is_name(std::string_view param) { return !param.empty() && param != "?" && param != "*" && param != "-1" && param != "None"; }

/// Whether a node stands before one whose outputs it reads.
bool in_order(std::span<const NodeProto> nodes, const std::unordered_map<std::string_view, size_t>& makers) {
  for (size_t i = 0; i < nodes.size(); ++i)
    for (const std::string_view name : nodes[i].in)
      if (const auto maker = makers.find(name); maker != makers.end() && maker->second >= i) return false;
  return true;
}

/// The nodes' indices in an order in which they can run, near the file's. Errors: corrupt_data (a value that is written twice, a cycle).
Result<std::vector<size_t>> order_of(std::span<const NodeProto> nodes) {
  std::unordered_map<std::string_view, size_t> makers;
  makers.reserve(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i)
    for (const std::string_view name : nodes[i].out)
      if (!name.empty() && !makers.emplace(name, i).second) return corrupt("value '{}' is written twice, by node '{}' too", shown(name), shown(name_of(nodes[i])));
  std::vector<size_t> order(nodes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (in_order(nodes, makers)) return order;
  std::vector<std::vector<size_t>> readers(nodes.size());
  std::vector<size_t> waits(nodes.size(), 0);
  for (size_t i = 0; i < nodes.size(); ++i)
    for (const std::string_view name : nodes[i].in)
      if (const auto maker = makers.find(name); maker != makers.end()) {
        readers[maker->second].push_back(i);
        ++waits[i];
      }
  order.clear();
  for (size_t i = 0; i < nodes.size(); ++i)
    if (waits[i] == 0) order.push_back(i);
  for (size_t next = 0; next < order.size(); ++next)
    for (const size_t reader : readers[order[next]])
      if (--waits[reader] == 0) order.push_back(reader);
  if (order.size() == nodes.size()) return order;
  const auto stuck = static_cast<size_t>(std::find_if(waits.begin(), waits.end(), [](size_t w) { return w > 0; }) - waits.begin());
  return corrupt("node '{}' waits for itself: the graph has a cycle", shown(name_of(nodes[stuck])));
}

}  // namespace

int64_t opset_of(std::span<const OpsetProto> opsets, int64_t otherwise) {
  const auto found = std::find_if(opsets.begin(), opsets.end(), [](const OpsetProto& o) { return domain_of(o.domain).empty(); });
  return found == opsets.end() ? otherwise : found->version;
}

std::string_view name_of(const NodeProto& n) {
  if (!n.name.empty() || n.out.empty()) return n.name;
  return n.out[0];
}

Result<ValueInfo> info_of(const TypeProto& type, Body& body, bool add_symbols) {
  ValueInfo info;
  if (type.other) return unsupported("is a map, an opaque value or containers inside each other");
  const auto dtype = dtype_of_onnx(type.elem_type);
  if (!dtype && type.elem_type != 0) return unsupported("has element type {}, which this version doesn't read", type.elem_type);
  info.dtype = dtype.value_or(DType::f32);
  info.container = type.container;
  info.ranked = type.dims.has_value();
  if (!info.ranked) return info;
  if (type.dims->size() > static_cast<size_t>(Shape::kMaxRank)) return unsupported("has {} dimensions, at most {} are read", type.dims->size(), Shape::kMaxRank);
  for (const TypeProto::Extent& e : *type.dims) {
    Dim dim = Dim::unknown();
    if (e.value && *e.value >= 0) {
      dim = *e.value;
    } else if (is_name(e.param)) {
      const auto known = body.symbols.find(e.param);
      if (known != body.symbols.end()) dim = Dim(1, known->second);
      else if (add_symbols) dim = Dim(1, body.symbols[e.param] = body.graph.add_symbol({std::string(e.param), 0, 1, kLargestExtent}));
    }
    info.dims.push_back(dim);
  }
  return info;
}

Value weight_of(std::string_view name, Tensor tensor, int source) {
  Value v;
  v.name = name;
  v.dtype = tensor.dtype();
  for (const int64_t d : tensor.shape().dims()) v.dims.push_back(d);
  v.kind = Kind::weight;
  v.bytes = tensor.bytes();
  v.source = source;
  v.keeper = std::make_shared<Tensor>(std::move(tensor));
  return v;
}

Result<Graph> Importer::run(const ModelProto& model, std::string_view& name) {
  Frame frame;
  frame.opset = opset_of(model.opsets, 1);
  if (frame.opset > kNewestOpset) return unsupported("opset {} of ai.onnx, at most {} is read", frame.opset, kNewestOpset);
  MAINSPRING_TRY_VOID(read_functions(model));
  MAINSPRING_TRY(const GraphProto g, read_graph(*model.graph));
  name = g.name;
  Body body;
  body.graph.custom_ops.assign(custom_ops_.begin(), custom_ops_.end());
  Scope scope{nullptr, &body, &frame, {}, {}};
  MAINSPRING_TRY_VOID(add_weights(scope, g));
  MAINSPRING_TRY_VOID(add_inputs(scope, g));
  for (const auto* list : {&g.infos, &g.outputs})
    for (const ValueInfoProto& v : *list) scope.declared.insert_or_assign(v.name, &v.type);
  MAINSPRING_TRY_VOID(add_nodes(scope, g.nodes));
  MAINSPRING_TRY_VOID(add_outputs(scope, g));
  if (!missing_.empty()) return missing_error();
  if (first_error_) return *std::move(first_error_);
  return std::move(body.graph);
}

Result<void> Importer::add_weights(Scope& s, const GraphProto& g) {
  s.names.reserve(g.initializers.size() + g.nodes.size());
  const auto add = [&](std::string_view name, Result<Loaded> weight) -> Result<void> {
    if (!weight) return within("initializer", std::move(weight).error());
    return define(s, name, s.body->graph.add_value(weight_of(name, std::move(weight->tensor), weight->source)));
  };
  for (const TensorProto& t : g.initializers) MAINSPRING_TRY_VOID(add(t.name, loader_.load(t)));
  for (const SparseTensorProto& t : g.sparse) MAINSPRING_TRY_VOID(add(t.values.name, loader_.load(t)));
  return {};
}

Result<void> Importer::add_inputs(Scope& s, const GraphProto& g) {
  for (const ValueInfoProto& in : g.inputs) {
    if (s.names.contains(in.name)) {  // an initializer that may be overridden: here it is a constant
      if (s.body->graph.values[static_cast<size_t>(s.names[in.name])].kind == Kind::weight) continue;
      return corrupt("input '{}' stands twice", shown(in.name));
    }
    auto info = info_of(in.type, *s.body, true);
    if (!info) return within(fmt::format("input '{}'", shown(in.name)), std::move(info).error());
    if (in.type.elem_type == 0) return corrupt("input '{}' has no element type", shown(in.name));
    Value v;
    v.name = in.name;
    v.dtype = info->dtype;
    v.dims = std::move(info->dims);
    v.ranked = info->ranked;
    v.container = info->container;
    v.kind = Kind::input;
    const ValueId id = s.body->graph.add_value(std::move(v));
    s.body->graph.inputs.push_back(id);
    MAINSPRING_TRY_VOID(define(s, in.name, id));
  }
  return {};
}

Result<void> Importer::add_nodes(Scope& s, std::span<const NodeProto> nodes) {
  MAINSPRING_TRY(const std::vector<size_t> order, order_of(nodes));
  for (const size_t i : order) {
    auto added = add_node(s, nodes[i]);
    if (added) continue;
    if (added.error().code == Errc::out_of_memory) return added;
    if (!first_error_) first_error_ = at_node(nodes[i], std::move(added).error());  // go on: all missing operators are to be named
    tell_nothing(s, nodes[i], static_cast<int>(nodes[i].out.size()));
  }
  return {};
}

Result<void> Importer::add_node(Scope& s, const NodeProto& n) {
  MAINSPRING_TRY(const std::vector<BoundAttr> attrs, bind_attrs(s, n));
  if (const FunctionProto* f = function_of(n)) return call(s, n, *f, attrs);
  const std::string_view domain = domain_of(n.domain);
  if (domain.empty() && n.op == "Constant") return add_constant(s, n, attrs);
  Node node;
  node.op = domain.empty() ? std::string(n.op) : fmt::format("{}.{}", domain, n.op);
  node.name = s.frame->prefix + std::string(name_of(n));
  for (const std::string_view name : n.in) {
    MAINSPRING_TRY(const ValueId id, name.empty() ? Result<ValueId>(kNone) : find(s, name));
    node.in.push_back(id);
  }
  while (!node.in.empty() && node.in.back() == kNone) node.in.pop_back();
  size_t n_out = n.out.size();
  while (n_out > 0 && n.out[n_out - 1].empty()) --n_out;
  if (n_out == 0) return {};  // nobody sees what it does
  MAINSPRING_TRY_VOID(set_attrs(s, n, attrs, node));
  return run_node(s, n, std::move(node), static_cast<int>(n_out));
}

/// Upgrades a node and adds it to the graph, unless its operator is missing or an operand is not known to be anything.
Result<void> Importer::run_node(Scope& s, const NodeProto& n, Node node, int n_out) {
  Graph& graph = s.body->graph;
  const auto& untold = s.body->untold;
  const bool told = std::none_of(node.in.begin(), node.in.end(), [&](ValueId id) { return std::binary_search(untold.begin(), untold.end(), id); });
  if (told) MAINSPRING_TRY_VOID(upgrade({graph, loader_.allocator(), node, n_out, s.frame->opset}));
  node.op = newest_name(node.op);
  const OpDef* op = graph.find_op(node.op);
  if (op == nullptr) {
    note_missing(n, domain_of(n.domain).empty() ? fmt::format("ai.onnx.{}-{}", shown(node.op), s.frame->opset) : shown(node.op));
    tell_nothing(s, n, static_cast<int>(n.out.size()));
    return {};
  }
  if (!told) {
    tell_nothing(s, n, static_cast<int>(n.out.size()));
    return {};
  }
  if (n_out > op->n_out) return corrupt("has {} outputs, the operator gives at most {}", n_out, op->n_out);
  auto out = graph.add_node(node.op, std::move(node.name), std::move(node.in), std::move(node.attrs), n_out, std::move(node.bodies));
  if (!out) return std::move(out).error();
  for (size_t i = 0; i < out->size() && i < n.out.size(); ++i) {
    if (n.out[i].empty()) continue;
    Value& v = graph.values[static_cast<size_t>((*out)[i])];
    v.name = s.frame->prefix + std::string(n.out[i]);
    refine(s, n.out[i], v);
    MAINSPRING_TRY_VOID(define(s, n.out[i], (*out)[i]));
  }
  return {};
}

/// What the file says about a value, where inference could not tell. Symbols that no input has would have no value at run time.
void Importer::refine(Scope& s, std::string_view name, Value& v) {
  const auto declared = s.declared.find(name);
  if (declared == s.declared.end()) return;
  auto info = info_of(*declared->second, *s.body, false);
  if (!info || !info->ranked || info->container != v.container) return;
  if (!v.ranked) {
    v.dims = Dims(info->dims.size(), Dim::unknown());
    v.ranked = true;
  }
  if (v.dims.size() != info->dims.size()) return;  // the file lies
  for (size_t i = 0; i < v.dims.size(); ++i)
    if (!v.dims[i].is_known()) v.dims[i] = info->dims[i];
}

Result<void> Importer::define(Scope& s, std::string_view name, ValueId id) {
  if (name.empty()) return corrupt("a value has no name");
  if (!s.names.emplace(name, id).second) return corrupt("value '{}' is written twice", shown(name));
  return {};
}

Result<ValueId> Importer::find(Scope& s, std::string_view name) {
  for (Scope* at = &s; at != nullptr; at = at->outer)
    if (const auto found = at->names.find(name); found != at->names.end()) return found->second == kNone ? kNone : carry(*at->body, found->second, *s.body);
  return corrupt("reads value '{}', which nothing has written", shown(name));
}

void Importer::tell_nothing(Scope& s, const NodeProto& n, int n_out) {
  for (size_t i = 0; i < static_cast<size_t>(n_out); ++i) {
    if (n.out[i].empty() || s.names.contains(n.out[i])) continue;
    Value v;
    v.ranked = false;
    const ValueId id = s.body->graph.add_value(std::move(v));
    s.body->untold.push_back(id);
    s.names.emplace(n.out[i], id);
  }
}

void Importer::note_missing(const NodeProto& n, std::string op) {
  Missing& m = missing_[std::move(op)];
  if (m.n++ < kNodesShown) m.nodes.push_back(shown(name_of(n)));
}

Error Importer::missing_error() const {
  std::string list;
  for (const auto& [op, m] : missing_) {
    std::string nodes;
    for (const std::string& name : m.nodes) nodes += fmt::format("{}'{}'", nodes.empty() ? "" : ", ", name);
    if (m.n > m.nodes.size()) nodes += fmt::format(" and {} more", m.n - m.nodes.size());
    list += fmt::format("{}{} (node{} {})", list.empty() ? "" : ", ", op, m.n > 1 ? "s" : "", nodes);
  }
  if (missing_.size() == 1) return unsupported("1 operator is not supported: {}", list);
  return unsupported("{} operators are not supported: {}", missing_.size(), list);
}

Result<Tensor> Importer::constant(const BoundAttr& attr, int& source) {
  const AttributeProto& a = attr.proto;
  Allocator& allocator = loader_.allocator();
  const auto filled = [&allocator](DType dtype, const Shape& shape, const void* elements) -> Result<Tensor> {
    MAINSPRING_TRY(Tensor t, Tensor::make(allocator, dtype, shape));
    if (!t.bytes().empty()) std::memcpy(t.data(), elements, t.bytes().size());
    return t;
  };
  switch (a.type) {
    case AttributeProto::tensor:
    case AttributeProto::sparse: {
      if (attr.scope->frame->depth > 0) MAINSPRING_TRY_VOID(budget_.take(kMostBytes * a.part.size()));
      MAINSPRING_TRY(const TensorProto t, a.type == AttributeProto::tensor ? read_tensor(a.part) : Result<TensorProto>(TensorProto{}));
      MAINSPRING_TRY(const SparseTensorProto sparse, a.type == AttributeProto::sparse ? read_sparse(a.part) : Result<SparseTensorProto>(SparseTensorProto{}));
      MAINSPRING_TRY(Loaded loaded, a.type == AttributeProto::tensor ? loader_.load(t) : loader_.load(sparse));
      source = loaded.source;
      return std::move(loaded.tensor);
    }
    case AttributeProto::f32: return filled(DType::f32, {}, &a.f);
    case AttributeProto::integer: return filled(DType::i64, {}, &a.i);
    case AttributeProto::text: return Tensor::copy_strings(allocator, std::span(&a.s, 1), {});
    case AttributeProto::floats: {
      MAINSPRING_TRY(const std::vector<double> numbers, floats_of(a));
      const std::vector<float> narrow(numbers.begin(), numbers.end());
      return filled(DType::f32, {static_cast<int64_t>(narrow.size())}, narrow.data());
    }
    case AttributeProto::ints: {
      MAINSPRING_TRY(const std::vector<int64_t> numbers, ints_of(a));
      return filled(DType::i64, {static_cast<int64_t>(numbers.size())}, numbers.data());
    }
    case AttributeProto::texts: {
      MAINSPRING_TRY(const std::vector<std::string> texts, texts_of(a));
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      return Tensor::copy_strings(allocator, views, {static_cast<int64_t>(views.size())});
    }
    default: return corrupt("attribute '{}' is of type {}, expected a value", shown(a.name), a.type);
  }
}

Result<void> Importer::add_constant(Scope& s, const NodeProto& n, std::span<const BoundAttr> attrs) {
  const auto attr = std::find_if(attrs.begin(), attrs.end(), [](const BoundAttr& a) { return a.proto.name.find("value") != std::string_view::npos; });
  if (attr == attrs.end() || n.out.empty()) return corrupt("a constant without a value");
  int source = -1;
  MAINSPRING_TRY(Tensor tensor, constant(*attr, source));
  return define(s, n.out[0], s.body->graph.add_value(weight_of(s.frame->prefix + std::string(n.out[0]), std::move(tensor), source)));
}

Result<void> Importer::add_outputs(Scope& s, const GraphProto& g) {
  Graph& graph = s.body->graph;
  for (const ValueInfoProto& out : g.outputs) {
    auto id = find(s, out.name);
    if (!id) return within(fmt::format("output '{}'", shown(out.name)), std::move(id).error());
    if (*id == kNone) return corrupt("output '{}' is nothing", shown(out.name));
    if (graph.values[static_cast<size_t>(*id)].name != out.name && s.body->outer == nullptr && missing_.empty() && !first_error_) {
      // A function that hands an operand through: the value bears that one's name.
      MAINSPRING_TRY(const std::vector<ValueId> copy, graph.add_node("Identity", std::string(out.name), {*id}, {}, 1));
      graph.values[static_cast<size_t>(copy[0])].name = out.name;
      id = copy[0];
    }
    graph.outputs.push_back(*id);
  }
  return {};
}

}  // namespace mainspring::inline v0::onnx
