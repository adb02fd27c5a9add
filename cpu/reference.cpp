// Nodes without a kernel run the operator's scalar reference in one tile. The reference may allocate: `explain` shows such nodes.
#include "cpu/binding.h"
#include "cpu/provider.h"

namespace mainspring::inline v0::cpu {
namespace {

struct ReferenceNode {
  const OpDef* op;
  Attrs attrs;
  std::vector<Operand> in, out;
};

TensorView view_of(const Operand& o, const StepEnv& env) {
  TensorView v;
  v.dtype = o.dtype;
  if (!o) return v;
  v.data = env.at(o.ref);
  for (const Dim& d : o.dims) v.shape.push_back(env.extent(d));
  v.row_stride = o.row_stride;
  return v;
}

void run_reference(const void* params, const StepEnv& env, int64_t, int) {
  const ReferenceNode& node = **static_cast<const std::shared_ptr<ReferenceNode>*>(params);
  std::vector<TensorView> in, out;
  for (const Operand& o : node.in) in.push_back(view_of(o, env));
  for (const Operand& o : node.out) out.push_back(view_of(o, env));
  node.op->reference(OpArgs{in, out, node.attrs, env.info});
}

}  // namespace

KernelBinding reference_binding(const BindRequest& request, std::string why) {
  auto node = std::make_shared<ReferenceNode>(ReferenceNode{request.op, request.node->attrs, {request.in.begin(), request.in.end()}, {request.out.begin(), request.out.end()}});
  KernelBinding b = one_step("reference", std::move(node), run_reference, [](const void*, const StepEnv&) { return int64_t{1}; });
  b.why = std::move(why);
  return b;
}

}  // namespace mainspring::inline v0::cpu
