// Vocabulary of the room: what shape rules of several operators ask, and the one walker with which elements of any size are moved.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "ops/op.h"
#include "ops/shape.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {

// ---- shape rules -----------------------------------------------------------------------------------------------------------

/// A tensor of these extents. Errors: invalid_argument beyond Shape::kMaxRank.
Result<ValueInfo> bounded(const char* op, DType dtype, Dims dims);
/// A tensor with as many axes as the list `list` has elements, and `more`; unranked when that is not known. Errors: as bounded.
Result<ValueInfo> of_length(const char* op, DType dtype, const ValueInfo& list, size_t more = 0);
/// How many elements a list has: rank 0 or 1, constant.
std::optional<size_t> length_of(const ValueInfo& list);
/// As need, of integers of rank 0 or 1 (`list`) or of any rank.
Result<const ValueInfo*> need_ints(const char* op, const OpCall& c, size_t i, const char* name, bool list = true);
/// As need, of that dtype.
Result<const ValueInfo*> need_dtype(const char* op, const OpCall& c, size_t i, const char* name, DType dtype);
/// Axes made positive. Errors: invalid_argument for one out of range and one that stands twice.
Result<std::vector<size_t>> axes_of(const char* op, std::span<const int64_t> axes, size_t rank);
/// What is known of an extent that both tell. Errors: invalid_argument when they are two numbers.
Result<Dim> same_dim(const char* op, const char* what, Dim a, Dim b);
/// What holds for both: of two extents that differ nothing is known, nor of two ranks. Errors: invalid_argument for two dtypes or a sequence and a tensor.
Result<ValueInfo> either(const char* op, const ValueInfo& a, const ValueInfo& b);
/// Errors: invalid_argument when the content is known and an index lies outside [-extent, extent).
Result<void> check_indices(const char* op, const ValueInfo& indices, Dim extent);

// ---- elements --------------------------------------------------------------------------------------------------------------

/// An index in [-n, n) made positive; -1 for any other.
constexpr int64_t wrapped(int64_t i, int64_t n) {
  if (i < 0) i += n;
  return i >= 0 && i < n ? i : -1;
}
inline int64_t bytes_of(DType t) { return info_of(t).bytes; }
/// Product of the extents [first, last).
int64_t count(const Shape& s, int first, int last);
/// Elements between neighbours of each axis of a dense tensor.
std::vector<int64_t> strides_of(const Shape& s);
/// An axis attribute, which infer has checked, made positive.
inline int axis_in(int64_t axis, int rank) { return static_cast<int>(axis < 0 ? axis + rank : axis); }
/// All elements of x to y, which has as many.
void copy_all(const TensorView& x, const TensorView& y);

/// An axis of a copy: its extent, and how many elements its neighbours lie apart (0 and negative too) in the target and in the source.
struct Axis {
  int64_t n, to, from;
};
/// Copies elements of `element` bytes for every index over the axes, which stand outer to inner.
void copy_strided(const std::vector<Axis>& axes, int64_t element, std::byte* to, const std::byte* from);

/// Walks a shape in row-major order with the sum of index × stride.
class Steps {
 public:
  Steps(const Shape& shape, std::vector<int64_t> strides) : shape_(shape), strides_(std::move(strides)) {}
  int64_t at() const { return at_; }
  void next() {
    for (int k = shape_.rank(); k-- > 0;) {
      const auto a = static_cast<size_t>(k);
      at_ += strides_[a];
      if (++index_[a] < shape_[k]) return;
      at_ -= strides_[a] * shape_[k];
      index_[a] = 0;
    }
  }

 private:
  Shape shape_;
  std::vector<int64_t> strides_;
  std::array<int64_t, Shape::kMaxRank> index_{};
  int64_t at_ = 0;
};

/// A number whose order is that of the elements (−0 and 0 are one, NaN comes last): what sorting compares. Not for strings and complex numbers.
int64_t sort_key(const TensorView& v, int64_t i);

// ---- dynamic calls ---------------------------------------------------------------------------------------------------------

/// The one element of a tensor of integers. Errors: invalid_argument.
Result<int64_t> one_int(const char* op, const Datum& d, const char* name);
/// The tensor itself; one of strings with characters of its own, for views that point into other tensors.
Result<Tensor> owned(DynamicCall& c, Tensor t);
/// Part [begin, begin + n) of axis 0, sharing storage.
Tensor rows_of(const Tensor& t, const std::shared_ptr<void>& keeper, int64_t begin, const Shape& shape);

}  // namespace mainspring::inline v0
