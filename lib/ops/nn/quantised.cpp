#include "ops/nn/quantised.h"

#include <algorithm>
#include <cmath>

#include "ops/shape.h"

namespace mainspring::inline v0 {
namespace {

/// f(element, index along the axis) over a tensor; the index is 0 where `by` has one element.
template <class F>
void by_axis(const Shape& s, int axis, int64_t by, F f) {
  const Split p = by > 1 ? split_at(s, axis) : Split{1, 1, s.elements()};
  for (int64_t o = 0, i = 0; o < p.outer; ++o)
    for (int64_t a = 0; a < p.axis; ++a)
      for (int64_t e = 0; e < p.inner; ++e, ++i) f(at(i), at(by > 1 ? std::min(a, by - 1) : 0));
}

}  // namespace

IntRange range_of(DType t) {
  switch (t) {
    case DType::i8: return {-128, 127};
    case DType::u8: return {0, 255};
    case DType::i16: return {-32768, 32767};
    case DType::u16: return {0, 65535};
    case DType::i4: return {-8, 7};
    case DType::u4: return {0, 15};
    case DType::i2: return {-2, 1};
    case DType::u2: return {0, 3};
    default: return {-2147483648.0, 2147483647.0};
  }
}

double quantise(double x, double scale, double zero, IntRange range) {
  const double q = std::nearbyint(x / scale) + zero;
  return q != q ? zero : std::clamp(q, range.least, range.most);
}

std::vector<double> centred(const TensorView& q, const TensorView& zero, int axis) {
  std::vector<double> x = numbers_of(q);
  const std::vector<double> z = numbers_of(zero);
  if (z.empty()) return x;
  by_axis(q.shape, axis, static_cast<int64_t>(z.size()), [&](size_t i, size_t a) { x[i] -= z[a]; });
  return x;
}

std::vector<double> dequantised(const TensorView& q, const TensorView& scale, const TensorView& zero, int axis) {
  std::vector<double> x = centred(q, zero, axis);
  const std::vector<double> s = numbers_of(scale);
  if (s.empty()) return x;
  by_axis(q.shape, axis, static_cast<int64_t>(s.size()), [&](size_t i, size_t a) { x[i] *= s[a]; });
  return x;
}

void put_quantised(const TensorView& y, std::span<const double> values, const TensorView& scale, const TensorView& zero) {
  const double s = scale ? load(scale, 0) : 1, z = zero ? load(zero, 0) : 0;
  const IntRange range = range_of(y.dtype);
  for (size_t i = 0; i < values.size(); ++i) store(y, static_cast<int64_t>(i), quantise(values[i], s, z, range));
}

DynamicU8 dynamic_u8(std::span<const double> x) {
  float least = 0, most = 0;
  for (const double v : x) least = std::min(least, static_cast<float>(v)), most = std::max(most, static_cast<float>(v));
  const float scale = most == least ? 1.0f : (most - least) / 255.0f;
  const float zero = std::nearbyint(std::clamp(-least / scale, 0.0f, 255.0f));
  DynamicU8 d;
  d.scale = static_cast<double>(scale);
  d.values.reserve(x.size());
  for (const double v : x) {
    const float q = std::nearbyint(static_cast<float>(v) / scale) + zero;
    d.values.push_back(static_cast<double>((q != q ? zero : std::clamp(q, 0.0f, 255.0f)) - zero));
  }
  return d;
}

Result<void> want_one(const char* op, const OpCall& c, size_t i, const char* name, std::optional<Dim> channels) {
  if (!has(c, i)) return {};
  MAINSPRING_TRY(const ValueInfo* v, need_number(op, c, i, name));
  const std::optional<int64_t> n = v->ranked ? constant_elements(v->dims, 0) : std::nullopt;
  if (!n || *n == 1 || (channels && (!channels->is_constant() || *n == channels->times))) return {};
  return invalid("{}: {} is {}, expected one element{}", op, name, text_of(*v), channels ? " or one for each channel" : "");
}

Result<void> want_scale(const char* op, const OpCall& c, size_t i, const char* name, std::optional<Dim> channels) {
  MAINSPRING_TRY_VOID(need_number(op, c, i, name));
  MAINSPRING_TRY_VOID(want_one(op, c, i, name, channels));
  return want_one(op, c, i + 1, "zero point", channels);
}

}  // namespace mainspring::inline v0
