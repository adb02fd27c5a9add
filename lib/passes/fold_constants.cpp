// Nodes of constants alone are worked out once. A result that is much larger than what it is made from (zeros of a given shape) stays work of the run.
#include "mainspring/ext/op.h"
#include "ops/tensor.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

constexpr size_t kGrowth = 8, kFreeBytes = size_t{64} << 10;

/// Readers of each value that are matrix products which take it as the second operand: they read a turned matrix where it lies.
std::vector<int32_t> product_readers(const Rewrite& r) {
  std::vector<int32_t> readers(r.graph().values.size(), 0);
  for (const Node& n : r.nodes())
    if (n.op == "MatMul" || n.op == "matmul") ++readers[static_cast<size_t>(n.in[1])];
  return readers;
}

bool for_products_alone(const Rewrite& r, const Node& n, std::span<const int32_t> readers) {
  const auto perm = n.attrs.is("perm");
  const size_t k = perm.size();
  if (n.op != "Transpose" || k < 2 || perm[k - 1] != static_cast<int64_t>(k) - 2 || perm[k - 2] != static_cast<int64_t>(k) - 1) return false;
  return r.uses(n.out[0]) == readers[static_cast<size_t>(n.out[0])] && r.value(n.in[0]).bytes.size() > kFreeBytes;
}

Result<bool> fold(Rewrite& r, const Node& n, Allocator& allocator) {
  const OpDef* op = r.graph().find_op(n.op);
  if (op == nullptr || op->reference == nullptr || op->random || !n.bodies.empty()) return false;
  const size_t arity = op->max_in == kVariadic ? n.in.size() : static_cast<size_t>(op->max_in);
  std::vector<Tensor> contents(arity);
  std::vector<const Tensor*> operands(arity, nullptr);
  std::vector<ValueInfo> infos(arity);
  size_t bytes = 0;
  for (size_t k = 0; k < arity; ++k) {
    infos[k].present = k < n.in.size() && n.in[k] != kNone;
    if (!infos[k].present) continue;
    const ValueId v = r.now(n.in[k]);
    if (!r.is_weight(v) || is_block_format(r.value(v).dtype)) return false;
    contents[k] = content_of(r.value(v));
    bytes += contents[k].bytes().size();
    operands[k] = infos[k].value = &contents[k];
    infos[k].dtype = contents[k].dtype();
    infos[k].dims = r.value(v).dims;
  }
  auto inferred = op->infer(OpCall{infos, n.attrs, n.bodies, static_cast<int>(n.out.size())});
  if (!inferred) return false;  // said with its name when the graph is planned
  size_t result = 0;
  for (const ValueInfo& v : *inferred) {
    if (v.container != Container::tensor || !all_constant(v)) return false;
    auto size = Tensor::bytes_of(v.dtype, shape_of(v.dims));
    if (!size) return false;
    result += *size;
  }
  if (result > bytes * kGrowth + kFreeBytes) return false;
  MAINSPRING_TRY(auto made, evaluate(*op, operands, *inferred, n.attrs, allocator));
  for (size_t k = 0; k < made.size(); ++k) r.replace(n.out[k], r.weight(r.value(n.out[k]).name, std::move(made[k])));
  return true;
}

}  // namespace

Result<bool> pass_fold_constants(Graph& graph, const PassContext& context) {
  if (context.allocator == nullptr) return false;
  Rewrite r(graph);
  const std::vector<int32_t> readers = product_readers(r);
  for (const Node& n : r.nodes()) {
    bool folded = false;
    if (!for_products_alone(r, n, readers)) {
      MAINSPRING_TRY(folded, fold(r, n, *context.allocator));
    }
    if (!folded) r.keep(n);
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
