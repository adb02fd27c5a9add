// Where (condition, x, y)   element by element under broadcasting, any dtype
// Trilu (x, k?)             attr upper (1): elements on and above (below) the k-th diagonal of the last two extents, else zero
#include <cstring>

#include "ops/numeric/runs.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

Result<std::vector<ValueInfo>> infer_where(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* condition, need("Where", c, 0, "condition"));
  MAINSPRING_TRY(const ValueInfo* x, need("Where", c, 1, "x"));
  MAINSPRING_TRY(const ValueInfo* y, need("Where", c, 2, "y"));
  if (condition->dtype != DType::boolean || x->dtype != y->dtype)
    return invalid("Where: condition, x and y are {}, {} and {}, expected bool and two of one dtype", name_of(condition->dtype), name_of(x->dtype), name_of(y->dtype));
  MAINSPRING_TRY(ValueInfo out, broadcast("Where", x->dtype, c.in));
  return one(std::move(out));
}

void reference_where(const OpArgs& a) {
  const auto size = static_cast<size_t>(info_of(a.out[0].dtype).bytes);
  BroadcastRows rows(a.out[0].shape, a.in);
  std::byte* to = a.out[0].data;
  for (int64_t r = 0; r < rows.rows(); ++r, rows.next())
    for (int64_t i = 0; i < rows.length(); ++i, to += size) {
      const size_t o = a.in[0].as<uint8_t>()[rows.first(0) + rows.stride(0) * i] ? 1 : 2;
      std::memcpy(to, a.in[o].data + static_cast<size_t>(rows.first(o) + rows.stride(o) * i) * size, size);
    }
}

Result<std::vector<ValueInfo>> infer_trilu(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Trilu", c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank("Trilu", *x, "x", 2));
  if (has(c, 1)) MAINSPRING_TRY_VOID(need_one("Trilu", c, 1, "k"));
  return one(x->ranked ? tensor_of(x->dtype, x->dims) : unranked(x->dtype));
}

void reference_trilu(const OpArgs& a) {
  const Shape& s = a.in[0].shape;
  const int64_t height = s[s.rank() - 2], width = s.back();
  const int64_t k = has(a, 1) ? std::clamp(load_int(a.in[1], 0), -height, width) : 0;
  const bool upper = a.attrs.i("upper", 1) != 0;
  const auto size = static_cast<size_t>(info_of(a.out[0].dtype).bytes);
  const auto total = static_cast<size_t>(s.elements()) * size;
  if (total == 0) return;
  std::memset(a.out[0].data, 0, total);  // an empty string is all zeros too
  for (int64_t row = 0; row < s.elements() / width; ++row) {
    const int64_t diagonal = std::clamp(row % height + k + (upper ? 0 : 1), int64_t{0}, width);
    const int64_t first = row * width + (upper ? diagonal : 0), n = upper ? width - diagonal : diagonal;
    std::memcpy(a.out[0].data + static_cast<size_t>(first) * size, a.in[0].data + static_cast<size_t>(first) * size, static_cast<size_t>(n) * size);
  }
}

}  // namespace

constinit const OpDef op_Where{.name = "Where", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_where, .reference = reference_where};
constinit const OpDef op_Trilu{.name = "Trilu", .min_in = 1, .max_in = 2, .n_out = 1, .infer = infer_trilu, .reference = reference_trilu};

}  // namespace mainspring::inline v0
