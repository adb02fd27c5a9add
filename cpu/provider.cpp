#include "cpu/provider.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/context_impl.h"
#include "core/error.h"
#include "cpu/bind/bind.h"
#include "cpu/bind/tensor_binders.h"
#include "cpu/binding.h"
#include "cpu/executor.h"

namespace mainspring::inline v0::cpu {
namespace {

struct BinderLine {
  std::string_view op;
  Binder bind;
};
constexpr BinderLine kBinders[] = {
#define MAINSPRING_CPU_BINDER(op, function) {#op, function},
#include "cpu/binders.inc"
#undef MAINSPRING_CPU_BINDER
};

struct PackJob {
  const Packing* packing;
  const std::byte* source;
  std::byte* panels;
  int64_t end;
  std::atomic<int64_t> next;
  static void body(void* self, int) {
    auto* job = static_cast<PackJob*>(self);
    for (int64_t i; (i = job->next.fetch_add(1, std::memory_order_relaxed)) < job->end;) job->packing->pack(job->packing->user.get(), job->source, i, job->panels);
  }
};

class CpuProvider final : public Provider {
 public:
  CpuProvider(const Context& context, IsaSet isa) : context_(context), isa_(isa) {}

  ProviderInfo info() const override {
    std::string device;
    for (int i = 0; i < kIsas; ++i)
      if (isa_.has(static_cast<Isa>(i))) device += (device.empty() ? "" : " ") + std::string(name_of(static_cast<Isa>(i)));
    return {"cpu", device, processor_name()};
  }
  Result<std::byte*> allocate(size_t bytes) override {
    void* p = context_.impl()->allocator().allocate(bytes, Buffer::kAlignment);
    if (p == nullptr) return out_of_memory("cpu: the allocator gave no {} bytes", bytes);
    return static_cast<std::byte*>(p);
  }
  void release(std::byte* memory, size_t bytes) override { context_.impl()->allocator().release(memory, bytes, Buffer::kAlignment); }
  Result<void> copy(std::byte* to, const std::byte* from, size_t bytes) override {
    std::memmove(to, from, bytes);
    return {};
  }

  Result<KernelBinding> bind(const BindRequest& request) override {
    const Binder binder = binder_of(request.node->op);
    std::string why = "no kernel for this operator";
    if (binder != nullptr) {
      auto bound = binder(request, isa_);
      if (bound || bound.error().code != Errc::unsupported) return bound;
      why = std::move(bound).error().message;
    }
    if (request.op->reference == nullptr) return unsupported("{}", why);
    return reference_binding(request, std::move(why));
  }

  Result<void> prepack(const Packing& packing, int64_t first, int64_t n, const std::byte* source, std::byte* panels, int workers) override {
    PackJob job{&packing, source, panels, first + n, first};
    Parallel* parallel = workers > 1 && n > 1 ? &context_.impl()->parallel() : nullptr;
    if (parallel != nullptr) parallel->run(static_cast<int>(std::min<int64_t>(workers, n)), PackJob::body, &job);
    else PackJob::body(&job, 0);
    return {};
  }

  Result<std::unique_ptr<RunState>> make_run(size_t n_steps, int workers) override {
    if (n_steps >= (size_t{1} << 20)) return unsupported("cpu: the plan has {} steps, at most {}", n_steps, (size_t{1} << 20) - 1);
    auto* executor = new (std::nothrow) Executor(workers > 1 ? &context_.impl()->parallel() : nullptr, workers);
    if (executor == nullptr) return out_of_memory("cpu: no memory for the executor ({} bytes)", sizeof(Executor));
    return std::unique_ptr<RunState>(executor);
  }
  RunStatus run(std::span<const Step> steps, const StepEnv& env, RunState& state, bool fresh, const StopConditions& stop) override {
    return static_cast<Executor&>(state).run(steps, env, fresh, stop);
  }

 private:
  Context context_;
  IsaSet isa_;
};

}  // namespace

Binder binder_of(std::string_view op) {
  // Operators of com.microsoft stand in the table under their symbols: ms_QGemm.
  constexpr std::string_view kMicrosoft = "com.microsoft.", kSymbol = "ms_";
  const bool microsoft = op.substr(0, kMicrosoft.size()) == kMicrosoft;
  if (microsoft) op.remove_prefix(kMicrosoft.size());
  for (const BinderLine& line : kBinders) {
    const bool symbol = line.op.substr(0, kSymbol.size()) == kSymbol;
    if (symbol == microsoft && (symbol ? line.op.substr(kSymbol.size()) : line.op) == op) return line.bind;
  }
  return nullptr;
}

std::unique_ptr<Provider> make_provider(const Context& context, IsaSet isa) { return std::make_unique<CpuProvider>(context, isa); }

}  // namespace mainspring::inline v0::cpu

namespace mainspring::inline v0 {

/// lib/runtime/providers.inc
Result<std::unique_ptr<Provider>> make_cpu_provider(const Context& context) {
  const std::string& name = context.impl()->cpu_isa();
  IsaSet allowed{(1u << kIsas) - 1};
  if (!name.empty()) {
    MAINSPRING_TRY(allowed, cap(allowed, name));
  }
  if (allowed.has(Isa::amx)) request_tiles();
  return cpu::make_provider(context, {detect_isa().bits & allowed.bits});
}

}  // namespace mainspring::inline v0
