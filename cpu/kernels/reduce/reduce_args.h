// What a reducing kernel is given. PODs only: the ISA files include this and nothing that could emit a shared inline function.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mainspring::inline v0 {

/// Σ x, Σ |x|, Σ x², Π x, max, min (NaN wins), Σ e^(x - shift).
enum class ReduceOp : uint8_t { sum, abs, square, prod, max, min, exp, count };

/// y[i] = op over r < rows of x[r * stride + i], i < n; `more`: and of what y[i] was.
struct ReduceColumns {
  const float* x;
  int64_t stride, rows;
  float* y;
  int64_t n;
  bool more;
  const float* shift;  ///< exp: [n]
};

struct ReduceIsa {
  /// Of n floats that follow each other, four vectors of partial results put together in one order.
  float (*row[static_cast<int>(ReduceOp::count)])(const float* x, int64_t n, float shift);
  void (*columns[static_cast<int>(ReduceOp::count)])(const ReduceColumns&);
  /// y[r * stride + i] = softmax over r; in logarithms where `log`.
  void (*softmax_columns)(const float* x, float* y, int64_t stride, int64_t rows, int64_t n, bool log);
  /// y[i] = x[i] - by; y may be x.
  void (*subtract)(const float* x, float by, float* y, int64_t n);
};

}  // namespace mainspring::inline v0
