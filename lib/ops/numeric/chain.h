// Fused chains of operators that work element by element: the program of `chain`, how single ONNX operators become programs, and how programs are
// joined. The pass that fuses, the reference and the CPU's binder all read programs through this header.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "mainspring/ext/graph.h"
#include "ops/numeric/chain_op.h"

namespace mainspring::inline v0 {

/// What a step reads: operand i of the node is i, constant i is kChainConstants + i, the result of step i is kChainSteps + i.
inline constexpr int64_t kChainConstants = 1000, kChainSteps = 2000;
inline constexpr size_t kMaxChainOperands = 16, kMaxChainOutputs = 4, kMaxChainSteps = 64, kMaxChainConstants = 64;

struct ChainStep {
  ChainOp op = ChainOp::copy;
  int64_t a = 0, b = 0, c = 0;  ///< what the operation has no use for is 0
};

/// Steps in order; each reads operands, constants and earlier steps. All arithmetic is f32, or of 64-bit integers where `integer`.
struct ChainProgram {
  std::vector<int64_t> in;         ///< where operand i comes from; for chain_of: the index of the node's operand. A pass puts ValueIds here
  std::vector<double> constants;
  std::vector<ChainStep> steps;
  std::vector<int64_t> outputs;    ///< what is written (kChainSteps + i)
  std::vector<DType> types;        ///< dtype of each output
  bool integer = false;
};

/// An operand as chain_of sees it.
struct ChainOperand {
  DType dtype = DType::f32;
  bool present = true;
  std::optional<double> scalar{};  ///< the value, where it is a constant of one element that need not raise the result's rank
};

/// How many operands an operation reads (1 to 3).
int chain_arity(ChainOp op);
/// The integers have this operation.
bool chain_integer(ChainOp op);
/// One element, in double and in integers: what every kernel is measured against.
double chain_value(ChainOp op, double a, double b, double c);
inline int64_t chain_value(ChainOp op, int64_t a, int64_t b, int64_t c) {
  const auto wrapped = [](uint64_t v) { return static_cast<int64_t>(v); };
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  switch (op) {
    case ChainOp::copy: return a;
    case ChainOp::neg: return wrapped(0 - ua);
    case ChainOp::abs: return a < 0 ? wrapped(0 - ua) : a;
    case ChainOp::sign: return a > 0 ? 1 : a < 0 ? -1 : 0;
    case ChainOp::logical_not: return a == 0;
    case ChainOp::relu: return std::max<int64_t>(a, 0);
    case ChainOp::add: return wrapped(ua + ub);
    case ChainOp::sub: return wrapped(ua - ub);
    case ChainOp::mul: return wrapped(ua * ub);
    case ChainOp::div: return b == 0 ? 0 : b == -1 ? wrapped(0 - ua) : a / b;
    case ChainOp::min: return std::min(a, b);
    case ChainOp::max: return std::max(a, b);
    case ChainOp::equal: return a == b;
    case ChainOp::less: return a < b;
    case ChainOp::less_equal: return a <= b;
    case ChainOp::logical_and: return a != 0 && b != 0;
    case ChainOp::logical_or: return a != 0 || b != 0;
    case ChainOp::logical_xor: return (a != 0) != (b != 0);
    case ChainOp::where: return a != 0 ? b : c;
    case ChainOp::clip: return std::min(std::max(a, b), c);
    default: return 0;
  }
}

/// The program of an ONNX operator whose elements depend on elements at the same place only (Add, Where, Clip, Cast, Gelu, com.microsoft.FastGelu, …).
/// Nothing where the operator is no such, or a dtype, an attribute or an absent operand is one that chains do not have.
std::optional<ChainProgram> chain_of(std::string_view op, const Attrs& attrs, std::span<const ChainOperand> in, DType out);

/// `outer` with its operand `in[at]` computed by `inner` (of one output) instead of read: inner's steps come first. Operands that come from the same
/// place become one. Nothing where the two differ in arithmetic, inner's output is not of its arithmetic's own type (f32, i64, or bool read as truth),
/// or the result has too many operands, constants or steps.
std::optional<ChainProgram> chain_join(const ChainProgram& outer, size_t at, const ChainProgram& inner);

/// The attributes of a `chain` node, and back. chain_program checks everything (indices, order, counts): nothing where they are malformed.
Attrs chain_attrs(const ChainProgram& program);
std::optional<ChainProgram> chain_program(const Attrs& attrs, size_t n_in);

/// Dtypes that a chain reads and writes.
bool chain_type(DType t);

}  // namespace mainspring::inline v0
