// Calls of tensor operators on dense operands, for tests. In: operands whose content inference may see. Out: what inference says, or the reference's
// results, between guard bytes.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ops/tensor.h"

namespace mainspring::inline v0::test {

/// A tensor that the test owns; absent unless made by numbers, below.
struct Operand {
  DType dtype = DType::f32;
  Shape shape;
  std::vector<uint64_t> memory;  // aligned; the last word is a guard
  bool present = false;

  Operand() = default;
  Operand(DType t, Shape s) : dtype(t), shape(s), memory(static_cast<size_t>(s.elements() * info_of(t).bytes + 7) / 8 + 2, kGuard), present(true) {}
  TensorView view() { return present ? TensorView{dtype, reinterpret_cast<std::byte*>(memory.data()), shape, 0} : TensorView{}; }
  size_t bytes() const { return static_cast<size_t>(shape.elements() * info_of(dtype).bytes); }
  std::vector<double> numbers() {
    std::vector<double> all;
    for (int64_t i = 0; i < shape.elements(); ++i) all.push_back(load(view(), i));
    return all;
  }
  static constexpr uint64_t kGuard = 0x5a5a5a5a5a5a5a5a;
};
inline Operand numbers(DType t, Shape s, std::vector<double> values) {
  Operand o(t, s);
  EXPECT_EQ(static_cast<int64_t>(values.size()), s.elements());
  for (size_t i = 0; i < values.size(); ++i) store(o.view(), static_cast<int64_t>(i), values[i]);
  return o;
}
inline Operand floats(Shape s, std::vector<double> values) { return numbers(DType::f32, s, std::move(values)); }
/// Numbers in [-1, 1] (floats) or [0, 100] (integers) that look random and are the same each time.
inline Operand noise(DType t, Shape s, uint32_t seed) {
  Operand o(t, s);
  uint32_t state = seed * 2654435761u + 12345;
  for (int64_t i = 0; i < s.elements(); ++i) {
    state = state * 1664525u + 1013904223u;
    const double x = static_cast<double>(state >> 8) / (1 << 24);
    store(o.view(), i, is_float(t) ? 2 * x - 1 : std::floor(x * 101));
  }
  return o;
}

/// Inference with all contents known.
inline Result<std::vector<ValueInfo>> infer(const char* op, std::vector<Operand>& in, const Attrs& attrs, int n_out) {
  const OpDef* def = find_op(op);
  if (def == nullptr) return internal_error("no operator {}", op);
  std::vector<Tensor> tensors(in.size());
  std::vector<ValueInfo> infos;
  for (size_t i = 0; i < in.size(); ++i) {
    ValueInfo v;
    v.present = in[i].present;
    if (in[i].present) {
      tensors[i] = *Tensor::borrow_bytes(in[i].dtype, in[i].shape, in[i].memory.data(), in[i].bytes());
      v = tensor_of(in[i].dtype, *dims_of(in[i].shape.dims()));
      v.value = &tensors[i];
    }
    infos.push_back(std::move(v));
  }
  ValueInfo none;
  none.present = false;
  if (def->max_in != kVariadic) infos.resize(static_cast<size_t>(def->max_in), none);
  return def->infer(OpCall{infos, attrs, {}, n_out});
}

/// Infers, then runs the reference.
inline std::vector<Operand> run(const char* op, std::vector<Operand> in, const Attrs& attrs = {}, int n_out = 1) {
  const auto inferred = infer(op, in, attrs, n_out);
  EXPECT_TRUE(inferred) << (inferred ? "" : inferred.error().message);
  std::vector<Operand> out;
  if (!inferred) return std::vector<Operand>(static_cast<size_t>(n_out));
  for (const ValueInfo& v : *inferred) {
    EXPECT_TRUE(all_constant(v)) << op;
    Shape s;
    for (const Dim& d : v.dims) s.push_back(d.times);
    out.emplace_back(v.dtype, s);
  }
  std::vector<TensorView> views, outs;
  for (Operand& o : in) views.push_back(o.view());
  const OpDef* def = find_op(op);
  if (def->max_in != kVariadic) views.resize(static_cast<size_t>(def->max_in));
  for (Operand& o : out) outs.push_back(o.view());
  const StepInfo step;
  def->reference(OpArgs{views, outs, attrs, step});
  for (const Operand& o : out) EXPECT_EQ(o.memory.back(), Operand::kGuard) << op << " wrote behind its output";
  return out;
}

/// Nearly the same numbers, and the same extents.
inline void expect_near(Operand got, Operand want, double tolerance) {
  ASSERT_EQ(got.shape, want.shape);
  const std::vector<double> a = got.numbers(), b = want.numbers();
  for (size_t i = 0; i < a.size(); ++i) ASSERT_LE(std::fabs(a[i] - b[i]), tolerance * (1 + std::fabs(b[i]))) << "element " << i << ": " << a[i] << ", expected " << b[i];
}
inline void expect_refused(const char* op, std::vector<Operand> in, const Attrs& attrs = {}, int n_out = 1) {
  const auto r = infer(op, in, attrs, n_out);
  ASSERT_FALSE(r) << op << " accepted what it must not";
  EXPECT_TRUE(r.error().code == Errc::invalid_argument || r.error().code == Errc::unsupported) << r.error().message;
}

}  // namespace mainspring::inline v0::test
