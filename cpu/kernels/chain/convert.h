// Elements of any dtype of a chain to its arithmetic's type (f32, i64) and back. As lib/ops/tensor.h says: numbers that are cut off go towards zero,
// integers wrap.
#pragma once

#include <cmath>
#include <cstring>

#include "cpu/kernels/chain/chain_args.h"
#include "mainspring/types.h"
#include "quant/half.h"

namespace mainspring::inline v0 {

template <class From, class To>
void convert_elements(const From* x, To* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<To>(x[i]);
}

/// Elements [at, at + n) of x.
template <class T>
void convert_from(DType t, const std::byte* x, int64_t at, T* y, int64_t n, const ChainIsa& fn) {
  const auto elements = [&]<class From>() { convert_elements(reinterpret_cast<const From*>(x) + at, y, n); };
  const std::byte* own = x + at * static_cast<int64_t>(sizeof(T));
  switch (t) {
    case DType::i8: return elements.template operator()<int8_t>();
    case DType::u8: return elements.template operator()<uint8_t>();
    case DType::i16: return elements.template operator()<int16_t>();
    case DType::u16: return elements.template operator()<uint16_t>();
    case DType::i32: return elements.template operator()<int32_t>();
    case DType::u32: return elements.template operator()<uint32_t>();
    case DType::boolean:
      for (int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(x[at + i] != std::byte{0});
      return;
    default: break;
  }
  if constexpr (std::is_same_v<T, float>) {
    if (t == DType::i64) return elements.template operator()<int64_t>();
    if (t == DType::f64) return elements.template operator()<double>();
    const uint16_t* halves = reinterpret_cast<const uint16_t*>(x) + at;
    if (t == DType::f16) return fn.from_f16(halves, y, n);
    if (t == DType::bf16) {
      for (int64_t i = 0; i < n; ++i) y[i] = bf16_to_f32(halves[i]);
      return;
    }
  }
  std::memcpy(y, own, static_cast<size_t>(n) * sizeof(T));
}

inline int64_t whole_of(float v) {
  if (v != v) return 0;
  return v >= 9223372036854775808.0f ? INT64_MAX : v < -9223372036854775808.0f ? INT64_MIN : static_cast<int64_t>(v);
}
inline int64_t whole_of(int64_t v) { return v; }

/// Elements [at, at + n) of y.
template <class T>
void convert_to(DType t, const T* x, std::byte* y, int64_t at, int64_t n, const ChainIsa& fn) {
  const auto whole = [&]<class To>() {
    To* to = reinterpret_cast<To*>(y) + at;
    for (int64_t i = 0; i < n; ++i) to[i] = static_cast<To>(whole_of(x[i]));
  };
  switch (t) {
    case DType::i8: case DType::u8: return whole.template operator()<uint8_t>();
    case DType::i16: case DType::u16: return whole.template operator()<uint16_t>();
    case DType::i32: case DType::u32: return whole.template operator()<uint32_t>();
    case DType::i64: return whole.template operator()<int64_t>();
    case DType::boolean:
      for (int64_t i = 0; i < n; ++i) y[at + i] = static_cast<std::byte>(x[i] != 0);
      return;
    case DType::f32: return convert_elements(x, reinterpret_cast<float*>(y) + at, n);
    case DType::f64: return convert_elements(x, reinterpret_cast<double*>(y) + at, n);
    default: break;
  }
  if constexpr (std::is_same_v<T, float>) {
    uint16_t* halves = reinterpret_cast<uint16_t*>(y) + at;
    if (t == DType::f16) return fn.to_f16(x, halves, n);
    for (int64_t i = 0; i < n; ++i) halves[i] = f32_to_bf16(x[i]);
  }
}

}  // namespace mainspring::inline v0
