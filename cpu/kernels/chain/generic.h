// Operations of chains over Vec. Included by the ISA files only, after their cpu/simd/vec_<isa>.h.
// Strips lie in the nearest cache: an operation costs two loads and a store of it a register, a fraction of what memory takes.
#pragma once

#include "cpu/kernels/chain/chain_args.h"
#include "cpu/simd/vec_activation.h"

namespace mainspring::inline v0 {
namespace {

constexpr int W = Vec::width;

/// y = each(i, lanes); lanes == W but at the end.
template <class Each>
inline void strip(float* y, int64_t n, Each each) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, each(i, W));
  if (i < n) store_n(y + i, each(i, static_cast<int>(n - i)), static_cast<int>(n - i));
}
inline Vec part_of(const float* p, int64_t i, int lanes) { return lanes == W ? load(p + i) : load_n(p + i, lanes); }

template <class Op>
void one(const ChainArgs<float>& s) {
  const float* a = s.a;
  strip(s.y, s.n, [a](int64_t i, int n) { return Op::of(part_of(a, i, n)); });
}

// What stands still is in a register: a loop for each case.
template <class Op>
void two(const ChainArgs<float>& s) {
  const float *a = s.a, *b = s.b;
  const Vec va = set1(*a), vb = set1(*b);
  if (s.step_a && s.step_b) strip(s.y, s.n, [=](int64_t i, int n) { return Op::of(part_of(a, i, n), part_of(b, i, n)); });
  else if (s.step_a) strip(s.y, s.n, [=](int64_t i, int n) { return Op::of(part_of(a, i, n), vb); });
  else strip(s.y, s.n, [=](int64_t i, int n) { return Op::of(va, part_of(b, i, n)); });
}

template <class Op>
void three(const ChainArgs<float>& s) {
  const float *a = s.a, *b = s.b, *c = s.c;
  const Vec va = set1(*a), vb = set1(*b), vc = set1(*c);
  const bool sa = s.step_a, sb = s.step_b, sc = s.step_c;
  if (sa && !sb && !sc) return strip(s.y, s.n, [=](int64_t i, int n) { return Op::of(part_of(a, i, n), vb, vc); });
  strip(s.y, s.n, [=](int64_t i, int n) { return Op::of(sa ? part_of(a, i, n) : va, sb ? part_of(b, i, n) : vb, sc ? part_of(c, i, n) : vc); });
}

inline Vec truth(Mask m) { return select(m, set1(1.0f), zero()); }
inline Vec truth_of(Vec x) { return select(equal(x, zero()), zero(), set1(1.0f)); }  // NaN is true

#define MAINSPRING_CHAIN_1(Name, expression) \
  struct Name {                              \
    static inline Vec of(Vec a) { return expression; } \
  };
#define MAINSPRING_CHAIN_2(Name, expression) \
  struct Name {                              \
    static inline Vec of(Vec a, Vec b) { return expression; } \
  };
#define MAINSPRING_CHAIN_3(Name, expression) \
  struct Name {                              \
    static inline Vec of(Vec a, Vec b, Vec c) { return expression; } \
  };

MAINSPRING_CHAIN_1(Copy, a)
MAINSPRING_CHAIN_1(Neg, a * set1(-1.0f))  // 0 - a would make +0 of +0
MAINSPRING_CHAIN_1(Abs, abs(a))
MAINSPRING_CHAIN_1(Sign, select(less(zero(), a), set1(1.0f), select(less(a, zero()), set1(-1.0f), a)))
MAINSPRING_CHAIN_1(Not, truth(equal(a, zero())))
MAINSPRING_CHAIN_1(Relu, relu(a))
MAINSPRING_CHAIN_1(Reciprocal, set1(1.0f) / a)
MAINSPRING_CHAIN_1(Sqrt, sqrt(a))
MAINSPRING_CHAIN_1(Exp, exp(a))
MAINSPRING_CHAIN_1(Log, log_any(a))
MAINSPRING_CHAIN_1(Erf, erf(a))
MAINSPRING_CHAIN_1(Sigmoid, sigmoid(a))
MAINSPRING_CHAIN_1(Tanh, tanh(a))
MAINSPRING_CHAIN_1(Floor, floor(a))
MAINSPRING_CHAIN_1(Ceil, ceil(a))
MAINSPRING_CHAIN_1(Round, to_nearest(a))
MAINSPRING_CHAIN_1(Sin, sin(a))
MAINSPRING_CHAIN_1(Cos, cos(a))
MAINSPRING_CHAIN_1(Atan, atan(a))
MAINSPRING_CHAIN_1(Softplus, softplus(a))
MAINSPRING_CHAIN_1(Softsign, a / (set1(1.0f) + abs(a)))
MAINSPRING_CHAIN_1(Silu, silu(a))
MAINSPRING_CHAIN_1(Gelu, gelu(a))
MAINSPRING_CHAIN_1(GeluErf, gelu_erf(a))
MAINSPRING_CHAIN_1(Mish, mish(a))
MAINSPRING_CHAIN_1(IsNan, select(equal(a, a), zero(), set1(1.0f)))
MAINSPRING_CHAIN_1(IsInf, truth(equal(abs(a), set1(__builtin_inff()))))
MAINSPRING_CHAIN_2(Add, a + b)
MAINSPRING_CHAIN_2(Sub, a - b)
MAINSPRING_CHAIN_2(Mul, a * b)
MAINSPRING_CHAIN_2(Div, a / b)
MAINSPRING_CHAIN_2(Min, select(equal(a, a), min(a, b), a))  // NaN of either
MAINSPRING_CHAIN_2(Max, select(equal(a, a), max(a, b), a))
MAINSPRING_CHAIN_2(Equal, truth(equal(a, b)))
MAINSPRING_CHAIN_2(Less, truth(less(a, b)))
MAINSPRING_CHAIN_2(LessEqual, select(less(a, b), set1(1.0f), truth(equal(a, b))))
MAINSPRING_CHAIN_2(And, truth_of(a) * truth_of(b))
MAINSPRING_CHAIN_2(Or, max(truth_of(a), truth_of(b)))
MAINSPRING_CHAIN_2(Xor, abs(truth_of(a) - truth_of(b)))
MAINSPRING_CHAIN_2(Pow, pow(a, b))
MAINSPRING_CHAIN_2(Leaky, select(less(a, zero()), a * b, a))
MAINSPRING_CHAIN_2(Elu, elu(a, b))
MAINSPRING_CHAIN_3(Where, select(equal(a, zero()), c, b))
MAINSPRING_CHAIN_3(Clip, Min::of(Max::of(a, b), c))
MAINSPRING_CHAIN_3(Fma, fma(a, b, c))

#undef MAINSPRING_CHAIN_1
#undef MAINSPRING_CHAIN_2
#undef MAINSPRING_CHAIN_3

void from_f16(const uint16_t* x, float* y, int64_t n) {
  strip(y, n, [x](int64_t i, int lanes) { return lanes == W ? load(x + i) : load_n(x + i, lanes); });
}
void to_f16(const float* x, uint16_t* y, int64_t n) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, load(x + i));
  if (i < n) store_n(y + i, load_n(x + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}

constexpr ChainIsa kTable = {{one<Copy>, one<Neg>, one<Abs>, one<Sign>, one<Not>, one<Relu>, one<Reciprocal>, one<Sqrt>, one<Exp>, one<Log>, one<Erf>,
                              one<Sigmoid>, one<Tanh>, one<Floor>, one<Ceil>, one<Round>, one<Sin>, one<Cos>, one<Atan>, one<Softplus>, one<Softsign>,
                              one<Silu>, one<Gelu>, one<GeluErf>, one<Mish>, one<IsNan>, one<IsInf>,
                              two<Add>, two<Sub>, two<Mul>, two<Div>, two<Min>, two<Max>, two<Equal>, two<Less>, two<LessEqual>, two<And>, two<Or>,
                              two<Xor>, two<Pow>, two<Leaky>, two<Elu>, three<Where>, three<Clip>, three<Fma>},
                             from_f16, to_f16};

}  // namespace
}  // namespace mainspring::inline v0
