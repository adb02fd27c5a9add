#include "runtime/graph_runner.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "core/context_impl.h"
#include "core/error.h"
#include "graph/evaluate.h"
#include "ops/shape.h"
#include "ops/tensor.h"
#include "passes/passes.h"
#include "runtime/model_impl.h"

namespace mainspring::inline v0 {
namespace {

constexpr size_t kMostKept = 64;         // tensors whose memory waits to be used again
constexpr size_t kMostPlans = 8;         // of one place in a graph: more sets of extents than that take turns
constexpr int64_t kMostKeyElements = 16; // contents that plans are kept by

size_t at(ValueId v) { return static_cast<size_t>(v); }

}  // namespace

struct GraphRunner::Segment {
  std::vector<int64_t> key;
  int64_t used = 0;                       ///< clock of the latest use
  std::shared_ptr<const Plan> plan;       ///< null: nothing to run before the border
  std::unique_ptr<RunState> run_state;
  std::vector<ValueId> inputs, outputs;
  std::vector<std::pair<DType, Shape>> made;  ///< of outputs
  std::vector<NodeId> border;
  Progress after;
  std::vector<bool> shaping;              ///< by value of after.source; empty at the end of a chain
  std::vector<std::unique_ptr<Segment>> children;
};

Allocator& GraphHost::allocator() const { return context.impl()->allocator(); }

Result<Tensor> GraphHost::make(DType dtype, const Shape& shape) {
  MAINSPRING_TRY(const size_t bytes, Tensor::bytes_of(dtype, shape));
  const size_t room = round_up(std::max<size_t>(bytes, 1), 64);
  std::shared_ptr<Buffer>* found = nullptr;
  for (std::shared_ptr<Buffer>& b : kept_)
    if (b.use_count() == 1 && b->size() >= room && b->size() <= room * 2 && (found == nullptr || b->size() < (*found)->size())) found = &b;
  std::shared_ptr<Buffer> owner;
  if (found != nullptr) {
    owner = *found;
  } else {
    MAINSPRING_TRY(Buffer buffer, Buffer::create(context, room, "a tensor"));
    owner = std::make_shared<Buffer>(std::move(buffer));
    if (kept_.size() < kMostKept) kept_.push_back(owner);
    else kept_[next_++ % kMostKept] = owner;
  }
  std::byte* data = owner->data();
  Tensor t = Tensor::share(dtype, shape, data, std::shared_ptr<void>(std::move(owner), data));
  if (dtype == DType::string)
    for (std::string_view& s : t.span<std::string_view>()) s = {};
  return t;
}

GraphRunner& GraphHost::body(const Graph& graph) {
  auto& runner = bodies[&graph];
  if (runner == nullptr) runner = std::make_unique<GraphRunner>(graph, *this);
  return *runner;
}

Result<std::vector<Datum>> NodeCall::run_body(size_t i, std::span<const Datum> own) {
  const Graph& body = *node_.bodies[i];
  const auto captures = static_cast<size_t>(node_.attrs.i("n_captures"));
  if (own.size() + captures != body.inputs.size()) return invalid("{}: the body takes {} values, {} were given", node_.op, body.inputs.size() - captures, own.size());
  std::vector<Datum> all(own.begin(), own.end());
  const size_t first = node_.in.size() - captures;
  for (size_t k = 0; k < captures; ++k) all.push_back(in[first + k]);
  std::vector<Datum> results(body.outputs.size());
  MAINSPRING_TRY_VOID(host_.body(body).run(all, results));
  return results;
}

Result<void> NodeCall::go_on() {
  if (host_.stop.cancel != nullptr && host_.stop.cancel->load(std::memory_order_relaxed)) return cancelled("run: cancelled in node '{}'", node_.name);
  return {};
}

GraphRunner::GraphRunner(const Graph& graph, GraphHost& host) : graph_(graph), host_(host), shaping_(shapes_hang_on(graph)) {}
GraphRunner::~GraphRunner() = default;

Result<void> GraphRunner::check(std::span<const Datum> in) const {
  if (in.size() != graph_.inputs.size()) return invalid("run: {} inputs were given, the graph has {}", in.size(), graph_.inputs.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const Value& v = graph_.values[at(graph_.inputs[i])];
    const Datum& d = in[i];
    if (v.container != Container::tensor) continue;  // the nodes that take it look for themselves
    if (!d.is_tensor()) return invalid("run: input '{}' is {}, expected a tensor", v.name, d ? "a sequence" : "missing");
    if (d.tensor.dtype() != v.dtype) return invalid("run: input '{}' is {}, expected {}", v.name, name_of(d.tensor.dtype()), name_of(v.dtype));
    if (!v.ranked) continue;
    const Shape& s = d.tensor.shape();
    bool fits = static_cast<size_t>(s.rank()) == v.dims.size();
    for (int k = 0; fits && k < s.rank(); ++k) fits = !v.dims[static_cast<size_t>(k)].is_constant() || v.dims[static_cast<size_t>(k)].times == s[k];
    if (!fits) {
      Dims got;
      for (const int64_t n : s.dims()) got.push_back(n);
      return invalid("run: input '{}' has shape {}, expected {}", v.name, text_of(got), text_of(v.dims));
    }
  }
  return {};
}

void GraphRunner::add_key(const Datum& d, bool with_content) {
  key_.push_back(static_cast<int64_t>(d.kind));
  if (!d.is_tensor()) return;
  const Shape& s = d.tensor.shape();
  key_.push_back(static_cast<int64_t>(d.tensor.dtype()));
  key_.push_back(s.rank());
  for (const int64_t n : s.dims()) key_.push_back(n);
  if (!with_content) return;
  const std::span<const std::byte> bytes = d.tensor.bytes();
  for (size_t i = 0; i < bytes.size(); i += 8) {
    int64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min<size_t>(8, bytes.size() - i));
    key_.push_back(word);
  }
}

namespace {

bool keyed_by_content(const Datum& d, bool shaping) {
  return shaping && d.is_tensor() && d.tensor.shape().rank() <= 1 && d.tensor.elements() <= kMostKeyElements && d.tensor.dtype() != DType::string;
}

/// Errors: out_of_memory.
Result<void> give(Progress& p, ValueId v, const Datum& d, bool with_content) {
  p.state[at(v)] = Progress::State::given;
  p.is_tensor[at(v)] = d.is_tensor();
  if (!d.is_tensor()) return {};
  p.dtype[at(v)] = d.tensor.dtype();
  p.shape[at(v)] = d.tensor.shape();
  if (with_content) {
    MAINSPRING_TRY(p.content[at(v)], Tensor::copy_bytes(d.tensor.dtype(), d.tensor.shape(), d.tensor.bytes().data(), d.tensor.bytes().size()));
  }
  return {};
}

template <class List>
auto* find_by_key(List& list, std::span<const int64_t> key, int64_t now) {
  for (auto& s : list)
    if (std::equal(s->key.begin(), s->key.end(), key.begin(), key.end())) {
      s->used = now;
      return s.get();
    }
  return static_cast<decltype(list.front().get())>(nullptr);
}

template <class List>
void make_room(List& list) {
  if (list.size() < kMostPlans) return;
  list.erase(std::min_element(list.begin(), list.end(), [](const auto& a, const auto& b) { return a->used < b->used; }));
}

}  // namespace

Result<GraphRunner::Segment*> GraphRunner::root_for(std::span<const Datum> in) {
  key_.clear();
  for (size_t i = 0; i < in.size(); ++i) add_key(in[i], keyed_by_content(in[i], shaping_[at(graph_.inputs[i])]));
  ++clock_;
  if (Segment* known = find_by_key(roots_, key_, clock_)) return known;
  Progress p = begin(graph_, host_.allocator());
  for (size_t i = 0; i < in.size(); ++i) MAINSPRING_TRY_VOID(give(p, graph_.inputs[i], in[i], keyed_by_content(in[i], shaping_[at(graph_.inputs[i])])));
  return compile_into(roots_, std::move(p));
}

Result<GraphRunner::Segment*> GraphRunner::child_of(Segment& s) {
  key_.clear();
  for (const NodeId i : s.border)
    for (const ValueId v : s.after.source.nodes[at(i)].out) add_key(slots_[at(v)], keyed_by_content(slots_[at(v)], s.shaping[at(v)]));
  ++clock_;
  if (Segment* known = find_by_key(s.children, key_, clock_)) return known;
  Progress p = s.after;
  for (const NodeId i : s.border) {
    p.done[at(i)] = true;
    for (const ValueId v : s.after.source.nodes[at(i)].out) MAINSPRING_TRY_VOID(give(p, v, slots_[at(v)], keyed_by_content(slots_[at(v)], s.shaping[at(v)])));
  }
  return compile_into(s.children, std::move(p));
}

/// A new segment of the present key, in the place of the one that was used longest ago where there are many.
Result<GraphRunner::Segment*> GraphRunner::compile_into(std::vector<std::unique_ptr<Segment>>& list, Progress progress) {
  std::vector<int64_t> key = key_;
  MAINSPRING_TRY(auto segment, compile(std::move(progress)));
  segment->key = std::move(key);
  segment->used = clock_;
  make_room(list);
  list.push_back(std::move(segment));
  return list.back().get();
}

Result<std::unique_ptr<GraphRunner::Segment>> GraphRunner::compile(Progress progress) {
  auto s = std::make_unique<Segment>();
  MAINSPRING_TRY(Specialised now, specialise(progress, host_.allocator()));
  s->inputs = std::move(now.inputs);
  s->outputs = std::move(now.outputs);
  s->border = std::move(now.border);
  for (const ValueId v : now.graph.outputs) {
    const Value& x = now.graph.values[at(v)];
    Shape shape;
    for (const Dim& d : x.dims) shape.push_back(d.times);
    s->made.emplace_back(x.dtype, shape);
  }
  if (!now.graph.nodes.empty()) {
    MAINSPRING_TRY(s->plan, compile_tensors(std::move(now.graph), host_));
    MAINSPRING_TRY(s->run_state, host_.provider->make_run(s->plan->steps.size(), host_.options.workers));
    const size_t bytes = s->plan->arena_bytes + s->plan->worker_scratch_bytes * static_cast<size_t>(host_.options.workers);
    if (host_.arena.size() < bytes) {
      host_.arena.reset();
      MAINSPRING_TRY(host_.arena, Buffer::create(host_.context, bytes, "activations"));
    }
  }
  s->after = std::move(progress);
  if (!s->border.empty()) s->shaping = shapes_hang_on(s->after.source);
  return s;
}

Datum* GraphRunner::caller_output(ValueId v) {
  for (size_t k = 0; k < out_.size(); ++k)
    if (graph_.outputs[k] == v && out_[k].is_tensor()) return &out_[k];
  return nullptr;
}

/// Gives every input and output of the segment's plan its address.
Result<void> GraphRunner::bind(Segment& s) {
  slots_.resize(s.after.source.values.size());
  externals_.clear();
  for (const ValueId v : s.inputs) externals_.push_back(const_cast<std::byte*>(slots_[at(v)].tensor.bytes().data()));
  for (size_t i = 0; i < s.outputs.size(); ++i) {
    const ValueId v = s.outputs[i];
    const auto& [dtype, shape] = s.made[i];
    if (Datum* given = at(v) < graph_.values.size() ? caller_output(v) : nullptr) {
      if (given->tensor.dtype() != dtype || given->tensor.shape() != shape) {
        Dims want, got;
        for (const int64_t n : shape.dims()) want.push_back(n);
        for (const int64_t n : given->tensor.shape().dims()) got.push_back(n);
        return invalid("run: output '{}' is {} {}, the memory given for it is {} {}", graph_.values[at(v)].name, name_of(dtype), text_of(want), name_of(given->tensor.dtype()), text_of(got));
      }
      slots_[at(v)] = *given;
    } else {
      MAINSPRING_TRY(Tensor t, host_.make(dtype, shape));
      slots_[at(v)] = std::move(t);
    }
    externals_.push_back(slots_[at(v)].tensor.data());
  }
  return {};
}

Datum GraphRunner::datum_of(const Segment& s, ValueId v) const {
  if (v == kNone) return {};
  if (slots_[at(v)] || s.after.state[at(v)] != Progress::State::content) return slots_[at(v)];
  return s.after.content[at(v)];
}

/// Contents are all at hand now: where they say the extents, the reference runs; else the operator itself must.
Result<void> GraphRunner::run_node(Segment& s, NodeId i) {
  const Node& n = s.after.source.nodes[at(i)];
  const OpDef* op = s.after.source.find_op(n.op);
  const size_t arity = op->max_in == kVariadic ? n.in.size() : std::max(n.in.size(), static_cast<size_t>(op->max_in));
  std::vector<Datum> in(arity), out(n.out.size());
  std::vector<ValueInfo> infos(arity);
  bool tensors = op->reference != nullptr;
  for (size_t k = 0; k < arity; ++k) {
    if (k < n.in.size()) in[k] = datum_of(s, n.in[k]);
    infos[k].present = k < n.in.size() && n.in[k] != kNone;
    if (!infos[k].present) continue;
    const Value& v = s.after.source.values[at(n.in[k])];
    infos[k].dtype = v.dtype;
    infos[k].container = in[k].is_tensor() ? Container::tensor : v.container;
    if (!in[k].is_tensor()) {
      infos[k].ranked = tensors = false;
      continue;
    }
    const Tensor& t = in[k].tensor;
    infos[k].dtype = t.dtype();
    infos[k].dims.assign(t.shape().dims().begin(), t.shape().dims().end());
    infos[k].value = &t;
  }
  auto inferred = op->infer(OpCall{infos, n.attrs, n.bodies, static_cast<int>(n.out.size())});
  if (!inferred) return within(fmt::format("node '{}'", n.name), std::move(inferred).error());
  for (const ValueInfo& v : *inferred) tensors = tensors && v.container == Container::tensor && all_constant(v);
  if (tensors) {
    MAINSPRING_TRY_VOID(check_extents(n, *inferred));
    std::vector<const Tensor*> operands(arity, nullptr);
    for (size_t k = 0; k < arity; ++k)
      if (infos[k].present) operands[k] = &in[k].tensor;
    auto results = evaluate(*op, operands, *inferred, n.attrs, host_.allocator());
    if (!results) return within(fmt::format("node '{}'", n.name), std::move(results).error());
    for (size_t k = 0; k < out.size(); ++k) out[k] = std::move((*results)[k]);
  } else {
    if (op->dynamic == nullptr) return unsupported("node '{}' ({}): the extents of its results follow from no operand", n.name, n.op);
    NodeCall call(n, in, out, host_);
    auto ran = op->dynamic(call);
    if (!ran) return within(fmt::format("node '{}'", n.name), std::move(ran).error());
  }
  for (size_t k = 0; k < out.size(); ++k) slots_[at(n.out[k])] = std::move(out[k]);
  return {};
}

namespace {

/// A tensor of strings may show characters of an operand, or of a node's attributes (labels). While a run lasts, all of these do: operands stand in slots_,
/// weights in the model, and a node of a plan or at a border belongs to a segment of the run's path, which stays until the run is over. What leaves the
/// run gets its own, in sequences too.
Result<void> own_characters(Datum& d, Allocator& allocator) {
  const auto own = [&allocator](Datum& x) -> Result<void> {
    if (!x.is_tensor() || x.tensor.dtype() != DType::string) return {};
    MAINSPRING_TRY(x.tensor, Tensor::copy_strings(allocator, std::as_const(x.tensor).span<std::string_view>(), x.tensor.shape()));
    return {};
  };
  for (Datum& item : d.items) MAINSPRING_TRY_VOID(own(item));
  return own(d);
}

}  // namespace

Result<void> GraphRunner::finish(Segment& s) {
  for (size_t k = 0; k < out_.size(); ++k) {
    const ValueId v = graph_.outputs[k];
    Datum d = datum_of(s, v);
    const bool made_here = s.after.state[at(v)] != Progress::State::content && std::find(graph_.inputs.begin(), graph_.inputs.end(), v) == graph_.inputs.end();
    if (out_[k].is_tensor()) {
      if (!d.is_tensor()) return invalid("run: output '{}' is no tensor, but memory was given for one", graph_.values[at(v)].name);
      if (out_[k].tensor == d.tensor) continue;
      if (out_[k].tensor.dtype() != d.tensor.dtype() || out_[k].tensor.shape() != d.tensor.shape())
        return invalid("run: output '{}' is {} of {} elements, the memory given for it is {} of {}", graph_.values[at(v)].name, name_of(d.tensor.dtype()), d.tensor.elements(), name_of(out_[k].tensor.dtype()),
                       out_[k].tensor.elements());
      if (!d.tensor.bytes().empty()) std::memcpy(out_[k].tensor.data(), d.tensor.bytes().data(), d.tensor.bytes().size());
      continue;
    }
    MAINSPRING_TRY_VOID(own_characters(d, host_.allocator()));
    if (d.is_tensor() && d.tensor.dtype() != DType::string && !made_here) {
      MAINSPRING_TRY(Tensor own, host_.make(d.tensor.dtype(), d.tensor.shape()));
      if (!d.tensor.bytes().empty()) std::memcpy(own.data(), d.tensor.bytes().data(), d.tensor.bytes().size());
      d = std::move(own);
    }
    out_[k] = std::move(d);
  }
  return {};
}

void GraphRunner::forget() {
  current_ = nullptr;
  for (Datum& d : slots_) d = {};
  out_ = {};
}

Result<void> GraphRunner::start(std::span<const Datum> in, std::span<Datum> out) {
  MAINSPRING_TRY_VOID(check(in));
  if (out.size() != graph_.outputs.size()) return invalid("run: {} outputs are wanted, the graph has {}", out.size(), graph_.outputs.size());
  MAINSPRING_TRY(Segment * root, root_for(in));
  slots_.resize(std::max(slots_.size(), root->after.source.values.size()));
  for (size_t i = 0; i < in.size(); ++i) slots_[at(graph_.inputs[i])] = in[i];
  out_ = out;
  current_ = root;
  fresh_ = true;
  path_.clear();
  path_.push_back(root);
  return {};
}

Result<bool> GraphRunner::advance() {
  const auto over = [this](Error e) {
    forget();
    return e;
  };
  for (;;) {
    Segment& s = *current_;
    if (s.plan != nullptr) {
      if (fresh_) {
        auto bound = bind(s);
        if (!bound) return over(std::move(bound).error());
      }
      StepEnv env;
      env.base[static_cast<int>(Space::arena)] = host_.arena.data();
      env.worker_scratch = host_.arena.data() + s.plan->arena_bytes;
      env.scratch_stride = static_cast<int64_t>(s.plan->worker_scratch_bytes);
      env.externals = externals_.data();
      const RunStatus status = host_.provider->run(s.plan->steps, env, *s.run_state, fresh_, host_.stop);
      fresh_ = false;
      if (status == RunStatus::paused) return false;
      if (status == RunStatus::cancelled) return over(cancelled("run: cancelled"));
    } else {
      slots_.resize(std::max(slots_.size(), s.after.source.values.size()));
    }
    if (s.border.empty()) break;
    for (const NodeId i : s.border) {
      auto ran = run_node(s, i);
      if (!ran) return over(std::move(ran).error());
    }
    auto next = child_of(s);
    if (!next) return over(std::move(next).error());
    current_ = *next;
    fresh_ = true;
    path_.push_back(current_);
  }
  auto done = finish(*current_);
  forget();
  if (!done) return std::move(done).error();
  return true;
}

Result<void> GraphRunner::run(std::span<const Datum> in, std::span<Datum> out) {
  // A body may be entered again from within itself only through another run of its own: what this one holds is put aside by the caller's frames.
  MAINSPRING_TRY_VOID(start(in, out));
  const StopConditions stop = host_.stop;
  host_.stop.deadline_ns = 0;  // a body is not left half-way
  auto done = advance();
  host_.stop = stop;
  if (!done) return std::move(done).error();
  return {};
}

Result<void> GraphRunner::prepare(std::span<const Datum> in) {
  MAINSPRING_TRY_VOID(check(in));
  MAINSPRING_TRY(Segment * root, root_for(in));
  path_.clear();
  path_.push_back(root);
  return {};
}

std::vector<const Plan*> GraphRunner::plans() const {
  std::vector<const Plan*> all;
  for (const Segment* s : path_)
    if (s->plan != nullptr) all.push_back(s->plan.get());
  return all;
}

}  // namespace mainspring::inline v0
