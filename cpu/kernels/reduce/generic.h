// Reductions over Vec. Included by the ISA files only, after their cpu/simd/vec_<isa>.h. The bound is reading x once; four partial results hide the
// latency of an addition.
#pragma once

#include "cpu/kernels/reduce/reduce_args.h"

namespace mainspring::inline v0 {
namespace {

constexpr int W = Vec::width;

// put: one more element; join: two partial results; neutral: the element that changes nothing.
struct Sum {
  static constexpr float start = 0, neutral = 0;
  static inline Vec put(Vec s, Vec x, Vec) { return s + x; }
  static inline Vec join(Vec a, Vec b) { return a + b; }
};
struct Abs : Sum {
  static inline Vec put(Vec s, Vec x, Vec) { return s + abs(x); }
};
struct Square : Sum {
  static inline Vec put(Vec s, Vec x, Vec) { return fma(x, x, s); }
};
struct Exp : Sum {
  static constexpr float neutral = -__builtin_inff();
  static inline Vec put(Vec s, Vec x, Vec shift) { return s + exp(x - shift); }
};
struct Prod {
  static constexpr float start = 1, neutral = 1;
  static inline Vec put(Vec s, Vec x, Vec) { return s * x; }
  static inline Vec join(Vec a, Vec b) { return a * b; }
};
struct Max {
  static constexpr float start = -__builtin_inff(), neutral = start;
  static inline Vec put(Vec s, Vec x, Vec) { return select(equal(s, s), max(s, x), s); }
  static inline Vec join(Vec a, Vec b) { return put(a, b, a); }
};
struct Min {
  static constexpr float start = __builtin_inff(), neutral = start;
  static inline Vec put(Vec s, Vec x, Vec) { return select(equal(s, s), min(s, x), s); }
  static inline Vec join(Vec a, Vec b) { return put(a, b, a); }
};

template <class Op>
float row(const float* x, int64_t n, float shift) {
  const Vec by = set1(shift);
  Vec s[4] = {set1(Op::start), set1(Op::start), set1(Op::start), set1(Op::start)};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) MAINSPRING_UNROLL for (int j = 0; j < 4; ++j) s[j] = Op::put(s[j], load(x + i + j * W), by);
  for (; i + W <= n; i += W) s[0] = Op::put(s[0], load(x + i), by);
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    s[1] = Op::put(s[1], select(less(iota(), set1(static_cast<float>(rest))), load_n(x + i, rest), set1(Op::neutral)), by);
  }
  float lanes[W];
  store(lanes, Op::join(Op::join(s[0], s[1]), Op::join(s[2], s[3])));
  Vec y = set1(lanes[0]);
  for (int k = 1; k < W; ++k) y = Op::join(y, set1(lanes[k]));
  return first(y);
}

template <class Op, int k>
inline void column_block(const ReduceColumns& a, int64_t i, int lanes) {
  Vec s[k];
  const auto part = [lanes](const float* p) { return k > 1 || lanes == W ? load(p) : load_n(p, lanes); };
  MAINSPRING_UNROLL for (int j = 0; j < k; ++j) s[j] = a.more ? part(a.y + i + j * W) : set1(Op::start);
  Vec shift[k];
  MAINSPRING_UNROLL for (int j = 0; j < k; ++j) shift[j] = a.shift ? part(a.shift + i + j * W) : zero();
  const float* x = a.x + i;
  for (int64_t r = 0; r < a.rows; ++r, x += a.stride) MAINSPRING_UNROLL for (int j = 0; j < k; ++j) s[j] = Op::put(s[j], part(x + j * W), shift[j]);
  MAINSPRING_UNROLL for (int j = 0; j < k; ++j) {
    if (k > 1 || lanes == W) store(a.y + i + j * W, s[j]);
    else store_n(a.y + i, s[j], lanes);
  }
}

template <class Op>
void columns(const ReduceColumns& a) {
  int64_t i = 0;
  for (; i + 4 * W <= a.n; i += 4 * W) column_block<Op, 4>(a, i, W);
  for (; i + W <= a.n; i += W) column_block<Op, 1>(a, i, W);
  if (i < a.n) column_block<Op, 1>(a, i, static_cast<int>(a.n - i));
}

void softmax_columns(const float* x, float* y, int64_t stride, int64_t rows, int64_t n, bool log_of) {
  for (int64_t i = 0; i < n; i += W) {
    const int lanes = static_cast<int>(n - i < W ? n - i : W);
    const auto part = [lanes](const float* p) { return lanes == W ? load(p) : load_n(p, lanes); };
    const auto put = [lanes](float* p, Vec v) { lanes == W ? store(p, v) : store_n(p, v, lanes); };
    Vec top = set1(-__builtin_inff()), sum = zero();
    for (int64_t r = 0; r < rows; ++r) top = max(top, part(x + r * stride + i));
    for (int64_t r = 0; r < rows; ++r) {
      const Vec e = exp(part(x + r * stride + i) - top);
      sum = sum + e;
      if (!log_of) put(y + r * stride + i, e);
    }
    const Vec factor = set1(1.0f) / sum, by = top + log(sum);
    for (int64_t r = 0; r < rows; ++r) put(y + r * stride + i, log_of ? part(x + r * stride + i) - by : part(y + r * stride + i) * factor);
  }
}

void subtract(const float* x, float by, float* y, int64_t n) {
  const Vec v = set1(by);
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, load(x + i) - v);
  if (i < n) store_n(y + i, load_n(x + i, static_cast<int>(n - i)) - v, static_cast<int>(n - i));
}

constexpr ReduceIsa kTable = {{row<Sum>, row<Abs>, row<Square>, row<Prod>, row<Max>, row<Min>, row<Exp>},
                              {columns<Sum>, columns<Abs>, columns<Square>, columns<Prod>, columns<Max>, columns<Min>, columns<Exp>},
                              softmax_columns,
                              subtract};

}  // namespace
}  // namespace mainspring::inline v0
