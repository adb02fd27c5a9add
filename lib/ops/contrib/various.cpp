// com.microsoft, small ones:
// Inverse(x […,n,n]) -> as x                     Gauss and Jordan, with the largest pivot; a singular matrix gives what division by zero gives
// Trilu(x […,m,n], k? i64) -> as x               attr upper (1)
// ExpandDims(x, axis i32) -> x with an extent of 1
// CDist(a [M,d], b [N,d]) -> [M,N]               attr metric (sqeuclidean, euclidean)
// MulInteger(a, a_zero?, b, b_zero?) -> i32      broadcast
// BiasSoftmax(x, bias) -> as x                   attrs axis, is_inner_broadcast: softmax(x + bias) over the extents from axis on
// Rfft(x […,n]) -> […,n/2+1,2]                   Irfft(x […,n/2+1,2]) -> […,n]               attrs normalized, onesided, signal_ndim (1)
// NhwcConv(x [N,D…,C], w [M,D…,C/group], b?) -> [N,D…,M]     NhwcMaxPool(x [N,D…,C]) -> the same     attrs as Conv, MaxPool
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/contrib/channels.h"
#include "ops/nn/conv.h"
#include "ops/nn/fourier.h"
#include "ops/nn/norms.h"
#include "ops/nn/quantised.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

ValueInfo like(const ValueInfo& x) {
  ValueInfo y = x;
  y.value = nullptr;
  return y;
}

Result<std::vector<ValueInfo>> infer_Inverse(const OpCall& c) {
  const char* op = "com.microsoft.Inverse";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 2));
  if (x->ranked) MAINSPRING_TRY_VOID(want_equal(op, "columns", x->dims.back(), x->dims[x->dims.size() - 2]));
  return one(like(*x));
}

void reference_Inverse(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const int64_t n = a.in[0].shape.back(), matrices = n ? a.in[0].shape.elements() / (n * n) : 0;
  std::vector<double> y(x.size(), 0.0);
  for (int64_t m = 0; m < matrices; ++m) {
    double *left = x.data() + m * n * n, *right = y.data() + m * n * n;
    for (int64_t i = 0; i < n; ++i) right[i * n + i] = 1;
    for (int64_t i = 0; i < n; ++i) {
      int64_t pivot = i;
      for (int64_t r = i + 1; r < n; ++r)
        if (std::fabs(left[r * n + i]) > std::fabs(left[pivot * n + i])) pivot = r;
      for (double* side : {left, right}) std::swap_ranges(side + i * n, side + i * n + (pivot == i ? 0 : n), side + pivot * n);
      const double by = left[i * n + i];
      for (double* side : {left, right})
        for (int64_t k = 0; k < n; ++k) side[i * n + k] /= by;
      for (int64_t r = 0; r < n; ++r) {
        const double f = left[r * n + i];
        if (r == i || f == 0) continue;
        for (double* side : {left, right})
          for (int64_t k = 0; k < n; ++k) side[r * n + k] -= f * side[i * n + k];
      }
    }
  }
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_Trilu(const OpCall& c) {
  const char* op = "com.microsoft.Trilu";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", 2));
  if (x->dtype == DType::string) return invalid("{}: x is of strings", op);
  if (has(c, 1)) {
    MAINSPRING_TRY_VOID(need_int(op, c, 1, "k"));
    MAINSPRING_TRY_VOID(want_one(op, c, 1, "k"));
  }
  return one(like(*x));
}

void reference_Trilu(const OpArgs& a) {
  const Shape& s = a.in[0].shape;
  const int64_t n = s.back(), m = s[s.rank() - 2], k = has(a, 1) ? load_int(a.in[1], 0) : 0;
  const bool upper = a.attrs.i("upper", 1) != 0;
  const auto bytes = static_cast<size_t>(info_of(a.in[0].dtype).bytes);
  for (int64_t i = 0; i < s.elements(); ++i) {
    const int64_t over = i % n - i / n % m;  // columns right of the diagonal
    if (upper ? over >= k : over <= k) std::memcpy(a.out[0].data + at(i) * bytes, a.in[0].data + at(i) * bytes, bytes);
    else std::memset(a.out[0].data + at(i) * bytes, 0, bytes);
  }
}

Result<std::vector<ValueInfo>> infer_ExpandDims(const OpCall& c) {
  const char* op = "com.microsoft.ExpandDims";
  MAINSPRING_TRY(const ValueInfo* x, need(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(need_int(op, c, 1, "axis"));
  if (!x->ranked) return one(unranked(x->dtype));
  if (x->dims.size() >= static_cast<size_t>(Shape::kMaxRank)) return invalid("{}: x has rank {}, expected at most {}", op, x->dims.size(), Shape::kMaxRank - 1);
  const auto axis = ints_of(c.in[1]);
  if (!axis) return one(of_rank(x->dtype, x->dims.size() + 1));
  if (axis->size() != 1) return invalid("{}: {} axes, expected one", op, axis->size());
  MAINSPRING_TRY(const size_t place, axis_of(op, (*axis)[0], x->dims.size() + 1));
  ValueInfo y = like(*x);
  y.dims.insert(y.dims.begin() + static_cast<std::ptrdiff_t>(place), Dim(1));
  return one(std::move(y));
}
void reference_ExpandDims(const OpArgs& a) { std::memcpy(a.out[0].data, a.in[0].data, at(a.in[0].shape.elements()) * static_cast<size_t>(info_of(a.in[0].dtype).bytes)); }

Result<std::vector<ValueInfo>> infer_CDist(const OpCall& c) {
  const char* op = "com.microsoft.CDist";
  constexpr std::string_view kMetrics[] = {"sqeuclidean", "euclidean"};
  MAINSPRING_TRY(const ValueInfo* a, need_float(op, c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* b, need_float(op, c, 1, "b"));
  MAINSPRING_TRY_VOID(choice_attr(op, c.attrs, "metric", "sqeuclidean", kMetrics));
  MAINSPRING_TRY_VOID(want_rank(op, *a, "a", 2, 2));
  MAINSPRING_TRY_VOID(want_dims(op, c, 1, "b", {dim_of(*b, 0), dim_of(*a, 1)}));
  return one(tensor_of(a->dtype, {dim_of(*a, 0), dim_of(*b, 0)}));
}
void reference_CDist(const OpArgs& args) {
  const std::vector<double> a = numbers_of(args.in[0]), b = numbers_of(args.in[1]);
  const int64_t m = args.out[0].shape[0], n = args.out[0].shape[1], d = args.in[0].shape[1];
  const bool root = args.attrs.s("metric", "sqeuclidean") == "euclidean";
  for (int64_t i = 0; i < m * n; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < d; ++k) {
      const double diff = a[at(i / n * d + k)] - b[at(i % n * d + k)];
      sum += diff * diff;
    }
    store(args.out[0], i, root ? std::sqrt(sum) : sum);
  }
}

Result<std::vector<ValueInfo>> infer_MulInteger(const OpCall& c) {
  const char* op = "com.microsoft.MulInteger";
  MAINSPRING_TRY(const ValueInfo* a, need_int(op, c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* b, need_int(op, c, 2, "b"));
  for (const size_t i : {1u, 3u}) MAINSPRING_TRY_VOID(want_one(op, c, i, "zero point"));
  const ValueInfo both[] = {*a, *b};
  MAINSPRING_TRY(ValueInfo y, broadcast(op, DType::i32, both));
  return one(std::move(y));
}
void reference_MulInteger(const OpArgs& a) {
  const std::vector<double> x = centred(a.in[0], has(a, 1) ? a.in[1] : TensorView()), z = centred(a.in[2], has(a, 3) ? a.in[3] : TensorView());
  const Shape shapes[] = {a.in[0].shape, a.in[2].shape};
  Walk walk(a.out[0].shape, shapes);
  for (int64_t i = 0; i < walk.elements(); ++i, walk.next()) store(a.out[0], i, x[at(walk.at(0))] * z[at(walk.at(1))]);
}

Result<std::vector<ValueInfo>> infer_BiasSoftmax(const OpCall& c) {
  const char* op = "com.microsoft.BiasSoftmax";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* bias, need_float(op, c, 1, "bias"));
  if (!x->ranked) return one(unranked(x->dtype));
  MAINSPRING_TRY_VOID(axis_of(op, c.attrs.i("axis", 1), x->dims.size()));
  MAINSPRING_TRY_VOID(want_rank(op, *bias, "bias", 0, x->dims.size()));
  for (size_t i = 0; bias->ranked && i < bias->dims.size(); ++i)
    if (bias->dims[i] != Dim(1)) MAINSPRING_TRY_VOID(want_equal(op, "extent of the bias", bias->dims[i], x->dims[x->dims.size() - bias->dims.size() + i]));
  return one(like(*x));
}
void reference_BiasSoftmax(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const std::vector<double> bias = broadcast_numbers(a.in[1], a.in[0].shape);
  const int64_t axis = a.attrs.i("axis", 1);
  const Split p = split_at(a.in[0].shape, static_cast<int>(axis < 0 ? axis + a.in[0].shape.rank() : axis));
  const int64_t length = p.axis * p.inner;
  for (int64_t r = 0; r < p.outer && length > 0; ++r) {
    const std::span<double> row = std::span(x).subspan(at(r * length), at(length));
    for (size_t i = 0; i < row.size(); ++i) row[i] += bias[at(r * length) + i];
    const double most = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (double& e : row) sum += e = std::exp(e - most);
    for (double& e : row) e /= sum;
  }
  put_numbers(a.out[0], x);
}

// ---- Rfft, Irfft ------------------------------------------------------------------------------------------------------------

Result<const ValueInfo*> want_line(const char* op, const OpCall& c, size_t rank) {
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank(op, *x, "x", rank));
  if (c.attrs.i("signal_ndim", 1) != 1 || c.attrs.i("onesided", 1) != 1 || c.attrs.i("normalized") != 0) return unsupported("{}: signal_ndim other than 1, two-sided or normalized transforms", op);
  return x;
}

Result<std::vector<ValueInfo>> infer_Rfft(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, want_line("com.microsoft.Rfft", c, 1));
  ValueInfo y = like(*x);
  if (!y.ranked) return one(std::move(y));
  if (y.dims.size() >= static_cast<size_t>(Shape::kMaxRank)) return invalid("com.microsoft.Rfft: x has rank {}", y.dims.size());
  y.dims.back() = map_dim(y.dims.back(), [](int64_t n) { return n / 2 + 1; });
  y.dims.push_back(2);
  return one(std::move(y));
}
void reference_Rfft(const OpArgs& a) {
  const int64_t n = a.in[0].shape.back(), lines = n ? a.in[0].shape.elements() / n : 0, bins = n / 2 + 1;
  if (n == 0) return put_numbers(a.out[0], std::vector<double>(at(a.out[0].shape.elements()), 0.0));
  const std::vector<double> x = numbers_of(a.in[0]);
  const Fourier fourier(n, false);
  for (int64_t l = 0; l < lines; ++l) {
    std::vector<double> re(x.begin() + static_cast<std::ptrdiff_t>(l * n), x.begin() + static_cast<std::ptrdiff_t>((l + 1) * n)), im(at(n), 0.0);
    fourier.run(re, im);
    for (int64_t i = 0; i < bins; ++i) store(a.out[0], (l * bins + i) * 2, re[at(i)]), store(a.out[0], (l * bins + i) * 2 + 1, im[at(i)]);
  }
}

Result<std::vector<ValueInfo>> infer_Irfft(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, want_line("com.microsoft.Irfft", c, 2));
  ValueInfo y = like(*x);
  if (!y.ranked) return one(std::move(y));
  MAINSPRING_TRY_VOID(want_equal("com.microsoft.Irfft", "the last extent", y.dims.back(), Dim(2)));
  y.dims.pop_back();
  y.dims.back() = map_dim(y.dims.back(), [](int64_t bins) { return std::max<int64_t>(2 * (bins - 1), 0); });
  return one(std::move(y));
}
void reference_Irfft(const OpArgs& a) {
  const int64_t n = a.out[0].shape.back(), lines = n ? a.out[0].shape.elements() / n : 0, bins = n / 2 + 1;
  if (n == 0) return;
  const std::vector<double> x = numbers_of(a.in[0]);
  const Fourier fourier(n, true);
  std::vector<double> re(at(n)), im(at(n));
  for (int64_t l = 0; l < lines; ++l) {
    for (int64_t i = 0; i < n; ++i) {
      const size_t k = at((l * bins + std::min(i, n - i)) * 2);
      re[at(i)] = x[k];
      im[at(i)] = i == 0 || 2 * i == n ? 0 : i < bins ? x[k + 1] : -x[k + 1];
    }
    fourier.run(re, im);
    for (int64_t i = 0; i < n; ++i) store(a.out[0], l * n + i, re[at(i)] / static_cast<double>(n));
  }
}

// ---- channels last ----------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_NhwcConv(const OpCall& c) {
  MAINSPRING_TRY_VOID(need("com.microsoft.NhwcConv", c, 1, "w"));
  return with_channels_first(c, true, [](const OpCall& call) -> Result<std::vector<ValueInfo>> {
    std::vector<ValueInfo> in(call.in.begin(), call.in.end());
    in[1] = channels_moved(in[1], true);
    MAINSPRING_TRY(const ValueInfo* x, need_float("com.microsoft.NhwcConv", call, 0, "x"));
    return infer_conv("com.microsoft.NhwcConv", OpCall{in, call.attrs, call.bodies, call.n_out}, 0, 1, 2, x->dtype);
  });
}
void reference_NhwcConv(const OpArgs& a) {
  const Matrices x = channels_moved(Matrices(a.in[0]), true), w = channels_moved(Matrices(a.in[1]), true);
  Shape ys;
  for (const int i : channels_order(a.out[0].shape.rank(), true)) ys.push_back(a.out[0].shape[i]);
  Matrices y(convolved(a.attrs, x.values, x.shape, w.values, w.shape), ys);
  add_channel_bias(y.values, ys, has(a, 2) ? numbers_of(a.in[2]) : std::vector<double>());
  put_numbers(a.out[0], channels_moved(y, false).values);
}

Result<std::vector<ValueInfo>> infer_NhwcMaxPool(const OpCall& c) {
  return with_channels_first(c, true, [](const OpCall& call) { return op_MaxPool.infer(OpCall{call.in, call.attrs, call.bodies, 1}); });
}
void reference_NhwcMaxPool(const OpArgs& a) {
  // Moved there and back as f64, which holds every code that this operator takes.
  const auto dense = [](Matrices& m) {
    TensorView v;
    v.dtype = DType::f64;
    v.data = reinterpret_cast<std::byte*>(m.values.data());
    v.shape = m.shape;
    return v;
  };
  Matrices x = channels_moved(Matrices(a.in[0]), true);
  Shape ys;
  for (const int i : channels_order(a.out[0].shape.rank(), true)) ys.push_back(a.out[0].shape[i]);
  Matrices y(std::vector<double>(at(ys.elements())), ys);
  const TensorView in = dense(x), out = dense(y);
  op_MaxPool.reference({{&in, 1}, {&out, 1}, a.attrs, a.step});
  put_numbers(a.out[0], channels_moved(y, false).values);
}

}  // namespace

constinit const OpDef op_ms_Inverse{.name = "com.microsoft.Inverse", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_Inverse, .reference = reference_Inverse};
constinit const OpDef op_ms_Trilu{.name = "com.microsoft.Trilu", .min_in = 1, .max_in = 2, .n_out = 1, .infer = infer_Trilu, .reference = reference_Trilu};
constinit const OpDef op_ms_ExpandDims{.name = "com.microsoft.ExpandDims", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_ExpandDims, .reference = reference_ExpandDims};
constinit const OpDef op_ms_CDist{.name = "com.microsoft.CDist", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_CDist, .reference = reference_CDist};
constinit const OpDef op_ms_MulInteger{.name = "com.microsoft.MulInteger", .min_in = 3, .max_in = 4, .n_out = 1, .infer = infer_MulInteger, .reference = reference_MulInteger};
constinit const OpDef op_ms_BiasSoftmax{.name = "com.microsoft.BiasSoftmax", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_BiasSoftmax, .reference = reference_BiasSoftmax};
constinit const OpDef op_ms_Rfft{.name = "com.microsoft.Rfft", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_Rfft, .reference = reference_Rfft};
constinit const OpDef op_ms_Irfft{.name = "com.microsoft.Irfft", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_Irfft, .reference = reference_Irfft};
constinit const OpDef op_ms_NhwcConv{.name = "com.microsoft.NhwcConv", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_NhwcConv, .reference = reference_NhwcConv};
constinit const OpDef op_ms_NhwcMaxPool{.name = "com.microsoft.NhwcMaxPool", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_NhwcMaxPool, .reference = reference_NhwcMaxPool};

}  // namespace mainspring::inline v0
