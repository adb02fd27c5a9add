// What every CPU binder shares: parameter blocks for steps, and the table op → binder.
// In: a BindRequest. Out: a KernelBinding whose steps call kernels of cpu/kernels. Must not know graphs, plans or sessions.
#pragma once

#include <memory>
#include <utility>

#include "core/error.h"
#include "cpu/isa.h"
#include "mainspring/ext/provider.h"

namespace mainspring::inline v0::cpu {

/// An operand inside a step's parameters: resolve with env.at(ref).
struct Arg {
  Ref ref;
  DType dtype = DType::f32;
  int64_t row_stride = 0;   ///< as Operand::row_stride
  Dim rows;                 ///< outermost extent
  int64_t inner = 1;        ///< product of the other extents (constants)
  explicit operator bool() const { return ref.space != Space::none; }
  template <class T> T* at(const StepEnv& env) const { return reinterpret_cast<T*>(env.at(ref)); }
  /// Start of row r, for scalar dtypes.
  template <class T> T* row(const StepEnv& env, int64_t r) const { return at<T>(env) + r * row_stride; }
};

inline Arg arg_of(const Operand& o) {
  Arg a{o.ref, o.dtype, o.row_stride, o.dims.empty() ? Dim(1) : o.dims[0], 1};
  for (size_t i = 1; i < o.dims.size(); ++i) a.inner *= o.dims[i].times;
  return a;
}

using Run = void (*)(const void*, const StepEnv&, int64_t, int);
using Tiles = int64_t (*)(const void*, const StepEnv&);

/// A binding of one step with parameters P (copied). `bytes`: as Step's, null where the operands say it.
template <class P>
KernelBinding one_step(std::string kernel, P params, Run run, Tiles tiles, Tiles bytes = nullptr) {
  struct Block { P params; Run run; Tiles tiles, bytes; };
  auto block = std::make_shared<Block>(Block{std::move(params), run, tiles, bytes});
  KernelBinding b;
  b.kernel = std::move(kernel);
  b.params = block;
  b.finish = [](const KernelBinding& self, std::span<const std::byte* const>, Ref) {
    auto* p = static_cast<Block*>(self.params.get());
    return std::vector<Step>{Step{p->run, p->tiles, &p->params, p->bytes}};
  };
  return b;
}

/// Accepts or refuses (unsupported, with the reason) a node for this CPU. Refused nodes run the operator's reference.
using Binder = Result<KernelBinding> (*)(const BindRequest& request, IsaSet isa);

/// The binder of an op, or null: cpu/binders.inc.
Binder binder_of(std::string_view op);

}  // namespace mainspring::inline v0::cpu
