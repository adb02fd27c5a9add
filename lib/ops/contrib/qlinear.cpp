// com.microsoft, what numbers do, done by their u8 or i8 codes: dequantise, compute, quantise. Each operand has scale and zero point (may be absent: 0)
// behind it, the result's stand last; its dtype is the operand's.
// QLinearAdd, QLinearMul(a, …, b, …) broadcast             QLinearWhere(condition, x, …, y, …)
// QLinearSigmoid, QLinearLeakyRelu (attr alpha), QLinearSoftmax (attrs axis, opset: below 13 over all extents from axis on)(x, …)
// QLinearReduceMean(x, …)                                  attrs axes, keepdims
// QLinearConcat(scale, zero, x, x_scale, x_zero, …)        attr axis
// QLinearAveragePool, QLinearGlobalAveragePool(x, …)       attrs as AveragePool, channels_last
// QLinearConv(…)                                           as ONNX's, attr channels_last
// QuantizeLinear(x, scale, zero?) -> u8, i8, u16, i16 …    DequantizeLinear(q, scale, zero?) -> as scale            attr axis
#include <algorithm>
#include <cmath>

#include "ops/activation.h"
#include "ops/contrib/channels.h"
#include "ops/nn/conv.h"
#include "ops/nn/pool.h"
#include "ops/nn/quantised.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

ValueInfo like(const ValueInfo& x) {
  ValueInfo y = x;
  y.value = nullptr;
  return y;
}

/// Operand i of integers with one scale and zero point behind it.
Result<const ValueInfo*> codes(const char* op, const OpCall& c, size_t i) {
  MAINSPRING_TRY(const ValueInfo* x, need_int(op, c, i, "x"));
  MAINSPRING_TRY_VOID(want_scale(op, c, i + 1, "scale"));
  return x;
}
std::vector<double> values(const OpArgs& a, size_t i) { return dequantised(a.in[i], a.in[i + 1], has(a, i + 2) ? a.in[i + 2] : TensorView()); }
void put(const OpArgs& a, std::span<const double> y, size_t scale) { put_quantised(a.out[0], y, a.in[scale], has(a, scale + 1) ? a.in[scale + 1] : TensorView()); }

// ---- two operands -----------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_binary(const char* op, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* a, codes(op, c, 0));
  MAINSPRING_TRY(const ValueInfo* b, codes(op, c, 3));
  MAINSPRING_TRY_VOID(want_scale(op, c, 6, "scale of the result"));
  const ValueInfo both[] = {*a, *b};
  MAINSPRING_TRY(ValueInfo y, broadcast(op, a->dtype, both));
  return one(std::move(y));
}

template <class F>
void binary(const OpArgs& a, F f) {
  const std::vector<double> x = values(a, 0), z = values(a, 3);
  const Shape shapes[] = {a.in[0].shape, a.in[3].shape};
  Walk walk(a.out[0].shape, shapes);
  std::vector<double> y(at(walk.elements()));
  for (size_t i = 0; i < y.size(); ++i, walk.next()) y[i] = f(x[at(walk.at(0))], z[at(walk.at(1))]);
  put(a, y, 6);
}

Result<std::vector<ValueInfo>> infer_QLinearAdd(const OpCall& c) { return infer_binary("com.microsoft.QLinearAdd", c); }
void reference_QLinearAdd(const OpArgs& a) { binary(a, [](double x, double y) { return x + y; }); }
Result<std::vector<ValueInfo>> infer_QLinearMul(const OpCall& c) { return infer_binary("com.microsoft.QLinearMul", c); }
void reference_QLinearMul(const OpArgs& a) { binary(a, [](double x, double y) { return x * y; }); }

Result<std::vector<ValueInfo>> infer_QLinearWhere(const OpCall& c) {
  const char* op = "com.microsoft.QLinearWhere";
  MAINSPRING_TRY(const ValueInfo* condition, need_number(op, c, 0, "condition"));
  MAINSPRING_TRY(const ValueInfo* x, codes(op, c, 1));
  MAINSPRING_TRY(const ValueInfo* y, codes(op, c, 4));
  MAINSPRING_TRY_VOID(want_scale(op, c, 7, "scale of the result"));
  const ValueInfo all[] = {*condition, *x, *y};
  MAINSPRING_TRY(ValueInfo z, broadcast(op, x->dtype, all));
  return one(std::move(z));
}
void reference_QLinearWhere(const OpArgs& a) {
  const std::vector<double> x = values(a, 1), y = values(a, 4);
  const Shape shapes[] = {a.in[0].shape, a.in[1].shape, a.in[4].shape};
  Walk walk(a.out[0].shape, shapes);
  std::vector<double> z(at(walk.elements()));
  for (size_t i = 0; i < z.size(); ++i, walk.next()) z[i] = load(a.in[0], walk.at(0)) != 0 ? x[at(walk.at(1))] : y[at(walk.at(2))];
  put(a, z, 7);
}

// ---- one operand ------------------------------------------------------------------------------------------------------------

Result<std::vector<ValueInfo>> infer_unary(const char* op, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, codes(op, c, 0));
  MAINSPRING_TRY_VOID(want_scale(op, c, 3, "scale of the result"));
  return one(like(*x));
}

Result<std::vector<ValueInfo>> infer_QLinearSigmoid(const OpCall& c) { return infer_unary("com.microsoft.QLinearSigmoid", c); }
void reference_QLinearSigmoid(const OpArgs& a) {
  std::vector<double> x = values(a, 0);
  for (double& e : x) e = activation::sigmoid(e);
  put(a, x, 3);
}

Result<std::vector<ValueInfo>> infer_QLinearLeakyRelu(const OpCall& c) { return infer_unary("com.microsoft.QLinearLeakyRelu", c); }
void reference_QLinearLeakyRelu(const OpArgs& a) {
  std::vector<double> x = values(a, 0);
  const double alpha = a.attrs.f("alpha", 0.01);
  for (double& e : x) e = e >= 0 ? e : alpha * e;
  put(a, x, 3);
}

Result<std::vector<ValueInfo>> infer_QLinearSoftmax(const OpCall& c) {
  const char* op = "com.microsoft.QLinearSoftmax";
  MAINSPRING_TRY(auto y, infer_unary(op, c));
  if (y[0].ranked) MAINSPRING_TRY_VOID(axis_of(op, c.attrs.i("axis", -1), y[0].dims.size()));
  return y;
}
void reference_QLinearSoftmax(const OpArgs& a) {
  std::vector<double> x = values(a, 0);
  const Shape& s = a.in[0].shape;
  const int64_t axis = a.attrs.i("axis", -1);
  Split p = split_at(s, static_cast<int>(axis < 0 ? axis + s.rank() : axis));
  if (a.attrs.i("opset", 13) < 13) p.axis *= p.inner, p.inner = 1;
  for (int64_t o = 0; o < p.outer; ++o)
    for (int64_t e = 0; e < p.inner; ++e) {
      const auto element = [&](int64_t i) -> double& { return x[at((o * p.axis + i) * p.inner + e)]; };
      double most = -HUGE_VAL, sum = 0;
      for (int64_t i = 0; i < p.axis; ++i) most = std::max(most, element(i));
      for (int64_t i = 0; i < p.axis; ++i) sum += element(i) = std::exp(element(i) - most);
      for (int64_t i = 0; i < p.axis; ++i) element(i) /= sum;
    }
  put(a, x, 3);
}

/// Which axes are averaged over.
Result<std::vector<bool>> reduced_axes(const char* op, const Attrs& attrs, size_t rank) {
  std::vector<bool> reduced(rank, attrs.is("axes").empty());
  for (const int64_t a : attrs.is("axes")) {
    MAINSPRING_TRY(const size_t axis, axis_of(op, a, rank));
    reduced[axis] = true;
  }
  return reduced;
}

Result<std::vector<ValueInfo>> infer_QLinearReduceMean(const OpCall& c) {
  const char* op = "com.microsoft.QLinearReduceMean";
  MAINSPRING_TRY(auto y, infer_unary(op, c));
  if (!y[0].ranked) return y;
  MAINSPRING_TRY(const std::vector<bool> reduced, reduced_axes(op, c.attrs, y[0].dims.size()));
  Dims dims;
  for (size_t i = 0; i < reduced.size(); ++i) {
    if (!reduced[i]) dims.push_back(y[0].dims[i]);
    else if (c.attrs.i("keepdims", 1)) dims.push_back(1);
  }
  y[0].dims = std::move(dims);
  return y;
}
void reference_QLinearReduceMean(const OpArgs& a) {
  const std::vector<double> x = values(a, 0);
  const auto reduced = reduced_axes("QLinearReduceMean", a.attrs, at(a.in[0].shape.rank()));
  if (!reduced) return;
  Shape kept = a.in[0].shape;
  for (int i = 0; i < kept.rank(); ++i)
    if ((*reduced)[at(i)]) kept[i] = 1;
  std::vector<double> y(at(kept.elements()), 0.0);
  Walk walk(a.in[0].shape, {&kept, 1});
  for (size_t i = 0; i < x.size(); ++i, walk.next()) y[at(walk.at(0))] += x[i];
  for (double& e : y) e /= static_cast<double>(x.size()) / static_cast<double>(y.size());
  put(a, y, 3);
}

Result<std::vector<ValueInfo>> infer_QLinearConcat(const OpCall& c) {
  const char* op = "com.microsoft.QLinearConcat";
  MAINSPRING_TRY_VOID(want_scale(op, c, 0, "scale of the result"));
  MAINSPRING_TRY(const ValueInfo* zero, need_int(op, c, 1, "zero point of the result"));
  if (c.in.size() < 5 || (c.in.size() - 2) % 3 != 0) return invalid("{}: {} inputs, expected 2 and 3 for each operand", op, c.in.size());
  Dims dims;
  bool ranked = true;
  for (size_t i = 2; i < c.in.size(); i += 3) {
    MAINSPRING_TRY(const ValueInfo* x, codes(op, c, i));
    if (!x->ranked) ranked = false;
    if (!ranked) continue;
    MAINSPRING_TRY(const size_t axis, axis_of(op, c.attrs.i("axis"), x->dims.size()));
    if (dims.empty()) {
      dims = x->dims;
      continue;
    }
    if (dims.size() != x->dims.size()) return invalid("{}: operands of rank {} and {}", op, dims.size(), x->dims.size());
    for (size_t d = 0; d < dims.size(); ++d) {
      if (d == axis) dims[d] = plus(dims[d], x->dims[d]);
      else MAINSPRING_TRY_VOID(want_equal(op, "extent of an operand", x->dims[d], dims[d]));
    }
  }
  return one(ranked ? tensor_of(zero->dtype, std::move(dims)) : unranked(zero->dtype));
}
void reference_QLinearConcat(const OpArgs& a) {
  const Shape& ys = a.out[0].shape;
  const int64_t given = a.attrs.i("axis");
  const int axis = static_cast<int>(given < 0 ? given + ys.rank() : given);
  const Split to = split_at(ys, axis);
  std::vector<double> y(at(ys.elements()));
  int64_t first = 0;
  for (size_t i = 2; i + 1 < a.in.size(); i += 3) {
    const std::vector<double> x = values(a, i);
    const int64_t n = a.in[i].shape[axis];
    for (int64_t o = 0; o < to.outer; ++o) std::copy_n(x.data() + o * n * to.inner, n * to.inner, y.data() + (o * to.axis + first) * to.inner);
    first += n;
  }
  put(a, y, 0);
}

// ---- windows ----------------------------------------------------------------------------------------------------------------

bool channels_are_last(const Attrs& attrs) { return attrs.i("channels_last") != 0; }

/// Values with channels first, and their result back into the output.
template <class F>
void with_planes(const OpArgs& a, F of, size_t scale) {
  const bool last = channels_are_last(a.attrs);
  Matrices x(values(a, 0), a.in[0].shape);
  if (last) x = channels_moved(x, true);
  Matrices y = of(x);
  if (last) y = channels_moved(y, false);
  put(a, y.values, scale);
}
Shape first_shape(const Shape& s, bool last) {
  if (!last) return s;
  Shape to;
  for (const int i : channels_order(s.rank(), true)) to.push_back(s[i]);
  return to;
}

Result<std::vector<ValueInfo>> infer_QLinearAveragePool(const OpCall& c) {
  return with_channels_first(c, channels_are_last(c.attrs), [](const OpCall& call) -> Result<std::vector<ValueInfo>> {
    MAINSPRING_TRY_VOID(infer_unary("com.microsoft.QLinearAveragePool", call));
    MAINSPRING_TRY(ValueInfo y, infer_pool("com.microsoft.QLinearAveragePool", call));
    return one(std::move(y));
  });
}
void reference_QLinearAveragePool(const OpArgs& a) {
  const Shape ys = first_shape(a.out[0].shape, channels_are_last(a.attrs));
  with_planes(a, [&](const Matrices& x) { return Matrices(average_pooled(a.attrs, x.values, x.shape), ys); }, 3);
}

Result<std::vector<ValueInfo>> infer_QLinearGlobalAveragePool(const OpCall& c) {
  return with_channels_first(c, channels_are_last(c.attrs), [](const OpCall& call) -> Result<std::vector<ValueInfo>> {
    MAINSPRING_TRY(auto y, infer_unary("com.microsoft.QLinearGlobalAveragePool", call));
    MAINSPRING_TRY_VOID(want_rank("com.microsoft.QLinearGlobalAveragePool", y[0], "x", 2));
    for (size_t i = 2; i < y[0].dims.size(); ++i) y[0].dims[i] = 1;
    return y;
  });
}
void reference_QLinearGlobalAveragePool(const OpArgs& a) {
  const Shape ys = first_shape(a.out[0].shape, channels_are_last(a.attrs));
  with_planes(a, [&](const Matrices& x) {
    Matrices y(std::vector<double>(at(ys.elements()), 0.0), ys);
    const size_t n = y.values.empty() ? 0 : x.values.size() / y.values.size();
    for (size_t i = 0; i < x.values.size(); ++i) y.values[i / n] += x.values[i] / static_cast<double>(n);
    return y;
  }, 3);
}

Result<std::vector<ValueInfo>> infer_QLinearConv(const OpCall& c) { return with_channels_first(c, channels_are_last(c.attrs), op_QLinearConv.infer); }
void reference_QLinearConv(const OpArgs& a) {
  if (!channels_are_last(a.attrs)) return op_QLinearConv.reference(a);
  const Matrices x = channels_moved(Matrices(centred(a.in[0], a.in[2]), a.in[0].shape), true);  // the weights stay as ONNX has them
  const Shape ys = first_shape(a.out[0].shape, true);
  Matrices y(convolved(a.attrs, x.values, x.shape, centred(a.in[3], a.in[5]), a.in[3].shape), ys);
  add_channel_bias(y.values, ys, has(a, 8) ? numbers_of(a.in[8]) : std::vector<double>());
  const std::vector<double> scales = numbers_of(a.in[4]);
  const Split p = split_at(ys, 1);
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] *= load(a.in[1], 0) * scales[scales.size() > 1 ? i / at(p.inner) % at(p.axis) : 0];
  put(a, channels_moved(y, false).values, 6);
}

// ---- to codes and back ------------------------------------------------------------------------------------------------------

Result<size_t> quantised_axis(const char* op, const OpCall& c) {
  const ValueInfo& x = c.in[0];
  const bool each = c.in[1].ranked && !c.in[1].dims.empty() && c.in[1].dims != Dims{Dim(1)};
  if (!x.ranked || !each) return size_t{0};
  return axis_of(op, c.attrs.i("axis", 1), x.dims.size());
}

Result<std::vector<ValueInfo>> infer_QuantizeLinear(const OpCall& c) {
  const char* op = "com.microsoft.QuantizeLinear";
  MAINSPRING_TRY(const ValueInfo* x, need_float(op, c, 0, "x"));
  MAINSPRING_TRY_VOID(need_float(op, c, 1, "scale"));
  MAINSPRING_TRY(const size_t axis, quantised_axis(op, c));
  MAINSPRING_TRY_VOID(want_scale(op, c, 1, "scale", dim_of(*x, axis)));
  ValueInfo y = like(*x);
  y.dtype = has(c, 2) ? c.in[2].dtype : DType::u8;
  if (!is_int(y.dtype)) return invalid("{}: zero point is {}, expected integers", op, name_of(y.dtype));
  return one(std::move(y));
}
void reference_QuantizeLinear(const OpArgs& a) {
  std::vector<double> x = numbers_of(a.in[0]);
  const std::vector<double> scale = numbers_of(a.in[1]), zero = has(a, 2) ? numbers_of(a.in[2]) : std::vector<double>();
  const int64_t given = a.attrs.i("axis", 1);
  const Split p = scale.size() > 1 ? split_at(a.in[0].shape, static_cast<int>(given < 0 ? given + a.in[0].shape.rank() : given)) : Split{1, 1, 1};
  const IntRange range = range_of(a.out[0].dtype);
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t k = scale.size() > 1 ? i / at(p.inner) % at(p.axis) : 0;
    x[i] = quantise(x[i], scale[k], zero.empty() ? 0 : zero[zero.size() > 1 ? k : 0], range);
  }
  put_numbers(a.out[0], x);
}

Result<std::vector<ValueInfo>> infer_DequantizeLinear(const OpCall& c) {
  const char* op = "com.microsoft.DequantizeLinear";
  MAINSPRING_TRY(const ValueInfo* x, need_int(op, c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* scale, need_float(op, c, 1, "scale"));
  MAINSPRING_TRY(const size_t axis, quantised_axis(op, c));
  MAINSPRING_TRY_VOID(want_scale(op, c, 1, "scale", dim_of(*x, axis)));
  ValueInfo y = like(*x);
  y.dtype = scale->dtype;
  return one(std::move(y));
}
void reference_DequantizeLinear(const OpArgs& a) {
  const int64_t given = a.attrs.i("axis", 1);
  put_numbers(a.out[0], dequantised(a.in[0], a.in[1], has(a, 2) ? a.in[2] : TensorView(), static_cast<int>(given < 0 ? given + a.in[0].shape.rank() : given)));
}

}  // namespace

constinit const OpDef op_ms_QLinearAdd{.name = "com.microsoft.QLinearAdd", .min_in = 7, .max_in = 8, .n_out = 1, .infer = infer_QLinearAdd, .reference = reference_QLinearAdd};
constinit const OpDef op_ms_QLinearMul{.name = "com.microsoft.QLinearMul", .min_in = 7, .max_in = 8, .n_out = 1, .infer = infer_QLinearMul, .reference = reference_QLinearMul};
constinit const OpDef op_ms_QLinearWhere{
    .name = "com.microsoft.QLinearWhere", .min_in = 9, .max_in = 9, .n_out = 1, .infer = infer_QLinearWhere, .reference = reference_QLinearWhere};
constinit const OpDef op_ms_QLinearSigmoid{
    .name = "com.microsoft.QLinearSigmoid", .min_in = 4, .max_in = 5, .n_out = 1, .infer = infer_QLinearSigmoid, .reference = reference_QLinearSigmoid};
constinit const OpDef op_ms_QLinearLeakyRelu{
    .name = "com.microsoft.QLinearLeakyRelu", .min_in = 4, .max_in = 5, .n_out = 1, .infer = infer_QLinearLeakyRelu, .reference = reference_QLinearLeakyRelu};
constinit const OpDef op_ms_QLinearSoftmax{
    .name = "com.microsoft.QLinearSoftmax", .min_in = 4, .max_in = 5, .n_out = 1, .infer = infer_QLinearSoftmax, .reference = reference_QLinearSoftmax};
constinit const OpDef op_ms_QLinearReduceMean{
    .name = "com.microsoft.QLinearReduceMean", .min_in = 4, .max_in = 5, .n_out = 1, .infer = infer_QLinearReduceMean, .reference = reference_QLinearReduceMean};
constinit const OpDef op_ms_QLinearConcat{
    .name = "com.microsoft.QLinearConcat", .min_in = 3, .max_in = kVariadic, .n_out = 1, .infer = infer_QLinearConcat, .reference = reference_QLinearConcat};
constinit const OpDef op_ms_QLinearAveragePool{
    .name = "com.microsoft.QLinearAveragePool", .min_in = 4, .max_in = 5, .n_out = 1, .infer = infer_QLinearAveragePool, .reference = reference_QLinearAveragePool};
constinit const OpDef op_ms_QLinearGlobalAveragePool{.name = "com.microsoft.QLinearGlobalAveragePool", .min_in = 5, .max_in = 5, .n_out = 1,
                                                     .infer = infer_QLinearGlobalAveragePool, .reference = reference_QLinearGlobalAveragePool};
constinit const OpDef op_ms_QLinearConv{.name = "com.microsoft.QLinearConv", .min_in = 8, .max_in = 9, .n_out = 1, .infer = infer_QLinearConv, .reference = reference_QLinearConv};
constinit const OpDef op_ms_QuantizeLinear{
    .name = "com.microsoft.QuantizeLinear", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_QuantizeLinear, .reference = reference_QuantizeLinear};
constinit const OpDef op_ms_DequantizeLinear{
    .name = "com.microsoft.DequantizeLinear", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_DequantizeLinear, .reference = reference_DequantizeLinear};

}  // namespace mainspring::inline v0
