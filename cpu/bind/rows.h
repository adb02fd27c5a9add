// How steps walk rows. In: an Operand. Out: addresses of its rows: all leading extents together are the rows, the last extent is a row's
// elements; the outermost extent may have a stride. A value of rank 0 or 1 is one row.
#pragma once

#include <algorithm>

#include "core/checked.h"
#include "cpu/binding.h"
#include "quant/q8_rows.h"

namespace mainspring::inline v0::cpu {

struct RowSpan {
  Ref ref;
  Dim outer;                ///< outermost extent (1 for rank 0 and 1)
  int64_t group = 1;        ///< rows in one index of the outermost extent
  int64_t length = 1;       ///< elements of a row
  int64_t row_bytes = 0;    ///< from row to row inside a group
  int64_t outer_bytes = 0;  ///< from group to group
  explicit operator bool() const { return ref.space != Space::none; }
  int64_t count(const StepEnv& env) const { return env.extent(outer) * group; }
  int64_t bytes(const StepEnv& env) const { return count(env) * row_bytes; }
  /// Rows follow each other without gaps: one stride does for all.
  bool dense() const { return group == 1 || outer_bytes == group * row_bytes; }
  /// Bytes from row to row where one number says it.
  int64_t stride_bytes() const { return group == 1 ? outer_bytes : row_bytes; }
  std::byte* at(const StepEnv& env, int64_t r) const {
    if (group == 1) return env.at(ref) + r * outer_bytes;
    return env.at(ref) + r / group * outer_bytes + r % group * row_bytes;
  }
  template <class T>
  T* row(const StepEnv& env, int64_t r) const {
    return reinterpret_cast<T*>(at(env, r));
  }
};

/// Bytes of a row of `length` elements of that dtype (whole blocks).
inline int64_t row_bytes_of(DType t, int64_t length) {
  if (is_quantised_rows(t)) return static_cast<int64_t>(quantised_row_bytes(t, length));
  return length / info_of(t).block * info_of(t).bytes;
}

/// Rows of the last `keep` extents (1: rows, 2: matrices that are dense inside). `length` counts their elements.
inline RowSpan span_of(const Operand& o, size_t keep = 1) {
  RowSpan s;
  s.ref = o.ref;
  const size_t rank = o.dims.size();
  const size_t first = rank > keep ? rank - keep : 0;
  for (size_t i = first; i < rank; ++i) s.length *= o.dims[i].times;
  const int64_t last = rank ? o.dims[rank - 1].times : 1;
  s.row_bytes = last ? s.length / last * row_bytes_of(o.dtype, last) : 0;
  s.outer_bytes = s.row_bytes;
  if (rank <= keep) return s;
  s.outer = o.dims[0];
  for (size_t i = 1; i < first; ++i) s.group *= o.dims[i].times;
  s.outer_bytes = is_quantised_rows(o.dtype) ? o.row_stride : o.row_stride / info_of(o.dtype).block * info_of(o.dtype).bytes;
  return s;
}

/// True when every extent but the outermost is constant (for rank 1: the only one too): what row kernels can bind.
inline bool constant_rows(const Operand& o) {
  for (size_t i = o.dims.size() > 1 ? 1 : 0; i < o.dims.size(); ++i)
    if (!o.dims[i].is_constant()) return false;
  return true;
}

/// Rows of one tile when each costs about `work` units and a tile should cost about `budget`.
constexpr int64_t rows_per_tile(int64_t work, int64_t budget) { return std::max<int64_t>(1, budget / std::max<int64_t>(1, work)); }

/// Operand i of the request, or an absent one.
inline Operand operand(std::span<const Operand> all, size_t i) { return i < all.size() ? all[i] : Operand{}; }

/// The refusal that most binders share: f32 rows with constant extents.
inline Result<void> want_f32_rows(const BindRequest& q, const Operand& o, const char* name) {
  if (o.dtype != DType::f32) return unsupported("{}: {} is {}, the CPU kernel takes f32", q.node->op, name, name_of(o.dtype));
  if (!constant_rows(o)) return unsupported("{}: an inner extent of {} is symbolic", q.node->op, name);
  return {};
}

}  // namespace mainspring::inline v0::cpu
