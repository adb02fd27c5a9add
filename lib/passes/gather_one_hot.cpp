// Equal(x, 0 1 2 … k - 1), cast to f32, times a constant matrix picks rows of that matrix: x clipped to [-1, k] is gathered from the matrix with a row of
// zeros after it, which both ends of the clip name. Needs constant extents and a matrix without infinities and NaN, whose products with 0 are not 0.
#include <cmath>
#include <cstring>

#include "ops/tensor.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace mainspring::inline v0 {
namespace {

/// k where v holds 0 1 2 … k - 1 along its last axis, its only one; else 0.
int64_t counts_up(const Rewrite& r, ValueId v) {
  if (!r.is_weight(v) || r.value(v).dims.empty()) return 0;
  const auto numbers = r.ints(v);
  if (!numbers || Dim(static_cast<int64_t>(numbers->size())) != r.value(v).dims.back()) return 0;
  for (size_t i = 0; i < numbers->size(); ++i)
    if ((*numbers)[i] != static_cast<int64_t>(i)) return 0;
  return static_cast<int64_t>(numbers->size());
}

/// What `hot` says where it is one-hot of k: integers with its extents, the last of them 1; else kNone.
ValueId index_of(const Rewrite& r, ValueId hot, int64_t k) {
  const Node* cast = r.maker(hot);
  const Node* equal = cast != nullptr && cast->op == "Cast" && r.is_f32(hot) ? r.maker(cast->in[0]) : nullptr;
  if (equal == nullptr || equal->op != "Equal") return kNone;
  for (const size_t i : {0u, 1u}) {
    const ValueId x = equal->in[i];
    if (counts_up(r, equal->in[1 - i]) != k || (r.value(x).dtype != DType::i32 && r.value(x).dtype != DType::i64) || !r.value(x).ranked) continue;
    Dims want = r.value(hot).dims;
    want.back() = Dim(1);
    if (r.value(x).dims == want) return x;
  }
  return kNone;
}

Result<Tensor> one_int(Allocator& allocator, DType dtype, int64_t value) {
  MAINSPRING_TRY(Tensor t, Tensor::make(allocator, dtype, {}));
  if (dtype == DType::i64) *t.span<int64_t>().data() = value;
  else *t.span<int32_t>().data() = static_cast<int32_t>(value);
  return t;
}

}  // namespace

Result<bool> pass_gather_one_hot(Graph& graph, const PassContext& context) {
  Rewrite r(graph);
  for (const Node& n : r.nodes()) {
    const ValueId w = n.op == "MatMul" ? n.in[1] : kNone;
    const bool matrix = context.allocator != nullptr && r.is_weight(w) && r.is_f32(w) && r.value(w).dims.size() == 2;
    const int64_t k = matrix ? r.value(w).dims[0].times : 0, columns = matrix ? r.value(w).dims[1].times : 0;
    const ValueId x = matrix && k > 0 && k < INT32_MAX ? index_of(r, n.in[0], k) : kNone;
    bool finite = x != kNone;
    const auto* from = x != kNone ? reinterpret_cast<const float*>(r.value(w).bytes.data()) : nullptr;
    for (int64_t i = 0; finite && i < k * columns; ++i) finite = std::isfinite(from[i]);
    if (!finite) {
      r.keep(n);
      continue;
    }
    Allocator& allocator = *context.allocator;
    std::vector<float> rows(static_cast<size_t>((k + 1) * columns), 0.0f);
    for (size_t i = 0; i < static_cast<size_t>(k * columns); ++i) rows[i] = from[i] + 0.0f;  // the sum of the product has no -0
    std::vector<int64_t> extents;
    for (const Dim& d : r.value(x).dims) extents.push_back(d.times);
    extents.pop_back();
    MAINSPRING_TRY(Tensor table, float_tensor(allocator, rows, {k + 1, columns}));
    MAINSPRING_TRY(Tensor least, one_int(allocator, r.value(x).dtype, -1));
    MAINSPRING_TRY(Tensor most, one_int(allocator, r.value(x).dtype, k));
    MAINSPRING_TRY(Tensor shape, int_tensor(allocator, extents));
    MAINSPRING_TRY(const ValueId clipped, r.add("Clip", n.name, {x, r.weight(n.name, std::move(least)), r.weight(n.name, std::move(most))}));
    MAINSPRING_TRY(const ValueId index, r.add("Reshape", n.name, {clipped, r.weight(n.name, std::move(shape))}, {{"allowzero", int64_t{1}}}));
    r.make(n.out[0], "Gather", n.name, {r.weight(n.name, std::move(table)), index}, {{"axis", int64_t{0}}});
  }
  return r.finish();
}

}  // namespace mainspring::inline v0
