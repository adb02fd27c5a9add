// com.microsoft:
// FusedMatMul, TransposeMatMul(a, b) -> alpha × a·b          attrs alpha (1), transA, transB, transBatchA, transBatchB (the first extent goes behind the batch's)
// FusedMatMulActivation(a, b) -> y                           the same, attrs activation, activation_alpha, activation_beta
// FusedGemm(a, b, c?) -> activation(alpha × a·b + beta × c)  attrs of Gemm, activation, activation_alpha, activation_beta
// GemmFastGelu(x, w, bias?) -> gelu(x·w + bias)
// FusedConv(x, w, b?, z? as y) -> activation(conv + z)       attrs of Conv, activation, activation_params
#include "ops/contrib/product.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/activation.h"
#include "ops/nn/conv.h"
#include "ops/nn/norms.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

struct Fused {
  std::string_view name;
  double alpha, beta;
  double (*f)(double x, double alpha, double beta);
};
constexpr Fused kFused[] = {
    {"Relu", 0, 0, [](double x, double, double) { return activation::relu(x); }},
    {"LeakyRelu", 0.01, 0, [](double x, double a, double) { return x >= 0 ? x : a * x; }},
    {"Tanh", 0, 0, [](double x, double, double) { return std::tanh(x); }},
    {"Sigmoid", 0, 0, [](double x, double, double) { return activation::sigmoid(x); }},
    {"Clip", -3.4028234663852886e38, 3.4028234663852886e38, [](double x, double a, double b) { return x < a ? a : x > b ? b : x; }},
    {"HardSigmoid", 0.2, 0.5, [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }},
    {"Elu", 1, 0, [](double x, double a, double) { return x >= 0 ? x : a * std::expm1(x); }},
    {"Softplus", 0, 0, [](double x, double, double) { return activation::softplus(x); }},
    {"Softsign", 0, 0, [](double x, double, double) { return x / (1 + std::fabs(x)); }},
    {"ThresholdedRelu", 1, 0, [](double x, double a, double) { return x > a ? x : 0; }},
    {"HardSwish", 0, 0, [](double x, double, double) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
    {"Gelu", 0, 0, [](double x, double, double) { return activation::gelu_erf(x); }},
};

Result<void> want_activation(const char* op, const Attrs& attrs) {
  if (has_activation(attrs.s("activation"))) return {};
  return invalid("{}: attribute activation is '{}', which is none that this operator knows", op, attrs.s("activation"));
}

/// activation_alpha and activation_beta, as far as given.
std::vector<double> activation_params(const Attrs& attrs) {
  std::vector<double> p;
  if (attrs.has("activation_alpha")) p.push_back(attrs.f("activation_alpha"));
  if (p.size() == 1 && attrs.has("activation_beta")) p.push_back(attrs.f("activation_beta"));
  return p;
}

/// Where the extents of an operand go before the product: those of transBatch, then those of trans.
std::vector<int> order_of(int rank, bool trans, bool batch) {
  std::vector<int> order(at(rank));
  std::iota(order.begin(), order.end(), 0);
  if (batch && rank > 2) std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  if (trans && rank > 1) std::swap(order[at(rank - 1)], order[at(rank - 2)]);
  return order;
}

ValueInfo turned(const ValueInfo& v, const Attrs& attrs, bool left) {
  ValueInfo to = v;
  to.value = nullptr;
  const std::vector<int> order = order_of(static_cast<int>(v.dims.size()), attrs.i(left ? "transA" : "transB") != 0, attrs.i(left ? "transBatchA" : "transBatchB") != 0);
  for (size_t i = 0; i < order.size(); ++i) to.dims[i] = v.dims[at(order[i])];
  return to;
}

Result<std::vector<ValueInfo>> infer_fused(const char* op, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* a, need_float(op, c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* b, need_float(op, c, 1, "b"));
  MAINSPRING_TRY(ValueInfo y, infer_product(op, a->dtype, turned(*a, c.attrs, true), turned(*b, c.attrs, false)));
  return one(std::move(y));
}

std::vector<double> fused(const OpArgs& args) {
  const auto operand = [&](const TensorView& v, bool left) {
    return Matrices(v).permuted(order_of(v.shape.rank(), args.attrs.i(left ? "transA" : "transB") != 0, args.attrs.i(left ? "transBatchA" : "transBatchB") != 0));
  };
  std::vector<double> y = product_of(operand(args.in[0], true), operand(args.in[1], false));
  const double alpha = args.attrs.f("alpha", 1);
  for (double& e : y) e *= alpha;
  return y;
}

Result<std::vector<ValueInfo>> infer_FusedMatMul(const OpCall& c) { return infer_fused("com.microsoft.FusedMatMul", c); }
Result<std::vector<ValueInfo>> infer_TransposeMatMul(const OpCall& c) { return infer_fused("com.microsoft.TransposeMatMul", c); }
void reference_FusedMatMul(const OpArgs& a) { put_numbers(a.out[0], fused(a)); }

Result<std::vector<ValueInfo>> infer_FusedMatMulActivation(const OpCall& c) {
  MAINSPRING_TRY_VOID(want_activation("com.microsoft.FusedMatMulActivation", c.attrs));
  return infer_fused("com.microsoft.FusedMatMulActivation", c);
}
void reference_FusedMatMulActivation(const OpArgs& a) {
  std::vector<double> y = fused(a);
  activate(a.attrs.s("activation"), activation_params(a.attrs), y);
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_FusedGemm(const OpCall& c) {
  const char* op = "com.microsoft.FusedGemm";
  MAINSPRING_TRY_VOID(want_activation(op, c.attrs));
  MAINSPRING_TRY(const ValueInfo* a, need_float(op, c, 0, "a"));
  MAINSPRING_TRY(const ValueInfo* b, need_float(op, c, 1, "b"));
  MAINSPRING_TRY_VOID(want_rank(op, *a, "a", 2, 2));
  MAINSPRING_TRY_VOID(want_rank(op, *b, "b", 2, 2));
  MAINSPRING_TRY(auto y, infer_fused(op, c));
  if (!has(c, 2)) return y;
  MAINSPRING_TRY(const ValueInfo* bias, need_float(op, c, 2, "c"));
  if (!bias->ranked || !y[0].ranked) return y;
  MAINSPRING_TRY_VOID(want_rank(op, *bias, "c", 0, 2));
  for (size_t i = 0; i < bias->dims.size(); ++i)
    if (bias->dims[i] != Dim(1)) MAINSPRING_TRY_VOID(want_equal(op, "extent of c", bias->dims[i], y[0].dims[2 - bias->dims.size() + i]));
  return y;
}
void reference_FusedGemm(const OpArgs& a) {
  std::vector<double> y = fused(a);
  if (has(a, 2)) {
    const std::vector<double> c = broadcast_numbers(a.in[2], a.out[0].shape);
    const double beta = a.attrs.f("beta", 1);
    for (size_t i = 0; i < y.size(); ++i) y[i] += beta * c[i];
  }
  activate(a.attrs.s("activation"), activation_params(a.attrs), y);
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_GemmFastGelu(const OpCall& c) {
  const char* op = "com.microsoft.GemmFastGelu";
  MAINSPRING_TRY(auto y, infer_fused(op, c));
  if (y[0].ranked && !y[0].dims.empty()) MAINSPRING_TRY_VOID(want_dims(op, c, 2, "bias", {y[0].dims.back()}));
  return y;
}
void reference_GemmFastGelu(const OpArgs& a) {
  std::vector<double> y = fused(a);
  add_row(y, has(a, 2) ? numbers_of(a.in[2]) : std::vector<double>());
  for (double& e : y) e = activation::gelu(e);
  put_numbers(a.out[0], y);
}

Result<std::vector<ValueInfo>> infer_FusedConv(const OpCall& c) {
  const char* op = "com.microsoft.FusedConv";
  MAINSPRING_TRY_VOID(want_activation(op, c.attrs));
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY(auto y, infer_conv(op, c, 0, 1, 2, x->dtype));
  if (y[0].ranked) MAINSPRING_TRY_VOID(want_dims(op, c, 3, "z", y[0].dims));
  return y;
}
void reference_FusedConv(const OpArgs& a) {
  std::vector<double> y = convolved(a.attrs, numbers_of(a.in[0]), a.in[0].shape, numbers_of(a.in[1]), a.in[1].shape);
  add_channel_bias(y, a.out[0].shape, has(a, 2) ? numbers_of(a.in[2]) : std::vector<double>());
  if (has(a, 3)) {
    const std::vector<double> z = numbers_of(a.in[3]);
    for (size_t i = 0; i < y.size(); ++i) y[i] += z[i];
  }
  activate(a.attrs.s("activation"), a.attrs.fs("activation_params"), y);
  put_numbers(a.out[0], y);
}

}  // namespace

Matrices Matrices::permuted(std::span<const int> order) const {
  bool same = true;
  Shape to;
  for (size_t i = 0; i < order.size(); ++i) to.push_back(shape[order[i]]), same = same && order[i] == static_cast<int>(i);
  if (same) return *this;
  std::vector<int64_t> stride(order.size(), 1), index(order.size(), 0);
  for (int i = shape.rank() - 2; i >= 0; --i) stride[at(i)] = stride[at(i + 1)] * shape[i + 1];
  std::vector<double> moved(values.size());
  for (size_t i = 0; i < moved.size(); ++i) {
    int64_t from = 0;
    for (size_t d = 0; d < order.size(); ++d) from += index[d] * stride[at(order[d])];
    moved[i] = values[at(from)];
    for (size_t d = order.size(); d-- > 0 && ++index[d] == to[static_cast<int>(d)];) index[d] = 0;
  }
  return {std::move(moved), to};
}

Matrices Matrices::turned() const { return permuted(order_of(shape.rank(), true, false)); }

Result<ValueInfo> infer_product(const char* op, DType dtype, const ValueInfo& a, const ValueInfo& b) {
  MAINSPRING_TRY_VOID(want_rank(op, a, "a", 1));
  MAINSPRING_TRY_VOID(want_rank(op, b, "b", 1));
  if (!a.ranked || !b.ranked) return unranked(dtype);
  const size_t ra = a.dims.size(), rb = b.dims.size();
  MAINSPRING_TRY_VOID(want_equal(op, "rows of b", b.dims[rb > 1 ? rb - 2 : 0], a.dims[ra - 1]));
  const ValueInfo batches[] = {tensor_of(dtype, Dims(a.dims.begin(), a.dims.end() - std::min<std::ptrdiff_t>(2, static_cast<std::ptrdiff_t>(ra)))),
                               tensor_of(dtype, Dims(b.dims.begin(), b.dims.end() - std::min<std::ptrdiff_t>(2, static_cast<std::ptrdiff_t>(rb))))};
  MAINSPRING_TRY(ValueInfo y, broadcast(op, dtype, batches));
  if (ra > 1) y.dims.push_back(a.dims[ra - 2]);
  if (rb > 1) y.dims.push_back(b.dims[rb - 1]);
  return y;
}

std::vector<double> product_of(const Matrices& a, const Matrices& b) {
  const int ra = a.shape.rank(), rb = b.shape.rank();
  const int64_t m = ra > 1 ? a.shape[ra - 2] : 1, k = a.shape[ra - 1], n = rb > 1 ? b.shape[rb - 1] : 1;
  Shape batch[2], all;
  for (int i = 0; i < ra - 2; ++i) batch[0].push_back(a.shape[i]);
  for (int i = 0; i < rb - 2; ++i) batch[1].push_back(b.shape[i]);
  const int rank = std::max(batch[0].rank(), batch[1].rank());
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - batch[0].rank()), ib = i - (rank - batch[1].rank());
    const int64_t ea = ia < 0 ? 1 : batch[0][ia], eb = ib < 0 ? 1 : batch[1][ib];
    all.push_back(ea == 1 ? eb : ea);
  }
  Walk walk(all, batch);
  std::vector<double> y(at(walk.elements() * m * n), 0.0);
  for (int64_t i = 0; i < walk.elements(); ++i, walk.next()) {
    const double *left = a.values.data() + walk.at(0) * m * k, *right = b.values.data() + walk.at(1) * k * n;
    for (int64_t r = 0; r < m; ++r) {
      double* out = y.data() + (i * m + r) * n;
      for (int64_t e = 0; e < k; ++e) {
        const double x = left[r * k + e];
        for (int64_t j = 0; j < n; ++j) out[j] += x * right[e * n + j];
      }
    }
  }
  return y;
}

void add_row(std::vector<double>& y, std::span<const double> bias) {
  for (size_t i = 0; i < y.size() && !bias.empty(); ++i) y[i] += bias[i % bias.size()];
}

bool has_activation(std::string_view name) {
  return name.empty() || std::any_of(std::begin(kFused), std::end(kFused), [&](const Fused& f) { return f.name == name; });
}

void activate(std::string_view name, std::span<const double> params, std::span<double> x) {
  for (const Fused& f : kFused)
    if (f.name == name)
      for (double& e : x) e = f.f(e, params.size() > 0 ? params[0] : f.alpha, params.size() > 1 ? params[1] : f.beta);
}

constinit const OpDef op_ms_FusedMatMul{.name = "com.microsoft.FusedMatMul", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_FusedMatMul, .reference = reference_FusedMatMul};
constinit const OpDef op_ms_TransposeMatMul{
    .name = "com.microsoft.TransposeMatMul", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_TransposeMatMul, .reference = reference_FusedMatMul};
constinit const OpDef op_ms_FusedMatMulActivation{.name = "com.microsoft.FusedMatMulActivation", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_FusedMatMulActivation,
                                                  .reference = reference_FusedMatMulActivation};
constinit const OpDef op_ms_FusedGemm{.name = "com.microsoft.FusedGemm", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_FusedGemm, .reference = reference_FusedGemm};
constinit const OpDef op_ms_GemmFastGelu{.name = "com.microsoft.GemmFastGelu", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_GemmFastGelu, .reference = reference_GemmFastGelu};
constinit const OpDef op_ms_FusedConv{.name = "com.microsoft.FusedConv", .min_in = 2, .max_in = 4, .n_out = 1, .infer = infer_FusedConv, .reference = reference_FusedConv};

}  // namespace mainspring::inline v0
