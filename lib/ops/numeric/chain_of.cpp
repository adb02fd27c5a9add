// Single ONNX operators as programs of `chain`.
#include <cmath>

#include "ops/numeric/chain.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

/// A program in the making.
struct Maker {
  std::span<const ChainOperand> in;
  const Attrs& attrs;
  ChainProgram p{};

  int64_t constant(double v) {
    p.constants.push_back(v);
    return kChainConstants + static_cast<int64_t>(p.constants.size()) - 1;
  }
  int64_t number(const char* name, double otherwise) { return constant(attrs.f(name, otherwise)); }
  bool has(size_t i) const { return i < in.size() && in[i].present; }
  /// Operand i of the node: read, or a constant where its value is known.
  int64_t x(size_t i) {
    if (in[i].scalar) return constant(*in[i].scalar);
    for (size_t k = 0; k < p.in.size(); ++k)
      if (p.in[k] == static_cast<int64_t>(i)) return static_cast<int64_t>(k);
    p.in.push_back(static_cast<int64_t>(i));
    return static_cast<int64_t>(p.in.size()) - 1;
  }
  int64_t step(ChainOp op, int64_t a, int64_t b = 0, int64_t c = 0) {
    p.steps.push_back({op, a, b, c});
    return kChainSteps + static_cast<int64_t>(p.steps.size()) - 1;
  }
};

/// How an operator's dtypes decide the arithmetic.
enum class Types : uint8_t {
  floats,   ///< f32, f16, bf16
  numbers,  ///< floats, or integers: then the arithmetic is theirs
  compare,  ///< the same with booleans
  where,    ///< operand 1 decides
  any,      ///< reads any of floats and booleans into f32
  cast,
};

bool float_type(DType t) { return t == DType::f32 || t == DType::f16 || t == DType::bf16; }
bool int_type(DType t) { return chain_type(t) && is_int(t); }

/// Whether a chain casts from t to u as ONNX says, and in integers.
std::optional<bool> cast_in_integers(DType t, DType u) {
  if (!chain_type(t) || !chain_type(u)) return std::nullopt;
  if (!is_float(t) && !is_float(u)) return true;
  const auto wide = [](DType d) { return d == DType::i32 || d == DType::u32 || d == DType::i64; };
  if (t == DType::f64 && u != DType::f32 && u != DType::f64 && u != DType::boolean) return std::nullopt;  // would be rounded twice
  if (t == DType::f64 && (u == DType::f64 || u == DType::boolean)) return std::nullopt;                    // f32 holds less
  if (wide(t) && (u == DType::f64 || u == DType::bf16)) return std::nullopt;
  return false;
}

using Make = int64_t (*)(Maker&);
struct Line {
  const char* name;
  Types types;
  size_t least;  ///< operands that must be there
  Make make;     ///< gives the result; kNothing where an attribute is not one that chains have
};
constexpr int64_t kNothing = -1;

template <ChainOp op>
int64_t one(Maker& m) {
  return m.step(op, m.x(0));
}
template <ChainOp op>
int64_t two(Maker& m) {
  const int64_t a = m.x(0);
  return m.step(op, a, m.x(1));
}
template <ChainOp op>
int64_t swapped(Maker& m) {
  const int64_t a = m.x(0);
  return m.step(op, m.x(1), a);
}
template <ChainOp op>
int64_t all(Maker& m) {
  int64_t y = m.x(0);
  for (size_t i = 1; i < m.in.size(); ++i) {
    if (!m.has(i)) break;
    y = m.step(op, y, m.x(i));
  }
  return m.p.steps.empty() ? m.step(ChainOp::copy, y) : y;
}
int64_t power(Maker& m) {
  const int64_t x = m.x(0);
  if (!m.in[1].scalar) return m.p.integer ? kNothing : m.step(ChainOp::pow, x, m.x(1));
  const double e = *m.in[1].scalar;
  if (e == 1) return m.step(ChainOp::copy, x);
  if (e == 2) return m.step(ChainOp::mul, x, x);
  if (e == 3) return m.step(ChainOp::mul, m.step(ChainOp::mul, x, x), x);
  if (m.p.integer) return kNothing;
  if (e == -1) return m.step(ChainOp::reciprocal, x);
  return m.step(ChainOp::pow, x, m.x(1));
}
int64_t clip(Maker& m) {
  int64_t y = m.x(0);
  if (m.has(1) && m.has(2)) {
    const int64_t low = m.x(1);
    return m.step(ChainOp::clip, y, low, m.x(2));
  }
  if (m.has(1)) return m.step(ChainOp::max, y, m.x(1));
  if (m.has(2)) return m.step(ChainOp::min, y, m.x(2));
  return m.step(ChainOp::copy, y);
}
int64_t hard_sigmoid(Maker& m, double alpha, double beta) {
  const int64_t y = m.step(ChainOp::fma, m.x(0), m.constant(alpha), m.constant(beta));
  return m.step(ChainOp::clip, y, m.constant(0), m.constant(1));
}
int64_t swish(Maker& m, double alpha) {
  const int64_t x = m.x(0);
  if (alpha == 1) return m.step(ChainOp::silu, x);
  return m.step(ChainOp::mul, x, m.step(ChainOp::sigmoid, m.step(ChainOp::mul, x, m.constant(alpha))));
}
int64_t with_bias(Maker& m, ChainOp op) {
  const int64_t x = m.x(0);
  return m.step(op, m.has(1) ? m.step(ChainOp::add, x, m.x(1)) : x);
}
int64_t where(Maker& m) {
  const int64_t a = m.x(0), b = m.x(1);
  return m.step(ChainOp::where, a, b, m.x(2));
}

constexpr Line kLines[] = {
    {"Identity", Types::cast, 1, one<ChainOp::copy>},
    {"Cast", Types::cast, 1, one<ChainOp::copy>},
    {"CastLike", Types::cast, 1, one<ChainOp::copy>},
    {"Add", Types::numbers, 2, two<ChainOp::add>},
    {"Sub", Types::numbers, 2, two<ChainOp::sub>},
    {"Mul", Types::numbers, 2, two<ChainOp::mul>},
    {"Div", Types::numbers, 2, two<ChainOp::div>},
    {"Pow", Types::numbers, 2, power},
    {"Min", Types::numbers, 1, all<ChainOp::min>},
    {"Max", Types::numbers, 1, all<ChainOp::max>},
    {"Sum", Types::floats, 1, all<ChainOp::add>},
    {"Mean", Types::floats, 1, [](Maker& m) {
       int64_t n = 0;
       while (m.has(static_cast<size_t>(n))) ++n;
       const int64_t sum = all<ChainOp::add>(m);
       return m.step(ChainOp::div, sum, m.constant(static_cast<double>(n)));
     }},
    {"Neg", Types::numbers, 1, one<ChainOp::neg>},
    {"Abs", Types::numbers, 1, one<ChainOp::abs>},
    {"Sign", Types::numbers, 1, one<ChainOp::sign>},
    {"Relu", Types::numbers, 1, one<ChainOp::relu>},
    {"Clip", Types::numbers, 1, clip},
    {"Reciprocal", Types::floats, 1, one<ChainOp::reciprocal>},
    {"Sqrt", Types::floats, 1, one<ChainOp::sqrt>},
    {"Exp", Types::floats, 1, one<ChainOp::exp>},
    {"Log", Types::floats, 1, one<ChainOp::log>},
    {"Erf", Types::floats, 1, one<ChainOp::erf>},
    {"Sigmoid", Types::floats, 1, one<ChainOp::sigmoid>},
    {"Tanh", Types::floats, 1, one<ChainOp::tanh>},
    {"Floor", Types::floats, 1, one<ChainOp::floor>},
    {"Ceil", Types::floats, 1, one<ChainOp::ceil>},
    {"Round", Types::floats, 1, one<ChainOp::round>},
    {"Sin", Types::floats, 1, one<ChainOp::sin>},
    {"Cos", Types::floats, 1, one<ChainOp::cos>},
    {"Atan", Types::floats, 1, one<ChainOp::atan>},
    {"Softplus", Types::floats, 1, one<ChainOp::softplus>},
    {"Softsign", Types::floats, 1, one<ChainOp::softsign>},
    {"Mish", Types::floats, 1, one<ChainOp::mish>},
    {"LeakyRelu", Types::floats, 1, [](Maker& m) { return m.step(ChainOp::leaky, m.x(0), m.number("alpha", 0.01)); }},
    {"PRelu", Types::floats, 2, two<ChainOp::leaky>},
    {"Elu", Types::floats, 1, [](Maker& m) { return m.step(ChainOp::elu, m.x(0), m.number("alpha", 1)); }},
    {"Selu", Types::floats, 1, [](Maker& m) {
       const int64_t y = m.step(ChainOp::elu, m.x(0), m.number("alpha", 1.67326319217681884765625));
       return m.step(ChainOp::mul, y, m.number("gamma", 1.05070102214813232421875));
     }},
    {"HardSigmoid", Types::floats, 1, [](Maker& m) { return hard_sigmoid(m, m.attrs.f("alpha", 0.2), m.attrs.f("beta", 0.5)); }},
    {"HardSwish", Types::floats, 1, [](Maker& m) {
       const int64_t y = hard_sigmoid(m, 1.0 / 6, 0.5);
       return m.step(ChainOp::mul, m.x(0), y);
     }},
    {"Swish", Types::floats, 1, [](Maker& m) { return swish(m, m.attrs.f("alpha", 1)); }},
    {"Gelu", Types::floats, 1, [](Maker& m) { return m.step(m.attrs.s("approximate", "none") == "tanh" ? ChainOp::gelu : ChainOp::gelu_erf, m.x(0)); }},
    {"com.microsoft.Gelu", Types::floats, 1, one<ChainOp::gelu_erf>},
    {"com.microsoft.BiasGelu", Types::floats, 2, [](Maker& m) { return with_bias(m, ChainOp::gelu_erf); }},
    {"com.microsoft.FastGelu", Types::floats, 1, [](Maker& m) { return with_bias(m, ChainOp::gelu); }},
    {"com.microsoft.QuickGelu", Types::floats, 1, [](Maker& m) { return swish(m, m.attrs.f("alpha", 1.702)); }},
    {"Where", Types::where, 3, where},
    {"Not", Types::any, 1, one<ChainOp::logical_not>},
    {"And", Types::any, 2, two<ChainOp::logical_and>},
    {"Or", Types::any, 2, two<ChainOp::logical_or>},
    {"Xor", Types::any, 2, two<ChainOp::logical_xor>},
    {"IsNaN", Types::floats, 1, one<ChainOp::is_nan>},
    {"IsInf", Types::floats, 1, [](Maker& m) {
       const bool low = m.attrs.i("detect_negative", 1) != 0, high = m.attrs.i("detect_positive", 1) != 0;
       if (low && high) return m.step(ChainOp::is_inf, m.x(0));
       return low || high ? m.step(ChainOp::equal, m.x(0), m.constant(low ? -HUGE_VAL : HUGE_VAL)) : kNothing;
     }},
    {"Equal", Types::compare, 2, two<ChainOp::equal>},
    {"Less", Types::compare, 2, two<ChainOp::less>},
    {"LessOrEqual", Types::compare, 2, two<ChainOp::less_equal>},
    {"Greater", Types::compare, 2, swapped<ChainOp::less>},
    {"GreaterOrEqual", Types::compare, 2, swapped<ChainOp::less_equal>},
};

/// Whether the operator runs in integers; nothing where its dtypes are not a chain's.
std::optional<bool> arithmetic(Types types, std::span<const ChainOperand> in, DType out) {
  const DType t = in[types == Types::where ? 1 : 0].dtype;
  switch (types) {
    case Types::floats: return float_type(t) ? std::optional(false) : std::nullopt;
    case Types::numbers:
    case Types::where: return float_type(t) || (types == Types::where && t == DType::boolean) ? std::optional(false) : int_type(t) ? std::optional(true) : std::nullopt;
    case Types::compare: return float_type(t) || t == DType::boolean ? std::optional(false) : int_type(t) ? std::optional(true) : std::nullopt;
    case Types::any: return float_type(t) || t == DType::boolean ? std::optional(false) : std::nullopt;
    case Types::cast: return cast_in_integers(t, out);
  }
  return std::nullopt;
}

}  // namespace

std::optional<ChainProgram> chain_of(std::string_view op, const Attrs& attrs, std::span<const ChainOperand> in, DType out) {
  for (const Line& line : kLines) {
    if (op != line.name) continue;
    if (in.size() < line.least || in.size() > kMaxChainOperands || !chain_type(out)) return std::nullopt;
    for (size_t i = 0; i < line.least; ++i)
      if (!in[i].present) return std::nullopt;
    for (const ChainOperand& o : in)
      if (o.present && !chain_type(o.dtype)) return std::nullopt;
    const auto integer = arithmetic(line.types, in, out);
    if (!integer) return std::nullopt;
    Maker m{in, attrs};
    m.p.integer = *integer;
    const int64_t y = line.make(m);
    if (y == kNothing || m.p.in.empty()) return std::nullopt;
    for (const ChainStep& s : m.p.steps)
      if (m.p.integer && !chain_integer(s.op)) return std::nullopt;
    m.p.outputs = {y};
    m.p.types = {out};
    return std::move(m.p);
  }
  return std::nullopt;
}

}  // namespace mainspring::inline v0
