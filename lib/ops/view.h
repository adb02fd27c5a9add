// How references walk tensors. In: TensorViews that infer accepted. Out: rows. Strides count for the outermost extent only; all leading
// extents together are the rows, the last one is a row's elements. A tensor of rank 0 or 1 is one row (its stride means nothing).
#pragma once

#include <cstring>
#include <vector>

#include "mainspring/ext/op.h"
#include "quant/q8_rows.h"
#include "quant/quant.h"

namespace mainspring::inline v0 {

/// Rows of `keep` last extents: keep = 1 gives rows, keep = 2 gives matrices (dense inside). T is the element as it lies in memory.
template <class T>
class Rows {
 public:
  explicit Rows(const TensorView& v, int keep = 1) : data_(v.as<T>()) {
    const int rank = v.shape.rank();
    for (int i = 0; i < rank; ++i) (i < rank - keep ? count_ : length_) *= v.shape[i];
    if (rank <= keep || count_ == 0) {
      stride_ = length_;
      return;
    }
    group_ = count_ / v.shape[0];
    stride_ = v.row_stride;
  }
  int64_t count() const { return count_; }
  int64_t length() const { return length_; }
  T* operator[](int64_t r) const { return data_ + r / group_ * stride_ + r % group_ * length_; }

 private:
  T* data_;
  int64_t count_ = 1, length_ = 1, group_ = 1, stride_ = 0;
};

/// Rows of weights or activations in any format, decoded to f32 one at a time. The format and length come from the last extent.
class DecodedRows {
 public:
  explicit DecodedRows(const TensorView& v) : view_(v), k_(v.shape.back()) {
    const DTypeInfo info = info_of(v.dtype);
    const bool planes = is_quantised_rows(v.dtype);
    row_bytes_ = planes ? static_cast<int64_t>(quantised_row_bytes(v.dtype, k_)) : k_ / info.block * info.bytes;
    const int rank = v.shape.rank();
    for (int i = 0; i + 1 < rank; ++i) count_ *= v.shape[i];
    if (rank < 2 || count_ == 0) return;
    group_ = count_ / v.shape[0];
    stride_bytes_ = planes ? v.row_stride : v.row_stride / info.block * info.bytes;
  }
  int64_t count() const { return count_; }
  int64_t length() const { return k_; }
  /// Writes length() floats.
  void read(int64_t r, float* out) const {
    const std::byte* row = view_.data + r / group_ * stride_bytes_ + r % group_ * row_bytes_;
    if (is_quantised_rows(view_.dtype)) return decode_quantised_row(view_.dtype, row, k_, out);
    format_of(view_.dtype)->decode(row, k_, out);
  }
  std::vector<float> read(int64_t r) const {
    std::vector<float> out(static_cast<size_t>(k_));
    read(r, out.data());
    return out;
  }

 private:
  TensorView view_;
  int64_t k_, count_ = 1, group_ = 1, row_bytes_ = 0, stride_bytes_ = 0;
};

/// Rows of floats, quantised into a tensor of as many q8_rows, q16_rows or bf16.
inline void quantise_rows(const Rows<float>& x, const TensorView& out) {
  const int64_t bytes = lowered_row_bytes(out.dtype, x.length());
  const int64_t stride = out.row_stride * (is_quantised_rows(out.dtype) ? 1 : info_of(out.dtype).bytes);
  const int64_t group = x.count() && out.shape.rank() > 1 ? x.count() / out.shape[0] : 1;
  for (int64_t r = 0; r < x.count(); ++r) quantise_row(out.dtype, x[r], x.length(), out.data + r / group * stride + r % group * bytes);
}

/// What a fused op means: `reference`, rounded to f32, then quantise_rows.
inline void then_quantise(const OpArgs& a, void (*reference)(const OpArgs&)) {
  TensorView y = a.out[0];
  std::vector<float> values(static_cast<size_t>(y.shape.elements()));
  y.dtype = DType::f32;
  y.data = reinterpret_cast<std::byte*>(values.data());
  y.row_stride = y.shape.rank() && y.shape[0] ? y.shape.elements() / y.shape[0] : 0;
  reference(OpArgs{a.in, {&y, 1}, a.attrs, a.step});
  quantise_rows(Rows<float>(y), a.out[0]);
}

/// Sum of products in double, ascending.
inline double dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

}  // namespace mainspring::inline v0
