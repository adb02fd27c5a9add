// chain, and the ONNX operators that are a chain of their own: Add, Where, Cast, Gelu, BatchNormalization, …
#include "core/error.h"
#include "cpu/bind/bind.h"
#include "cpu/bind/tensor.h"
#include "cpu/kernels/chain/chain.h"

namespace mainspring::inline v0::cpu {
namespace {

struct ChainParams {
  std::shared_ptr<const ChainPlan> plan;
  Ref in[kMaxChainOperands], out[kMaxChainOutputs];
  size_t n_in, n_out;
  Cut cut;
};

int64_t chain_tiles(const void* params, const StepEnv&) { return static_cast<const ChainParams*>(params)->cut.tiles(); }

void chain_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const ChainParams*>(params);
  const std::byte* in[kMaxChainOperands];
  std::byte* out[kMaxChainOutputs];
  for (size_t i = 0; i < p.n_in; ++i) in[i] = env.at(p.in[i]);
  for (size_t i = 0; i < p.n_out; ++i) out[i] = env.at(p.out[i]);
  p.plan->run({in, p.n_in}, {out, p.n_out}, p.cut.first(tile), p.cut.last(tile), env.scratch(worker));
}

/// Elements between indices of the output's extents, for an operand whose extents are `dims` (aligned at the end).
std::vector<int64_t> broadcast_strides(std::span<const int64_t> dims, std::span<const int64_t> out) {
  std::vector<int64_t> strides(out.size(), 0);
  int64_t stride = 1;
  for (size_t i = dims.size(), o = out.size(); i-- > 0 && o-- > 0;) {
    if (dims[i] != 1) strides[o] = stride;
    stride *= dims[i];
  }
  return strides;
}

/// Steps of a program; operand i of it is q.in[program.in[i]], laid out as `dims[i]` say.
Result<KernelBinding> bind_program(const BindRequest& q, IsaSet isa, const ChainProgram& program, std::span<const std::vector<int64_t>> dims) {
  const auto out = extents_of(q.out[0]);
  std::vector<ChainPlan::Operand> operands;
  ChainParams p{};
  p.n_in = program.in.size();
  p.n_out = q.out.size();
  for (size_t i = 0; i < p.n_in; ++i) {
    const Operand& o = q.in[static_cast<size_t>(program.in[i])];
    for (size_t d = 0; d < dims[i].size(); ++d)
      if (const size_t at = d + out->size() - dims[i].size(); dims[i].size() > out->size() || (dims[i][d] != 1 && dims[i][d] != (*out)[at]))
        return unsupported("{}: operand {} does not broadcast to the output", q.node->op, i);
    operands.push_back({o.dtype, broadcast_strides(dims[i], *out)});
    p.in[i] = o.ref;
  }
  for (size_t i = 0; i < p.n_out; ++i) {
    if (extents_of(q.out[i]) != out) return unsupported("{}: outputs of different extents", q.node->op);
    p.out[i] = q.out[i].ref;
  }
  const ChainKernel& kernel = select_chain(isa);
  p.plan = std::make_shared<const ChainPlan>(program, *out, operands, kernel);
  p.cut = Cut::of(p.plan->elements(), p.plan->grain(), p.plan->cost(), q.workers);
  KernelBinding b = one_step(fmt::format("chain.{}", kernel.name), p, chain_run, chain_tiles);
  b.worker_scratch_bytes = p.plan->scratch_bytes();
  return b;
}

Result<KernelBinding> bind_broadcast(const BindRequest& q, IsaSet isa, const ChainProgram& program) {
  std::vector<std::vector<int64_t>> dims;
  for (const int64_t i : program.in) dims.push_back(*extents_of(q.in[static_cast<size_t>(i)]));
  return bind_program(q, isa, program, dims);
}

}  // namespace

Result<KernelBinding> bind_chain(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  size_t n_in = 0;
  while (has(q, n_in)) ++n_in;
  const auto program = chain_program(q.node->attrs, n_in);
  if (!program || program->outputs.size() != q.out.size()) return unsupported("chain: the program is malformed");
  return bind_broadcast(q, isa, *program);
}

Result<KernelBinding> bind_elementwise(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  std::vector<ChainOperand> operands;
  for (const Operand& o : q.in) {
    ChainOperand c{o.dtype, static_cast<bool>(o)};
    if (const std::byte* data = content_of(o); data != nullptr && elements_of(o) == 1 && chain_type(o.dtype)) {
      const double v = load(o.dtype, data, 0);
      if (!is_int(o.dtype) || std::abs(v) < 9007199254740992.0) c.scalar = v;
    }
    operands.push_back(c);
  }
  while (!operands.empty() && !operands.back().present) operands.pop_back();
  auto program = chain_of(q.node->op, q.node->attrs, operands, q.out[0].dtype);
  if (!program) {  // of constants alone, or a dtype that chains lack
    for (ChainOperand& c : operands) c.scalar.reset();
    program = chain_of(q.node->op, q.node->attrs, operands, q.out[0].dtype);
  }
  if (!program) return unsupported("{}: no chain for {} -> {}", q.node->op, name_of(q.in[0].dtype), name_of(q.out[0].dtype));
  return bind_broadcast(q, isa, *program);
}

// (x - mean) / sqrt(var + eps) * scale + bias, each along axis 1
Result<KernelBinding> bind_batch_normalization(const BindRequest& q, IsaSet isa) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  if (q.out.size() != 1) return unsupported("BatchNormalization: training has no kernel");
  for (size_t i = 0; i < 5; ++i)
    if (!has(q, i) || q.in[i].dtype != DType::f32) return unsupported("BatchNormalization: the kernel takes f32");
  const auto x = *extents_of(q.in[0]);
  if (x.size() < 2) return unsupported("BatchNormalization: rank {}", x.size());
  ChainProgram p;
  p.in = {0, 1, 2, 3, 4};
  p.constants = {q.node->attrs.f("epsilon", 1e-5)};
  p.steps = {{ChainOp::add, 4, kChainConstants},
             {ChainOp::sqrt, kChainSteps},
             {ChainOp::div, 1, kChainSteps + 1},
             {ChainOp::sub, 0, 3},
             {ChainOp::fma, kChainSteps + 3, kChainSteps + 2, 2}};
  p.outputs = {kChainSteps + 4};
  p.types = {DType::f32};
  std::vector<int64_t> channel(x.size() - 1, 1);
  channel[0] = x[1];
  const std::vector<int64_t> dims[] = {x, channel, channel, channel, channel};
  return bind_program(q, isa, p, dims);
}

}  // namespace mainspring::inline v0::cpu
