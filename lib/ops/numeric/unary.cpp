// y = f(x), element by element, of x's extents and dtype: Abs … Tanh, activations with their parameters as attributes (defaults in the table).
//   Gelu       attr approximate ("none": x·Φ(x); "tanh")
//   Clip       (x, min?, max?): min(max(x, min), max), bounds of one element
//   IsInf      attrs detect_negative (1), detect_positive (1) -> bool;  IsNaN -> bool
//   Not, BitwiseNot, Sign, Neg, Abs, Relu on integers too
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "ops/activation.h"
#include "ops/numeric/elementwise.h"
#include "ops/op.h"

namespace mainspring::inline v0 {
namespace {

/// f(x, p, q) in double, with up to two attributes.
struct Real {
  const char* name;
  double (*apply)(double x, double p, double q);
  const char* p_name = nullptr;
  double p = 0;
  const char* q_name = nullptr;
  double q = 0;
  double finish(double x, size_t) const { return apply(x, p, q); }
};

#define MAINSPRING_REAL [](double x, [[maybe_unused]] double p, [[maybe_unused]] double q) -> double
constexpr Real kReal[] = {
    {"Acos", MAINSPRING_REAL { return std::acos(x); }},
    {"Acosh", MAINSPRING_REAL { return std::acosh(x); }},
    {"Asin", MAINSPRING_REAL { return std::asin(x); }},
    {"Asinh", MAINSPRING_REAL { return std::asinh(x); }},
    {"Atan", MAINSPRING_REAL { return std::atan(x); }},
    {"Atanh", MAINSPRING_REAL { return std::atanh(x); }},
    {"Ceil", MAINSPRING_REAL { return std::ceil(x); }},
    {"Cos", MAINSPRING_REAL { return std::cos(x); }},
    {"Cosh", MAINSPRING_REAL { return std::cosh(x); }},
    {"Erf", MAINSPRING_REAL { return std::erf(x); }},
    {"Exp", MAINSPRING_REAL { return std::exp(x); }},
    {"Floor", MAINSPRING_REAL { return std::floor(x); }},
    {"Log", MAINSPRING_REAL { return std::log(x); }},
    {"Reciprocal", MAINSPRING_REAL { return 1 / x; }},
    {"Round", MAINSPRING_REAL { return std::nearbyint(x); }},  // halves to even
    {"Sin", MAINSPRING_REAL { return std::sin(x); }},
    {"Sinh", MAINSPRING_REAL { return std::sinh(x); }},
    {"Sqrt", MAINSPRING_REAL { return std::sqrt(x); }},
    {"Tan", MAINSPRING_REAL { return std::tan(x); }},
    {"Tanh", MAINSPRING_REAL { return std::tanh(x); }},
    {"Celu", MAINSPRING_REAL { return x > 0 ? x : p * std::expm1(x / p); }, "alpha", 1},
    {"Elu", MAINSPRING_REAL { return x > 0 ? x : p * std::expm1(x); }, "alpha", 1},
    {"HardSigmoid", MAINSPRING_REAL { return std::clamp(p * x + q, 0.0, 1.0); }, "alpha", 0.2f, "beta", 0.5},
    {"HardSwish", MAINSPRING_REAL { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
    {"LeakyRelu", MAINSPRING_REAL { return x < 0 ? p * x : x; }, "alpha", 0.01f},
    {"Mish", MAINSPRING_REAL { return x * std::tanh(activation::softplus(x)); }},
    {"Selu", MAINSPRING_REAL { return q * (x > 0 ? x : p * std::expm1(x)); }, "alpha", 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f},
    {"Shrink", MAINSPRING_REAL { return x < -p ? x + q : x > p ? x - q : 0; }, "lambd", 0.5, "bias", 0},
    {"Sigmoid", MAINSPRING_REAL { return activation::sigmoid(x); }},
    {"Softplus", MAINSPRING_REAL { return activation::softplus(x); }},
    {"Softsign", MAINSPRING_REAL { return x / (1 + std::fabs(x)); }},
    {"Swish", MAINSPRING_REAL { return x * activation::sigmoid(p * x); }, "alpha", 1},
    {"ThresholdedRelu", MAINSPRING_REAL { return x > p ? x : 0; }, "alpha", 1},
};
#undef MAINSPRING_REAL

constexpr size_t index_of(std::string_view name) {
  size_t i = 0;
  while (kReal[i].name != name) ++i;  // a name that is not there does not compile
  return i;
}

template <size_t i>
constexpr OpDef real() {
  return {.name = kReal[i].name,
          .min_in = 1,
          .max_in = 1,
          .n_out = 1,
          .infer = [](const OpCall& c) { return elementwise::infer(kReal[i].name, c, is_number); },
          .reference = [](const OpArgs& a) {
            Real op = kReal[i];
            if (op.p_name) op.p = a.attrs.f(op.p_name, op.p);
            if (op.q_name) op.q = a.attrs.f(op.q_name, op.q);
            elementwise::run_as<double>(op, a);  // Shrink's integers too
          }};
}

struct Abs {
  static constexpr const char* kName = "Abs";
  template <class T>
  T finish(T x, size_t) const {
    if constexpr (std::is_same_v<T, double>) return std::fabs(x);
    else if constexpr (std::is_same_v<T, int64_t>) return x < 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(x)) : x;
    else return x;
  }
};
struct Neg {
  static constexpr const char* kName = "Neg";
  double finish(double x, size_t) const { return -x; }
  int64_t finish(int64_t x, size_t) const { return static_cast<int64_t>(0 - static_cast<uint64_t>(x)); }
  uint64_t finish(uint64_t x, size_t) const { return 0 - x; }
};
struct Sign {
  static constexpr const char* kName = "Sign";
  template <class T>
  T finish(T x, size_t) const {
    if (x > T(0)) return T(1);
    if constexpr (!std::is_same_v<T, uint64_t>)
      if (x < T(0)) return T(-1);
    return x;  // zeros and NaN
  }
};
struct Relu {
  static constexpr const char* kName = "Relu";
  template <class T>
  T finish(T x, size_t) const {
    return x <= T(0) ? T(0) : x;
  }
};
struct BitwiseNot {
  static constexpr const char* kName = "BitwiseNot";
  int64_t finish(int64_t x, size_t) const { return ~x; }
  uint64_t finish(uint64_t x, size_t) const { return ~x; }
};
struct Not {
  static constexpr const char* kName = "Not";
  uint64_t finish(uint64_t x, size_t) const { return x == 0; }
};

template <class Op, bool (*takes)(DType)>
constexpr OpDef exact() {
  return {.name = Op::kName,
          .min_in = 1,
          .max_in = 1,
          .n_out = 1,
          .infer = [](const OpCall& c) { return elementwise::infer(Op::kName, c, takes); },
          .reference = [](const OpArgs& a) { elementwise::run(Op{}, a); }};
}
constexpr bool is_boolean(DType t) { return t == DType::boolean; }
constexpr DType kBoolean = DType::boolean;

void reference_gelu(const OpArgs& a) {
  constexpr Real kForms[] = {{"none", [](double x, double, double) { return activation::gelu_erf(x); }}, {"tanh", [](double x, double, double) { return activation::gelu(x); }}};
  elementwise::run(kForms[a.attrs.s("approximate", "none") == "tanh"], a);
}

Result<std::vector<ValueInfo>> infer_gelu(const OpCall& c) {
  const std::string_view form = c.attrs.s("approximate", "none");
  if (form != "none" && form != "tanh") return invalid("Gelu: approximate is '{}', expected 'none' or 'tanh'", form);
  return elementwise::infer("Gelu", c, is_float);
}

template <class T>
struct Clip {
  T least, most;
  T finish(T x, size_t) const {  // NaN stays
    const T low = x < least ? least : x;
    return low > most ? most : low;
  }
};

Result<std::vector<ValueInfo>> infer_clip(const OpCall& c) {
  for (size_t i = 1; i < c.in.size(); ++i) {
    if (!has(c, i)) continue;
    if (c.in[i].dtype != c.in[0].dtype) return invalid("Clip: bound {} is {}, expected {} as the input", i, name_of(c.in[i].dtype), name_of(c.in[0].dtype));
    MAINSPRING_TRY_VOID(need_one("Clip", c, i, "bound"));
  }
  return elementwise::infer("Clip", OpCall{c.in.first(1), c.attrs, c.bodies, c.n_out}, is_number);
}

void reference_clip(const OpArgs& a) {
  const DType t = a.in[0].dtype;
  with_numbers(t, [&]<class T>() {
    Clip<T> op;
    if constexpr (std::is_same_v<T, double>) op = {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    else op = {static_cast<T>(range_of_int(t).first), static_cast<T>(range_of_int(t).second)};
    if (has(a, 1)) op.least = load_one<T>(a.in[1]);
    if (has(a, 2)) op.most = load_one<T>(a.in[2]);
    elementwise::run_as<T>(op, OpArgs{a.in.first(1), a.out, a.attrs, a.step});
  });
}

struct IsInf {
  bool negative, positive;
  double finish(double x, size_t) const { return std::isinf(x) && (x < 0 ? negative : positive); }
};
struct IsNaN {
  double finish(double x, size_t) const { return std::isnan(x); }
};

}  // namespace

constinit const OpDef op_Acos = real<index_of("Acos")>();
constinit const OpDef op_Acosh = real<index_of("Acosh")>();
constinit const OpDef op_Asin = real<index_of("Asin")>();
constinit const OpDef op_Asinh = real<index_of("Asinh")>();
constinit const OpDef op_Atan = real<index_of("Atan")>();
constinit const OpDef op_Atanh = real<index_of("Atanh")>();
constinit const OpDef op_Ceil = real<index_of("Ceil")>();
constinit const OpDef op_Cos = real<index_of("Cos")>();
constinit const OpDef op_Cosh = real<index_of("Cosh")>();
constinit const OpDef op_Erf = real<index_of("Erf")>();
constinit const OpDef op_Exp = real<index_of("Exp")>();
constinit const OpDef op_Floor = real<index_of("Floor")>();
constinit const OpDef op_Log = real<index_of("Log")>();
constinit const OpDef op_Reciprocal = real<index_of("Reciprocal")>();
constinit const OpDef op_Round = real<index_of("Round")>();
constinit const OpDef op_Sin = real<index_of("Sin")>();
constinit const OpDef op_Sinh = real<index_of("Sinh")>();
constinit const OpDef op_Sqrt = real<index_of("Sqrt")>();
constinit const OpDef op_Tan = real<index_of("Tan")>();
constinit const OpDef op_Tanh = real<index_of("Tanh")>();
constinit const OpDef op_Celu = real<index_of("Celu")>();
constinit const OpDef op_Elu = real<index_of("Elu")>();
constinit const OpDef op_HardSigmoid = real<index_of("HardSigmoid")>();
constinit const OpDef op_HardSwish = real<index_of("HardSwish")>();
constinit const OpDef op_LeakyRelu = real<index_of("LeakyRelu")>();
constinit const OpDef op_Mish = real<index_of("Mish")>();
constinit const OpDef op_Selu = real<index_of("Selu")>();
constinit const OpDef op_Shrink = real<index_of("Shrink")>();
constinit const OpDef op_Sigmoid = real<index_of("Sigmoid")>();
constinit const OpDef op_Softplus = real<index_of("Softplus")>();
constinit const OpDef op_Softsign = real<index_of("Softsign")>();
constinit const OpDef op_Swish = real<index_of("Swish")>();
constinit const OpDef op_ThresholdedRelu = real<index_of("ThresholdedRelu")>();

constinit const OpDef op_Abs = exact<Abs, is_number>();
constinit const OpDef op_Neg = exact<Neg, is_number>();
constinit const OpDef op_Sign = exact<Sign, is_number>();
constinit const OpDef op_Relu = exact<Relu, is_number>();
constinit const OpDef op_BitwiseNot = exact<BitwiseNot, is_int>();
constinit const OpDef op_Not = exact<Not, is_boolean>();
constinit const OpDef op_Gelu{.name = "Gelu", .min_in = 1, .max_in = 1, .n_out = 1, .infer = infer_gelu, .reference = reference_gelu};
constinit const OpDef op_Clip{.name = "Clip", .min_in = 1, .max_in = 3, .n_out = 1, .infer = infer_clip, .reference = reference_clip};
constinit const OpDef op_IsInf{
    .name = "IsInf",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = [](const OpCall& c) { return elementwise::infer("IsInf", c, is_float, &kBoolean); },
    .reference = [](const OpArgs& a) { elementwise::run(IsInf{a.attrs.i("detect_negative", 1) != 0, a.attrs.i("detect_positive", 1) != 0}, a); }};
constinit const OpDef op_IsNaN{.name = "IsNaN",
                               .min_in = 1,
                               .max_in = 1,
                               .n_out = 1,
                               .infer = [](const OpCall& c) { return elementwise::infer("IsNaN", c, is_float, &kBoolean); },
                               .reference = [](const OpArgs& a) { elementwise::run(IsNaN{}, a); }};

}  // namespace mainspring::inline v0
