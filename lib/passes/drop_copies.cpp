// Nodes that change nothing: Identity, Dropout that is not training, a Cast to the dtype that is there, a Reshape or Transpose that leaves everything where it
// is, sums with nothing; two Transposes in a row are one, two Reshapes too.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

bool same_value(const Value& a, const Value& b) {
  return a.dtype == b.dtype && a.ranked && b.ranked && a.dims == b.dims && a.container == Container::tensor && b.container == Container::tensor;
}

/// The axes in which x's extents follow each other after a Transpose.
std::vector<int64_t> perm_of(const Node& n, size_t rank) {
  std::vector<int64_t> perm = vector_of(n.attrs.is("perm"));
  if (perm.empty())
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  return perm;
}

/// Only extents of one move, so that the elements stay in order.
bool keeps_order(std::span<const int64_t> perm, const Dims& dims) {
  int64_t last = -1;
  for (const int64_t axis : perm) {
    if (dims[static_cast<size_t>(axis)] == Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

Result<ValueId> reshape(Rewrite& r, const Node& n, ValueId from, const Dims& to, Allocator& allocator, bool& made) {
  std::vector<int64_t> extents;
  for (const Dim& d : to) extents.push_back(d.times);
  MAINSPRING_TRY(Tensor shape, int_tensor(allocator, extents));
  made = true;
  r.make(n.out[0], "Reshape", n.name, {from, r.weight(n.name, std::move(shape))}, {{"allowzero", int64_t{1}}});
  return n.out[0];
}

}  // namespace

Result<bool> pass_drop_copies(Graph& graph, const PassContext& context) {
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    const bool usual = n.out.size() == 1 && !n.in.empty() && n.in[0] != kNone;
    const ValueId from = usual ? r.now(n.in[0]) : kNone;
    bool nothing = usual && n.op == "Identity" && r.value(from).kind != Kind::state;
    if (usual && !nothing && !same_value(r.value(from), r.value(n.out[0]))) nothing = false;
    else if (usual && !nothing) nothing = n.op == "Cast" || n.op == "CastLike" || (n.op == "Dropout" && (n.in.size() < 3 || n.in[2] == kNone)) || only_renames(n.op) || n.op == "Expand" ||
                                           ((n.op == "Sum" || n.op == "Max" || n.op == "Min" || n.op == "Mean") && n.in.size() == 1) || (n.op == "Concat" && n.in.size() == 1);
    if (nothing) {
      r.replace(n.out[0], from);
      continue;
    }
    const bool can_make = context.allocator != nullptr && usual && r.value(from).ranked && constant(r.value(from).dims) && r.value(n.out[0]).ranked && constant(r.value(n.out[0]).dims) &&
                          r.value(n.out[0]).container == Container::tensor;
    bool made = false;
    if (n.op == "Transpose" && usual && r.value(from).ranked) {
      const std::vector<int64_t> perm = perm_of(n, r.value(from).dims.size());
      const bool valid = perm.size() == r.value(from).dims.size();
      const Node* before = r.maker(from);
      if (valid && std::is_sorted(perm.begin(), perm.end())) {
        r.replace(n.out[0], from);
        continue;
      }
      if (valid && can_make && keeps_order(perm, r.value(from).dims)) {
        MAINSPRING_TRY_VOID(reshape(r, n, from, r.value(n.out[0]).dims, *context.allocator, made));
      } else if (valid && before != nullptr && before->op == "Transpose" && r.value(before->in[0]).ranked) {
        const std::vector<int64_t> first = perm_of(*before, perm.size());
        std::vector<int64_t> both;
        for (const int64_t axis : perm) both.push_back(first[static_cast<size_t>(axis)]);
        r.make(n.out[0], "Transpose", n.name, {before->in[0]}, {{"perm", both}});
        made = true;
      }
    } else if (only_renames(n.op) && can_make) {
      const Node* before = r.maker(from);
      if (before != nullptr && only_renames(before->op) && r.is_weight(before->in.size() > 1 ? before->in[1] : kNone)) {
        MAINSPRING_TRY_VOID(reshape(r, n, before->in[0], r.value(n.out[0]).dims, *context.allocator, made));
      }
    }
    if (!made) r.keep(n);
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
