#include "support/reference_runner.h"

#include <numeric>

#include "arch/arch.h"
#include "quant/q8_rows.h"

namespace mainspring::inline v0::test {

ReferenceRunner::ReferenceRunner(const Graph& graph, int64_t positions)
    : graph_(graph), blocks_((positions + kKvBlock - 1) / kKvBlock), storage_(graph.values.size()) {}

TensorView ReferenceRunner::view_of(ValueId id, std::span<const int64_t> symbols) {
  TensorView v;
  if (id == kNone) return v;
  const Value& value = graph_.values[static_cast<size_t>(id)];
  const bool state = value.state_kind != StateKind::none;
  v.dtype = state ? DType::f32 : value.dtype;
  for (const Dim& d : value.dims) v.shape.push_back(d.at(symbols));
  const int64_t elements = v.shape.elements(), outer = v.shape.rank() > 0 ? std::max<int64_t>(v.shape[0], 1) : 1;
  v.row_stride = elements / outer;
  if (value.kind == Kind::weight) {
    v.data = const_cast<std::byte*>(value.bytes.data());
    return v;
  }
  int64_t bytes = elements * 4;
  if (is_quantised_rows(v.dtype)) {
    v.row_stride = v.row_stride / v.shape.back() * static_cast<int64_t>(quantised_row_bytes(v.dtype, v.shape.back()));
    bytes = v.row_stride * outer;
  }
  auto& memory = storage_[static_cast<size_t>(state && value.state != kNone ? value.state : id)];
  if (!state || memory.empty()) memory.resize(static_cast<size_t>(bytes));
  v.data = memory.data();
  return v;
}

std::vector<float> ReferenceRunner::run(std::span<const int32_t> tokens) {
  const auto n = static_cast<int64_t>(tokens.size());
  std::vector<int64_t> symbols(graph_.symbols.size(), 1);
  symbols[LlmSymbols::n_tokens] = symbols[LlmSymbols::n_outputs] = n;
  symbols[LlmSymbols::n_blocks] = blocks_;
  const auto input = [&](int which) { return view_of(graph_.inputs[static_cast<size_t>(which)], symbols).as<int32_t>(); };
  std::copy(tokens.begin(), tokens.end(), input(LlmInputs::tokens));
  std::iota(input(LlmInputs::positions), input(LlmInputs::positions) + n, position_);
  std::iota(input(LlmInputs::output_rows), input(LlmInputs::output_rows) + n, 0);

  std::vector<int32_t> table(static_cast<size_t>(blocks_));
  std::iota(table.rbegin(), table.rend(), 0);  // not in order, as in a session
  const Segment segment{0, static_cast<int32_t>(n), 0, position_};
  const StepInfo step{{&segment, 1}, table.data(), static_cast<int32_t>(blocks_)};
  for (const Node& node : graph_.nodes) {
    const OpDef* op = find_op(node.op);
    std::vector<TensorView> in(static_cast<size_t>(op->max_in)), out;
    for (size_t i = 0; i < node.in.size(); ++i) in[i] = view_of(node.in[i], symbols);
    for (ValueId id : node.out) out.push_back(view_of(id, symbols));
    op->reference(OpArgs{in, out, node.attrs, step});
  }
  position_ += static_cast<int32_t>(n);
  const TensorView logits = view_of(graph_.outputs[0], symbols);
  return {logits.as<float>(), logits.as<float>() + logits.shape.elements()};
}

}  // namespace mainspring::inline v0::test
