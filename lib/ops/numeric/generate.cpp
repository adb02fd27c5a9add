// Tensors made from a few numbers. Where those are not known yet, only the rank is.
//   Range (start, limit, delta)      start + i·delta below limit (above, where delta < 0)
//   ConstantOfShape (shape)          attr value (one element; f32 0)
//   EyeLike (x)                      attrs dtype (x's), k (0): ones on the k-th diagonal
//   BlackmanWindow HammingWindow HannWindow (size)   attrs output_datatype (f32), periodic (1)
//   MelWeightMatrix (num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz) -> [dft_length / 2 + 1, num_mel_bins]   attr output_datatype
#include <cmath>
#include <cstring>
#include <numbers>

#include "ops/numeric/runs.h"
#include "ops/onnx_dtype.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

Result<DType> dtype_attr(const char* op, const Attrs& attrs, const char* name, DType otherwise) {
  if (!attrs.has(name)) return otherwise;
  const auto t = dtype_of_onnx(attrs.i(name));
  if (!t || !(is_number(*t) || *t == DType::boolean)) return invalid("{}: {} is {}, expected a dtype of numbers", op, name, attrs.i(name));
  return *t;
}

/// The number of elements; negative where there is none: delta is 0 or something is no number, or there are too many.
int64_t range_length(const TensorView& start, const TensorView& limit, const TensorView& delta) {
  if (is_float(start.dtype)) {
    const double n = std::ceil((load(limit, 0) - load(start, 0)) / load(delta, 0));
    return std::isfinite(n) && n < 0x1p62 ? static_cast<int64_t>(std::max(n, 0.0)) : -1;
  }
  const int64_t first = load_int(start, 0), last = load_int(limit, 0), step = load_int(delta, 0);
  if (step == 0) return -1;
  if (step > 0 ? last <= first : last >= first) return 0;
  const uint64_t way = step > 0 ? static_cast<uint64_t>(last) - static_cast<uint64_t>(first) : static_cast<uint64_t>(first) - static_cast<uint64_t>(last);
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  const uint64_t n = (way - 1) / stride + 1;
  return n < uint64_t{1} << 62 ? static_cast<int64_t>(n) : -1;
}

Result<std::vector<ValueInfo>> infer_range(const OpCall& c) {
  constexpr const char* kInputs[] = {"start", "limit", "delta"};
  bool known = true;
  for (size_t i = 0; i < 3; ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need_one("Range", c, i, kInputs[i]));
    if (x->dtype != c.in[0].dtype) return invalid("Range: {} is {}, expected {} as start", kInputs[i], name_of(x->dtype), name_of(c.in[0].dtype));
    known &= x->value != nullptr;
  }
  if (!known) return one(of_rank(c.in[0].dtype, 1));
  const int64_t n = range_length(view_of(*c.in[0].value), view_of(*c.in[1].value), view_of(*c.in[2].value));
  if (n < 0) return invalid("Range: start, limit and delta give no length: delta is 0, or there are too many steps");
  return one(tensor_of(c.in[0].dtype, {n}));
}

void reference_range(const OpArgs& a) {
  const TensorView& y = a.out[0];
  with_numbers(y.dtype, [&]<class T>() {
    using U = Wrapping<T>;
    const U start = static_cast<U>(load_one<T>(a.in[0])), delta = static_cast<U>(load_one<T>(a.in[2]));
    for (int64_t i = 0; i < y.shape.elements(); ++i) store_one(y, i, static_cast<T>(start + static_cast<U>(i) * delta));
  });
}

Result<std::vector<ValueInfo>> infer_constant_of_shape(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* shape, need("ConstantOfShape", c, 0, "shape"));
  MAINSPRING_TRY_VOID(want_rank("ConstantOfShape", *shape, "shape", 1, 1));
  if (!is_int(shape->dtype)) return invalid("ConstantOfShape: shape is {}, expected i64", name_of(shape->dtype));
  const Tensor* value = c.attrs.t("value");
  if (value && (value->elements() != 1 || value->dtype() == DType::string)) return invalid("ConstantOfShape: value has {} elements, expected one number", value->elements());
  const DType dtype = value ? value->dtype() : DType::f32;
  if (const auto extents = ints_of(*shape)) {
    auto dims = dims_of(*extents);
    if (!dims) return invalid("ConstantOfShape: the shape has {} extents, expected at most {} and none negative", extents->size(), Shape::kMaxRank);
    return one(tensor_of(dtype, std::move(*dims)));
  }
  const bool counted = shape->ranked && shape->dims[0].is_constant() && shape->dims[0].times <= Shape::kMaxRank;
  return one(counted ? of_rank(dtype, static_cast<size_t>(shape->dims[0].times)) : unranked(dtype));
}

void reference_constant_of_shape(const OpArgs& a) {
  const TensorView& y = a.out[0];
  const auto size = static_cast<size_t>(info_of(y.dtype).bytes), n = static_cast<size_t>(y.shape.elements());
  const Tensor* value = a.attrs.t("value");
  if (n == 0) return;
  if (!value) std::memset(y.data, 0, n * size);
  else
    for (size_t i = 0; i < n; ++i) std::memcpy(y.data + i * size, value->bytes().data(), size);
}

Result<std::vector<ValueInfo>> infer_eye_like(const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* x, need("EyeLike", c, 0, "x"));
  MAINSPRING_TRY_VOID(want_rank("EyeLike", *x, "x", 2, 2));
  MAINSPRING_TRY(const DType to, dtype_attr("EyeLike", c.attrs, "dtype", x->dtype));
  return one(x->ranked ? tensor_of(to, x->dims) : of_rank(to, 2));
}

void reference_eye_like(const OpArgs& a) {
  const TensorView& y = a.out[0];
  const int64_t width = y.shape.back(), k = std::clamp(a.attrs.i("k"), -y.shape[0], width);
  for (int64_t i = 0; i < y.shape.elements(); ++i) store_one<int64_t>(y, i, i % width == i / width + k);
}

/// A sum of cosines: a - b·cos(2πi/n) + c·cos(4πi/n).
struct Window {
  const char* name;
  double a, b, c;
};
constexpr Window kWindows[] = {{"BlackmanWindow", 0.42, 0.5, 0.08}, {"HammingWindow", 25.0 / 46, 21.0 / 46, 0}, {"HannWindow", 0.5, 0.5, 0}};

Result<std::vector<ValueInfo>> infer_window(const char* name, const OpCall& c) {
  MAINSPRING_TRY(const ValueInfo* size, need_one(name, c, 0, "size"));
  MAINSPRING_TRY(const DType to, dtype_attr(name, c.attrs, "output_datatype", DType::f32));
  if (!is_int(size->dtype)) return invalid("{}: size is {}, expected integers", name, name_of(size->dtype));
  const auto n = ints_of(*size);
  if (!n) return one(of_rank(to, 1));
  if (n->front() < 0) return invalid("{}: size is {}, expected at least 0", name, n->front());
  return one(tensor_of(to, {n->front()}));
}

template <int w>
constexpr OpDef window() {
  return {.name = kWindows[w].name,
          .min_in = 1,
          .max_in = 1,
          .n_out = 1,
          .infer = [](const OpCall& c) { return infer_window(kWindows[w].name, c); },
          .reference = [](const OpArgs& a) {
            const TensorView& y = a.out[0];
            const double n = static_cast<double>(y.shape.elements() - (a.attrs.i("periodic", 1) ? 0 : 1));
            for (int64_t i = 0; i < y.shape.elements(); ++i) {
              const double angle = 2 * std::numbers::pi * static_cast<double>(i) / (n > 0 ? n : 1);
              store_one(y, i, kWindows[w].a - kWindows[w].b * std::cos(angle) + kWindows[w].c * std::cos(2 * angle));
            }
          }};
}

Result<std::vector<ValueInfo>> infer_mel(const OpCall& c) {
  constexpr const char* kInputs[] = {"num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"};
  for (size_t i = 0; i < 5; ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need_one("MelWeightMatrix", c, i, kInputs[i]));
    if (i < 3 && !is_int(x->dtype)) return invalid("MelWeightMatrix: {} is {}, expected integers", kInputs[i], name_of(x->dtype));
  }
  MAINSPRING_TRY(const DType to, dtype_attr("MelWeightMatrix", c.attrs, "output_datatype", DType::f32));
  ValueInfo y = of_rank(to, 2);
  if (const auto bins = ints_of(c.in[0])) y.dims[1] = bins->front();
  if (const auto length = ints_of(c.in[1])) y.dims[0] = length->front() < 0 ? -1 : length->front() / 2 + 1;
  for (const Dim& d : y.dims)
    if (d.is_constant() && (d.times < 0 || d.times > int64_t{1} << 31)) return invalid("MelWeightMatrix: num_mel_bins or dft_length is negative or too large");
  if (const auto rate = ints_of(c.in[2]); rate && rate->front() <= 0) return invalid("MelWeightMatrix: sample_rate is {}, expected more than 0", rate->front());
  return one(std::move(y));
}

/// Triangles over the bins of a spectrum, whose corners are evenly spaced in mel (2595·log10(1 + f / 700)).
void reference_mel(const OpArgs& a) {
  const TensorView& y = a.out[0];
  const int64_t height = y.shape[0], bins = y.shape[1];
  const double length = load(a.in[1], 0), rate = load(a.in[2], 0);
  const auto mel = [](double hertz) { return 2595 * std::log1p(hertz / 700) / std::numbers::ln10; };
  const double low = mel(load(a.in[3], 0)), step = (mel(load(a.in[4], 0)) - low) / static_cast<double>(bins + 2);
  const auto corner = [&](int64_t i) {
    const double hertz = 700 * std::expm1((low + static_cast<double>(i) * step) / 2595 * std::numbers::ln10), at = std::floor((length + 1) * hertz / rate);
    return at >= 0 && at < static_cast<double>(height) ? static_cast<int64_t>(at) : at >= 0 ? height : 0;  // hostile edges stay inside
  };
  for (int64_t i = 0; i < y.shape.elements(); ++i) store_one(y, i, 0.0);
  for (int64_t b = 0; b < bins; ++b) {
    const int64_t left = corner(b), centre = corner(b + 1), right = corner(b + 2);
    const auto set = [&](int64_t row, double x) {
      if (row < height) store_one(y, row * bins + b, x);
    };
    if (left == centre) set(centre, 1);
    for (int64_t j = left; left < centre && j <= centre; ++j) set(j, static_cast<double>(j - left) / static_cast<double>(centre - left));
    for (int64_t j = centre; j < right; ++j) set(j, static_cast<double>(right - j) / static_cast<double>(right - centre));
  }
}

}  // namespace

constinit const OpDef op_Range{.name = "Range", .min_in = 3, .max_in = 3, .n_out = 1, .infer = infer_range, .reference = reference_range};
constinit const OpDef op_ConstantOfShape{
    .name = "ConstantOfShape", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_constant_of_shape, .reference = reference_constant_of_shape};
constinit const OpDef op_EyeLike{.name = "EyeLike", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_eye_like, .reference = reference_eye_like};
constinit const OpDef op_BlackmanWindow = window<0>();
constinit const OpDef op_HammingWindow = window<1>();
constinit const OpDef op_HannWindow = window<2>();
constinit const OpDef op_MelWeightMatrix{.name = "MelWeightMatrix", .min_in = 5, .max_in = 5, .n_out = 1, .infer = infer_mel, .reference = reference_mel};

}  // namespace mainspring::inline v0
