// QuantizeLinear (x, scale, zero_point?)     attrs axis (1), block_size (0), output_dtype, precision, saturate (1): round(x / scale) + zero_point, saturated. The
//                                            quotient has the precision of `precision`, else of the scale. No zero point and no output_dtype: u8
// DequantizeLinear (x, scale, zero_point?)   attrs axis, block_size, output_dtype (the scale's): (x - zero_point) · scale
//   scale and zero point: one element, one for each index of `axis`, or x's extents with that of `axis` divided by block_size (rounded up)
// DynamicQuantizeLinear (x) -> y u8, scale f32 [], zero_point u8 []   from the least and the largest of x and 0
#include <cmath>
#include <limits>

#include "ops/numeric/runs.h"
#include "ops/onnx_dtype.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

/// Whether `scale` suits x, and the axis made positive (0 where it does not matter).
Result<size_t> check_granularity(const char* name, const OpCall& c) {
  const ValueInfo &x = c.in[0], &scale = c.in[1];
  const int64_t block = c.attrs.i("block_size");
  if (block < 0) return invalid("{}: block_size is {}, expected at least 0", name, block);
  if (!x.ranked || !scale.ranked) return size_t{0};
  const Dim n = product(scale.dims, 0, scale.dims.size());
  if (scale.dims.empty() || (n == Dim(1) && block == 0)) return size_t{0};
  const int64_t given = c.attrs.i("axis", 1);
  MAINSPRING_TRY(const size_t axis, axis_of(name, x.dims.size() == 1 ? 0 : given, x.dims.size()));
  if (block == 0) {
    if (scale.dims.size() != 1) return invalid("{}: scale has rank {}, expected 0 or 1 without block_size", name, scale.dims.size());
    if (n.is_constant() && x.dims[axis].is_constant() && n != x.dims[axis]) return invalid("{}: scale has {} elements, expected {} as axis {} of x", name, n.times, x.dims[axis].times, axis);
    return axis;
  }
  if (scale.dims.size() != x.dims.size()) return invalid("{}: scale has rank {}, expected that of x, {}", name, scale.dims.size(), x.dims.size());
  for (size_t i = 0; i < x.dims.size(); ++i) {
    if (!x.dims[i].is_constant() || !scale.dims[i].is_constant()) continue;
    const int64_t want = i == axis ? ceil_div(x.dims[i].times, block) : x.dims[i].times;
    if (scale.dims[i].times != want) return invalid("{}: extent {} of scale is {}, expected {}", name, i, scale.dims[i].times, want);
  }
  return axis;
}

Result<void> check_zero_point(const char* name, const OpCall& c) {
  if (!has(c, 2) || !all_constant(c.in[1]) || !all_constant(c.in[2])) return {};
  const Dim scales = product(c.in[1].dims, 0, c.in[1].dims.size()), points = product(c.in[2].dims, 0, c.in[2].dims.size());
  if (scales != points) return invalid("{}: {} zero points for {} scales", name, points.times, scales.times);
  return {};
}

/// Which scale goes with element i of x.
class ScaleIndex {
 public:
  ScaleIndex(const OpArgs& a) {
    const Shape &x = a.in[0].shape, &scale = a.in[1].shape;
    if (scale.elements() <= 1) return;
    const int64_t given = x.rank() == 1 ? 0 : a.attrs.i("axis", 1), axis = given < 0 ? given + x.rank() : given;
    const Lanes lanes(x, static_cast<size_t>(axis));
    inner_ = lanes.inner;
    n_ = lanes.n;
    if (const int64_t block = a.attrs.i("block_size")) {
      block_ = block;
      blocks_ = ceil_div(n_, block);
      by_inner_ = inner_;
      by_outer_ = blocks_ * inner_;
    } else {
      blocks_ = n_;
    }
    many_ = true;
  }
  int64_t operator()(int64_t i) const {
    if (!many_) return 0;
    const int64_t inside = by_inner_ == 1 && by_outer_ == 0 ? 0 : i % inner_;
    return i / inner_ / n_ * by_outer_ + i / inner_ % n_ / block_ * by_inner_ + inside;
  }

 private:
  bool many_ = false;
  int64_t inner_ = 1, n_ = 1, block_ = 1, blocks_ = 1, by_inner_ = 1, by_outer_ = 0;
};

Result<std::vector<ValueInfo>> infer_quantize(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("QuantizeLinear", c, 0, "x"));
  MAINSPRING_TRY_VOID(need("QuantizeLinear", c, 1, "scale"));
  DType to = has(c, 2) ? c.in[2].dtype : DType::u8;
  if (const int64_t number = c.attrs.i("output_dtype")) {
    const auto asked = dtype_of_onnx(number);
    if (!asked) return unsupported("QuantizeLinear: output_dtype is {}, which is no element type here", number);
    if (has(c, 2) && *asked != to) return invalid("QuantizeLinear: output_dtype is {}, the zero point {}", name_of(*asked), name_of(to));
    to = *asked;
  }
  if (!is_number(x->dtype) || !is_number(c.in[1].dtype) || (!is_int(to) && !is_small_float(to)))
    return invalid("QuantizeLinear: from {} with scales of {} to {}", name_of(x->dtype), name_of(c.in[1].dtype), name_of(to));
  MAINSPRING_TRY_VOID(check_granularity("QuantizeLinear", c));
  MAINSPRING_TRY_VOID(check_zero_point("QuantizeLinear", c));
  return one(x->ranked ? tensor_of(to, x->dims) : unranked(to));
}

/// Rounds to a float dtype; integers and f64 pass.
double rounded_to(DType t, double x) {
  if (t == DType::f32) return static_cast<double>(static_cast<float>(x));
  if (t != DType::f16 && t != DType::bf16) return x;
  std::byte half[2];
  store_run(t, half, 0, 1, 1, &x);
  return load(t, half, 0);
}

void reference_quantize(const OpArgs& a) {
  const TensorView &x = a.in[0], &y = a.out[0];
  const int64_t precision_number = a.attrs.i("precision");
  const DType scale_dtype = a.in[1].dtype == DType::f8e8m0 ? DType::f32 : a.in[1].dtype;
  const DType precision = precision_number ? dtype_of_onnx(precision_number).value_or(scale_dtype) : scale_dtype;
  const bool saturate = a.attrs.i("saturate", 1) != 0, to_int = is_int(y.dtype);
  const auto [least, most] = range_of_int(y.dtype);
  const std::vector<double> scales = load_all<double>(a.in[1]), points = has(a, 2) ? load_all<double>(a.in[2]) : std::vector<double>();
  if (scales.empty()) return;
  const ScaleIndex at(a);
  for (int64_t i = 0; i < x.shape.elements(); ++i) {
    const auto s = static_cast<size_t>(at(i));
    const double point = s < points.size() ? points[s] : 0, quotient = rounded_to(precision, rounded_to(precision, load(x, i)) / rounded_to(precision, scales[s]));
    if (!to_int) y.as<uint8_t>()[i] = encode_small_float(y.dtype, static_cast<float>(quotient + point), saturate);
    else store_one(y, i, std::clamp(std::nearbyint(quotient) + point, static_cast<double>(least), static_cast<double>(most)));
  }
}

Result<std::vector<ValueInfo>> infer_dequantize(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("DequantizeLinear", c, 0, "x"));
  MAINSPRING_TRY(const ValueInfo* scale, need("DequantizeLinear", c, 1, "scale"));
  DType to = scale->dtype == DType::f8e8m0 ? DType::f32 : scale->dtype;
  if (const int64_t number = c.attrs.i("output_dtype")) to = dtype_of_onnx(number).value_or(DType::string);
  if (!is_number(x->dtype) || !is_float(scale->dtype) || !is_float(to)) return invalid("DequantizeLinear: from {} with scales of {} to {}", name_of(x->dtype), name_of(scale->dtype), name_of(to));
  if (has(c, 2) && c.in[2].dtype != x->dtype) return invalid("DequantizeLinear: x is {}, the zero point {}", name_of(x->dtype), name_of(c.in[2].dtype));
  MAINSPRING_TRY_VOID(check_granularity("DequantizeLinear", c));
  MAINSPRING_TRY_VOID(check_zero_point("DequantizeLinear", c));
  return one(x->ranked ? tensor_of(to, x->dims) : unranked(to));
}

void reference_dequantize(const OpArgs& a) {
  const TensorView &x = a.in[0], &y = a.out[0];
  const std::vector<double> scales = load_all<double>(a.in[1]), points = has(a, 2) ? load_all<double>(a.in[2]) : std::vector<double>();
  if (scales.empty()) return;
  const ScaleIndex at(a);
  for (int64_t i = 0; i < x.shape.elements(); ++i) {
    const auto s = static_cast<size_t>(at(i));
    store_one(y, i, (load(x, i) - (s < points.size() ? points[s] : 0)) * scales[s]);
  }
}

Result<std::vector<ValueInfo>> infer_dynamic_quantize(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("DynamicQuantizeLinear", c, 0, "x"));
  if (x->dtype != DType::f32) return invalid("DynamicQuantizeLinear: x is {}, expected f32", name_of(x->dtype));
  std::vector<ValueInfo> all{x->ranked ? tensor_of(DType::u8, x->dims) : unranked(DType::u8), tensor_of(DType::f32, {}), tensor_of(DType::u8, {})};
  all.resize(static_cast<size_t>(std::clamp(c.n_out, 1, 3)));
  return all;
}

void reference_dynamic_quantize(const OpArgs& a) {
  const TensorView& x = a.in[0];
  const float* v = x.as<float>();
  const int64_t n = x.shape.elements();
  float least = 0, most = 0;
  for (int64_t i = 0; i < n; ++i) {
    least = std::min(least, v[i]);
    most = std::max(most, v[i]);
  }
  const float scale = (most == least ? 1.0f : most - least) / 255.0f;
  const float unbounded = 0.0f - least / scale, zero_point = std::isnan(unbounded) ? 0.0f : std::nearbyint(std::clamp(unbounded, 0.0f, 255.0f));  // infinities give NaN
  for (int64_t i = 0; i < n; ++i) {
    const float q = std::nearbyint(v[i] / scale) + zero_point;
    a.out[0].as<uint8_t>()[i] = std::isnan(q) ? 0 : static_cast<uint8_t>(std::clamp(q, 0.0f, 255.0f));
  }
  if (a.out.size() > 1) a.out[1].as<float>()[0] = scale;
  if (a.out.size() > 2) a.out[2].as<uint8_t>()[0] = static_cast<uint8_t>(zero_point);
}

}  // namespace

constinit const OpDef op_QuantizeLinear{.name = "QuantizeLinear", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_quantize, .reference = reference_quantize};
constinit const OpDef op_DequantizeLinear{.name = "DequantizeLinear", .min_in = 2, .max_in = 3, .n_out = 1, .infer = infer_dequantize, .reference = reference_dequantize};
constinit const OpDef op_DynamicQuantizeLinear{
    .name = "DynamicQuantizeLinear", .min_in = 1, .max_in = 1, .n_out = 3, .infer = infer_dynamic_quantize, .reference = reference_dynamic_quantize};

}  // namespace mainspring::inline v0
