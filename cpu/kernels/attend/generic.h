// One row of attention's softmax over Vec. Included by the ISA files only, after their cpu/simd/vec_<isa>.h.
// The bound is the exponential: about a dozen operations an element; the row lies in the level 1 cache.
#pragma once

#include "cpu/kernels/attend/attend_args.h"

namespace mainspring::inline v0 {
namespace {

constexpr int W = Vec::width;
/// Of a weight beside the largest, as a logarithm: what is less is 0. Its exponential is the last above the subnormal numbers, each of which would cost
/// an assist of the microcode, as would the products with it.
constexpr float kLeast = -87.0f;
constexpr float kMinusInf = -__builtin_huge_valf();

float soften(const AttendRow& a) {
  float* s = a.scores;
  const Vec scale = set1(a.softcap != 0 ? a.scale / a.softcap : a.scale), none = set1(kMinusInf);
  const auto weight = [&](Vec x) { return a.softcap != 0 ? set1(a.softcap) * tanh(x * scale) : x * scale; };
  Vec top = none;
  int64_t i = 0;
  for (; i + W <= a.n; i += W) {
    Vec x = weight(load(s + i));
    if (a.mask) x = x + load(a.mask + i);
    store(s + i, x);
    top = max(top, x);
  }
  if (i < a.n) {
    const int rest = static_cast<int>(a.n - i);
    Vec x = weight(load(s + i));
    if (a.mask) x = x + load_n(a.mask + i, rest);
    x = select(less(iota(), set1(static_cast<float>(rest))), x, none);
    store(s + i, x);
    top = max(top, x);
    i += W;
  }
  const float largest = reduce_max(top), before = *a.top;
  const float now = largest > before ? largest : before;
  if (now == kMinusInf) i = 0;  // nothing is seen yet
  for (int64_t j = i; j < a.padded; j += W) store(s + j, zero());
  if (now == kMinusInf) return 1;
  const Vec least = set1(kLeast);
  Vec sum = zero();
  for (int64_t j = 0; j < i; j += W) {
    const Vec x = load(s + j) - set1(now);
    const Vec p = select(less(x, least), zero(), exp(max(least, x)));
    store(s + j, p);
    sum = sum + p;
  }
  const Vec keep = before == now ? set1(1.0f) : exp(set1(before) - set1(now));
  *a.top = now;
  *a.sum = first(fma(set1(*a.sum), keep, set1(reduce_add(sum))));
  return first(keep);
}

void mask_of(const uint8_t* seen, int64_t n, float* out) {
  const auto* p = reinterpret_cast<const int8_t*>(seen);
  const auto put = [](Vec x) { return select(less(zero(), x * x), zero(), set1(kMinusInf)); };
  int64_t i = 0;
  for (; i + W <= n; i += W) store(out + i, put(load(p + i)));
  if (i < n) store_n(out + i, put(load_n(p + i, static_cast<int>(n - i))), static_cast<int>(n - i));
}

}  // namespace
}  // namespace mainspring::inline v0
