// Operands with constant extents: strides under broadcasting, and where each matrix of a stack begins.
#pragma once

#include <algorithm>
#include <vector>

#include "cpu/binding.h"

namespace mainspring::inline v0::cpu {

inline bool constant_dims(const Operand& o) {
  return std::all_of(o.dims.begin(), o.dims.end(), [](const Dim& d) { return d.is_constant(); });
}

/// Elements from one index to the next along each of `rank` axes, the operand's own being the last of them; 0 where it has one index or no such axis.
inline std::vector<int64_t> strides_of(const Operand& o, size_t rank) {
  std::vector<int64_t> strides(rank);
  int64_t inner = 1;
  const size_t own = o.dims.size();
  for (size_t i = own; i-- > 0;) {
    if (o.dims[i] != Dim(1)) strides[rank - own + i] = i == 0 && own > 1 ? o.row_stride : inner;
    inner *= o.dims[i].times;
  }
  return strides;
}

/// Offset of each index of the first `axes` axes of `dims`, in row-major order.
inline std::vector<int64_t> offsets_of(const Dims& dims, size_t axes, const std::vector<int64_t>& strides) {
  std::vector<int64_t> all{0};
  for (size_t i = 0; i < axes; ++i) {
    std::vector<int64_t> next;
    next.reserve(all.size() * static_cast<size_t>(dims[i].times));
    for (const int64_t at : all)
      for (int64_t j = 0; j < dims[i].times; ++j) next.push_back(at + j * strides[i]);
    all = std::move(next);
  }
  return all;
}

}  // namespace mainspring::inline v0::cpu
