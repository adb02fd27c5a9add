// Element-wise operators of two operands, or of any number (Max Min Mean Sum), under numpy's broadcasting. Dtypes agree, but for Pow's exponent.
//   Add Sub Mul Div Mod Pow Max Min Mean Sum   -> same dtype. Integers wrap; Div and Mod (attr fmod 1) truncate, Mod (fmod 0) takes the divisor's sign;
//                                                 a zero divisor of integers gives 0. NaN goes through Max and Min.
//   BitShift (attr direction LEFT, RIGHT), BitwiseAnd BitwiseOr BitwiseXor, And Or Xor (bool)
//   Equal Greater GreaterOrEqual Less LessOrEqual -> bool; Equal compares strings too
//   PRelu (x, slope): slope is broadcast to x.   SwiGLU (a, b) of equal extents: a·sigmoid(alpha·a)·b
#include <cmath>
#include <concepts>
#include <type_traits>

#include "ops/activation.h"
#include "ops/numeric/elementwise.h"
#include "ops/op.h"

namespace mainspring::inline v0 {

Result<std::vector<ValueInfo>> elementwise::infer(const char* name, const OpCall& c, bool (*takes)(DType), const DType* gives, bool mixed) {
  if (c.in.empty()) return invalid("{}: got no operand, expected at least one", name);
  for (size_t i = 0; i < c.in.size(); ++i) {
    MAINSPRING_TRY(const ValueInfo* x, need(name, c, i, "operand"));
    if (!takes(x->dtype)) return invalid("{}: operand {} is {}, which it does not take", name, i, name_of(x->dtype));
    if (!mixed && x->dtype != c.in[0].dtype) return invalid("{}: operand {} is {}, expected {} as the first", name, i, name_of(x->dtype), name_of(c.in[0].dtype));
  }
  MAINSPRING_TRY(ValueInfo y, broadcast(name, gives ? *gives : c.in[0].dtype, c.in));
  return one(std::move(y));
}

namespace {

/// Arithmetic that wraps, for integers of either kind.
template <class T>
T wrapped(uint64_t x) {
  return static_cast<T>(x);
}

struct Add {
  static constexpr const char* kName = "Add";
  double operator()(double a, double b) const { return a + b; }
  template <class T>
  T operator()(T a, T b) const {
    return wrapped<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};
struct Sum : Add {
  static constexpr const char* kName = "Sum";
};
struct Mean : Add {
  static constexpr const char* kName = "Mean";
  double finish(double x, size_t n) const { return x / static_cast<double>(n); }
};
struct Sub {
  static constexpr const char* kName = "Sub";
  double operator()(double a, double b) const { return a - b; }
  template <class T>
  T operator()(T a, T b) const {
    return wrapped<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
  }
};
struct Mul {
  static constexpr const char* kName = "Mul";
  double operator()(double a, double b) const { return a * b; }
  template <class T>
  T operator()(T a, T b) const {
    return wrapped<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};
struct Div {
  static constexpr const char* kName = "Div";
  double operator()(double a, double b) const { return a / b; }
  uint64_t operator()(uint64_t a, uint64_t b) const { return b == 0 ? 0 : a / b; }
  int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0) return 0;
    return b == -1 ? static_cast<int64_t>(0 - static_cast<uint64_t>(a)) : a / b;  // the least number has no opposite
  }
};
struct Mod {
  static constexpr const char* kName = "Mod";
  bool truncating;
  explicit Mod(const Attrs& a) : truncating(a.i("fmod") != 0) {}
  double operator()(double a, double b) const {
    const double rest = std::fmod(a, b);
    if (truncating || std::isnan(rest)) return rest;
    if (rest == 0) return std::copysign(0.0, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
  }
  uint64_t operator()(uint64_t a, uint64_t b) const { return b == 0 ? 0 : a % b; }
  int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0 || b == -1) return 0;
    const int64_t rest = a % b;
    return !truncating && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
};
struct Pow {
  double operator()(double a, double b) const { return std::pow(a, b); }
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_signed_v<T>)
      if (b < 0) return a == 1 || (a == -1 && b % 2 == 0) ? 1 : a == -1 ? -1 : 0;  // 1 / a^|b|, truncated
    uint64_t power = 1, square = static_cast<uint64_t>(a);
    for (uint64_t left = static_cast<uint64_t>(b); left; left >>= 1, square *= square)
      if (left & 1) power *= square;
    return static_cast<T>(power);
  }
};
struct Max {
  static constexpr const char* kName = "Max";
  template <class T>
  T operator()(T a, T b) const {
    if (a != a) return a;
    return b > a || b != b ? b : a;
  }
};
struct Min {
  static constexpr const char* kName = "Min";
  template <class T>
  T operator()(T a, T b) const {
    if (a != a) return a;
    return b < a || b != b ? b : a;
  }
};
struct BitShift {
  bool left;
  explicit BitShift(const Attrs& a) : left(a.s("direction") == "LEFT") {}
  template <std::integral T>
  T operator()(T a, T b) const {  // bits beyond a narrower dtype fall away when the result is stored
    if (b >= T(0) && b < T(64)) return left ? static_cast<T>(static_cast<uint64_t>(a) << b) : static_cast<T>(a >> b);
    if constexpr (std::is_signed_v<T>)
      if (!left && a < 0) return -1;
    return 0;
  }
};
struct BitAnd {
  template <std::integral T>
  T operator()(T a, T b) const {
    return a & b;
  }
};
struct BitOr {
  template <std::integral T>
  T operator()(T a, T b) const {
    return a | b;
  }
};
struct BitXor {
  template <std::integral T>
  T operator()(T a, T b) const {
    return a ^ b;
  }
};
struct BitwiseAnd : BitAnd { static constexpr const char* kName = "BitwiseAnd"; };
struct BitwiseOr : BitOr { static constexpr const char* kName = "BitwiseOr"; };
struct BitwiseXor : BitXor { static constexpr const char* kName = "BitwiseXor"; };
struct And : BitAnd { static constexpr const char* kName = "And"; };
struct Or : BitOr { static constexpr const char* kName = "Or"; };
struct Xor : BitXor { static constexpr const char* kName = "Xor"; };

struct Equal {
  template <class T>
  T operator()(T a, T b) const {
    return T(a == b);
  }
};
struct Greater {
  static constexpr const char* kName = "Greater";
  template <class T>
  T operator()(T a, T b) const {
    return T(a > b);
  }
};
struct GreaterOrEqual {
  static constexpr const char* kName = "GreaterOrEqual";
  template <class T>
  T operator()(T a, T b) const {
    return T(a >= b);
  }
};
struct Less {
  static constexpr const char* kName = "Less";
  template <class T>
  T operator()(T a, T b) const {
    return T(a < b);
  }
};
struct LessOrEqual {
  static constexpr const char* kName = "LessOrEqual";
  template <class T>
  T operator()(T a, T b) const {
    return T(a <= b);
  }
};

struct PRelu {
  double operator()(double x, double slope) const { return x < 0 ? x * slope : x; }
  int64_t operator()(int64_t x, int64_t slope) const { return x < 0 ? Mul{}(x, slope) : x; }
  uint64_t operator()(uint64_t x, uint64_t) const { return x; }
};
struct SwiGlu {
  double alpha;
  double operator()(double a, double b) const { return a * activation::sigmoid(alpha * a) * b; }
};

template <class Op>
Op op_of(const Attrs& attrs) {
  if constexpr (std::is_constructible_v<Op, const Attrs&>) return Op(attrs);
  else return Op{};
}

constexpr DType kBoolean = DType::boolean;
constexpr bool is_boolean(DType t) { return t == DType::boolean; }
constexpr bool is_comparable(DType t) { return is_number(t) || t == DType::boolean; }

template <class Op, bool (*takes)(DType) = is_number, const DType* gives = nullptr>
constexpr OpDef binary(int min_in = 2, int max_in = 2) {
  return {.name = Op::kName,
          .min_in = min_in,
          .max_in = max_in,
          .n_out = 1,
          .infer = [](const OpCall& c) { return elementwise::infer(Op::kName, c, takes, gives); },
          .reference = [](const OpArgs& a) { elementwise::run(op_of<Op>(a.attrs), a); }};
}

Result<std::vector<ValueInfo>> infer_bit_shift(const OpCall& c) {
  const std::string_view way = c.attrs.s("direction");
  if (way != "LEFT" && way != "RIGHT") return invalid("BitShift: direction is '{}', expected 'LEFT' or 'RIGHT'", way);
  return elementwise::infer("BitShift", c, is_int);
}

void reference_pow(const OpArgs& a) {
  if (is_float(a.in[1].dtype)) return elementwise::run_as<double>(Pow{}, a);
  elementwise::run(Pow{}, a);
}

Result<std::vector<ValueInfo>> infer_equal(const OpCall& c) {
  return elementwise::infer("Equal", c, [](DType t) { return is_comparable(t) || t == DType::string; }, &kBoolean);
}

void reference_equal(const OpArgs& a) {
  if (a.in[0].dtype != DType::string) return elementwise::run(Equal{}, a);
  const Shape shapes[] = {a.in[0].shape, a.in[1].shape};
  Walk walk(a.out[0].shape, shapes);
  for (int64_t i = 0; i < walk.elements(); ++i, walk.next())
    a.out[0].as<uint8_t>()[i] = a.in[0].as<std::string_view>()[walk.at(0)] == a.in[1].as<std::string_view>()[walk.at(1)];
}

Result<std::vector<ValueInfo>> infer_prelu(const OpCall& c) {
  MAINSPRING_TRY(std::vector<ValueInfo> y, elementwise::infer("PRelu", c, is_number));
  const ValueInfo &x = c.in[0], &slope = c.in[1];
  if (!x.ranked) return one(unranked(x.dtype));
  if (slope.ranked && slope.dims.size() > x.dims.size()) return invalid("PRelu: slope has rank {}, x only {}", slope.dims.size(), x.dims.size());
  for (size_t i = 0; slope.ranked && i < slope.dims.size(); ++i) {
    const Dim have = x.dims[x.dims.size() - slope.dims.size() + i], want = slope.dims[i];
    if (have.is_constant() && want.is_constant() && want.times != 1 && want != have) return invalid("PRelu: extent {} of slope does not fit x's {}", want.times, have.times);
  }
  return one(tensor_of(x.dtype, x.dims));
}

Result<std::vector<ValueInfo>> infer_swiglu(const OpCall& c) {
  MAINSPRING_TRY(std::vector<ValueInfo> y, elementwise::infer("SwiGLU", c, is_float));
  if (all_constant(c.in[0]) && all_constant(c.in[1]) && c.in[0].dims != c.in[1].dims) return invalid("SwiGLU: extents of a and b differ");
  return y;
}

}  // namespace

constinit const OpDef op_Add = binary<Add>();
constinit const OpDef op_Sub = binary<Sub>();
constinit const OpDef op_Mul = binary<Mul>();
constinit const OpDef op_Div = binary<Div>();
constinit const OpDef op_Mod = binary<Mod>();
constinit const OpDef op_Max = binary<Max>(1, kVariadic);
constinit const OpDef op_Min = binary<Min>(1, kVariadic);
constinit const OpDef op_Sum = binary<Sum>(1, kVariadic);
constinit const OpDef op_Mean = binary<Mean, is_float>(1, kVariadic);
constinit const OpDef op_BitwiseAnd = binary<BitwiseAnd, is_int>();
constinit const OpDef op_BitwiseOr = binary<BitwiseOr, is_int>();
constinit const OpDef op_BitwiseXor = binary<BitwiseXor, is_int>();
constinit const OpDef op_And = binary<And, is_boolean>();
constinit const OpDef op_Or = binary<Or, is_boolean>();
constinit const OpDef op_Xor = binary<Xor, is_boolean>();
constinit const OpDef op_Greater = binary<Greater, is_comparable, &kBoolean>();
constinit const OpDef op_GreaterOrEqual = binary<GreaterOrEqual, is_comparable, &kBoolean>();
constinit const OpDef op_Less = binary<Less, is_comparable, &kBoolean>();
constinit const OpDef op_LessOrEqual = binary<LessOrEqual, is_comparable, &kBoolean>();
constinit const OpDef op_Equal{.name = "Equal", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_equal, .reference = reference_equal};
constinit const OpDef op_BitShift{
    .name = "BitShift", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_bit_shift, .reference = [](const OpArgs& a) { elementwise::run(BitShift(a.attrs), a); }};
constinit const OpDef op_Pow{.name = "Pow",
                             .min_in = 2,
                             .max_in = 2,
                             .n_out = 1,
                             .infer = [](const OpCall& c) { return elementwise::infer("Pow", c, is_number, nullptr, true); },
                             .reference = reference_pow};
constinit const OpDef op_PRelu{
    .name = "PRelu", .min_in = 2, .max_in = 2, .n_out = 1, .infer = infer_prelu, .reference = [](const OpArgs& a) { elementwise::run(PRelu{}, a); }};
constinit const OpDef op_SwiGLU{.name = "SwiGLU",
                                .min_in = 2,
                                .max_in = 2,
                                .n_out = 1,
                                .infer = infer_swiglu,
                                .reference = [](const OpArgs& a) { elementwise::run(SwiGlu{a.attrs.f("alpha", 1)}, a); }};

}  // namespace mainspring::inline v0
