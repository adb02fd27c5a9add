// Building, checking and printing graphs (ext/graph.h).
#include <algorithm>

#include "core/error.h"
#include "mainspring/ext/graph.h"
#include "mainspring/ext/op.h"

namespace mainspring::inline v0 {
namespace {

/// `contents` takes what infos[i].value points to.
std::vector<ValueInfo> operand_infos(const Graph& g, const OpDef& op, std::span<const ValueId> in, std::vector<Tensor>& contents) {
  std::vector<ValueInfo> infos(op.max_in == kVariadic ? in.size() : static_cast<size_t>(op.max_in));
  contents.resize(infos.size());
  for (size_t i = 0; i < infos.size(); ++i) {
    if (i >= in.size() || in[i] == kNone) {
      infos[i].present = false;
      continue;
    }
    const Value& v = g.values[static_cast<size_t>(in[i])];
    infos[i] = ValueInfo{v.dtype, v.dims, v.state_kind, true, v.ranked, v.container};
    if (v.kind == Kind::weight && !is_block_format(v.dtype)) {
      Shape shape;
      for (const Dim& d : v.dims) shape.push_back(d.times);
      contents[i] = Tensor::share(v.dtype, shape, const_cast<std::byte*>(v.bytes.data()), nullptr);
      infos[i].value = &contents[i];
    }
  }
  return infos;
}

Result<std::vector<ValueInfo>> infer(const Graph& g, const OpDef& op, std::span<const ValueId> in, const Attrs& attrs, int n_out, const std::vector<std::shared_ptr<const Graph>>& bodies) {
  if (static_cast<int>(in.size()) > op.max_in)
    return invalid("{} got {} operands, takes at most {}", op.name, in.size(), op.max_in);
  for (size_t i = 0; i < in.size(); ++i)
    if (in[i] != kNone && (in[i] < 0 || static_cast<size_t>(in[i]) >= g.values.size()))
      return invalid("{} operand {} is value {}, the graph has {}", op.name, i, in[i], g.values.size());
  for (int i = 0; i < op.min_in; ++i)
    if (static_cast<size_t>(i) >= in.size() || in[static_cast<size_t>(i)] == kNone)
      return invalid("{} lacks operand {}, needs at least {}", op.name, i, op.min_in);
  std::vector<Tensor> contents;
  const std::vector<ValueInfo> infos = operand_infos(g, op, in, contents);
  return op.infer(OpCall{infos, attrs, bodies, n_out});
}

/// Unknown extents agree with everything: a value may have learnt more than its rule says.
bool same_extents(const Dims& a, const Dims& b) {
  if (a.size() != b.size()) return a.empty() || b.empty();
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].is_known() && b[i].is_known() && a[i] != b[i]) return false;
  return true;
}

std::string dims_text(const Graph& g, const Dims& dims) {
  std::string out = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i) out += ", ";
    if (!dims[i].is_known()) out += "?";
    else if (dims[i].is_constant()) out += fmt::format("{}", dims[i].times);
    else if (dims[i].times == 1) out += g.symbols[static_cast<size_t>(dims[i].symbol)].name;
    else out += fmt::format("{}*{}", dims[i].times, g.symbols[static_cast<size_t>(dims[i].symbol)].name);
  }
  return out + "]";
}

std::string value_text(const Graph& g, ValueId id) {
  if (id == kNone) return "-";
  const Value& v = g.values[static_cast<size_t>(id)];
  return fmt::format("%{}{}{}", id, v.name.empty() ? "" : ":", v.name);
}

/// By get_if: std::visit brings abort() for a variant that holds nothing.
std::string attr_text(const Attr& a) {
  const auto* v = &a.value;
  std::string text;
  if (const auto* i = std::get_if<int64_t>(v)) text = fmt::format("{}", *i);
  else if (const auto* f = std::get_if<double>(v)) text = fmt::format("{}", *f);
  else if (const auto* s = std::get_if<std::string>(v)) text = *s;
  else if (const auto* is = std::get_if<std::vector<int64_t>>(v)) text = fmt::format("[{}]", fmt::join(*is, ", "));
  else if (const auto* fs = std::get_if<std::vector<double>>(v)) text = fmt::format("[{} numbers]", fs->size());
  else if (const auto* ss = std::get_if<std::vector<std::string>>(v)) text = fmt::format("[{} strings]", ss->size());
  else if (const auto* t = std::get_if<Tensor>(v)) text = fmt::format("{} of {} elements", name_of(t->dtype()), t->elements());
  return a.name + "=" + text;
}

}  // namespace

SymbolId Graph::add_symbol(Symbol s) {
  symbols.push_back(std::move(s));
  return static_cast<SymbolId>(symbols.size() - 1);
}

ValueId Graph::add_value(Value v) {
  const auto id = static_cast<ValueId>(values.size());
  if (v.kind == Kind::state && v.state == kNone) v.state = id;
  values.push_back(std::move(v));
  return id;
}

const OpDef* Graph::find_op(std::string_view name) const {
  for (const OpDef* op : custom_ops)
    if (name == op->name) return op;
  return mainspring::find_op(name);
}

Result<std::vector<ValueId>> Graph::add_node(std::string_view op_name, std::string name, std::vector<ValueId> in, Attrs attrs, int n_out,
                                             std::vector<std::shared_ptr<const Graph>> bodies) {
  const OpDef* op = find_op(op_name);
  if (op == nullptr) return not_found("node '{}': there is no operator '{}'", name, op_name);
  auto infos = infer(*this, *op, in, attrs, n_out < 0 ? op->n_out : n_out, bodies);
  if (!infos) return within(fmt::format("node '{}'", name), std::move(infos).error());
  if (n_out >= 0 && infos->size() != static_cast<size_t>(n_out)) return invalid("node '{}': {} outputs are wanted, {} gives {}", name, n_out, op_name, infos->size());
  Node node{std::string(op_name), std::move(name), std::move(in), {}, std::move(attrs), std::move(bodies)};
  for (size_t i = 0; i < infos->size(); ++i) {
    Value v;
    v.dtype = (*infos)[i].dtype;
    v.dims = (*infos)[i].dims;
    v.ranked = (*infos)[i].ranked;
    v.container = (*infos)[i].container;
    v.state_kind = (*infos)[i].state;
    if (v.state_kind != StateKind::none) {  // a new version of the state operand
      v.kind = Kind::state;
      for (ValueId id : node.in)
        if (id != kNone && values[static_cast<size_t>(id)].kind == Kind::state) v.state = values[static_cast<size_t>(id)].state;
    }
    node.out.push_back(add_value(std::move(v)));
  }
  nodes.push_back(std::move(node));
  return nodes.back().out;
}

Result<void> Graph::verify() const {
  std::vector<bool> known(values.size(), false);
  for (size_t i = 0; i < values.size(); ++i)
    known[i] = values[i].kind != Kind::computed && (values[i].kind != Kind::state || values[i].state == static_cast<ValueId>(i));
  for (const Node& n : nodes) {
    const OpDef* op = find_op(n.op);
    if (op == nullptr) return internal_error("graph: node '{}' has unknown operator '{}'", n.name, n.op);
    for (ValueId v : n.in)
      if (v != kNone && (v < 0 || static_cast<size_t>(v) >= values.size() || !known[static_cast<size_t>(v)]))
        return internal_error("graph: node '{}' reads value {} before it is made", n.name, v);
    auto infos = infer(*this, *op, n.in, n.attrs, static_cast<int>(n.out.size()), n.bodies);
    if (!infos) return internal_error("graph: node '{}': {}", n.name, infos.error().message);
    if (infos->size() != n.out.size()) return internal_error("graph: node '{}' has {} outputs, {} makes {}", n.name, n.out.size(), n.op, infos->size());
    for (size_t i = 0; i < n.out.size(); ++i) {
      const ValueId v = n.out[i];
      if (v < 0 || static_cast<size_t>(v) >= values.size()) return internal_error("graph: node '{}' writes value {}", n.name, v);
      if (known[static_cast<size_t>(v)]) return internal_error("graph: value {} is written twice (node '{}')", v, n.name);
      known[static_cast<size_t>(v)] = true;
      if (values[static_cast<size_t>(v)].dtype != (*infos)[i].dtype || !same_extents(values[static_cast<size_t>(v)].dims, (*infos)[i].dims))
        return internal_error("graph: node '{}' output {} is not what {} infers", n.name, i, n.op);
    }
  }
  for (ValueId v : outputs)
    if (v < 0 || static_cast<size_t>(v) >= values.size() || !known[static_cast<size_t>(v)]) return internal_error("graph: output {} is never made", v);
  return {};
}

std::string Graph::print() const {
  std::string out;
  for (const Node& n : nodes) {
    std::string line;
    for (ValueId v : n.out) line += (line.empty() ? "" : ", ") + value_text(*this, v) + " " + name_of(values[static_cast<size_t>(v)].dtype) + dims_text(*this, values[static_cast<size_t>(v)].dims);
    line += " = " + n.op + "(";
    for (size_t i = 0; i < n.in.size(); ++i) line += (i ? ", " : "") + value_text(*this, n.in[i]);
    line += ")";
    for (const Attr& a : n.attrs.all()) line += " " + attr_text(a);
    out += line + "  # " + n.name + "\n";
  }
  return out;
}

}  // namespace mainspring::inline v0
