#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

constexpr const OpDef* kOps[] = {
#define MAINSPRING_OP(name) &op_##name,
#include "ops/ops.inc"
#undef MAINSPRING_OP
};

}  // namespace

std::span<const OpDef* const> all_ops() { return kOps; }

const OpDef* find_op(std::string_view name) {
  for (const OpDef* op : kOps)
    if (name == op->name) return op;
  return nullptr;
}

}  // namespace mainspring::inline v0
