// Where indices point: what the gathering and the scattering operators share. A place is an offset in elements of x, -1 where an index lies outside.
#pragma once

#include "ops/data/data.h"

namespace mainspring::inline v0 {

/// Indices of GatherElements and ScatterElements: of x's rank, and no longer than x but along the axis. Errors: invalid_argument.
inline Result<void> check_element_indices(const char* op, const ValueInfo& x, const ValueInfo& indices, int64_t wanted) {
  if (!x.ranked) return {};
  MAINSPRING_TRY(const size_t axis, axis_of(op, wanted, x.dims.size()));
  MAINSPRING_TRY_VOID(check_indices(op, indices, x.dims[axis]));
  if (!indices.ranked) return {};
  if (indices.dims.size() != x.dims.size()) return invalid("{}: data is {} and indices {}, expected one rank", op, text_of(x), text_of(indices));
  for (size_t k = 0; k < x.dims.size(); ++k)
    if (k != axis && x.dims[k].is_constant() && indices.dims[k].is_constant() && indices.dims[k].times > x.dims[k].times)
      return invalid("{}: indices are {}, data is {}", op, text_of(indices), text_of(x));
  return {};
}

/// Walks those indices in row-major order.
class ElementPlaces {
 public:
  ElementPlaces(const Shape& x, const TensorView& indices, int64_t axis)
      : indices_(indices), n_(indices.shape.elements()), extent_(x[axis_in(axis, x.rank())]), stride_(strides_of(x)[static_cast<size_t>(axis_in(axis, x.rank()))]), base_(indices.shape, still(x, axis)) {}
  bool done() const { return i_ >= n_; }
  int64_t i() const { return i_; }
  int64_t at() const {
    const int64_t along = wrapped(load_int(indices_, i_), extent_);
    return along < 0 ? -1 : base_.at() + along * stride_;
  }
  void next() {
    ++i_;
    base_.next();
  }

 private:
  static std::vector<int64_t> still(const Shape& x, int64_t axis) {
    auto strides = strides_of(x);
    strides[static_cast<size_t>(axis_in(axis, x.rank()))] = 0;
    return strides;
  }
  TensorView indices_;
  int64_t n_, extent_, stride_;
  Steps base_;
  int64_t i_ = 0;
};

/// Length of the tuples of GatherND and ScatterND; nothing where it is not known yet. Errors: invalid_argument.
inline Result<std::optional<size_t>> tuple_length(const char* op, const ValueInfo& x, const ValueInfo& indices, int64_t batch) {
  if (!x.ranked || !indices.ranked) return std::optional<size_t>();
  const auto rank = static_cast<int64_t>(x.dims.size());
  if (indices.dims.empty() || batch < 0 || batch >= std::min(rank, static_cast<int64_t>(indices.dims.size()))) return invalid("{}: data is {}, indices {}, with {} batch axes", op, text_of(x), text_of(indices), batch);
  if (!indices.dims.back().is_constant()) return std::optional<size_t>();
  const int64_t k = indices.dims.back().times;
  if (k < 1 || k > rank - batch) return invalid("{}: tuples of {}, expected 1 to {}", op, k, rank - batch);
  if (const auto known = ints_of(indices); known && all_constant(x))
    for (size_t i = 0; i < known->size(); ++i)
      if (const int64_t n = x.dims[static_cast<size_t>(batch) + i % static_cast<size_t>(k)].times; wrapped((*known)[i], n) < 0) return invalid("{}: index {} of an axis of {}", op, (*known)[i], n);
  return std::optional<size_t>(static_cast<size_t>(k));
}

/// Slices of x that the tuples name, in row-major order of the tuples.
class SlicePlaces {
 public:
  SlicePlaces(const Shape& x, const TensorView& indices, int batch) : x_(x), indices_(indices), batch_(batch), k_(static_cast<int>(indices.shape.back())), strides_(strides_of(x)) {
    n_ = count(indices.shape, 0, indices.shape.rank() - 1);
    group_ = count(indices.shape, batch, indices.shape.rank() - 1);
  }
  int64_t n() const { return n_; }
  /// Elements of a slice.
  int64_t slice() const { return count(x_, batch_ + k_, x_.rank()); }
  int64_t at(int64_t tuple) const {
    int64_t at = batch_ > 0 ? tuple / group_ * strides_[static_cast<size_t>(batch_ - 1)] : 0;
    for (int j = 0; j < k_; ++j) {
      const int64_t i = wrapped(load_int(indices_, tuple * k_ + j), x_[batch_ + j]);
      if (i < 0) return -1;
      at += i * strides_[static_cast<size_t>(batch_ + j)];
    }
    return at;
  }

 private:
  Shape x_;
  TensorView indices_;
  int batch_, k_;
  int64_t n_, group_;
  std::vector<int64_t> strides_;
};

}  // namespace mainspring::inline v0
