// Size arithmetic on numbers that came from a file: overflow is an error value, never a wrap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace mainspring::inline v0 {

template <class T>
std::optional<T> checked_add(T a, T b) {
  T r;
  if (__builtin_add_overflow(a, b, &r)) return std::nullopt;
  return r;
}
template <class T>
std::optional<T> checked_mul(T a, T b) {
  T r;
  if (__builtin_mul_overflow(a, b, &r)) return std::nullopt;
  return r;
}
constexpr size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b > 0); }  // of any a: nothing is added before

}  // namespace mainspring::inline v0
