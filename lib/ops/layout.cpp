// Ops that only move elements, of any scalar dtype.
// slice(x […,d]) -> […,length]                       attrs start, length (elements of the last extent)
// reshape(x) -> attrs dims                           the first extent is kept where -1 stands first; the rest has as many elements as before
// concat(a […,d1], b […,d2]) -> […,d1+d2]
// repeat_heads(x [n,h,d]) -> [n,h*times,d]           attrs times, mode "tile" (head i reads i%h) | "group" (head i reads i/times)
// gather_rows(x [n,…], rows i32[m]) -> [m,…]         rows are checked before the step
#include "core/checked.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "ops/view.h"

namespace mainspring::inline v0 {
namespace {

/// Operand i of any scalar dtype.
Result<const ValueInfo*> scalars(const Want& want, size_t i, const char* name, size_t min_rank, size_t max_rank = 0) {
  const DType dtype = want.has(i) ? want.in(i).dtype : DType::f32;
  if (is_block_format(dtype)) return want.fail("{} is {}, expected scalars", name, text_of(want.in(i)));
  return want.tensor(i, name, dtype, min_rank, max_rank);
}

/// Moves whole elements: rows as bytes. The view's strides and last extents are turned into bytes.
Rows<std::byte> byte_rows(TensorView v, int keep = 1) {
  const int64_t size = info_of(v.dtype).bytes;
  v.row_stride *= size;
  v.shape[v.shape.rank() - 1] *= size;
  return Rows<std::byte>(v, keep);
}

void move_bytes(std::byte* to, const std::byte* from, int64_t bytes) { std::memmove(to, from, static_cast<size_t>(bytes)); }

Result<std::vector<ValueInfo>> infer_slice(const OpCall& c) {
  const Want want("slice", c);
  MAINSPRING_TRY(const ValueInfo* x, scalars(want, 0, "x", 1));
  if (!x->dims.back().is_constant()) return want.fail("x is {}, expected a constant last extent", text_of(*x));
  const int64_t d = x->dims.back().times;
  MAINSPRING_TRY(const int64_t start, want.integer("start", 0, 0, d - 1));
  MAINSPRING_TRY(const int64_t length, want.integer("length", d - start, 1, d - start));
  Dims dims = x->dims;
  dims.back() = length;
  return yields(std::move(dims), x->dtype);
}

void reference_slice(const OpArgs& a) {
  const Rows<std::byte> x = byte_rows(a.in[0]), y = byte_rows(a.out[0]);
  const int64_t start = a.attrs.i("start") * info_of(a.in[0].dtype).bytes;
  for (int64_t r = 0; r < y.count(); ++r) move_bytes(y[r], x[r] + start, y.length());
}

Result<std::vector<ValueInfo>> infer_reshape(const OpCall& c) {
  const Want want("reshape", c);
  MAINSPRING_TRY(const ValueInfo* x, scalars(want, 0, "x", 0));
  const std::span<const int64_t> to = c.attrs.is("dims");
  if (to.empty() || to.size() > static_cast<size_t>(Shape::kMaxRank))
    return want.fail("attribute dims has {} extents, expected 1 to {}", to.size(), Shape::kMaxRank);
  const size_t kept = to[0] == -1 ? 1 : 0;
  if (kept && x->dims.empty()) return want.fail("x has no first extent to keep");
  Dims dims;
  if (kept) dims.push_back(x->dims[0]);
  for (size_t i = kept; i < to.size(); ++i) {
    if (to[i] < 1) return want.fail("attribute dims has {} at {}, expected at least 1", to[i], i);
    dims.push_back(to[i]);
  }
  const std::optional<int64_t> before = constant_elements(x->dims, kept), after = constant_elements(dims, kept);
  if (!before || before != after) return want.fail("x is {}, which does not become {}", text_of(*x), text_of(dims));
  return yields(std::move(dims), x->dtype);
}

void reference_reshape(const OpArgs& a) {
  // Rows on both sides are the elements behind the outermost extent; walk both in pieces that are whole in each.
  const Rows<std::byte> x = byte_rows(a.in[0]), y = byte_rows(a.out[0]);
  int64_t rx = 0, ry = 0, ox = 0, oy = 0;
  while (rx < x.count() && ry < y.count()) {
    const int64_t n = std::min(x.length() - ox, y.length() - oy);
    move_bytes(y[ry] + oy, x[rx] + ox, n);
    ox += n, oy += n;
    if (ox == x.length()) ++rx, ox = 0;
    if (oy == y.length()) ++ry, oy = 0;
  }
}

Result<std::vector<ValueInfo>> infer_concat(const OpCall& c) {
  const Want want("concat", c);
  MAINSPRING_TRY(const ValueInfo* a, scalars(want, 0, "a", 1));
  if (!want.has(1)) return want.fail("input 1 (b) is absent");
  const ValueInfo& b = want.in(1);
  bool agree = b.dtype == a->dtype && b.dims.size() == a->dims.size() && b.dims.back().is_constant() && a->dims.back().is_constant();
  for (size_t i = 0; agree && i + 1 < a->dims.size(); ++i) agree = a->dims[i] == b.dims[i];
  if (!agree || b.dims.back().times < 1) return want.fail("b is {}, expected a's dtype and leading extents, {}", text_of(b), text_of(*a));
  const std::optional<int64_t> d = checked_add(a->dims.back().times, b.dims.back().times);
  if (!d) return want.fail("a is {} and b is {}, together too long", text_of(*a), text_of(b));
  Dims dims = a->dims;
  dims.back() = *d;
  return yields(std::move(dims), a->dtype);
}

void reference_concat(const OpArgs& args) {
  const Rows<std::byte> a = byte_rows(args.in[0]), b = byte_rows(args.in[1]), y = byte_rows(args.out[0]);
  for (int64_t r = 0; r < y.count(); ++r) {
    move_bytes(y[r], a[r], a.length());
    move_bytes(y[r] + a.length(), b[r], b.length());
  }
}

constexpr std::string_view kRepeat[] = {"tile", "group"};

Result<std::vector<ValueInfo>> infer_repeat_heads(const OpCall& c) {
  const Want want("repeat_heads", c);
  MAINSPRING_TRY(const ValueInfo* x, scalars(want, 0, "x", 3, 3));
  if (!x->dims[1].is_constant()) return want.fail("x is {}, expected a constant count of heads", text_of(*x));
  MAINSPRING_TRY(const int64_t times, want.integer("times", 1, 1, int64_t{1} << 32));
  MAINSPRING_TRY_VOID(want.choice("mode", "group", kRepeat));
  const std::optional<int64_t> heads = checked_mul(x->dims[1].times, times);
  if (!heads) return want.fail("{} times the heads of {} are too many", times, text_of(*x));
  return yields({x->dims[0], *heads, x->dims[2]}, x->dtype);
}

void reference_repeat_heads(const OpArgs& a) {
  const Rows<std::byte> x = byte_rows(a.in[0]), y = byte_rows(a.out[0]);
  const int64_t heads = a.in[0].shape[1], times = a.attrs.i("times", 1);
  const bool tile = a.attrs.s("mode", "group") == "tile";
  for (int64_t r = 0; r < y.count(); ++r) {
    const int64_t n = r / (heads * times), i = r % (heads * times);
    move_bytes(y[r], x[n * heads + (tile ? i % heads : i / times)], y.length());
  }
}

Result<std::vector<ValueInfo>> infer_gather_rows(const OpCall& c) {
  const Want want("gather_rows", c);
  MAINSPRING_TRY(const ValueInfo* x, scalars(want, 0, "x", 2));
  MAINSPRING_TRY(const ValueInfo* rows, want.tensor(1, "rows", DType::i32, 1, 1));
  if (!constant_elements(x->dims, 1)) return want.fail("x is {}, expected constant extents behind the first", text_of(*x));
  Dims dims = x->dims;
  dims[0] = rows->dims[0];
  return yields(std::move(dims), x->dtype);
}

void reference_gather_rows(const OpArgs& a) {
  const int keep = a.in[0].shape.rank() - 1;
  const Rows<std::byte> x = byte_rows(a.in[0], keep), y = byte_rows(a.out[0], keep);
  for (int64_t r = 0; r < y.count(); ++r) move_bytes(y[r], x[a.in[1].as<int32_t>()[r]], y.length());
}

}  // namespace

constinit const OpDef op_slice{.name = "slice", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_slice, .reference = reference_slice};
constinit const OpDef op_reshape{.name = "reshape", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_reshape, .reference = reference_reshape};
constinit const OpDef op_concat{.name = "concat", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_concat, .reference = reference_concat};
constinit const OpDef op_repeat_heads{
    .name = "repeat_heads", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_repeat_heads, .reference = reference_repeat_heads};
constinit const OpDef op_gather_rows{
    .name = "gather_rows", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_gather_rows, .reference = reference_gather_rows};

}  // namespace mainspring::inline v0
