// Session::run: names to positions, profiles, and the call's stop conditions around a GraphRunner.
#include <algorithm>

#include "core/clock.h"
#include "core/context_impl.h"
#include "core/error.h"
#include "runtime/session_impl.h"

namespace mainspring::inline v0 {
namespace {

/// Elements of an input at one end of the profiles; empty where an extent has no range.
std::optional<Shape> shape_at(const PortInfo& port, std::span<const std::pair<std::string, SymbolRange>> profiles, int64_t SymbolRange::*end) {
  Shape shape;
  if (!port.ranked || port.sequence || port.optional) return std::nullopt;
  for (size_t i = 0; i < port.dims.size(); ++i) {
    int64_t n = port.extents[i];
    for (const auto& [name, range] : profiles)
      if (n < 0 && name == port.dims[i]) n = range.*end;
    if (n < 0) return std::nullopt;
    shape.push_back(n);
  }
  return shape;
}

std::string names_of(std::span<const PortInfo> ports) {
  std::string all;
  for (const PortInfo& p : ports) all += (all.empty() ? "" : ", ") + p.name;
  return all.empty() ? "none" : all;
}

bool names_extent(std::span<const PortInfo> ports, std::string_view name) {
  return std::any_of(ports.begin(), ports.end(), [&](const PortInfo& p) {
    for (size_t i = 0; i < p.dims.size(); ++i)
      if (p.extents[i] < 0 && p.dims[i] == name) return true;
    return false;
  });
}

}  // namespace

Result<void> Session::Impl::make_graph() {
  for (const auto& [name, r] : options.profiles) {
    if (!names_extent(model.inputs(), name)) return invalid("session: profile '{}' names no extent of the graph's inputs", name);
    if (r.min < 0 || r.min > r.opt || r.opt > r.max) return invalid("session: profile '{}' is {} to {} to {}, expected rising extents", name, r.min, r.opt, r.max);
  }
  MAINSPRING_TRY(tensors, prepared_tensors(*model.impl(), options.exact));
  host.context = model.context();
  host.provider = model.impl()->provider.get();
  host.panels = &model.impl()->panels;
  host.release = release_of(*model.impl());
  host.options.exact = options.exact;
  host.options.workers = options.threads;
  host.options.external = true;
  host.passes = model.context().impl()->environment().passes;
  runner = std::make_unique<GraphRunner>(*tensors, host);
  run_inputs.resize(model.inputs().size());
  run_outputs.resize(model.outputs().size());
  if (options.profiles.empty()) return {};
  for (int64_t SymbolRange::*end : {&SymbolRange::max, &SymbolRange::opt}) {  // memory for the largest first
    std::vector<Datum> like;
    for (const PortInfo& port : model.inputs()) {
      const auto shape = shape_at(port, options.profiles, end);
      if (!shape) return {};
      MAINSPRING_TRY(Tensor t, Tensor::make(model.context().impl()->allocator(), port.dtype, *shape));
      if (!t.bytes().empty()) std::memset(t.data(), 0, t.bytes().size());
      like.emplace_back(std::move(t));
    }
    MAINSPRING_TRY_VOID(runner->prepare(like));
  }
  return {};
}

Result<void> Session::Impl::check_profiles() const {
  for (size_t i = 0; i < run_inputs.size(); ++i) {
    if (!run_inputs[i].is_tensor()) continue;
    const PortInfo& port = model.inputs()[i];
    const Shape& shape = run_inputs[i].tensor.shape();
    for (size_t k = 0; k < port.dims.size() && static_cast<int>(k) < shape.rank(); ++k)
      for (const auto& [name, range] : options.profiles) {
        const int64_t n = shape[static_cast<int>(k)];
        if (port.extents[k] < 0 && name == port.dims[k] && (n < range.min || n > range.max))
          return invalid("run: input '{}' has {} = {}, the session's profile is {} to {}", port.name, name, n, range.min, range.max);
      }
  }
  return {};
}

Result<void> Session::Impl::gather_inputs(std::span<const NamedTensor> inputs) {
  if (runner == nullptr) return invalid("session: a language model is stepped, not run");
  if (runner->in_progress()) return invalid("session: a run is in progress, resume it first");
  for (Datum& d : run_inputs) d = {};
  const auto ports = model.inputs();
  for (const NamedTensor& n : inputs) {
    const auto port = std::find_if(ports.begin(), ports.end(), [&](const PortInfo& p) { return p.name == n.name; });
    if (port == ports.end()) return invalid("run: the graph has no input '{}', it has {}", n.name, names_of(ports));
    Datum& slot = run_inputs[static_cast<size_t>(port - ports.begin())];
    if (slot) return invalid("run: input '{}' is given twice", n.name);
    slot = n.value;
  }
  for (size_t i = 0; i < ports.size(); ++i)
    if (!run_inputs[i] && !ports[i].optional) return invalid("run: input '{}' was not given", ports[i].name);
  return check_profiles();
}

Result<RunResult> Session::Impl::advance_run(const RunOptions& run) {
  host.stop = {};
  host.stop.cancel = run.cancel;
  if (run.budget.count() > 0) host.stop.deadline_ns = now_ns() + run.budget.count();
  MAINSPRING_TRY(const bool done, runner->advance());
  RunResult result;
  result.in_progress = !done;
  if (!done) return result;
  const bool all_bound = std::all_of(bound_outputs.begin(), bound_outputs.end(), [](const Datum& d) { return d.is_tensor(); });
  if (!all_bound)
    for (size_t i = 0; i < run_outputs.size(); ++i) {
      result.names.push_back(model.outputs()[i].name);
      result.values.push_back(bound_outputs[i].is_tensor() ? Datum() : std::move(run_outputs[i]));
    }
  for (Datum& d : run_inputs) d = {};
  for (Datum& d : run_outputs) d = {};
  for (Datum& d : bound_outputs) d = {};
  return result;
}

Result<RunResult> Session::run(std::span<const NamedTensor> inputs, std::span<const NamedTensor> outputs, const RunOptions& options) {
  Impl& s = *impl_;
  MAINSPRING_TRY_VOID(s.gather_inputs(inputs));
  const auto ports = s.model.outputs();
  s.bound_outputs.assign(ports.size(), Datum());
  for (const NamedTensor& n : outputs) {
    const auto port = std::find_if(ports.begin(), ports.end(), [&](const PortInfo& p) { return p.name == n.name; });
    if (port == ports.end()) return invalid("run: the graph has no output '{}', it has {}", n.name, names_of(ports));
    if (port->dtype == DType::string) return invalid("run: output '{}' is of strings, whose characters the memory given for it does not hold", n.name);
    Datum& bound = s.bound_outputs[static_cast<size_t>(port - ports.begin())];
    if (bound) return invalid("run: output '{}' is given twice", n.name);
    bound = n.value;
  }
  s.run_outputs = s.bound_outputs;
  MAINSPRING_TRY_VOID(s.runner->start(s.run_inputs, s.run_outputs));
  return s.advance_run(options);
}

Result<RunResult> Session::run(std::initializer_list<NamedTensor> inputs, std::initializer_list<NamedTensor> outputs, const RunOptions& options) {
  return run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()), options);
}

Result<RunResult> Session::resume_run(const RunOptions& options) {
  if (impl_->runner == nullptr || !impl_->runner->in_progress()) return invalid("session: no run is in progress");
  return impl_->advance_run(options);
}

Result<void> Session::prepare(std::span<const NamedTensor> inputs) {
  MAINSPRING_TRY_VOID(impl_->gather_inputs(inputs));
  auto made = impl_->runner->prepare(impl_->run_inputs);
  for (Datum& d : impl_->run_inputs) d = {};
  return made;
}

MemoryUse Session::memory() const {
  if (impl_->runner == nullptr) return impl_->memory;
  MemoryUse m;
  for (const Plan* plan : impl_->runner->plans()) {
    m.panels += plan->panel_bytes;
    m.weights_file += plan->source_bytes;
  }
  m.arena = impl_->host.arena.size();
  return m;
}

}  // namespace mainspring::inline v0
