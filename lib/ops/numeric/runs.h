// Elements of any dtype as runs of numbers of one of three kinds: double for floats, int64_t and uint64_t for integers (bool among the latter). References
// of the numeric operators read a run, work on it and write it, so that the switch over dtypes stands outside of their loops.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "ops/tensor.h"

namespace mainspring::inline v0 {

/// Reads n elements from `first` on, `stride` elements apart (0: one element, n times). T: double, int64_t, uint64_t. Floats read as integers are truncated.
template <class T>
void load_run(DType t, const std::byte* data, int64_t first, int64_t stride, int64_t n, T* out);
/// The other way: floats are rounded once, integers are truncated and wrap, bool is whether it is not zero.
template <class T>
void store_run(DType t, std::byte* data, int64_t first, int64_t stride, int64_t n, const T* in);

template <class T>
std::vector<T> load_all(const TensorView& v) {
  std::vector<T> all(static_cast<size_t>(v.shape.elements()));
  load_run(v.dtype, v.data, 0, 1, static_cast<int64_t>(all.size()), all.data());
  return all;
}
template <class T>
T load_one(const TensorView& v, int64_t i = 0) {
  T x;
  load_run(v.dtype, v.data, i, 1, 1, &x);
  return x;
}
template <class T>
void store_one(const TensorView& v, int64_t i, T x) {
  store_run(v.dtype, v.data, i, 1, 1, &x);
}

/// Calls f.template operator()<T>() with the kind of number in which elements of that dtype are calculated.
template <class F>
void with_numbers(DType t, F&& f) {
  if (is_float(t)) return f.template operator()<double>();
  if (is_signed_int(t)) return f.template operator()<int64_t>();
  f.template operator()<uint64_t>();
}

/// The type in which sums and products of T are made: integers wrap.
template <class T>
using Wrapping = std::conditional_t<std::is_same_v<T, double>, double, uint64_t>;

/// Floats and integers, the narrow ones too.
constexpr bool is_number(DType t) { return is_float(t) || is_int(t); }
/// Least and largest value of an integer dtype or bool, as T holds it.
std::pair<int64_t, uint64_t> range_of_int(DType t);

/// Operand i is there and one number or bool, as far as is known. Errors: invalid_argument.
Result<const ValueInfo*> need_one(const char* op, const OpCall& c, size_t i, const char* name);

/// Rows of a tensor and of the operands that are broadcast to it. Neighbouring axes that all operands walk alike are one, so that rows are long.
class BroadcastRows {
 public:
  BroadcastRows(const Shape& out, std::span<const TensorView> operands);
  int64_t rows() const { return rows_; }
  int64_t length() const { return length_; }
  int64_t first(size_t operand) const { return walk_.at(operand) * (moves_[operand] ? length_ : 1); }  ///< of this row
  int64_t stride(size_t operand) const { return moves_[operand]; }  ///< inside a row: 0 or 1
  void next() { walk_.next(); }

 private:
  struct Plan;
  explicit BroadcastRows(Plan plan);
  int64_t rows_, length_;
  std::vector<char> moves_;
  Walk walk_;
};

/// A tensor seen along one axis: `outer` × `n` × `inner`, one lane for each (outer, inner).
struct Lanes {
  int64_t outer = 1, n = 1, inner = 1;
  Lanes(const Shape& shape, size_t axis) : Lanes(shape, axis, axis + 1) {}
  /// Axes [axis, end) together are the lane's.
  Lanes(const Shape& shape, size_t axis, size_t end) {
    for (size_t i = 0; i < static_cast<size_t>(shape.rank()); ++i) (i < axis ? outer : i < end ? n : inner) *= shape[static_cast<int>(i)];
  }
  int64_t count() const { return outer * inner; }
  int64_t first(int64_t lane) const { return lane / inner * n * inner + lane % inner; }
};

/// y = f(lane of x), lane by lane; f changes the lane in place.
template <class T, class F>
void map_lanes(const TensorView& x, const TensorView& y, const Lanes& lanes, F f) {
  std::vector<T> lane(static_cast<size_t>(lanes.n));
  if (lanes.n == 0) return;
  for (int64_t i = 0; i < lanes.count(); ++i) {
    load_run(x.dtype, x.data, lanes.first(i), lanes.inner, lanes.n, lane.data());
    f(std::span<T>(lane));
    store_run(y.dtype, y.data, lanes.first(i), lanes.inner, lanes.n, lane.data());
  }
}

}  // namespace mainspring::inline v0
