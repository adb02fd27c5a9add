#include "import/onnx/scan8.h"

namespace mainspring::inline v0::onnx {
namespace {

/// One item of a batch, or a captured value as it is: an input of the outer body.
Value item_of(const Value& whole, bool cut) {
  Value v = whole;
  v.kind = Kind::input;
  v.bytes = {};
  v.keeper.reset();
  v.source = -1;
  if (cut && !v.dims.empty()) v.dims.erase(v.dims.begin());
  for (Dim& d : v.dims)
    if (!d.is_constant()) d = Dim::unknown();  // a symbol of another graph
  return v;
}

}  // namespace

Result<void> scan_batches(Upgrading& u) {
  if (u.operand(0) != nullptr) return unsupported("Scan of opset 8 with sequence_lens");
  if (u.node.in.empty() || u.node.bodies.size() != 1) return corrupt("a Scan without operands or body");
  u.node.in.erase(u.node.in.begin());
  const auto captures = static_cast<size_t>(u.node.attrs.i("n_captures"));
  if (captures > u.node.in.size()) return corrupt("a Scan without operands");
  const size_t own = u.node.in.size() - captures;
  Graph body;
  body.custom_ops = u.graph.custom_ops;
  std::vector<ValueId> in;
  for (size_t i = 0; i < u.node.in.size(); ++i) {
    const Value* v = u.operand(i);
    if (v == nullptr) return corrupt("operand {} of a Scan is absent", i + 1);
    in.push_back(body.add_value(item_of(*v, i < own)));
  }
  body.inputs = in;
  Attrs inner;
  inner.set("num_scan_inputs", u.node.attrs.i("num_scan_inputs"));
  inner.set("n_captures", static_cast<int64_t>(captures));
  const auto directions = u.node.attrs.is("directions");
  if (!directions.empty()) inner.set("scan_input_directions", std::vector<int64_t>(directions.begin(), directions.end()));
  MAINSPRING_TRY(body.outputs, body.add_node("Scan", u.node.name, std::move(in), std::move(inner), u.n_out, std::move(u.node.bodies)));
  u.drop({"directions"});
  u.node.attrs.set("num_scan_inputs", static_cast<int64_t>(own));
  u.node.bodies = {std::make_shared<const Graph>(std::move(body))};
  return {};
}

}  // namespace mainspring::inline v0::onnx
