// Fused chains of element-by-element operations under broadcasting, one pass over memory. In: a program and extents, at bind. Out: a plan that runs any
// stretch of the output's elements. Must not know operators of graphs or steps.
//
// An element's result depends on its own operands only, so a cut between two stretches changes no bit. The bound is the memory that is read and
// written: intermediate results stay in strips that fit the nearest cache.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "cpu/isa.h"
#include "cpu/kernels/chain/chain_args.h"
#include "ops/numeric/chain.h"

namespace mainspring::inline v0 {

struct ChainKernel {
  const char* name;  ///< "avx2"
  Isa isa;
  const ChainIsa* fn;
};

/// Every kernel, best first (kernels.inc).
std::span<const ChainKernel> chain_kernels();
/// The best kernel for this machine; there is always one.
const ChainKernel& select_chain(IsaSet isa);

class ChainPlan {
 public:
  /// An operand: its dtype, and elements from one index of each of the output's extents to the next (0: stands still).
  struct Operand {
    DType dtype = DType::f32;
    std::vector<int64_t> strides{};
  };
  /// `program` of `operands.size()` operands over an output of these extents (at most Shape::kMaxRank * 2 of them).
  ChainPlan(const ChainProgram& program, std::span<const int64_t> dims, std::span<const Operand> operands, const ChainKernel& kernel);

  int64_t elements() const { return elements_; }
  /// Stretches begin at multiples of this.
  int64_t grain() const { return grain_; }
  /// What an element costs: 1 for an addition, more for exp and its kind.
  int64_t cost() const { return cost_; }
  size_t scratch_bytes() const;
  /// Elements [first, last) of the outputs.
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, int64_t first, int64_t last, std::byte* scratch) const;

 private:
  enum class Way : uint8_t {
    still,     ///< one element for all
    dense,     ///< laid out as the output
    run,       ///< along an inner run, which is long: addressed
    periodic,  ///< the same in every inner run, which is short: laid out once a stretch
    laid_out,  ///< short runs, laid out in each strip
  };
  struct Input {
    DType dtype;
    Way way;
    std::vector<int64_t> strides;
    int buffer = -1;  ///< where it is converted or laid out
  };
  struct Planned {
    ChainOp op;
    int arity, source[3];  ///< sources: inputs, then constants, then steps
    int buffer = -1, output = -1;
  };
  template <class T>
  struct Runner;
  template <class T>
  void run_as(std::span<const std::byte* const> in, std::span<std::byte* const> out, int64_t first, int64_t last, std::byte* scratch) const;
  void coalesce(std::span<const int64_t> dims, std::span<const Operand> operands);
  void place_steps(const ChainProgram& program);

  const ChainIsa* fn_;
  bool integer_;
  std::vector<int64_t> dims_;  ///< coalesced; the last is the inner run
  int64_t elements_ = 1, inner_ = 1, strip_ = 1, grain_ = 1, cost_ = 1;
  bool long_runs_ = true;
  std::vector<Input> inputs_;
  std::vector<float> floats_;
  std::vector<int64_t> integers_;
  std::vector<Planned> steps_;
  std::vector<DType> types_;
  int buffers_ = 0;
};

}  // namespace mainspring::inline v0
