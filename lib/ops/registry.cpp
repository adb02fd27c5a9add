#include <algorithm>
#include <array>

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
  static const auto by_name = [] {  // sorted once; a graph asks for thousands
    std::array<const OpDef*, std::size(kOps)> sorted;
    std::copy(std::begin(kOps), std::end(kOps), sorted.begin());
    std::sort(sorted.begin(), sorted.end(), [](const OpDef* a, const OpDef* b) { return std::string_view(a->name) < b->name; });
    return sorted;
  }();
  const auto at = std::lower_bound(by_name.begin(), by_name.end(), name, [](const OpDef* op, std::string_view n) { return op->name < n; });
  return at != by_name.end() && name == (*at)->name ? *at : nullptr;
}

}  // namespace mainspring::inline v0
