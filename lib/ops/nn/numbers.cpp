#include "ops/nn/numbers.h"

#include "ops/shape.h"

namespace mainspring::inline v0 {

std::vector<double> numbers_of(const TensorView& v) {
  if (!v) return {};
  std::vector<double> all(at(v.shape.elements()));
  const auto copy = [&]<class T>(const T* from) {
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<double>(from[i]);
  };
  switch (v.dtype) {  // what stands in large tensors; the rest by element
    case DType::f32: copy(v.as<float>()); break;
    case DType::f64: copy(v.as<double>()); break;
    case DType::u8: copy(v.as<uint8_t>()); break;
    case DType::i8: copy(v.as<int8_t>()); break;
    default:
      for (size_t i = 0; i < all.size(); ++i) all[i] = load(v, static_cast<int64_t>(i));
  }
  return all;
}

void put_numbers(const TensorView& to, std::span<const double> from) {
  if (to.dtype == DType::f32) {
    for (size_t i = 0; i < from.size(); ++i) to.as<float>()[i] = static_cast<float>(from[i]);
    return;
  }
  for (size_t i = 0; i < from.size(); ++i) store(to, static_cast<int64_t>(i), from[i]);
}

namespace {

Result<const ValueInfo*> need_of(const char* op, const OpCall& c, size_t i, const char* name, bool (*accepts)(DType), const char* expected) {
  MAINSPRING_TRY(const ValueInfo* v, need(op, c, i, name));
  if (!accepts(v->dtype)) return invalid("{}: {} is {}, expected {}", op, name, text_of(*v), expected);
  return v;
}

bool is_number(DType t) { return is_float(t) || is_int(t) || t == DType::boolean; }

}  // namespace

Result<const ValueInfo*> need_float(const char* op, const OpCall& c, size_t i, const char* name) {
  return need_of(op, c, i, name, is_main_float, "floating-point numbers");
}
Result<const ValueInfo*> need_number(const char* op, const OpCall& c, size_t i, const char* name) { return need_of(op, c, i, name, is_number, "numbers"); }
Result<const ValueInfo*> need_int(const char* op, const OpCall& c, size_t i, const char* name) { return need_of(op, c, i, name, is_int, "integers"); }

Result<void> want_equal(const char* op, const char* what, Dim got, Dim expected) {
  if (!got.is_constant() || !expected.is_constant() || got.times == expected.times) return {};
  return invalid("{}: {} is {}, expected {}", op, what, got.times, expected.times);
}

Result<void> want_dims(const char* op, const OpCall& c, size_t i, const char* name, const Dims& expected) {
  if (!has(c, i)) return {};
  MAINSPRING_TRY(const ValueInfo* v, need_number(op, c, i, name));
  if (!v->ranked) return {};
  bool fits = v->dims.size() == expected.size();
  for (size_t axis = 0; fits && axis < expected.size(); ++axis)
    fits = !v->dims[axis].is_constant() || !expected[axis].is_constant() || v->dims[axis].times == expected[axis].times;
  if (!fits) return invalid("{}: {} is {}, expected {}", op, name, text_of(*v), text_of(expected));
  return {};
}

Result<int64_t> int_attr(const char* op, const Attrs& attrs, const char* name, int64_t otherwise, int64_t least, int64_t most) {
  const int64_t v = attrs.i(name, otherwise);
  if (v < least || v > most) return invalid("{}: attribute {} is {}, expected {} to {}", op, name, v, least, most);
  return v;
}

Result<size_t> choice_attr(const char* op, const Attrs& attrs, const char* name, std::string_view otherwise, std::span<const std::string_view> choices) {
  const std::string_view v = attrs.s(name, otherwise);
  for (size_t i = 0; i < choices.size(); ++i)
    if (choices[i] == v) return i;
  std::string all;
  for (const std::string_view s : choices) all += (all.empty() ? "" : ", ") + std::string(s);
  return invalid("{}: attribute {} is '{}', expected one of {}", op, name, v, all);
}

Split split_at(const Shape& s, int axis) {
  Split p;
  for (int i = 0; i < s.rank(); ++i) (i < axis ? p.outer : i == axis ? p.axis : p.inner) *= s[i];
  return p;
}

}  // namespace mainspring::inline v0
