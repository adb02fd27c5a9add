#include "passes/rewrite.h"

#include <algorithm>
#include <cstring>

#include "ops/tensor.h"
#include "passes/passes.h"

namespace mainspring::inline v0 {

Rewrite::Rewrite(Graph& graph) : graph_(graph), old_(std::move(graph.nodes)), made_(graph.values.size(), kNone) {
  graph.nodes.clear();
  uses_.assign(graph.values.size(), 0);
  for (const Node& n : old_)
    for (const ValueId v : n.in)
      if (v != kNone) ++uses_[static_cast<size_t>(v)];
  for (const ValueId v : graph.outputs) uses_[static_cast<size_t>(v)] += 2;  // never sole
  for (size_t i = 0; i < old_.size(); ++i)
    for (const ValueId v : old_[i].out) made_[static_cast<size_t>(v)] = static_cast<int32_t>(i);
}

const Node* Rewrite::maker(ValueId v) const {
  if (v == kNone || static_cast<size_t>(v) >= made_.size() || made_[static_cast<size_t>(v)] == kNone) return nullptr;
  return &old_[static_cast<size_t>(made_[static_cast<size_t>(v)])];
}

const Node* Rewrite::sole(ValueId v, std::string_view op) const {
  const Node* n = maker(v);
  return n != nullptr && uses_[static_cast<size_t>(v)] == 1 && (op.empty() || n->op == op) ? n : nullptr;
}

std::optional<double> Rewrite::scalar(ValueId v) const {
  if (!is_weight(v)) return std::nullopt;
  const Value& w = value(v);
  if (w.dtype == DType::string || is_block_format(w.dtype) || is_complex(w.dtype)) return std::nullopt;
  for (const Dim& d : w.dims)
    if (d.times != 1) return std::nullopt;
  return load(w.dtype, w.bytes.data(), 0);
}

std::optional<std::vector<int64_t>> Rewrite::ints(ValueId v) const {
  if (!is_weight(v) || !is_int(value(v).dtype)) return std::nullopt;
  return ints_of(view_of(content_of(value(v))));
}

bool constant(const Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](const Dim& d) { return d.is_constant(); });
}

bool Rewrite::is_f32(ValueId v) const { return v != kNone && value(v).dtype == DType::f32 && value(v).ranked && value(v).container == Container::tensor && constant(value(v).dims); }

ValueId Rewrite::now(ValueId v) const {
  while (v != kNone && static_cast<size_t>(v) < now_.size() && now_[static_cast<size_t>(v)] != kNone) v = now_[static_cast<size_t>(v)];
  return v;
}

void Rewrite::keep(const Node& node) {
  graph_.nodes.push_back(node);
  for (ValueId& v : graph_.nodes.back().in) v = now(v);
}

Result<ValueId> Rewrite::add(std::string_view op, std::string_view name, std::vector<ValueId> in, Attrs attrs) {
  for (ValueId& v : in) v = now(v);
  MAINSPRING_TRY(auto out, graph_.add_node(op, std::string(name), std::move(in), std::move(attrs), 1));
  changed_ = true;
  return out[0];
}

void Rewrite::make(ValueId out, std::string_view op, std::string_view name, std::vector<ValueId> in, Attrs attrs) {
  Node n;
  n.op = op;
  n.name = name;
  n.in = std::move(in);
  for (ValueId& v : n.in) v = now(v);
  n.out = {out};
  n.attrs = std::move(attrs);
  graph_.nodes.push_back(std::move(n));
  changed_ = true;
}

void Rewrite::replace(ValueId from, ValueId to) {
  if (now_.size() <= static_cast<size_t>(from)) now_.resize(std::max(graph_.values.size(), static_cast<size_t>(from) + 1), kNone);
  now_[static_cast<size_t>(from)] = now(to);
  changed_ = true;
}

bool Rewrite::finish() {
  for (ValueId& v : graph_.outputs) v = now(v);
  return changed_;
}

Result<Tensor> int_tensor(Allocator& allocator, std::span<const int64_t> values) {
  MAINSPRING_TRY(Tensor t, Tensor::make(allocator, DType::i64, {static_cast<int64_t>(values.size())}));
  if (!values.empty()) std::memcpy(t.data(), values.data(), values.size_bytes());
  return t;
}

Result<Tensor> float_tensor(Allocator& allocator, std::span<const float> values, const Shape& shape) {
  MAINSPRING_TRY(Tensor t, Tensor::make(allocator, DType::f32, shape));
  if (!values.empty()) std::memcpy(t.data(), values.data(), values.size_bytes());
  return t;
}

}  // namespace mainspring::inline v0
