// y… = program(x0, x1, …), element by element under multidirectional broadcasting, in one pass over memory.
// code: [steps, 4] of ChainOp and what it reads; constants: f64; outputs: what is written; types: their DTypes; integer: 64-bit integers, else f32.
// All outputs have the extents of the broadcast.
#include "ops/numeric/chain.h"

#include <cmath>

#include "ops/activation.h"
#include "ops/op.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

/// Reads code as ints; an operation's number is checked before it becomes one.
bool valid_source(int64_t v, size_t n_in, size_t n_constants, size_t before) {
  if (v < kChainConstants) return v >= 0 && static_cast<size_t>(v) < n_in;
  if (v < kChainSteps) return static_cast<size_t>(v - kChainConstants) < n_constants;
  return static_cast<size_t>(v - kChainSteps) < before;
}

Result<std::vector<ValueInfo>> infer(const OpCall& c) {
  std::vector<ValueInfo> operands;
  for (const ValueInfo& v : c.in) {
    if (!v.present) break;
    if (!chain_type(v.dtype)) return invalid("chain: operand {} is {}, which chains do not read", operands.size(), name_of(v.dtype));
    operands.push_back(v);
  }
  const auto program = chain_program(c.attrs, operands.size());
  if (!program) return invalid("chain: the program is malformed");
  for (const ValueInfo& v : operands)
    if (program->integer && is_float(v.dtype)) return invalid("chain: an operand is {}, the program is one of integers", name_of(v.dtype));
  if (static_cast<size_t>(c.n_out) != program->outputs.size()) return invalid("chain: {} outputs, the program has {}", c.n_out, program->outputs.size());
  std::vector<ValueInfo> out;
  for (const DType t : program->types) {
    MAINSPRING_TRY(ValueInfo y, broadcast("chain", t, operands));
    out.push_back(std::move(y));
  }
  return out;
}

template <class T>
void evaluate(const OpArgs& a, const ChainProgram& p, size_t n_in) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < n_in; ++i) shapes.push_back(a.in[i].shape);
  std::vector<T> constants, values(p.steps.size());
  for (const double v : p.constants) constants.push_back(std::is_same_v<T, double> ? static_cast<T>(static_cast<float>(v)) : static_cast<T>(v));
  Walk walk(a.out[0].shape, shapes);
  const auto read = [&](int64_t v) -> T {
    if (v >= kChainSteps) return values[static_cast<size_t>(v - kChainSteps)];
    if (v >= kChainConstants) return constants[static_cast<size_t>(v - kChainConstants)];
    const TensorView& x = a.in[static_cast<size_t>(v)];
    const int64_t at = walk.at(static_cast<size_t>(v));
    if constexpr (std::is_same_v<T, double>) return x.dtype == DType::f64 ? static_cast<double>(static_cast<float>(load(x, at))) : load(x, at);
    else return load_int(x, at);
  };
  for (int64_t e = 0; e < walk.elements(); ++e, walk.next()) {
    for (size_t s = 0; s < p.steps.size(); ++s) {
      const ChainStep& step = p.steps[s];
      const int n = chain_arity(step.op);
      values[s] = chain_value(step.op, read(step.a), n > 1 ? read(step.b) : T{}, n > 2 ? read(step.c) : T{});
    }
    for (size_t o = 0; o < p.outputs.size(); ++o) {
      if constexpr (std::is_same_v<T, double>) store(a.out[o], e, read(p.outputs[o]));
      else store_int(a.out[o].dtype, a.out[o].data, e, read(p.outputs[o]));
    }
  }
}

void reference(const OpArgs& a) {
  size_t n_in = 0;
  while (n_in < a.in.size() && (a.in[n_in] || a.in[n_in].shape.elements() == 0)) ++n_in;
  n_in = std::min(n_in, kMaxChainOperands);
  const auto program = chain_program(a.attrs, n_in);
  if (!program) return;
  if (program->integer) evaluate<int64_t>(a, *program, n_in);
  else evaluate<double>(a, *program, n_in);
}

double maximum(double a, double b) { return std::isnan(a) ? a : std::isnan(b) ? b : std::max(a, b); }
double minimum(double a, double b) { return std::isnan(a) ? a : std::isnan(b) ? b : std::min(a, b); }

}  // namespace

int chain_arity(ChainOp op) {
  if (op >= ChainOp::where) return 3;
  return op >= ChainOp::add ? 2 : 1;
}

bool chain_integer(ChainOp op) {
  return op <= ChainOp::relu || (op >= ChainOp::add && op <= ChainOp::logical_xor) || op == ChainOp::where || op == ChainOp::clip;
}

double chain_value(ChainOp op, double a, double b, double c) {
  switch (op) {
    case ChainOp::copy: return a;
    case ChainOp::neg: return -a;
    case ChainOp::abs: return std::fabs(a);
    case ChainOp::sign: return a > 0 ? 1 : a < 0 ? -1 : a;
    case ChainOp::logical_not: return a == 0;
    case ChainOp::relu: return activation::relu(a);
    case ChainOp::reciprocal: return 1 / a;
    case ChainOp::sqrt: return std::sqrt(a);
    case ChainOp::exp: return std::exp(a);
    case ChainOp::log: return std::log(a);
    case ChainOp::erf: return std::erf(a);
    case ChainOp::sigmoid: return activation::sigmoid(a);
    case ChainOp::tanh: return std::tanh(a);
    case ChainOp::floor: return std::floor(a);
    case ChainOp::ceil: return std::ceil(a);
    case ChainOp::round: return std::nearbyint(a);
    case ChainOp::sin: return std::sin(a);
    case ChainOp::cos: return std::cos(a);
    case ChainOp::atan: return std::atan(a);
    case ChainOp::softplus: return activation::softplus(a);
    case ChainOp::softsign: return a / (1 + std::fabs(a));
    case ChainOp::silu: return activation::silu(a);
    case ChainOp::gelu: return activation::gelu(a);
    case ChainOp::gelu_erf: return activation::gelu_erf(a);
    case ChainOp::mish: return a * std::tanh(activation::softplus(a));
    case ChainOp::is_nan: return std::isnan(a);
    case ChainOp::is_inf: return std::isinf(a);
    case ChainOp::add: return a + b;
    case ChainOp::sub: return a - b;
    case ChainOp::mul: return a * b;
    case ChainOp::div: return a / b;
    case ChainOp::min: return minimum(a, b);
    case ChainOp::max: return maximum(a, b);
    case ChainOp::equal: return a == b;
    case ChainOp::less: return a < b;
    case ChainOp::less_equal: return a <= b;
    case ChainOp::logical_and: return a != 0 && b != 0;
    case ChainOp::logical_or: return a != 0 || b != 0;
    case ChainOp::logical_xor: return (a != 0) != (b != 0);
    case ChainOp::pow: return std::pow(a, b);
    case ChainOp::leaky: return a < 0 ? a * b : a;
    case ChainOp::elu: return a < 0 ? b * std::expm1(a) : a;
    case ChainOp::where: return a != 0 ? b : c;
    case ChainOp::clip: return minimum(maximum(a, b), c);
    case ChainOp::fma: return a * b + c;
    case ChainOp::count: break;
  }
  return 0;
}

bool chain_type(DType t) {
  switch (t) {
    case DType::f32: case DType::f16: case DType::bf16: case DType::f64: case DType::boolean:
    case DType::i8: case DType::u8: case DType::i16: case DType::u16: case DType::i32: case DType::u32: case DType::i64: return true;
    default: return false;
  }
}

Attrs chain_attrs(const ChainProgram& program) {
  std::vector<int64_t> code, types;
  for (const ChainStep& s : program.steps) code.insert(code.end(), {static_cast<int64_t>(s.op), s.a, s.b, s.c});
  for (const DType t : program.types) types.push_back(static_cast<int64_t>(t));
  Attrs attrs;
  attrs.set("code", std::move(code));
  attrs.set("constants", program.constants);
  attrs.set("outputs", program.outputs);
  attrs.set("types", std::move(types));
  if (program.integer) attrs.set("integer", int64_t{1});
  return attrs;
}

std::optional<ChainProgram> chain_program(const Attrs& attrs, size_t n_in) {
  ChainProgram p;
  const auto code = attrs.is("code"), outputs = attrs.is("outputs"), types = attrs.is("types");
  const auto constants = attrs.fs("constants");
  p.integer = attrs.i("integer") != 0;
  if (n_in > kMaxChainOperands || code.empty() || code.size() % 4 || code.size() / 4 > kMaxChainSteps || constants.size() > kMaxChainConstants) return std::nullopt;
  for (size_t i = 0; i < n_in; ++i) p.in.push_back(static_cast<int64_t>(i));
  p.constants.assign(constants.begin(), constants.end());
  for (size_t s = 0; s < code.size() / 4; ++s) {
    const int64_t op = code[4 * s];
    if (op < 0 || op >= static_cast<int64_t>(ChainOp::count)) return std::nullopt;
    const ChainStep step{static_cast<ChainOp>(op), code[4 * s + 1], code[4 * s + 2], code[4 * s + 3]};
    const int64_t reads[] = {step.a, step.b, step.c};
    for (int i = 0; i < chain_arity(step.op); ++i)
      if (!valid_source(reads[i], n_in, p.constants.size(), s)) return std::nullopt;
    if (p.integer && !chain_integer(step.op)) return std::nullopt;
    p.steps.push_back(step);
  }
  if (outputs.empty() || outputs.size() > kMaxChainOutputs || outputs.size() != types.size()) return std::nullopt;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] < kChainSteps || !valid_source(outputs[i], n_in, p.constants.size(), p.steps.size())) return std::nullopt;
    if (types[i] < 0 || types[i] >= kDTypes || !chain_type(static_cast<DType>(types[i]))) return std::nullopt;
    p.outputs.push_back(outputs[i]);
    p.types.push_back(static_cast<DType>(types[i]));
  }
  return p;
}

std::optional<ChainProgram> chain_join(const ChainProgram& outer, size_t at, const ChainProgram& inner) {
  if (outer.integer != inner.integer || inner.outputs.size() != 1 || at >= outer.in.size()) return std::nullopt;
  const DType own = inner.integer ? DType::i64 : DType::f32;
  const ChainStep& last = inner.steps[static_cast<size_t>(inner.outputs[0] - kChainSteps)];
  const bool truth = inner.types[0] == DType::boolean && (last.op == ChainOp::logical_not || last.op == ChainOp::is_nan || last.op == ChainOp::is_inf ||
                                                          (last.op >= ChainOp::equal && last.op <= ChainOp::logical_xor));
  if (inner.types[0] != own && !truth) return std::nullopt;
  ChainProgram p = inner;
  std::vector<int64_t> moved(outer.in.size());  // operand of outer -> what it is in p
  for (size_t i = 0; i < outer.in.size(); ++i) {
    if (i == at) { moved[i] = inner.outputs[0]; continue; }
    size_t to = 0;
    while (to < p.in.size() && p.in[to] != outer.in[i]) ++to;
    if (to == p.in.size()) p.in.push_back(outer.in[i]);
    moved[i] = static_cast<int64_t>(to);
  }
  const auto from_constants = static_cast<int64_t>(p.constants.size()), from_steps = static_cast<int64_t>(p.steps.size());
  const auto move = [&](int64_t v) { return v >= kChainSteps ? v + from_steps : v >= kChainConstants ? v + from_constants : moved[static_cast<size_t>(v)]; };
  p.constants.insert(p.constants.end(), outer.constants.begin(), outer.constants.end());
  for (ChainStep s : outer.steps) {
    const int n = chain_arity(s.op);
    s.a = move(s.a);
    if (n > 1) s.b = move(s.b);
    if (n > 2) s.c = move(s.c);
    p.steps.push_back(s);
  }
  p.outputs.clear();
  for (const int64_t o : outer.outputs) p.outputs.push_back(move(o));
  p.types = outer.types;
  if (p.in.size() > kMaxChainOperands || p.constants.size() > kMaxChainConstants || p.steps.size() > kMaxChainSteps) return std::nullopt;
  return p;
}

constinit const OpDef op_chain{.name = "chain", .min_in = 1, .max_in = static_cast<int>(kMaxChainOperands), .n_out = static_cast<int>(kMaxChainOutputs), .infer = infer, .reference = reference};

}  // namespace mainspring::inline v0
