// slice, reshape, concat, repeat_heads where the planner could not alias: bytes moved row by row.
#include <cstring>

#include "cpu/bind/bind.h"
#include "cpu/bind/rows.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kTileBytes = 64 << 10;

/// Row r of y gets `bytes` bytes at `to` from row source(r) of x at `from`. Twice for concat.
struct CopyParams {
  RowSpan x, y;
  int64_t from = 0, to = 0, bytes = 0;
  RowSpan x2;
  int64_t to2 = 0, bytes2 = 0;
  int64_t heads = 0, times = 1;  ///< repeat_heads
  bool tile = false;
  int64_t per_tile = 1;

  int64_t source(int64_t r) const {
    if (!heads) return r;
    const int64_t n = r / (heads * times), i = r % (heads * times);
    return n * heads + (tile ? i % heads : i / times);
  }
};

int64_t copy_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const CopyParams*>(params);
  return ceil_div(p.y.count(env), p.per_tile);
}

void copy_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const CopyParams*>(params);
  const int64_t first = tile * p.per_tile, last = std::min(first + p.per_tile, p.y.count(env));
  for (int64_t r = first; r < last; ++r) {
    std::memmove(p.y.at(env, r) + p.to, p.x.at(env, p.source(r)) + p.from, static_cast<size_t>(p.bytes));
    if (p.bytes2) std::memmove(p.y.at(env, r) + p.to2, p.x2.at(env, r), static_cast<size_t>(p.bytes2));
  }
}

/// A slice reads less than its operand holds.
int64_t copy_bytes(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const CopyParams*>(params);
  return 2 * p.y.count(env) * (p.bytes + p.bytes2);
}

/// Operands of scalars with constant inner extents.
Result<void> want_scalars(const BindRequest& q) {
  for (const Operand& o : q.in)
    if (o && (is_block_format(o.dtype) || !constant_rows(o)))
      return unsupported("{}: the CPU kernel copies scalars with constant inner extents", q.node->op);
  return {};
}

KernelBinding copy_step(CopyParams p) {
  p.per_tile = rows_per_tile(p.bytes + p.bytes2, kTileBytes);
  return one_step("copy", p, copy_run, copy_tiles, copy_bytes);
}

/// One index of the outermost extent as a row, of any rank from 1.
RowSpan outermost(const Operand& o) {
  if (o.dims.size() > 1) return span_of(o, o.dims.size() - 1);
  RowSpan s;
  s.ref = o.ref;
  s.outer = o.dims[0];
  s.row_bytes = s.outer_bytes = info_of(o.dtype).bytes;
  return s;
}

}  // namespace

Result<KernelBinding> bind_slice(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY_VOID(want_scalars(q));
  CopyParams p;
  p.x = span_of(q.in[0]);
  p.y = span_of(q.out[0]);
  p.from = q.node->attrs.i("start") * info_of(q.in[0].dtype).bytes;
  p.bytes = p.y.row_bytes;
  return copy_step(p);
}

Result<KernelBinding> bind_reshape(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY_VOID(want_scalars(q));
  const Operand &x = q.in[0], &y = q.out[0];
  const bool kept = !x.dims.empty() && !y.dims.empty() && x.dims[0] == y.dims[0];
  CopyParams p;
  if (kept) {
    p.x = outermost(x);
    p.y = outermost(y);
    p.bytes = p.y.length * info_of(y.dtype).bytes;
    return copy_step(p);
  }
  // The outermost extent changes: both sides are one stretch of bytes, which is cut into rows of a size that divides it.
  p.x = span_of(x);
  p.y = span_of(y);
  if (!p.x.dense() || !p.y.dense() || !p.x.outer.is_constant() || p.x.stride_bytes() != p.x.row_bytes || p.y.stride_bytes() != p.y.row_bytes)
    return unsupported("reshape: the first extent changes and rows have gaps");
  p.x.outer = p.y.outer;
  p.x.group = p.y.group;
  p.x.length = p.y.length;
  p.x.row_bytes = p.y.row_bytes;
  p.x.outer_bytes = p.y.outer_bytes;
  p.bytes = p.y.row_bytes;
  return copy_step(p);
}

Result<KernelBinding> bind_concat(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY_VOID(want_scalars(q));
  CopyParams p;
  p.x = span_of(q.in[0]);
  p.x2 = span_of(q.in[1]);
  p.y = span_of(q.out[0]);
  p.bytes = p.to2 = p.x.row_bytes;
  p.bytes2 = p.x2.row_bytes;
  return copy_step(p);
}

Result<KernelBinding> bind_repeat_heads(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY_VOID(want_scalars(q));
  if (q.in[0].dims.size() != 3) return unsupported("repeat_heads: expected x of rank 3");
  CopyParams p;
  p.x = span_of(q.in[0]);
  p.y = span_of(q.out[0]);
  p.heads = q.in[0].dims[1].times;
  p.times = q.node->attrs.i("times", 1);
  p.tile = q.node->attrs.s("mode", "group") == "tile";
  p.bytes = p.y.row_bytes;
  return copy_step(p);
}

}  // namespace mainspring::inline v0::cpu
