// Where elements lie: strides of tensors under broadcasting, for references that walk several at once.
#pragma once

#include <vector>

#include "mainspring/ext/op.h"

namespace mainspring::inline v0 {

/// Elements from one index to the next along each of `rank` axes, the tensor's own being the last of them; 0 where it has one index or no such axis.
inline std::vector<int64_t> strides_of(const TensorView& v, size_t rank) {
  std::vector<int64_t> strides(rank);
  int64_t inner = 1;
  const int own = v.shape.rank();
  for (int i = own; i-- > 0;) {
    if (v.shape[i] != 1) strides[rank - static_cast<size_t>(own - i)] = i == 0 && own > 1 ? v.row_stride : inner;
    inner *= v.shape[i];
  }
  return strides;
}

inline int64_t offset_of(const std::vector<int64_t>& index, const std::vector<int64_t>& strides) {
  int64_t at = 0;
  for (size_t i = 0; i < strides.size(); ++i) at += index[i] * strides[i];
  return at;
}

/// each(index) for all indices of a shape, in row-major order.
template <class Each>
void for_each_index(const Shape& shape, Each each) {
  std::vector<int64_t> index(static_cast<size_t>(shape.rank()));
  for (int64_t left = shape.elements(); left > 0; --left) {
    each(index);
    for (size_t i = index.size(); i-- > 0;) {
      if (++index[i] < shape[static_cast<int>(i)]) break;
      index[i] = 0;
    }
  }
}

}  // namespace mainspring::inline v0
