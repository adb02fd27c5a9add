// Model-local functions: a call runs the function's nodes in the caller's graph, under a scope of its own.
#include <algorithm>

#include "core/error.h"
#include "import/onnx/importer.h"

namespace mainspring::inline v0::onnx {
namespace {

constexpr int kMaxCalls = 32;  // inside each other

constexpr size_t kMaxAttrs = 256;

/// What a node costs of the budget when a call repeats it: about what it takes in the graph, and for looking up attributes.
uint64_t cost_of(const FunctionProto& f, size_t attrs) { return (f.nodes.size() + 1) * (1024 + 64 * (attrs + f.defaults.size())) + 64 * f.opsets.size(); }

}  // namespace

Result<void> Importer::read_functions(const ModelProto& model) {
  functions_.reserve(model.functions.size());
  for (const Bytes message : model.functions) {
    auto f = read_function(message);
    if (!f) return within(fmt::format("function {}", functions_.size()), std::move(f).error());
    if (f->defaults.size() > kMaxAttrs) return unsupported("function '{}' has {} attributes, at most {} are read", shown(f->name), f->defaults.size(), kMaxAttrs);
    functions_.push_back(*std::move(f));
    const FunctionProto& added = functions_.back();
    if (!by_name_.emplace(FunctionKey{domain_of(added.domain), added.name, added.overload}, &added).second) return corrupt("function '{}' stands twice", shown(added.name));
  }
  return {};
}

const FunctionProto* Importer::function_of(const NodeProto& n) const {
  if (by_name_.empty()) return nullptr;
  const auto found = by_name_.find(FunctionKey{domain_of(n.domain), n.op, n.overload});
  return found == by_name_.end() ? nullptr : found->second;
}

Result<void> Importer::call(Scope& s, const NodeProto& n, const FunctionProto& f, std::span<const BoundAttr> attrs) {
  if (s.frame->depth == kMaxCalls) return corrupt("functions call each other more than {} deep", kMaxCalls);
  MAINSPRING_TRY_VOID(budget_.take(cost_of(f, attrs.size())));
  if (n.in.size() > f.inputs.size() || n.out.size() > f.outputs.size())
    return corrupt("calls function '{}' with {} operands and {} outputs, it has {} and {}", shown(f.name), n.in.size(), n.out.size(), f.inputs.size(), f.outputs.size());
  Frame frame;
  frame.opset = opset_of(f.opsets, s.frame->opset);
  frame.depth = s.frame->depth + 1;
  frame.prefix = fmt::format("{}{}/", s.frame->prefix, shown(name_of(n)));
  Scope inner{nullptr, s.body, &frame, {}, {}};
  frame.attrs.assign(attrs.begin(), attrs.end());
  for (const AttributeProto& a : f.defaults)
    if (std::none_of(attrs.begin(), attrs.end(), [&a](const BoundAttr& b) { return b.proto.name == a.name; })) frame.attrs.push_back({a, &inner});
  for (size_t i = 0; i < f.inputs.size(); ++i) {
    MAINSPRING_TRY(const ValueId id, i >= n.in.size() || n.in[i].empty() ? Result<ValueId>(kNone) : find(s, n.in[i]));
    MAINSPRING_TRY_VOID(define(inner, f.inputs[i], id));
  }
  const size_t known = s.body->graph.values.size();
  MAINSPRING_TRY_VOID(add_nodes(inner, f.nodes));
  for (size_t i = 0; i < n.out.size(); ++i) {
    if (n.out[i].empty()) continue;
    MAINSPRING_TRY(const ValueId id, find(inner, f.outputs[i]));
    if (id == kNone) return corrupt("output '{}' of function '{}' is nothing", shown(f.outputs[i]), shown(f.name));
    MAINSPRING_TRY_VOID(define(s, n.out[i], id));
    if (static_cast<size_t>(id) < known) continue;  // handed through: it has a name
    Value& v = s.body->graph.values[static_cast<size_t>(id)];
    v.name = s.frame->prefix + std::string(n.out[i]);
    if (v.kind == Kind::computed) refine(s, n.out[i], v);
  }
  return {};
}

}  // namespace mainspring::inline v0::onnx
