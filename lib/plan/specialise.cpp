#include "plan/specialise.h"

#include <algorithm>
#include <string_view>

#include "core/buffer.h"
#include "core/checked.h"
#include "core/error.h"
#include "graph/evaluate.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

constexpr size_t kFoldBytes = size_t{64} << 10;  // what arithmetic on shapes and masks may make; more is the run's work

/// Operands whose content says what extents an operator's outputs have: MAINSPRING_SHAPED_BY(op, operand).
struct ShapedBy {
  std::string_view op;
  size_t operand;
};
constexpr ShapedBy kShapedBy[] = {
#define MAINSPRING_SHAPED_BY(op, operand) {op, operand},
#include "plan/shaped_by.inc"
#undef MAINSPRING_SHAPED_BY
};

bool is_small(const ValueInfo& v) {
  if (!all_constant(v)) return false;
  int64_t n = info_of(v.dtype).bytes;
  for (const Dim& d : v.dims) {
    const auto product = checked_mul(n, d.times);
    if (!product) return false;
    n = *product;
  }
  return static_cast<size_t>(n) <= kFoldBytes;
}

struct Specialiser {
  Progress& p;
  Allocator& allocator;
  Specialised out;
  std::vector<ValueId> local;  ///< by value of source: the value of out.graph, or kNone

  bool known(ValueId v) const { return v == kNone || p.state[index(v)] != Progress::State::unmade || local[index(v)] != kNone; }
  static size_t index(ValueId v) { return static_cast<size_t>(v); }
  ValueInfo info(ValueId v) const;
  ValueId use(ValueId v);
  Result<bool> take(NodeId i);
  Result<bool> inline_branch(NodeId i);
  void grow();
  void set_content(ValueId v, Tensor t);
  Result<Specialised> run();
};

ValueInfo Specialiser::info(ValueId v) const {
  ValueInfo i;
  if (v == kNone) {
    i.present = false;
    return i;
  }
  const Value& x = p.source.values[index(v)];
  i.dtype = x.dtype;
  i.container = x.container;
  if (p.state[index(v)] == Progress::State::content) {
    const Tensor& t = p.content[index(v)];
    i.dims.assign(t.shape().dims().begin(), t.shape().dims().end());
    i.value = &t;
  } else if (p.state[index(v)] == Progress::State::given) {
    i.ranked = p.is_tensor[index(v)];
    if (i.ranked) {
      i.container = Container::tensor;
      i.dtype = p.dtype[index(v)];
      i.dims.assign(p.shape[index(v)].dims().begin(), p.shape[index(v)].dims().end());
      if (p.content[index(v)].bytes().data() != nullptr) i.value = &p.content[index(v)];
    }
  } else {
    i.dims = out.graph.values[index(local[index(v)])].dims;
    i.dtype = out.graph.values[index(local[index(v)])].dtype;
  }
  return i;
}

/// The value in the new graph: made there, a weight, or an input.
ValueId Specialiser::use(ValueId v) {
  if (v == kNone || local[index(v)] != kNone) return v == kNone ? kNone : local[index(v)];
  const Value& source = p.source.values[index(v)];
  Value x;
  x.name = source.name;
  if (p.state[index(v)] == Progress::State::content) {
    const Tensor& t = p.content[index(v)];
    x.kind = Kind::weight;
    x.dtype = t.dtype();
    x.bytes = t.bytes();
    x.keeper = source.kind == Kind::weight ? source.keeper : std::make_shared<Tensor>(t);
    x.source = source.source;
    x.dims.assign(t.shape().dims().begin(), t.shape().dims().end());
  } else {
    x.kind = Kind::input;
    x.dtype = p.dtype[index(v)];
    x.dims.assign(p.shape[index(v)].dims().begin(), p.shape[index(v)].dims().end());
  }
  const ValueId id = out.graph.add_value(std::move(x));
  if (p.state[index(v)] == Progress::State::given) {
    out.graph.inputs.push_back(id);
    out.inputs.push_back(v);
  }
  return local[index(v)] = id;
}

void Specialiser::grow() {
  const size_t n = p.source.values.size();
  p.state.resize(n, Progress::State::unmade);
  p.dtype.resize(n, DType::f32);
  p.shape.resize(n);
  p.is_tensor.resize(n, false);
  p.content.resize(n);
  p.done.resize(p.source.nodes.size(), false);
  local.resize(n, kNone);
}

void Specialiser::set_content(ValueId v, Tensor t) {
  p.state[index(v)] = Progress::State::content;
  p.content[index(v)] = std::move(t);
}

/// An If whose condition is known is the nodes of that branch.
Result<bool> Specialiser::inline_branch(NodeId i) {
  const Node node = p.source.nodes[index(i)];
  const ValueInfo condition = info(node.in[0]);
  if (node.op != "If" || node.bodies.size() != 2 || condition.value == nullptr || condition.value->elements() < 1) return false;
  const Graph& body = *node.bodies[load_int(view_of(*condition.value), 0) != 0 ? 0 : 1];
  const size_t captures = static_cast<size_t>(node.attrs.i("n_captures"));
  if (body.outputs.size() < node.out.size() || body.inputs.size() != captures || node.in.size() < captures) return false;
  std::vector<ValueId> map(body.values.size(), kNone);
  for (size_t k = 0; k < captures; ++k) map[index(body.inputs[k])] = node.in[node.in.size() - captures + k];
  std::vector<bool> output_taken(node.out.size(), false);
  std::vector<bool> is_made(body.values.size(), false);
  for (const Node& n : body.nodes)
    for (const ValueId v : n.out) is_made[index(v)] = true;
  for (size_t k = 0; k < node.out.size(); ++k) {  // what the branch makes is made as the node's output at once
    const ValueId v = body.outputs[k];
    if (is_made[index(v)] && map[index(v)] == kNone) {
      map[index(v)] = node.out[k];
      output_taken[k] = true;
    }
  }
  for (size_t v = 0; v < body.values.size(); ++v) {
    if (map[v] != kNone) continue;
    map[v] = p.source.add_value(body.values[v]);
  }
  std::vector<Node> inlined;
  for (Node n : body.nodes) {
    for (ValueId& v : n.in)
      if (v != kNone) v = map[index(v)];
    for (ValueId& v : n.out) v = map[index(v)];
    n.name = n.name.empty() ? node.name : node.name + "/" + n.name;
    inlined.push_back(std::move(n));
  }
  for (size_t k = 0; k < node.out.size(); ++k) {
    if (output_taken[k]) continue;
    Node same;  // an output that the branch only passes on
    same.op = "Identity";
    same.name = node.name;
    same.in = {map[index(body.outputs[k])]};
    same.out = {node.out[k]};
    inlined.push_back(std::move(same));
  }
  p.source.nodes.insert(p.source.nodes.begin() + i + 1, inlined.begin(), inlined.end());
  p.done.insert(p.done.begin() + i + 1, inlined.size(), false);
  p.done[index(i)] = true;
  grow();
  for (size_t v = 0; v < body.values.size(); ++v) {
    const Value& x = body.values[v];
    if (x.kind == Kind::weight && p.state[index(map[v])] == Progress::State::unmade)
      set_content(map[v], content_of(x));
  }
  return true;
}

/// True when node i is in the new graph, or its results are known. False: it must wait, or runs at the border.
Result<bool> Specialiser::take(NodeId i) {
  const Node& n = p.source.nodes[index(i)];
  const OpDef* op = p.source.find_op(n.op);
  if (op == nullptr) return unsupported("node '{}': there is no operator '{}'", n.name, n.op);
  const size_t arity = op->max_in == kVariadic ? n.in.size() : static_cast<size_t>(op->max_in);
  std::vector<ValueInfo> in(std::max(arity, n.in.size()));
  bool contents = !op->random && op->reference != nullptr, tensors = true;
  for (size_t k = 0; k < in.size(); ++k) {
    in[k] = info(k < n.in.size() ? n.in[k] : kNone);
    if (!in[k].present) continue;
    contents &= in[k].value != nullptr;
    tensors &= in[k].container == Container::tensor && in[k].ranked;
  }
  auto inferred = op->infer(OpCall{in, n.attrs, n.bodies, static_cast<int>(n.out.size())});
  if (!inferred) return within(fmt::format("node '{}'", n.name), std::move(inferred).error());
  if (inferred->size() != n.out.size()) return internal_error("node '{}': {} gives {} outputs, the node has {}", n.name, n.op, inferred->size(), n.out.size());
  for (const ValueInfo& v : *inferred) tensors &= v.container == Container::tensor && all_constant(v);
  if (!tensors || op->reference == nullptr) return false;
  MAINSPRING_TRY_VOID(check_extents(n, *inferred));
  const bool small = std::all_of(inferred->begin(), inferred->end(), is_small);
  if (!op->random && small && (contents || n.op == "Shape" || n.op == "Size")) {
    Tensor placeholder;
    std::vector<const Tensor*> operands(in.size(), nullptr);
    for (size_t k = 0; k < in.size(); ++k)
      if (in[k].present) operands[k] = in[k].value;
    if (n.op == "Shape" || n.op == "Size") {  // extents alone matter
      placeholder = Tensor::share(in[0].dtype, shape_of(in[0].dims), &placeholder, nullptr);
      operands[0] = &placeholder;
    }
    MAINSPRING_TRY(auto results, evaluate(*op, operands, *inferred, n.attrs, allocator));
    for (size_t k = 0; k < results.size(); ++k) set_content(n.out[k], std::move(results[k]));
    return true;
  }
  Node copy;
  copy.op = n.op;
  copy.name = n.name;
  copy.attrs = n.attrs;
  for (const ValueId v : n.in) copy.in.push_back(use(v));
  for (size_t k = 0; k < n.out.size(); ++k) {
    Value x;
    x.name = p.source.values[index(n.out[k])].name;
    x.dtype = (*inferred)[k].dtype;
    x.dims = std::move((*inferred)[k].dims);
    copy.out.push_back(local[index(n.out[k])] = out.graph.add_value(std::move(x)));
  }
  out.graph.nodes.push_back(std::move(copy));
  return true;
}

Result<Specialised> Specialiser::run() {
  out.graph.custom_ops = p.source.custom_ops;
  local.assign(p.source.values.size(), kNone);
  std::vector<bool> waits(p.source.nodes.size(), false);
  for (NodeId i = 0; index(i) < p.source.nodes.size(); ++i) {
    if (p.done[index(i)]) continue;
    const Node& n = p.source.nodes[index(i)];
    if (!std::all_of(n.in.begin(), n.in.end(), [&](ValueId v) { return known(v); })) continue;
    if (n.op == "If") {
      MAINSPRING_TRY(const bool inlined, inline_branch(i));
      if (inlined) continue;
    }
    MAINSPRING_TRY(const bool taken, take(i));
    if (taken) p.done[index(i)] = true;
    else out.border.push_back(i);
  }
  // What later parts, the border and the caller read.
  std::vector<bool> wanted(p.source.values.size(), false);
  for (const ValueId v : p.source.outputs) wanted[index(v)] = true;
  for (size_t i = 0; i < p.source.nodes.size(); ++i)
    if (!p.done[i])
      for (const ValueId v : p.source.nodes[i].in)
        if (v != kNone) wanted[index(v)] = true;
  for (size_t v = 0; v < wanted.size(); ++v) {
    if (!wanted[v] || local[v] == kNone || p.state[v] != Progress::State::unmade) continue;
    out.outputs.push_back(static_cast<ValueId>(v));
    out.graph.outputs.push_back(local[v]);
    const Value& made = out.graph.values[index(local[v])];
    p.state[v] = Progress::State::given;
    p.is_tensor[v] = true;
    p.dtype[v] = made.dtype;
    p.shape[v] = shape_of(made.dims);
  }
  return std::move(out);
}

}  // namespace

Progress begin(const Graph& source, Allocator&) {
  Progress p;
  p.source = source;
  const size_t n = source.values.size();
  p.state.assign(n, Progress::State::unmade);
  p.dtype.assign(n, DType::f32);
  p.shape.resize(n);
  p.is_tensor.assign(n, false);
  p.content.resize(n);
  p.done.assign(source.nodes.size(), false);
  for (size_t i = 0; i < n; ++i) {
    const Value& v = source.values[i];
    if (v.kind != Kind::weight) continue;
    p.state[i] = Progress::State::content;
    p.content[i] = content_of(v);
  }
  return p;
}

Result<Specialised> specialise(Progress& progress, Allocator& allocator) {
  Specialiser s{progress, allocator, {}, {}};
  return s.run();
}

std::vector<bool> shapes_hang_on(const Graph& graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& n = graph.nodes[i];
    for (const ShapedBy& s : kShapedBy)
      if (s.op == n.op && s.operand < n.in.size() && n.in[s.operand] != kNone) needed[static_cast<size_t>(n.in[s.operand])] = true;
    if (n.op == "Shape" || n.op == "Size") continue;  // extents, not contents
    const bool made = std::any_of(n.out.begin(), n.out.end(), [&](ValueId v) { return needed[static_cast<size_t>(v)]; });
    if (made)
      for (const ValueId v : n.in)
        if (v != kNone) needed[static_cast<size_t>(v)] = true;
  }
  return needed;
}

}  // namespace mainspring::inline v0
