// Binds one node to a CPU kernel and runs its tiles in any order. In: tensors, attributes, a binder. Out: its outputs, and whether anything
// was written outside them. For what support/op_test.h does not see: fused ops, packings, tiles, tied tables.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>

#include "cpu/bind/bind.h"
#include "cpu/bind/rows.h"
#include "mainspring/ext/op.h"
#include "quant/q8_rows.h"
#include "quant/quant.h"

namespace {
namespace kernel_test {

using namespace mainspring;

/// What this machine runs; everything where kernels are emulated.
inline IsaSet machine() {
#if defined(MAINSPRING_EMULATE_ISA)
  return IsaSet{~0u};
#else
  request_tiles();
  return detect_isa();
#endif
}

/// Every capped set that this machine has: each selects other kernels.
inline std::vector<IsaSet> isa_sets() {
  std::vector<IsaSet> sets;
  for (int i = 0; i < kIsas; ++i) {
    const IsaSet s = *cap(machine(), name_of(static_cast<Isa>(i)));
    if (sets.empty() || !(sets.back() == s)) sets.push_back(s);
  }
  return sets;
}

/// Kernels of a table that this machine can run (in the emulated build: all).
template <class Kernel>
std::vector<const Kernel*> usable(std::span<const Kernel> table) {
  std::vector<const Kernel*> all;
  const IsaSet isa = machine();
  for (const Kernel& k : table)
    if (isa.has(k.isa)) all.push_back(&k);
  return all;
}

/// Memory at a multiple of 64 with watched surroundings.
class Guarded {
 public:
  static constexpr size_t kZone = 256;
  explicit Guarded(size_t bytes = 0) : bytes_(bytes), memory_(bytes + 2 * kZone + 64, std::byte{0xa5}) {}
  std::byte* data() const {
    const auto at = reinterpret_cast<uintptr_t>(memory_.data()) + kZone;
    return reinterpret_cast<std::byte*>((at + 63) / 64 * 64);
  }
  size_t size() const { return bytes_; }
  bool intact() const {
    const std::byte *from = memory_.data(), *to = from + memory_.size();
    for (const std::byte* p = from; p < to; ++p)
      if ((p < data() || p >= data() + bytes_) && *p != std::byte{0xa5}) return false;
    return true;
  }

 private:
  size_t bytes_;
  mutable std::vector<std::byte> memory_;
};

struct Tensor {
  DType dtype = DType::f32;
  std::vector<int64_t> dims;
  bool symbolic = false;  ///< first extent is n_tokens
  bool weight = false;
  int64_t gap = 0;  ///< elements (q8_rows, q16_rows: multiples of 64 bytes) between indices of the first extent
  bool present = true, also_linear = false;
  std::shared_ptr<Guarded> memory;

  int64_t row_elements() const { return dims.empty() ? 1 : dims.back(); }
  int64_t group() const {
    int64_t g = 1;
    for (size_t i = 1; i + 1 < dims.size(); ++i) g *= dims[i];
    return g;
  }
  int64_t row_bytes() const { return cpu::row_bytes_of(dtype, row_elements()); }
  int64_t outer() const { return dims.size() > 1 ? dims[0] : 1; }
  int64_t outer_bytes() const { return group() * row_bytes() + (is_quantised_rows(dtype) ? 64 * gap : cpu::row_bytes_of(dtype, gap)); }
  /// As Operand::row_stride.
  int64_t stride() const {
    if (dims.size() < 2) return 1;
    return is_quantised_rows(dtype) ? outer_bytes() : group() * row_elements() + gap;
  }
  void allocate() { memory = std::make_shared<Guarded>(static_cast<size_t>(outer() * outer_bytes())); }
  std::byte* row(int64_t r) const { return memory->data() + r / group() * outer_bytes() + r % group() * row_bytes(); }
  int64_t rows() const { return outer() * group(); }
  template <class T>
  T* at(int64_t r) const {
    return reinterpret_cast<T*>(row(r));
  }
  std::vector<float> decoded(int64_t r) const {
    std::vector<float> out(static_cast<size_t>(row_elements()));
    if (is_quantised_rows(dtype))
      decode_quantised_row(dtype, row(r), row_elements(), out.data());
    else
      format_of(dtype)->decode(row(r), row_elements(), out.data());
    return out;
  }
};

inline Tensor absent() {
  Tensor t;
  t.present = false;
  return t;
}

/// Normal floats times `scale`, symbolic in the first extent when `n`.
inline Tensor floats(std::vector<int64_t> dims, uint32_t seed, float scale = 1, bool n = true, int64_t gap = 0) {
  Tensor t;
  t.dims = std::move(dims);
  t.symbolic = n;
  t.gap = gap;
  t.allocate();
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  for (int64_t r = 0; r < t.rows(); ++r)
    for (int64_t i = 0; i < t.row_elements(); ++i) t.at<float>(r)[i] = normal(random);
  return t;
}

inline Tensor vector_of(std::vector<int64_t> dims, uint32_t seed, float scale = 1) {
  Tensor t = floats(std::move(dims), seed, scale, false);
  t.weight = true;
  return t;
}

/// Random weights in any format that has an encoder.
inline Tensor weights(DType dtype, std::vector<int64_t> dims, uint32_t seed) {
  Tensor t;
  t.dtype = dtype;
  t.dims = std::move(dims);
  t.weight = true;
  t.allocate();
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.5f);
  std::vector<float> row(static_cast<size_t>(t.row_elements()));
  for (int64_t r = 0; r < t.rows(); ++r) {
    for (float& v : row) v = normal(random);
    EXPECT_TRUE(format_of(dtype)->encode(row.data(), t.row_elements(), t.row(r)));
  }
  return t;
}

inline Tensor ints(std::vector<int64_t> dims, const std::vector<int32_t>& values) {
  Tensor t;
  t.dtype = DType::i32;
  t.dims = std::move(dims);
  t.symbolic = true;
  t.allocate();
  std::memcpy(t.memory->data(), values.data(), values.size() * 4);
  return t;
}

inline Tensor quantised(const Tensor& x, int64_t gap = 0, DType rows = DType::q8_rows) {
  Tensor t = x;
  t.dtype = rows;
  t.gap = gap;
  t.allocate();
  for (int64_t r = 0; r < x.rows(); ++r) quantise_row(rows, x.at<float>(r), x.row_elements(), t.row(r));
  return t;
}

/// Rows rounded to bf16, `gap` elements apart.
inline Tensor rounded(const Tensor& x, int64_t gap = 0) { return quantised(x, gap, DType::bf16); }

/// What the default arithmetic makes of activations where a kernel takes it.
inline Tensor lowered(DType weight, const Tensor& x, int64_t gap = 0) { return weight == DType::bf16 ? rounded(x, gap) : quantised(x, gap); }

/// Rows [first, first + n) of the outermost extent, as a tensor of its own.
inline Tensor part_of(const Tensor& t, int64_t first, int64_t n) {
  if (!t.symbolic || !t.present) return t;
  Tensor p = t;
  p.dims[0] = n;
  p.gap = 0;
  p.allocate();
  if (t.dims.size() == 1) {
    const auto size = static_cast<size_t>(info_of(t.dtype).bytes);
    std::memcpy(p.memory->data(), t.memory->data() + static_cast<size_t>(first) * size, static_cast<size_t>(n) * size);
    return p;
  }
  for (int64_t r = 0; r < n * t.group(); ++r) std::memcpy(p.row(r), t.row(first * t.group() + r), static_cast<size_t>(t.row_bytes()));
  return p;
}

/// An output of these extents.
inline Tensor output(std::vector<int64_t> dims, DType dtype = DType::f32, int64_t gap = 0) {
  Tensor t;
  t.dtype = dtype;
  t.dims = std::move(dims);
  t.symbolic = true;
  t.gap = gap;
  return t;
}

/// Bytes over the whole range, the extremes often.
inline Tensor random_bytes(DType dtype, std::vector<int64_t> dims, uint32_t seed, bool weight = false) {
  Tensor t;
  t.dtype = dtype;
  t.dims = std::move(dims);
  t.weight = weight;
  t.allocate();
  std::mt19937 random(seed);
  for (size_t i = 0; i < t.memory->size(); ++i) {
    const uint32_t r = random();
    t.memory->data()[i] = static_cast<std::byte>(r % 4 == 0 ? (r >> 8 & 1 ? 0xff : 0x80) : r % 4 == 1 ? (r >> 8 & 1 ? 0x7f : 0x00) : r >> 16);
  }
  return t;
}

/// Floats of a tensor operator: all extents constant.
inline Tensor dense(std::vector<int64_t> dims, uint32_t seed, float scale = 1, bool weight = false) {
  Tensor t = floats(std::move(dims), seed, scale, false);
  t.weight = weight;
  return t;
}
/// Small positive ones: scales.
inline Tensor positive(std::vector<int64_t> dims, uint32_t seed, bool weight = false) {
  Tensor t = dense(std::move(dims), seed, 1, weight);
  for (int64_t r = 0; r < t.rows(); ++r)
    for (int64_t i = 0; i < t.row_elements(); ++i) t.at<float>(r)[i] = 0.001f + std::abs(t.at<float>(r)[i]) * 0.01f;
  return t;
}
/// An output with constant extents.
inline Tensor result(std::vector<int64_t> dims, DType dtype) {
  Tensor t = output(std::move(dims), dtype);
  t.symbolic = false;
  return t;
}

/// What the operator's reference makes of dense operands; outputs that are absent stay so.
inline std::vector<Tensor> reference_of(const char* op, const Attrs& attrs, const std::vector<Tensor>& in, std::vector<Tensor> out) {
  const OpDef* def = find_op(op);
  EXPECT_NE(def, nullptr) << op;
  std::vector<TensorView> views(static_cast<size_t>(def->max_in)), results;
  const auto view = [](const Tensor& t) {
    TensorView v;
    if (!t.present) return v;
    v.dtype = t.dtype;
    v.data = t.memory->data();
    for (const int64_t n : t.dims) v.shape.push_back(n);
    v.row_stride = t.stride();
    return v;
  };
  for (size_t i = 0; i < in.size(); ++i) views[i] = view(in[i]);
  for (Tensor& t : out) {
    if (t.present) t.allocate();
    results.push_back(view(t));
  }
  const StepInfo step{};
  def->reference({views, results, attrs, step});
  return out;
}

inline Dims dims_of(const Tensor& t) {
  Dims d(t.dims.begin(), t.dims.end());
  if (t.symbolic && !d.empty()) d[0] = Dim(1, 0);
  return d;
}

/// One node bound to the CPU.
class Bound {
 public:
  Bound(cpu::Binder binder, std::string op, Attrs attrs, std::vector<Tensor> in, std::vector<Tensor> out, IsaSet isa, bool exact = false,
        int workers = 2, Choices* choices = nullptr)
      : in_(std::move(in)), out_(std::move(out)), workers_(workers) {
    node_.op = std::move(op);
    node_.attrs = std::move(attrs);
    for (Tensor& t : out_)
      if (t.present) t.allocate();
    for (const Tensor& t : in_) operands_.push_back(operand_of(t));
    for (const Tensor& t : out_) results_.push_back(operand_of(t));
    BindRequest q;
    q.node = &node_;
    q.in = operands_;
    q.out = results_;
    q.exact = exact;
    q.workers = workers;
    q.choices = choices;
    auto bound = binder(q, isa);
    if (!bound) {
      error_ = bound.error().message;
      return;
    }
    binding_ = *std::move(bound);
    ok_ = true;
    finish();
  }

  bool ok() const { return ok_; }
  const std::string& error() const { return error_; }
  const KernelBinding& binding() const { return binding_; }
  const Tensor& out(size_t i = 0) const { return out_[i]; }
  std::span<const Tensor> in() const { return in_; }
  int64_t tiles(int64_t n) {
    const StepEnv env = environment(n);
    return steps_[0].tiles(steps_[0].params, env);
  }

  /// Runs rows [0, n) with tiles in the order of `seed` (0: ascending) by changing workers.
  void run(int64_t n, uint32_t seed = 0) {
    const StepEnv env = environment(n);
    for (const Step& s : steps_) {
      std::vector<int64_t> order(static_cast<size_t>(s.tiles(s.params, env)));
      std::iota(order.begin(), order.end(), 0);
      std::mt19937 random(seed);
      if (seed) std::shuffle(order.begin(), order.end(), random);
      for (int64_t t : order) s.run(s.params, env, t, static_cast<int>(seed ? random() % static_cast<uint32_t>(workers_) : 0));
    }
    EXPECT_TRUE(scratch_.intact() && shared_.intact()) << node_.op << ": wrote beyond the scratch";
    for (const Tensor& t : out_) EXPECT_TRUE(!t.present || t.memory->intact()) << node_.op << ": wrote beyond the output";
    for (const auto& p : panels_) EXPECT_TRUE(p->intact()) << node_.op << ": packed beyond the panels";
  }

  /// Output i's rows as bytes, without gaps; [first, last) of the outermost extent.
  std::vector<std::byte> bytes(size_t i = 0, int64_t first = 0, int64_t last = -1) const {
    const Tensor& t = out_[i];
    std::vector<std::byte> all;
    const int64_t g = t.group();
    for (int64_t r = first * g; r < (last < 0 ? t.rows() : last * g); ++r) {
      const size_t n = t.dtype == DType::q8_rows ? static_cast<size_t>(t.row_elements() + t.row_elements() / 8 + t.row_elements() / 4)
                                                 : static_cast<size_t>(t.row_bytes());
      all.insert(all.end(), t.row(r), t.row(r) + n);
    }
    return all;
  }

 private:
  Operand operand_of(const Tensor& t) const {
    Operand o;
    if (!t.present) return o;
    o.dtype = t.dtype;
    o.dims = dims_of(t);
    o.ref = {Space::constant, static_cast<int64_t>(reinterpret_cast<intptr_t>(t.memory->data()))};
    o.row_stride = t.stride();
    o.is_weight = t.weight;
    o.also_linear = t.also_linear;
    return o;
  }
  StepEnv environment(int64_t n) {
    n_ = n;
    StepEnv env;
    env.symbols = &n_;
    env.worker_scratch = scratch_.data();
    env.scratch_stride = scratch_stride_;
    return env;
  }
  void finish() {
    std::vector<const std::byte*> packed;
    for (const Packing& p : binding_.packings) {
      panels_.push_back(std::make_shared<Guarded>(p.bytes));
      const std::byte* source = in_[static_cast<size_t>(p.input)].memory->data();
      for (int64_t i = p.pieces; i-- > 0;) p.pack(p.user.get(), source, i, panels_.back()->data());
      packed.push_back(panels_.back()->data());
    }
    scratch_stride_ = static_cast<int64_t>((binding_.worker_scratch_bytes + 63) / 64 * 64);
    scratch_ = Guarded(static_cast<size_t>(scratch_stride_ * workers_));
    shared_ = Guarded(binding_.scratch_bytes);
    steps_ = binding_.finish(binding_, packed, {Space::constant, static_cast<int64_t>(reinterpret_cast<intptr_t>(shared_.data()))});
  }
  Node node_;
  std::vector<Tensor> in_, out_;
  std::vector<Operand> operands_, results_;
  KernelBinding binding_;
  std::vector<std::shared_ptr<Guarded>> panels_;
  Guarded scratch_, shared_;
  int64_t scratch_stride_ = 0;
  std::vector<Step> steps_;
  std::string error_;
  bool ok_ = false;
  int workers_;
  int64_t n_ = 0;
};

}  // namespace kernel_test
}  // namespace
