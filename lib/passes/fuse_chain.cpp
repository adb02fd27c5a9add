// Operators that work element by element, one behind the other, become one `chain`: memory is read and written once. A node is taken into the one that reads it
// where that is its only reader and has the same extents.
#include <algorithm>
#include <optional>

#include "ops/numeric/chain.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

/// The node as a program whose operands are values.
std::optional<ChainProgram> program_of(const Rewrite& r, const Node& n) {
  if (n.out.size() != 1 || r.value(n.out[0]).container != Container::tensor || !r.value(n.out[0]).ranked || !constant(r.value(n.out[0]).dims)) return std::nullopt;
  std::vector<ChainOperand> operands;
  if (n.op == "chain") {
    auto program = chain_program(n.attrs, n.in.size());
    for (int64_t& i : program->in) i = n.in[static_cast<size_t>(i)];
    return program;
  }
  for (const ValueId v : n.in) {
    ChainOperand o;
    o.present = v != kNone;
    if (o.present) {
      o.dtype = r.value(v).dtype;
      if (r.value(v).dims.size() <= r.value(n.out[0]).dims.size()) o.scalar = r.scalar(v);
    }
    operands.push_back(o);
  }
  auto program = chain_of(n.op, n.attrs, operands, r.value(n.out[0]).dtype);
  if (program)
    for (int64_t& i : program->in) i = n.in[static_cast<size_t>(i)];
  return program;
}

}  // namespace

Result<bool> pass_fuse_chain(Graph& graph, const PassContext&) {
  Rewrite r(graph);
  const auto nodes = r.nodes();
  std::vector<std::optional<ChainProgram>> programs(nodes.size());
  std::vector<bool> absorbed(nodes.size(), false), joined(nodes.size(), false);
  for (size_t i = 0; i < nodes.size(); ++i) {
    programs[i] = program_of(r, nodes[i]);
    if (!programs[i]) continue;
    for (size_t at = 0; at < programs[i]->in.size();) {
      const auto v = static_cast<ValueId>(programs[i]->in[at]);
      const Node* inner = r.sole(v);
      const size_t j = inner == nullptr ? 0 : static_cast<size_t>(inner - nodes.data());
      if (inner == nullptr || !programs[j] || r.value(v).dims != r.value(nodes[i].out[0]).dims) {
        ++at;
        continue;
      }
      auto both = chain_join(*programs[i], at, *programs[j]);
      if (!both) {
        ++at;
        continue;
      }
      programs[i] = std::move(both);
      absorbed[j] = joined[i] = true;
      at = 0;
    }
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (absorbed[i]) continue;
    if (!joined[i]) {
      r.keep(nodes[i]);
      continue;
    }
    std::vector<ValueId> in;
    for (int64_t& v : programs[i]->in) {
      in.push_back(static_cast<ValueId>(v));
      v = static_cast<int64_t>(in.size()) - 1;
    }
    r.make(nodes[i].out[0], "chain", nodes[i].name, std::move(in), chain_attrs(*programs[i]));
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
