// Elementwise functions over Vec. Included by the ISA files only, after their cpu/simd/vec_<isa>.h.
#pragma once

#include "cpu/kernels/elementwise/elementwise_args.h"
#include "cpu/simd/vec_activation.h"

namespace mainspring::inline v0 {
namespace {

constexpr int W = Vec::width;

template <class F>
inline void map(const float* x, float* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, f(load(x + i)));
  if (i < n) store_n(y + i, f(load_n(x + i, static_cast<int>(n - i))), static_cast<int>(n - i));
}
template <class F>
inline void map2(const float* a, const float* b, float* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    store_n(y + i, f(load_n(a + i, rest), load_n(b + i, rest)), rest);
  }
}

struct Silu {
  static inline Vec of(Vec x) { return silu(x); }
};
struct Gelu {
  static inline Vec of(Vec x) { return gelu(x); }
};
struct GeluErf {
  static inline Vec of(Vec x) { return gelu_erf(x); }
};
struct GeluQuick {
  static inline Vec of(Vec x) { return x / (set1(1.0f) + exp(x * set1(-1.702f))); }
};
struct Relu {
  static inline Vec of(Vec x) { return relu(x); }
};
struct ReluSqr {
  static inline Vec of(Vec x) { return relu(x) * relu(x); }
};
struct Sigmoid {
  static inline Vec of(Vec x) { return sigmoid(x); }
};
struct Tanh {
  static inline Vec of(Vec x) { return tanh(x); }
};
struct Softplus {
  static inline Vec of(Vec x) { return softplus(x); }
};
struct Exp {
  static inline Vec of(Vec x) { return exp(x); }
};
struct Neg {
  static inline Vec of(Vec x) { return x * set1(-1.0f); }  // 0 - x would make +0 of +0
};

template <class Act>
void unary(const UnaryArgs& a) {
  map(a.x, a.y, a.n, [](Vec x) { return Act::of(x); });
}
void scale(const UnaryArgs& a) {
  const Vec s = set1(a.a), b = set1(a.b);
  if (a.b == 0) return map(a.x, a.y, a.n, [s](Vec x) { return x * s; });
  map(a.x, a.y, a.n, [s, b](Vec x) { return fma(x, s, b); });
}
void softcap(const UnaryArgs& a) {
  const Vec cap = set1(a.a);
  map(a.x, a.y, a.n, [cap](Vec x) { return cap * tanh(x / cap); });
}

struct Add {
  static inline Vec of(Vec a, Vec b) { return a + b; }
};
struct Sub {
  static inline Vec of(Vec a, Vec b) { return a - b; }
};
struct Mul {
  static inline Vec of(Vec a, Vec b) { return a * b; }
};
struct Div {
  static inline Vec of(Vec a, Vec b) { return a / b; }
};

template <class Op>
void binary(const BinaryArgs& a) {
  map2(a.a, a.b, a.y, a.n, [](Vec x, Vec y) { return Op::of(x, y); });
}
template <class Op>
void binary_one(const BinaryArgs& a) {
  const Vec b = set1(a.b[0]);
  map(a.a, a.y, a.n, [b](Vec x) { return Op::of(x, b); });
}

template <class Act>
void glu(const GluArgs& a) {
  map2(a.gate, a.up, a.y, a.n, [](Vec g, Vec u) { return Act::of(g) * u; });
}
void swiglu_oai(const GluArgs& a) {
  const Vec alpha = set1(-a.alpha), high = set1(a.limit), low = set1(-a.limit);
  map2(a.gate, a.up, a.y, a.n, [=](Vec g, Vec u) {
    g = min(high, g);
    u = max(low, min(high, u));
    return g / (set1(1.0f) + exp(g * alpha)) * (u + set1(1.0f));
  });
}

// Sums stay in registers over all j.
void combine(const CombineArgs& a) {
  int64_t i = 0;
  for (; i + W <= a.n; i += W) {
    Vec sum = zero();
    for (int64_t j = 0; j < a.used; ++j) sum = fma(set1(a.weights[j]), load(a.x + j * a.stride + i), sum);
    store(a.y + i, sum);
  }
  if (i >= a.n) return;
  const int rest = static_cast<int>(a.n - i);
  Vec sum = zero();
  for (int64_t j = 0; j < a.used; ++j) sum = fma(set1(a.weights[j]), load_n(a.x + j * a.stride + i, rest), sum);
  store_n(a.y + i, sum, rest);
}

constexpr ElementwiseIsa kTable = {{unary<Silu>, unary<Gelu>, unary<GeluErf>, unary<GeluQuick>, unary<Relu>, unary<ReluSqr>, unary<Sigmoid>,
                                    unary<Tanh>, unary<Softplus>, unary<Exp>, unary<Neg>, scale, softcap},
                                   {binary<Add>, binary<Sub>, binary<Mul>, binary<Div>},
                                   {binary_one<Add>, binary_one<Sub>, binary_one<Mul>, binary_one<Div>},
                                   {glu<Silu>, glu<Gelu>, glu<GeluErf>, glu<Relu>, glu<ReluSqr>, glu<Sigmoid>, swiglu_oai},
                                   combine};

}  // namespace
}  // namespace mainspring::inline v0
