// MatMul (a, b)                numpy's matmul: [.., m, k] × [.., k, n], a vector is a row on the left and a column on the right; integers wrap
// MatMulInteger (a, b, a_zero_point?, b_zero_point?) -> i32   zero points: one, or one for each row of a (each column of b)
// QLinearMatMul (a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point) -> dtype of y_zero_point
// Gemm (a, b, c?)              attrs transA transB (0), alpha beta (1): alpha·a·b + beta·c, c is broadcast to [m, n]
// Det (x)                      of each of the last two extents' matrices
#include <cmath>

#include "ops/numeric/runs.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

/// Extents of a product of matrices with leading extents that are broadcast. Errors: invalid_argument.
Result<ValueInfo> product_of(const char* name, DType to, const ValueInfo& a, const ValueInfo& b) {
  if (!a.ranked || !b.ranked) return unranked(to);
  if (a.dims.empty() || b.dims.empty()) return invalid("{}: a has rank {} and b {}, expected at least 1", name, a.dims.size(), b.dims.size());
  const Dim ka = a.dims.back(), kb = b.dims.size() == 1 ? b.dims[0] : b.dims[b.dims.size() - 2];
  if (ka.is_constant() && kb.is_constant() && ka != kb) return invalid("{}: a has {} columns, b {} rows", name, ka.times, kb.times);
  const auto leading = [](const ValueInfo& v) { return tensor_of(v.dtype, v.dims.size() > 2 ? Dims(v.dims.begin(), v.dims.end() - 2) : Dims()); };
  const ValueInfo batches[] = {leading(a), leading(b)};
  MAINSPRING_TRY(ValueInfo y, broadcast(name, to, batches));
  if (a.dims.size() > 1) y.dims.push_back(a.dims[a.dims.size() - 2]);
  if (b.dims.size() > 1) y.dims.push_back(b.dims.back());
  return y;
}

/// Matrices in a tensor: rows × columns, elements apart by the strides.
struct Matrices {
  const TensorView& v;
  int64_t rows, columns, row_stride, column_stride;
  /// The last two extents; a vector is one row, or one column where `right`.
  explicit Matrices(const TensorView& t, bool right = false, bool transposed = false) : v(t) {
    const int rank = t.shape.rank();
    rows = rank > 1 ? t.shape[rank - 2] : right ? t.shape[0] : 1;
    columns = rank > 1 || !right ? t.shape.back() : 1;
    row_stride = columns;
    column_stride = 1;
    if (!transposed) return;
    std::swap(rows, columns);
    std::swap(row_stride, column_stride);
  }
  Shape batch() const {
    Shape s;
    for (int i = 0; i + 2 < v.shape.rank(); ++i) s.push_back(v.shape[i]);
    return s;
  }
  template <class T>
  std::vector<T> load(int64_t index) const {
    std::vector<T> all(static_cast<size_t>(rows * columns));
    for (int64_t r = 0; r < rows; ++r) load_run(v.dtype, v.data, index * rows * columns + r * row_stride, column_stride, columns, all.data() + r * columns);
    return all;
  }
};

/// For each row of each product: write(row of all products, sums). Each sum adds up along k in order. `left` and `right` change what was
/// read: (elements, index of the matrix).
template <class T, class Left, class Right, class Write>
void multiply(const Matrices& a, const Matrices& b, Left left, Right right, Write write) {
  using U = Wrapping<T>;
  const Shape batches[] = {a.batch(), b.batch()};
  Shape batch = batches[0].rank() >= batches[1].rank() ? batches[0] : batches[1];
  for (const Shape& s : batches)
    for (int i = 0; i < s.rank(); ++i)
      if (s[i] != 1) batch[batch.rank() - s.rank() + i] = s[i];
  Walk walk(batch, batches);
  const auto m = static_cast<size_t>(a.rows), k = static_cast<size_t>(a.columns), n = static_cast<size_t>(b.columns);
  std::vector<T> x, y, sums(n);
  int64_t loaded = -1;
  for (int64_t p = 0; p < walk.elements(); ++p, walk.next()) {
    x = a.load<T>(walk.at(0));
    left(x, walk.at(0));
    if (loaded != walk.at(1)) {
      loaded = walk.at(1);
      y = b.load<T>(loaded);
      right(y, loaded);
    }
    for (size_t row = 0; row < m; ++row) {
      std::fill(sums.begin(), sums.end(), T(0));
      for (size_t i = 0; i < k; ++i)
        for (size_t column = 0; column < n; ++column)
          sums[column] = static_cast<T>(static_cast<U>(sums[column]) + static_cast<U>(x[row * k + i]) * static_cast<U>(y[i * n + column]));
      write(p * a.rows + static_cast<int64_t>(row), sums);
    }
  }
}

constexpr auto kAsItIs = [](auto&, int64_t) {};

Result<std::vector<ValueInfo>> infer_matmul(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* a, need("MatMul", c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* b, need("MatMul", c, 1, "b"));
  if (!is_number(a->dtype) || a->dtype != b->dtype) return invalid("MatMul: a is {} and b {}, expected numbers of one dtype", name_of(a->dtype), name_of(b->dtype));
  MAINSPRING_TRY(ValueInfo y, product_of("MatMul", a->dtype, *a, *b));
  return one(std::move(y));
}

void reference_matmul(const OpArgs& a) {
  const Matrices left(a.in[0]), right(a.in[1], true);
  with_numbers(a.in[0].dtype, [&]<class T>() {
    multiply<T>(left, right, kAsItIs, kAsItIs, [&](int64_t row, const std::vector<T>& sums) {
      store_run(a.out[0].dtype, a.out[0].data, row * right.columns, 1, right.columns, sums.data());
    });
  });
}

/// A scale or zero point of rows (columns) of matrices: one, or one for each, in each matrix or in all of them.
template <class T>
struct Points {
  std::vector<T> all;
  Points(const OpArgs& a, size_t i) {
    if (has(a, i)) all = load_all<T>(a.in[i]);
  }
  T at(int64_t line, T otherwise = 0) const { return all.empty() ? otherwise : all[static_cast<size_t>(line) % all.size()]; }
};

template <class T>
auto minus_rows(const Points<T>& points, const Matrices& a) {
  return [&points, &a](std::vector<T>& x, int64_t matrix) {
    for (size_t i = 0; i < x.size(); ++i) x[i] -= points.at(matrix * a.rows + static_cast<int64_t>(i) / a.columns);
  };
}
template <class T>
auto minus_columns(const Points<T>& points, const Matrices& b) {
  return [&points, &b](std::vector<T>& y, int64_t matrix) {
    for (size_t i = 0; i < y.size(); ++i) y[i] -= points.at(matrix * b.columns + static_cast<int64_t>(i) % b.columns);
  };
}

Result<std::vector<ValueInfo>> infer_matmul_integer(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* a, need("MatMulInteger", c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* b, need("MatMulInteger", c, 1, "b"));
  if (!is_int(a->dtype) || !is_int(b->dtype)) return invalid("MatMulInteger: a is {} and b {}, expected integers", name_of(a->dtype), name_of(b->dtype));
  MAINSPRING_TRY(ValueInfo y, product_of("MatMulInteger", DType::i32, *a, *b));
  return one(std::move(y));
}

void reference_matmul_integer(const OpArgs& a) {
  const Matrices left(a.in[0]), right(a.in[1], true);
  const Points<int64_t> left_zero(a, 2), right_zero(a, 3);
  multiply<int64_t>(left, right, minus_rows(left_zero, left), minus_columns(right_zero, right), [&](int64_t row, const std::vector<int64_t>& sums) {
    store_run(DType::i32, a.out[0].data, row * right.columns, 1, right.columns, sums.data());
  });
}

Result<std::vector<ValueInfo>> infer_qlinear_matmul(const OpCall& c) {
  for (size_t i = 0; i < 8; ++i) MAINSPRING_TRY_VOID(need("QLinearMatMul", c, i, "operand"));
  const DType to = c.in[7].dtype;
  for (const size_t i : {size_t{0}, size_t{3}, size_t{7}})
    if (!is_int(c.in[i].dtype) && !is_small_float(c.in[i].dtype)) return invalid("QLinearMatMul: operand {} is {}, expected a quantised dtype", i, name_of(c.in[i].dtype));
  for (const size_t i : {size_t{1}, size_t{4}, size_t{6}})
    if (!is_float(c.in[i].dtype)) return invalid("QLinearMatMul: scale {} is {}, expected floats", i, name_of(c.in[i].dtype));
  MAINSPRING_TRY(ValueInfo y, product_of("QLinearMatMul", to, c.in[0], c.in[3]));
  return one(std::move(y));
}

void reference_qlinear_matmul(const OpArgs& a) {
  const TensorView& y = a.out[0];
  const Matrices left(a.in[0]), right(a.in[3], true);
  const Points<double> left_scale(a, 1), left_zero(a, 2), right_scale(a, 4), right_zero(a, 5), scale(a, 6), zero(a, 7);
  const bool to_int = is_int(y.dtype);
  const auto range = range_of_int(y.dtype);
  const auto least = static_cast<double>(range.first), most = static_cast<double>(range.second);
  const auto n = static_cast<size_t>(right.columns);
  std::vector<double> out(n);
  multiply<double>(left, right, minus_rows(left_zero, left), minus_columns(right_zero, right), [&](int64_t row, const std::vector<double>& sums) {
    for (size_t i = 0; i < n; ++i) {
      const double x = sums[i] * (left_scale.at(row, 1) * right_scale.at(static_cast<int64_t>(i), 1) / scale.at(row, 1));
      out[i] = to_int ? std::clamp(std::nearbyint(x + zero.at(row)), least, most) : x + zero.at(row);
    }
    store_run(y.dtype, y.data, row * right.columns, 1, right.columns, out.data());
  });
}

Result<std::vector<ValueInfo>> infer_gemm(const OpCall& c) {
  ValueInfo matrices[2];
  for (size_t i = 0; i < 2; ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need("Gemm", c, i, i == 0 ? "a" : "b"));
    MAINSPRING_TRY_VOID(want_rank("Gemm", *x, i == 0 ? "a" : "b", 2, 2));
    if (!is_number(x->dtype) || x->dtype != c.in[0].dtype) return invalid("Gemm: a and b are {} and {}, expected numbers of one dtype", name_of(c.in[0].dtype), name_of(x->dtype));
    matrices[i] = *x;
    if (!x->ranked) matrices[i] = of_rank(x->dtype, 2);
    if (c.attrs.i(i == 0 ? "transA" : "transB")) std::swap(matrices[i].dims[0], matrices[i].dims[1]);
  }
  MAINSPRING_TRY(ValueInfo y, product_of("Gemm", c.in[0].dtype, matrices[0], matrices[1]));
  if (has(c, 2) && c.in[2].ranked) {
    const Dims& bias = c.in[2].dims;
    if (bias.size() > 2 || c.in[2].dtype != y.dtype) return invalid("Gemm: c has rank {} and is {}, expected at most 2 and {}", bias.size(), name_of(c.in[2].dtype), name_of(y.dtype));
    for (size_t i = 0; i < bias.size(); ++i) {
      const Dim want = y.dims[2 - bias.size() + i];
      if (bias[i].is_constant() && want.is_constant() && bias[i].times != 1 && bias[i] != want) return invalid("Gemm: extent {} of c does not fit {} of the product", bias[i].times, want.times);
    }
  }
  return one(std::move(y));
}

void reference_gemm(const OpArgs& a) {
  const TensorView& y = a.out[0];
  const Matrices left(a.in[0], false, a.attrs.i("transA") != 0), right(a.in[1], false, a.attrs.i("transB") != 0);
  const double alpha = a.attrs.f("alpha", 1), beta = a.attrs.f("beta", 1);
  const bool biased = has(a, 2) && a.in[2].shape.elements() > 0 && beta != 0;
  const int rank = biased ? a.in[2].shape.rank() : 0;
  const int64_t columns = biased ? a.in[2].shape.back() : 1, rows = rank > 1 ? a.in[2].shape[0] : 1;
  with_numbers(a.in[0].dtype, [&]<class T>() {
    using U = Wrapping<T>;
    const auto scaled = [](T x, double by) { return by == 1 ? x : static_cast<T>(static_cast<double>(x) * by); };
    std::vector<T> out(static_cast<size_t>(right.columns)), bias(static_cast<size_t>(columns));
    multiply<T>(left, right, kAsItIs, kAsItIs, [&](int64_t row, const std::vector<T>& sums) {
      if (biased) load_run(a.in[2].dtype, a.in[2].data, rows > 1 ? row * columns : 0, 1, columns, bias.data());
      for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(static_cast<U>(scaled(sums[i], alpha)) + (biased ? static_cast<U>(scaled(bias[columns > 1 ? i : 0], beta)) : U(0)));
      store_run(y.dtype, y.data, row * right.columns, 1, right.columns, out.data());
    });
  });
}

Result<std::vector<ValueInfo>> infer_det(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("Det", c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank("Det", *x, "x", 2));
  if (!is_float(x->dtype)) return invalid("Det: x is {}, expected floats", name_of(x->dtype));
  if (!x->ranked) return one(unranked(x->dtype));
  const Dim height = x->dims[x->dims.size() - 2], width = x->dims.back();
  if (height.is_constant() && width.is_constant() && height != width) return invalid("Det: matrices of {} by {}, expected square ones", height.times, width.times);
  return one(tensor_of(x->dtype, Dims(x->dims.begin(), x->dims.end() - 2)));
}

/// Gauss with the largest pivot of each column.
double determinant(std::vector<double>& m, size_t n) {
  double det = 1;
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t i = k + 1; i < n; ++i)
      if (std::fabs(m[i * n + k]) > std::fabs(m[pivot * n + k])) pivot = i;
    if (m[pivot * n + k] == 0) return 0;
    if (pivot != k) {
      std::swap_ranges(m.begin() + static_cast<std::ptrdiff_t>(k * n), m.begin() + static_cast<std::ptrdiff_t>((k + 1) * n), m.begin() + static_cast<std::ptrdiff_t>(pivot * n));
      det = -det;
    }
    det *= m[k * n + k];
    for (size_t i = k + 1; i < n; ++i) {
      const double factor = m[i * n + k] / m[k * n + k];
      for (size_t j = k; j < n; ++j) m[i * n + j] -= factor * m[k * n + j];
    }
  }
  return det;
}

void reference_det(const OpArgs& a) {
  const Matrices x(a.in[0]);
  for (int64_t i = 0; i < a.out[0].shape.elements(); ++i) {
    std::vector<double> m = x.load<double>(i);
    store_one(a.out[0], i, determinant(m, static_cast<size_t>(x.rows)));
  }
}

}  // namespace

constinit const OpDef op_MatMul{.name = "MatMul", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_matmul, .reference = reference_matmul};
constinit const OpDef op_MatMulInteger{.name = "MatMulInteger", .min_in = 2, .max_in = 4, .n_out = 1, .infer = infer_matmul_integer, .reference = reference_matmul_integer};
constinit const OpDef op_QLinearMatMul{.name = "QLinearMatMul", .min_in = 8, .max_in = 8, .n_out = 1, .infer = infer_qlinear_matmul, .reference = reference_qlinear_matmul};
constinit const OpDef op_Gemm{.name = "Gemm", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_gemm, .reference = reference_gemm};
constinit const OpDef op_Det{.name = "Det", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_det, .reference = reference_det};

}  // namespace mainspring::inline v0
