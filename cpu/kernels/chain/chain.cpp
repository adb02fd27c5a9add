#include "cpu/kernels/chain/chain.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "cpu/kernels/chain/convert.h"

namespace mainspring::inline v0 {

#define MAINSPRING_CHAIN_KERNEL(isa) extern const ChainIsa chain_##isa;
#include "cpu/kernels/chain/kernels.inc"
#undef MAINSPRING_CHAIN_KERNEL

namespace {

const ChainKernel kKernels[] = {
#define MAINSPRING_CHAIN_KERNEL(isa) {#isa, Isa::isa, &chain_##isa},
#include "cpu/kernels/chain/kernels.inc"
#undef MAINSPRING_CHAIN_KERNEL
};

// All strips of a program together: half of a 32 KB level 1 cache, the rest is for what streams by.
constexpr int64_t kStripBytes = 16384, kLongestStrip = 1024, kShortestStrip = 64;
constexpr size_t kMostRank = 2 * static_cast<size_t>(Shape::kMaxRank);

template <ChainOp op>
void integers(const ChainArgs<int64_t>& s) {
  const int64_t a = *s.a, b = *s.b, c = *s.c;  // y may lie where one of them does
  for (int64_t i = 0; i < s.n; ++i) s.y[i] = chain_value(op, s.step_a ? s.a[i] : a, s.step_b ? s.b[i] : b, s.step_c ? s.c[i] : c);
}
template <size_t... op>
constexpr auto integer_table(std::index_sequence<op...>) {
  return std::array<void (*)(const ChainArgs<int64_t>&), sizeof...(op)>{integers<static_cast<ChainOp>(op)>...};
}
constexpr auto kIntegers = integer_table(std::make_index_sequence<static_cast<size_t>(ChainOp::count)>());

constexpr int64_t rounded(int64_t n) { return (n + 15) / 16 * 16; }

int64_t cost_of(ChainOp op) {
  switch (op) {
    case ChainOp::pow: return 60;
    case ChainOp::exp: case ChainOp::sigmoid: case ChainOp::silu: case ChainOp::gelu: case ChainOp::elu: return 4;
    case ChainOp::log: case ChainOp::erf: case ChainOp::tanh: case ChainOp::sin: case ChainOp::cos: case ChainOp::atan: case ChainOp::softplus:
    case ChainOp::gelu_erf: case ChainOp::mish: return 6;
    default: return 0;
  }
}

}  // namespace

std::span<const ChainKernel> chain_kernels() { return kKernels; }

const ChainKernel& select_chain(IsaSet isa) {
  for (const ChainKernel& k : kKernels)
    if (isa.has(k.isa)) return k;
  return kKernels[std::size(kKernels) - 1];
}

ChainPlan::ChainPlan(const ChainProgram& program, std::span<const int64_t> dims, std::span<const Operand> operands, const ChainKernel& kernel)
    : fn_(kernel.fn), integer_(program.integer), types_(program.types) {
  for (const double v : program.constants) {
    floats_.push_back(static_cast<float>(v));
    integers_.push_back(static_cast<int64_t>(v));
  }
  coalesce(dims, operands);
  place_steps(program);
  const int64_t width = integer_ ? 8 : 4;
  int64_t most = std::clamp(kStripBytes / (width * std::max(buffers_, 1)) / 64 * 64, kShortestStrip, kLongestStrip);
  long_runs_ = inner_ >= most || dims_.size() == 1;
  if (long_runs_) {
    const int64_t cuts = std::max<int64_t>(1, (inner_ + most - 1) / most);
    strip_ = rounded((inner_ + cuts - 1) / cuts);
    grain_ = 16;
  } else {
    strip_ = grain_ = most / inner_ * inner_;
  }
  // What each operand is, and which need a strip of their own.
  const DType own = integer_ ? DType::i64 : DType::f32;
  for (Input& in : inputs_) {
    std::vector<int64_t> dense(dims_.size(), 1);
    for (size_t d = dims_.size(); d-- > 1;) dense[d - 1] = dense[d] * dims_[d];
    const bool still = std::all_of(in.strides.begin(), in.strides.end(), [](int64_t s) { return s == 0; });
    const bool outer_still = std::all_of(in.strides.begin(), in.strides.end() - 1, [](int64_t s) { return s == 0; });
    in.way = still ? Way::still : in.strides == dense ? Way::dense : long_runs_ ? Way::run : outer_still ? Way::periodic : Way::laid_out;
    if (in.dtype != own || in.way == Way::periodic || in.way == Way::laid_out) in.buffer = buffers_++;
  }
  most = std::clamp(kStripBytes / (width * std::max(buffers_, 1)) / 64 * 64, kShortestStrip, kLongestStrip);
  if (!long_runs_) strip_ = grain_ = std::max<int64_t>(1, most / inner_) * inner_;
  else strip_ = std::min(strip_, most);
}

/// Neighbouring extents that every operand walks as one become one; extents of one element go.
void ChainPlan::coalesce(std::span<const int64_t> dims, std::span<const Operand> operands) {
  for (const Operand& o : operands) inputs_.push_back({o.dtype, Way::still, {}});
  for (size_t d = 0; d < dims.size(); ++d) {
    elements_ *= dims[d];
    if (dims[d] == 1) continue;
    bool joined = !dims_.empty();
    for (size_t i = 0; joined && i < operands.size(); ++i) joined = inputs_[i].strides.back() == operands[i].strides[d] * dims[d];
    if (joined) dims_.back() *= dims[d];
    else dims_.push_back(dims[d]);
    for (size_t i = 0; i < operands.size(); ++i) {
      if (joined) inputs_[i].strides.back() = operands[i].strides[d];
      else inputs_[i].strides.push_back(operands[i].strides[d]);
    }
  }
  if (dims_.empty()) {
    dims_.push_back(1);
    for (Input& in : inputs_) in.strides.push_back(0);
  }
  inner_ = std::max<int64_t>(1, dims_.back());
}

/// A strip for each result that is no output of its own type, from its step to its last use.
void ChainPlan::place_steps(const ChainProgram& program) {
  const auto n_in = static_cast<int>(inputs_.size()), n_constants = static_cast<int>(floats_.size());
  const auto index = [&](int64_t v) {
    if (v >= kChainSteps) return n_in + n_constants + static_cast<int>(v - kChainSteps);
    return v >= kChainConstants ? n_in + static_cast<int>(v - kChainConstants) : static_cast<int>(v);
  };
  const size_t n = program.steps.size();
  std::vector<size_t> last(n, 0);
  for (size_t s = 0; s < n; ++s) {
    const ChainStep& step = program.steps[s];
    const int64_t reads[] = {step.a, step.b, step.c};
    Planned p{step.op, chain_arity(step.op), {}};
    for (int i = 0; i < 3; ++i) p.source[i] = index(reads[i < p.arity ? i : 0]);
    for (int i = 0; i < p.arity; ++i)
      if (reads[i] >= kChainSteps) last[static_cast<size_t>(reads[i] - kChainSteps)] = s;
    cost_ += 1 + cost_of(step.op);
    steps_.push_back(p);
  }
  for (size_t o = 0; o < program.outputs.size(); ++o) steps_[static_cast<size_t>(program.outputs[o] - kChainSteps)].output = static_cast<int>(o);
  std::vector<int> free;
  for (size_t s = 0; s < n; ++s) {
    for (size_t r = 0; r < s; ++r)
      if (last[r] == s) free.push_back(steps_[r].buffer);
    if (free.empty()) free.push_back(buffers_++);
    steps_[s].buffer = free.back();
    free.pop_back();
    if (last[s] == 0) free.push_back(steps_[s].buffer);  // nobody reads it again
  }
}

size_t ChainPlan::scratch_bytes() const { return static_cast<size_t>(std::max(buffers_, 1) * rounded(strip_) * (integer_ ? 8 : 4)); }

/// One stretch on its way: where every operand stands, and what the strip's sources are.
template <class T>
struct ChainPlan::Runner {
  struct Source {
    const T* at;
    bool step;
  };
  struct Cursor {
    int64_t index[kMostRank], offset;
  };
  const ChainPlan& p;
  std::span<const std::byte* const> in;
  std::span<std::byte* const> out;
  T* scratch;
  Source sources[kMaxChainOperands + kMaxChainConstants + kMaxChainSteps] = {};
  Cursor cursors[kMaxChainOperands] = {};

  T* buffer(int i) const { return scratch + i * rounded(p.strip_); }
  static constexpr DType own = std::is_same_v<T, float> ? DType::f32 : DType::i64;

  void to_run(int64_t run) {
    for (size_t i = 0; i < p.inputs_.size(); ++i) {
      Cursor& c = cursors[i];
      c.offset = 0;
      int64_t rest = run;
      for (size_t d = p.dims_.size() - 1; d-- > 0;) {
        c.index[d] = rest % p.dims_[d];
        rest /= p.dims_[d];
        c.offset += c.index[d] * p.inputs_[i].strides[d];
      }
    }
  }
  void next_run(size_t i) {
    Cursor& c = cursors[i];
    const auto& strides = p.inputs_[i].strides;
    for (size_t d = p.dims_.size() - 1; d-- > 0;) {
      c.offset += strides[d];
      if (++c.index[d] < p.dims_[d]) return;
      c.index[d] = 0;
      c.offset -= p.dims_[d] * strides[d];
    }
  }
  /// n elements from element `at` on, in this arithmetic's type.
  void read(size_t i, int64_t at, T* y, int64_t n) const { convert_from(p.inputs_[i].dtype, in[i], at, y, n, *p.fn_); }

  /// Runs of a short inner extent, one after the other.
  void lay_out(size_t i, T* y, int64_t runs) {
    const bool steps = p.inputs_[i].strides.back() != 0;
    for (int64_t r = 0; r < runs; ++r, y += p.inner_, next_run(i)) {
      read(i, cursors[i].offset, y, steps ? p.inner_ : 1);
      if (!steps) std::fill(y + 1, y + p.inner_, *y);
    }
  }
  /// What stays the same for the whole stretch.
  void begin() {
    for (size_t i = 0; i < p.inputs_.size(); ++i) {
      const Input& x = p.inputs_[i];
      if (x.way == Way::still) {
        if (x.dtype == own) sources[i] = {reinterpret_cast<const T*>(in[i]), false};
        else read(i, 0, buffer(x.buffer), 1), sources[i] = {buffer(x.buffer), false};
      } else if (x.way == Way::periodic) {
        T* y = buffer(x.buffer);
        for (int64_t at = 0; at < p.strip_; at += p.inner_) read(i, 0, y + at, p.inner_);
        sources[i] = {y, true};
      }
    }
    for (size_t c = 0; c < p.floats_.size(); ++c) {
      if constexpr (std::is_same_v<T, float>) sources[p.inputs_.size() + c] = {&p.floats_[c], false};
      else sources[p.inputs_.size() + c] = {&p.integers_[c], false};
    }
  }
  /// Operands of n elements from `first` on; `within` of them lie before it in its inner run.
  void operands(int64_t first, int64_t within, int64_t n) {
    for (size_t i = 0; i < p.inputs_.size(); ++i) {
      const Input& x = p.inputs_[i];
      if (x.way == Way::still || x.way == Way::periodic) continue;
      if (x.way == Way::laid_out) {
        lay_out(i, buffer(x.buffer), n / p.inner_);
        sources[i] = {buffer(x.buffer), true};
        continue;
      }
      const bool step = x.way == Way::dense || x.strides.back() != 0;
      const int64_t at = x.way == Way::dense ? first : cursors[i].offset + (step ? within : 0);
      if (x.dtype == own) sources[i] = {reinterpret_cast<const T*>(in[i]) + at, step};
      else read(i, at, buffer(x.buffer), step ? n : 1), sources[i] = {buffer(x.buffer), step};
    }
  }
  void steps(int64_t first, int64_t n) {
    Source* results = sources + p.inputs_.size() + p.floats_.size();
    for (size_t s = 0; s < p.steps_.size(); ++s) {
      const Planned& step = p.steps_[s];
      const Source &a = sources[step.source[0]], &b = sources[step.source[1]], &c = sources[step.source[2]];
      bool moves = false;
      for (int i = 0; i < step.arity; ++i) moves = moves || sources[step.source[i]].step;
      const bool direct = moves && step.output >= 0 && p.types_[static_cast<size_t>(step.output)] == own;
      T* y = direct ? reinterpret_cast<T*>(out[static_cast<size_t>(step.output)]) + first : buffer(step.buffer);
      ChainArgs<T> args{a.at, b.at, c.at, a.step || !moves, b.step || !moves, c.step || !moves, y, moves ? n : 1};
      if constexpr (std::is_same_v<T, float>) p.fn_->op[static_cast<int>(step.op)](args);
      else kIntegers[static_cast<size_t>(step.op)](args);
      results[s] = {y, moves};
      if (step.output < 0 || direct) continue;
      if (!moves) std::fill(y + 1, y + n, *y);
      convert_to(p.types_[static_cast<size_t>(step.output)], y, out[static_cast<size_t>(step.output)], first, n, *p.fn_);
    }
  }
};

template <class T>
void ChainPlan::run_as(std::span<const std::byte* const> in, std::span<std::byte* const> out, int64_t first, int64_t last, std::byte* scratch) const {
  Runner<T> runner{*this, in, out, reinterpret_cast<T*>(scratch)};
  runner.begin();
  runner.to_run(first / inner_);
  if (!long_runs_) {
    for (int64_t at = first; at < last; at += strip_) {
      const int64_t n = std::min(strip_, last - at);
      runner.operands(at, 0, n);
      runner.steps(at, n);
    }
    return;
  }
  for (int64_t at = first, within = first % inner_; at < last;) {
    const int64_t n = std::min({strip_, inner_ - within, last - at});
    runner.operands(at, within, n);
    runner.steps(at, n);
    at += n;
    within += n;
    if (within < inner_) continue;
    within = 0;
    for (size_t i = 0; i < inputs_.size(); ++i) runner.next_run(i);
  }
}

void ChainPlan::run(std::span<const std::byte* const> in, std::span<std::byte* const> out, int64_t first, int64_t last, std::byte* scratch) const {
  if (integer_) run_as<int64_t>(in, out, first, last, scratch);
  else run_as<float>(in, out, first, last, scratch);
}

}  // namespace mainspring::inline v0
