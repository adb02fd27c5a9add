// Graph → passes → plan for one set of options.
#include <algorithm>

#include "core/context_impl.h"
#include "core/error.h"
#include "passes/passes.h"
#include "quant/kv_block.h"
#include "runtime/graph_runner.h"
#include "runtime/model_impl.h"

namespace mainspring::inline v0 {
namespace {

/// A trial bind: would the provider run this node if its operands had these dtypes?
bool provider_accepts(void* user, const Graph& graph, const Node& node, std::span<const DType> dtypes) {
  auto& provider = *static_cast<Provider*>(user);
  const OpDef* op = graph.find_op(node.op);
  if (op == nullptr) return false;
  std::vector<Operand> in(op->max_in == kVariadic ? node.in.size() : static_cast<size_t>(op->max_in)), out;
  for (size_t i = 0; i < node.in.size(); ++i) {
    if (node.in[i] == kNone) continue;
    Value v = graph.values[static_cast<size_t>(node.in[i])];
    v.dtype = dtypes[i];
    in[i] = Operand{v.dtype, v.dims, v.state_kind, Ref{v.kind == Kind::weight ? Space::constant : Space::arena, 0}, dense_row_stride(v), v.kind == Kind::weight, false};
    if (v.kind == Kind::weight) in[i].ref.offset = reinterpret_cast<int64_t>(v.bytes.data());
  }
  for (ValueId id : node.out) {
    const Value& v = graph.values[static_cast<size_t>(id)];
    out.push_back(Operand{v.dtype, v.dims, v.state_kind, Ref{Space::arena, 0}, dense_row_stride(v), false, false});
  }
  const BindRequest request{&node, op, in, out, graph.symbols, false, 1, 1, 1};
  const auto bound = provider.bind(request);
  return bound && bound->kernel != "reference";
}

void release_source(void* user, std::span<const std::byte> bytes) {
  for (const auto& source : static_cast<const Model::Impl*>(user)->sources()) source->drop(bytes);
}

Graph specialise(const Model::Impl& model, const PlanOptions& options, int64_t max_batch_tokens, int64_t max_output_rows) {
  Graph graph = model.graph;
  const int64_t blocks = (options.max_context + kKvBlock - 1) / kKvBlock * options.max_sequences;
  auto set = [&](SymbolId s, int64_t max) { graph.symbols[static_cast<size_t>(s)].max = max; };
  set(LlmSymbols::n_tokens, max_batch_tokens);
  set(LlmSymbols::n_outputs, max_output_rows);
  set(LlmSymbols::n_blocks, blocks);
  set(LlmSymbols::n_sequences, options.max_sequences);
  for (Node& n : graph.nodes)  // LongRoPE (arXiv:2402.13753): a session beyond the original context takes the other factors, for all positions
    if (n.op == "rope" && n.attrs.has("long_factors") && options.max_context > n.attrs.i("n_ctx_orig")) n.in[2] = static_cast<ValueId>(n.attrs.i("long_factors"));
  for (Value& v : graph.values)
    if (is_kv(v.state_kind)) v.dtype = options.kv;
  return graph;
}

bool same_plan(const Plan& p, const PlanOptions& o, int64_t rows, int64_t outputs) {
  const auto max = [&](SymbolId s) { return p.graph.symbols[static_cast<size_t>(s)].max; };
  return p.options.exact == o.exact && p.options.kv == o.kv && p.options.workers == o.workers && p.options.max_sequences == o.max_sequences && p.options.max_context == o.max_context &&
         max(LlmSymbols::n_tokens) == rows && max(LlmSymbols::n_outputs) == outputs;
}

/// A plan writes each output once, to a place of its own: what passes left as an input, a weight or a second name is copied there.
Result<void> separate_outputs(Graph& graph) {
  std::vector<bool> taken(graph.values.size(), false);
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId v = graph.outputs[i];
    if (graph.values[static_cast<size_t>(v)].kind == Kind::computed && !taken[static_cast<size_t>(v)]) {
      taken[static_cast<size_t>(v)] = true;
      continue;
    }
    MAINSPRING_TRY(auto copy, graph.add_node("Identity", "output", {v}));
    taken.push_back(true);
    graph.outputs[i] = copy[0];
  }
  return {};
}

}  // namespace

SourceRelease release_of(const Model::Impl& model) { return {release_source, const_cast<Model::Impl*>(&model)}; }

Result<std::shared_ptr<const Plan>> compile_tensors(Graph graph, GraphHost& host) {
  const PassContext context{host.options.exact, provider_accepts, host.provider, &host.allocator()};
  MAINSPRING_TRY_VOID(run_passes(graph, context, host.passes));
  MAINSPRING_TRY_VOID(separate_outputs(graph));
  return make_plan(std::move(graph), host.options, *host.provider, host.context, *host.panels, host.release);
}

namespace {

/// The bodies of control flow go the same way as the graph around them.
Result<Graph> prepared(const Graph& graph, const PassContext& context, std::string_view switches) {
  Graph g = graph;
  for (Node& n : g.nodes)
    for (auto& body : n.bodies) {
      MAINSPRING_TRY(Graph inner, prepared(*body, context, switches));
      body = std::make_shared<const Graph>(std::move(inner));
    }
  MAINSPRING_TRY_VOID(run_passes(g, context, switches));
  return g;
}

}  // namespace

Result<std::shared_ptr<const Graph>> prepared_tensors(const Model::Impl& model, bool exact) {
  const std::lock_guard lock(model.mutex);
  auto& kept = model.prepared[exact ? 1 : 0];
  if (kept == nullptr) {
    const PassContext context{exact, provider_accepts, model.provider.get(), &model.context.impl()->allocator()};
    MAINSPRING_TRY(Graph g, prepared(model.graph, context, model.context.impl()->environment().passes));
    kept = std::make_shared<const Graph>(std::move(g));
  }
  return kept;
}

Result<std::shared_ptr<const Plan>> compile(const Model::Impl& model, const PlanOptions& options, int64_t max_batch_tokens, int64_t max_output_rows) {
  if (!options.dry) {
    const std::lock_guard lock(model.mutex);
    for (const auto& held : model.plans)
      if (auto plan = held.lock(); plan != nullptr && same_plan(*plan, options, max_batch_tokens, max_output_rows)) return plan;
  }
  Graph graph = specialise(model, options, max_batch_tokens, max_output_rows);
  const PassContext context{options.exact, provider_accepts, model.provider.get()};
  MAINSPRING_TRY_VOID(run_passes(graph, context, model.context.impl()->environment().passes));
  const SourceRelease release = release_of(model);
  MAINSPRING_TRY(auto plan, make_plan(std::move(graph), options, *model.provider, model.context, model.panels, release));
  if (!options.dry) {
    const std::lock_guard lock(model.mutex);
    std::erase_if(model.plans, [](const auto& held) { return held.expired(); });
    model.plans.push_back(plan);
  }
  return plan;
}

}  // namespace mainspring::inline v0
