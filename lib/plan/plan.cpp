// Placement of values, binding of kernels, packing of weights: the three walks that make a Plan.
#include "plan/plan.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "core/checked.h"
#include "core/error.h"
#include "graph/evaluate.h"
#include "quant/kv_block.h"
#include "quant/q8_rows.h"

namespace mainspring::inline v0 {
namespace {

constexpr size_t kPad = 64;  // kernels may read this far beyond a value's last row (declared overread)

struct Planner {
  Plan& plan;
  Provider& provider;
  const Context& context;
  PanelStore& store;
  const SourceRelease& release;
  std::vector<bool> linear_weight;   ///< by value: the matrix of a linear node
  std::vector<bool> source_needed;   ///< by value: some kernel reads the source bytes
  std::vector<int32_t> scratch_interval;  ///< by node, or -1
  std::vector<int32_t> stages;       ///< by node
  PanelStore::Slab slab;
  std::map<std::string, bool> proofs;  ///< by layout: whether the cache's panels are those we would pack

  Graph& graph() { return plan.graph; }
  Value& value(ValueId v) { return plan.graph.values[static_cast<size_t>(v)]; }
  Placement& placement(ValueId v) { return plan.placements[static_cast<size_t>(v)]; }

  void resolve_views();
  void place_fixed();
  void place_arena();
  void list_steps(const std::vector<std::vector<Step>>& by_node);
  Operand operand(ValueId v);
  Result<void> bind();
  Result<void> finish();
  Result<std::shared_ptr<PanelStore::Panels>> pack(const Packing& packing, const Value& weight, bool give_back);
  Result<void> pack_all(const Packing& packing, const Value& weight, std::byte* panels, bool give_back);
  void find_needed_sources();
  void expect_panels();
  std::string name_of(const Packing& packing, const Value& weight) const { return store.cache != nullptr ? store.cache->name_of(weight.bytes, packing.layout) : std::string(); }
  bool proved(const Packing& packing, const Value& weight, const std::string& name);
  void keep();
};

std::string panel_key(const Value& weight, const Packing& packing) { return fmt::format("{}/{}", static_cast<const void*>(weight.bytes.data()), packing.layout); }

bool leading_extent_only(const Dims& dims) { return dims.size() == 2; }

/// A slice of the columns of a matrix and a reshape of a row's elements are the same memory seen otherwise.
void Planner::resolve_views() {
  plan.placements.resize(graph().values.size());
  for (size_t i = 0; i < graph().values.size(); ++i) {
    placement(static_cast<ValueId>(i)).root = graph().values[i].kind == Kind::state ? graph().values[i].state : static_cast<ValueId>(i);
    placement(static_cast<ValueId>(i)).row_stride = dense_row_stride(graph().values[i]);
  }
  const std::set<ValueId> outputs(graph().outputs.begin(), graph().outputs.end());
  for (const Node& n : graph().nodes) {
    const Value& from = value(n.in[0]);
    if ((only_renames(n.op) || n.op == "Identity") && from.kind != Kind::state && from.kind != Kind::weight && !outputs.contains(n.out[0])) {
      placement(n.out[0]) = {Ref{Space::none, placement(n.in[0]).ref.offset}, dense_row_stride(value(n.out[0])), placement(n.in[0]).root};
      continue;
    }
    if (n.op != "slice" && n.op != "reshape") continue;
    if (from.kind != Kind::computed || is_block_format(from.dtype) || outputs.contains(n.out[0])) continue;
    const Placement& p = placement(n.in[0]);
    Placement& view = placement(n.out[0]);
    const auto element = info_of(from.dtype).bytes;
    if (n.op == "slice") {
      if (!leading_extent_only(from.dims)) continue;
      view = {Ref{Space::none, p.ref.offset + n.attrs.i("start") * element}, p.row_stride, p.root};
    } else {
      const bool same_rows = !from.dims.empty() && !value(n.out[0]).dims.empty() && from.dims[0] == value(n.out[0]).dims[0];
      if (!same_rows) continue;
      view = {Ref{Space::none, p.ref.offset}, p.row_stride, p.root};
    }
  }
}

void Planner::place_fixed() {
  const auto external = [&](size_t i) { return Ref{static_cast<Space>(static_cast<size_t>(Space::count) + i), 0}; };
  if (plan.options.external) {
    for (size_t i = 0; i < graph().inputs.size(); ++i) placement(graph().inputs[i]).ref = external(i);
    for (size_t i = 0; i < graph().outputs.size(); ++i) placement(graph().outputs[i]).ref = external(graph().inputs.size() + i);
    for (size_t i = 0; i < graph().values.size(); ++i)
      if (graph().values[i].kind == Kind::weight) placement(static_cast<ValueId>(i)).ref = {Space::constant, reinterpret_cast<int64_t>(graph().values[i].bytes.data())};
    return;
  }
  for (ValueId v : graph().inputs) {
    placement(v).ref = {Space::input, static_cast<int64_t>(plan.input_bytes)};
    plan.input_bytes += round_up(max_bytes(graph(), value(v)) + kPad, 64);
  }
  for (size_t i = 0; i < graph().values.size(); ++i) {
    Value& v = graph().values[i];
    if (v.kind == Kind::weight) placement(static_cast<ValueId>(i)).ref = {Space::constant, reinterpret_cast<int64_t>(v.bytes.data())};
    if (v.kind == Kind::state && v.state == static_cast<ValueId>(i)) {
      placement(static_cast<ValueId>(i)).ref = {Space::state, static_cast<int64_t>(plan.state_bytes)};
      const size_t bytes = round_up(max_bytes(graph(), v) + kPad, 64);
      plan.state_bytes += bytes;
      if (v.state_kind != StateKind::recurrent) plan.kv_bytes += bytes;
    }
  }
  for (ValueId v : graph().outputs) {  // output i follows output i-1 row block by row block; one is usual
    placement(v).ref = {Space::output, 0};
    plan.output_row_bytes.push_back(static_cast<size_t>(placement(v).row_stride) * static_cast<size_t>(info_of(value(v).dtype).bytes));
  }
  for (size_t i = 0; i < graph().values.size(); ++i)
    if (graph().values[i].kind == Kind::state) placement(static_cast<ValueId>(i)).ref = placement(graph().values[i].state).ref;
}

void Planner::place_arena() {
  std::vector<Interval> intervals;
  std::vector<int32_t> of_value(graph().values.size(), -1);
  const auto n_nodes = static_cast<int32_t>(graph().nodes.size());
  for (int32_t i = 0; i < n_nodes; ++i) {
    const Node& n = graph().nodes[static_cast<size_t>(i)];
    const int32_t stage = stages[static_cast<size_t>(i)];
    for (ValueId v : n.out) {
      const ValueId root = placement(v).root;
      if (value(root).kind != Kind::computed || placement(root).ref || root != v) continue;
      of_value[static_cast<size_t>(v)] = static_cast<int32_t>(intervals.size());
      intervals.push_back({max_bytes(graph(), value(v)) + kPad, stage, stage});
    }
    for (ValueId v : n.in) {
      if (v == kNone || of_value[static_cast<size_t>(placement(v).root)] < 0) continue;
      int32_t& last = intervals[static_cast<size_t>(of_value[static_cast<size_t>(placement(v).root)])].last;
      last = std::max(last, stage);
    }
  }
  scratch_interval.assign(static_cast<size_t>(n_nodes), -1);
  for (int32_t i = 0; i < n_nodes; ++i) {
    const size_t bytes = plan.bindings[static_cast<size_t>(i)].scratch_bytes;
    if (bytes == 0) continue;
    scratch_interval[static_cast<size_t>(i)] = static_cast<int32_t>(intervals.size());
    intervals.push_back({bytes + kPad, stages[static_cast<size_t>(i)], stages[static_cast<size_t>(i)]});
  }
  plan.arena_bytes = assign_offsets(intervals);
  for (size_t i = 0; i < graph().values.size(); ++i)
    if (of_value[i] >= 0) plan.placements[i].ref = {Space::arena, static_cast<int64_t>(intervals[static_cast<size_t>(of_value[i])].offset)};
  for (size_t i = 0; i < graph().values.size(); ++i) {  // views: the root's place plus their own offset
    Placement& p = plan.placements[i];
    if (p.root == static_cast<ValueId>(i) || graph().values[i].kind == Kind::state) continue;
    const Ref root = placement(p.root).ref;
    p.ref = {root.space, root.offset + p.ref.offset};
  }
  for (int32_t& s : scratch_interval)
    if (s >= 0) s = static_cast<int32_t>(intervals[static_cast<size_t>(s)].offset / 64);
}

Operand Planner::operand(ValueId v) {
  Operand o;
  if (v == kNone) return o;
  const Value& x = value(v);
  o.dtype = x.dtype;
  o.dims = x.dims;
  o.state = x.state_kind;
  o.row_stride = placement(v).row_stride;
  o.ref = placement(v).ref;
  o.is_weight = x.kind == Kind::weight;
  o.also_linear = linear_weight[static_cast<size_t>(v)];
  if (!o.ref) o.ref.space = Space::arena;  // phase 1: present, not yet placed
  return o;
}

/// Phase 1 asks for kernels with sizes only; phase 2, when every offset is known, asks again and makes the steps.
Result<void> Planner::bind() {
  linear_weight.assign(graph().values.size(), false);
  for (const Node& n : graph().nodes)
    if (n.op == "linear" && value(n.in[1]).kind == Kind::weight) linear_weight[static_cast<size_t>(n.in[1])] = true;
  plan.bindings.clear();
  for (const Node& n : graph().nodes) {
    const OpDef* op = graph().find_op(n.op);
    if (op == nullptr) return internal_error("plan: node '{}' has unknown operator '{}'", n.name, n.op);
    std::vector<Operand> in, out;
    const size_t operands = op->max_in == kVariadic ? n.in.size() : static_cast<size_t>(op->max_in);
    for (size_t i = 0; i < operands; ++i) in.push_back(operand(i < n.in.size() ? n.in[i] : kNone));
    for (ValueId v : n.out) out.push_back(operand(v));
    const BindRequest request{&n, op, in, out, graph().symbols, plan.options.exact, plan.options.workers, plan.options.max_sequences, plan.options.max_context, store.cache != nullptr ? &store.cache->choices() : nullptr};
    const Node* node = &n;
    if (is_view(graph(), plan.placements, n)) {
      KernelBinding none;
      none.kernel = "view";
      plan.bindings.push_back(std::move(none));
      continue;
    }
    auto binding = provider.bind(request);
    if (!binding) return Error{binding.error().code, fmt::format("node '{}' ({}): {}", node->name, node->op, binding.error().message)};
    plan.bindings.push_back(*std::move(binding));
  }
  return {};
}

/// Packs in windows and gives the pages of each back, so that source and panels are never in memory whole together.
Result<void> Planner::pack_all(const Packing& packing, const Value& weight, std::byte* panels, bool give_back) {
  constexpr int64_t kWindowBytes = 8 << 20;
  const auto source_bytes = static_cast<int64_t>(weight.bytes.size());
  const bool windows = give_back && packing.reads != nullptr && source_bytes > kWindowBytes;
  const int64_t step = windows ? std::max<int64_t>(plan.options.workers, packing.pieces * kWindowBytes / source_bytes) : packing.pieces;
  for (int64_t first = 0; first < packing.pieces; first += step) {
    const int64_t n = std::min(step, packing.pieces - first);
    MAINSPRING_TRY_VOID(provider.prepack(packing, first, n, weight.bytes.data(), panels, plan.options.workers));
    if (!windows) continue;
    const auto [begin, unused] = packing.reads(packing.user.get(), first);
    const auto [last, size] = packing.reads(packing.user.get(), first + n - 1);
    if (begin <= last && last + size <= weight.bytes.size()) release.release(release.user, weight.bytes.subspan(begin, last + size - begin));
  }
  if (give_back) release.release(release.user, weight.bytes);
  return {};
}

Result<std::shared_ptr<PanelStore::Panels>> Planner::pack(const Packing& packing, const Value& weight, bool give_back) {
  const std::string key = panel_key(weight, packing);
  const std::string name = name_of(packing, weight);
  if (!name.empty() && proved(packing, weight, name))
    if (auto kept = store.get_cached(key, name, packing.bytes)) return kept;
  MAINSPRING_TRY(auto panels, store.get(context, key, packing.bytes, slab));
  const std::lock_guard lock(panels->packing);
  if (!panels->packed) {
    MAINSPRING_TRY_VOID(pack_all(packing, weight, panels->data, give_back));
    panels->kept_as = name;
    panels->packed = true;
  }
  return panels;
}

/// A build under way may change what a layout's name means. So the first panels of each layout that come from the cache are packed anew in part
/// and compared; if they differ, nothing of that layout is taken.
bool Planner::proved(const Packing& packing, const Value& weight, const std::string& name) {
  if (const auto known = proofs.find(packing.layout); known != proofs.end()) return known->second;
  const PlanCache::Kept kept = store.cache->find(name, packing.bytes);
  if (kept.data == nullptr || packing.pieces < 1) return false;
  bool same = false;
  if (auto trial = Buffer::create(context, packing.bytes, "a trial of packing"); trial && provider.prepack(packing, 0, 1, weight.bytes.data(), trial->data(), 1))
    same = std::memcmp(trial->data(), kept.data, packing.bytes / static_cast<size_t>(packing.pieces)) == 0;
  return proofs[packing.layout] = same;
}

/// After the first start: all panels of the plan, those that came from the cache too.
void Planner::keep() {
  if (store.cache == nullptr || plan.options.dry) return;
  std::vector<PlanCache::Entry> entries;
  bool fresh = store.cache->choices().take_news();
  for (const auto& p : plan.panels) {
    if (p->kept_as.empty()) continue;
    entries.push_back({p->kept_as, {p->data, p->bytes}});
    const std::lock_guard lock(p->packing);
    fresh |= !p->kept;
    p->kept = true;
  }
  if (fresh) store.cache->store(std::move(entries));
}

/// A weight that some kernel reads as it stands in the file keeps its pages.
void Planner::find_needed_sources() {
  source_needed.assign(graph().values.size(), false);
  for (size_t i = 0; i < graph().nodes.size(); ++i) {
    const Node& n = graph().nodes[i];
    std::vector<bool> packed(n.in.size(), false);
    for (const Packing& p : plan.bindings[i].packings) packed[static_cast<size_t>(p.input)] = true;
    for (size_t k = 0; k < n.in.size(); ++k)
      if (n.in[k] != kNone && !packed[k] && value(n.in[k]).kind == Kind::weight) source_needed[static_cast<size_t>(n.in[k])] = true;
  }
}

/// Adds up what neither the store holds yet nor the cache.
void Planner::expect_panels() {
  std::set<std::string> seen;
  for (size_t i = 0; i < graph().nodes.size(); ++i)
    for (const Packing& p : plan.bindings[i].packings) {
      const Value& weight = value(graph().nodes[i].in[static_cast<size_t>(p.input)]);
      const std::string key = panel_key(weight, p), name = name_of(p, weight);
      if (!seen.insert(key).second || store.holds(key)) continue;
      if (name.empty() || !proved(p, weight, name) || store.cache->find(name, p.bytes).data == nullptr) slab.expected += round_up(p.bytes, Buffer::kAlignment);
    }
}

/// By stage. The second steps of a stage's nodes come after all first ones: they read what these have made.
void Planner::list_steps(const std::vector<std::vector<Step>>& by_node) {
  const int32_t last = stages.empty() ? -1 : *std::max_element(stages.begin(), stages.end());
  std::vector<std::vector<int32_t>> members(static_cast<size_t>(last + 1));
  for (size_t i = 0; i < stages.size(); ++i)
    if (!by_node[i].empty()) members[static_cast<size_t>(stages[i])].push_back(static_cast<int32_t>(i));
  for (const std::vector<int32_t>& stage : members) {
    size_t most = 0;
    for (const int32_t i : stage) most = std::max(most, by_node[static_cast<size_t>(i)].size());
    for (size_t k = 0; k < most; ++k) {
      bool beside = false;
      for (const int32_t i : stage) {
        if (k >= by_node[static_cast<size_t>(i)].size()) continue;
        plan.steps.push_back(by_node[static_cast<size_t>(i)][k]);
        plan.steps.back().beside = std::exchange(beside, true);
        plan.step_node.push_back(i);
      }
    }
  }
}

Result<void> Planner::finish() {
  find_needed_sources();
  if (!plan.options.dry) expect_panels();
  std::set<std::string> seen;
  std::vector<std::vector<Step>> steps(graph().nodes.size());
  for (size_t i = 0; i < graph().nodes.size(); ++i) {
    const Node& n = graph().nodes[i];
    KernelBinding& b = plan.bindings[i];
    PlannedNode planned{static_cast<NodeId>(i), stages[i], 0, b.kernel, b.why, b.bytes_read, b.ops_per_row, {}};
    plan.worker_scratch_bytes = std::max(plan.worker_scratch_bytes, round_up(b.worker_scratch_bytes, 64));
    plan.bytes_per_token += b.bytes_read;
    std::vector<const std::byte*> addresses;
    for (const Packing& p : b.packings) {
      const ValueId id = n.in[static_cast<size_t>(p.input)];
      const Value& weight = value(id);
      planned.layouts.push_back(p.layout);
      if (seen.insert(fmt::format("{}/{}", id, p.layout)).second) plan.panel_bytes += p.bytes;
      if (plan.options.dry) continue;
      const bool give_back = !source_needed[static_cast<size_t>(id)] && weight.source >= 0 && release.release != nullptr;
      MAINSPRING_TRY(auto panels, pack(p, weight, give_back));
      addresses.push_back(panels->data);
      plan.panels.push_back(std::move(panels));
    }
    if (!plan.options.dry && b.finish != nullptr) {
      const Ref scratch = scratch_interval[i] >= 0 ? Ref{Space::arena, int64_t{scratch_interval[i]} * 64} : Ref{};
      steps[i] = b.finish(b, addresses, scratch);
    }
    planned.n_steps = static_cast<int32_t>(steps[i].size());
    plan.nodes.push_back(std::move(planned));
  }
  list_steps(steps);
  for (size_t i = 0; i < graph().values.size(); ++i)
    if (source_needed[i]) plan.source_bytes += graph().values[i].bytes.size();
  return {};
}

}  // namespace

int64_t dense_row_stride(const Value& value) {
  int64_t n = 1;
  for (size_t i = 1; i < value.dims.size(); ++i) n *= value.dims[i].times;
  if (!is_quantised_rows(value.dtype)) return n;
  const int64_t k = value.dims.empty() ? 1 : value.dims.back().times;
  const int64_t row = static_cast<int64_t>(quantised_row_bytes(value.dtype, k));
  return value.dims.size() <= 2 ? row : n / std::max<int64_t>(k, 1) * row;
}

size_t bytes_of(const Value& value, int64_t n) {
  const auto rows = static_cast<size_t>(n);
  if (is_quantised_rows(value.dtype)) return rows * static_cast<size_t>(dense_row_stride(value));
  if (is_kv(value.state_kind)) {
    const int64_t d = value.dims[value.state_kind == StateKind::kv_keys ? 2 : 3].times;
    return rows * static_cast<size_t>(kv_block_bytes(value.dtype, dense_row_stride(value), d));
  }
  const DTypeInfo info = info_of(value.dtype);
  const size_t elements = rows * static_cast<size_t>(dense_row_stride(value));
  return (elements + static_cast<size_t>(info.block) - 1) / static_cast<size_t>(info.block) * static_cast<size_t>(info.bytes);
}

size_t max_bytes(const Graph& graph, const Value& value) {
  std::vector<int64_t> maxima;
  for (const Symbol& s : graph.symbols) maxima.push_back(s.max);
  return bytes_of(value, value.dims.empty() ? 1 : value.dims[0].at(maxima));
}

bool PanelStore::holds(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = panels_.find(key);
  return it != panels_.end() && !it->second.expired();
}

Result<std::shared_ptr<PanelStore::Panels>> PanelStore::get(const Context& context, const std::string& key, size_t bytes, Slab& slab) {
  const std::lock_guard lock(mutex_);
  if (auto held = panels_[key].lock()) return held;
  const size_t room = round_up(bytes, Buffer::kAlignment);
  if (slab.buffer == nullptr || slab.buffer->size() - slab.used < room) {
    const size_t size = std::max(room, std::min(kSlabBytes, slab.expected));
    MAINSPRING_TRY(Buffer buffer, Buffer::create(context, size, "packed weights"));
    slab.buffer = std::make_shared<Buffer>(std::move(buffer));
    slab.used = 0;
  }
  auto panels = std::make_shared<Panels>();
  panels->owner = slab.buffer;
  panels->bytes = bytes;
  panels->data = slab.buffer->data() + slab.used;
  slab.used += room;
  slab.expected -= std::min(slab.expected, room);
  panels_[key] = panels;
  return panels;
}

std::shared_ptr<PanelStore::Panels> PanelStore::get_cached(const std::string& key, const std::string& name, size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (auto held = panels_[key].lock()) return held;
  const PlanCache::Kept kept = cache->find(name, bytes);
  if (kept.data == nullptr) return nullptr;
  auto panels = std::make_shared<Panels>();
  panels->owner = kept.owner;
  panels->data = const_cast<std::byte*>(kept.data);
  panels->bytes = bytes;
  panels->kept_as = name;
  panels->packed = panels->from_cache = panels->kept = true;
  panels_[key] = panels;
  return panels;
}

Result<std::shared_ptr<const Plan>> make_plan(Graph graph, const PlanOptions& options, Provider& provider, const Context& context, PanelStore& store,
                                              const SourceRelease& release) {
  auto plan = std::make_shared<Plan>();
  plan->graph = std::move(graph);
  plan->options = options;
  Planner planner{*plan, provider, context, store, release, {}, {}, {}, {}, {}, {}};
  planner.resolve_views();
  planner.stages = stages_of(plan->graph, plan->placements);
  planner.place_fixed();
  MAINSPRING_TRY_VOID(planner.bind());
  planner.place_arena();
  MAINSPRING_TRY_VOID(planner.bind());
  MAINSPRING_TRY_VOID(planner.finish());
  planner.keep();
  return std::shared_ptr<const Plan>(std::move(plan));
}

}  // namespace mainspring::inline v0
