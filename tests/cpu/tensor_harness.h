// Tensor operators bound to the CPU. In: dense tensors of any dtype, a binder. Out: what every instruction set makes of them, checked against a
// function of the element's index, the same bits whatever the number of workers and the order of tiles.
#pragma once

#include "cpu/linear_harness.h"
#include "ops/tensor.h"

namespace {
namespace kernel_test {

inline Tensor dense(DType t, std::vector<int64_t> dims, uint32_t seed = 0, double low = -3, double high = 3) {
  Tensor x;
  x.dtype = t;
  x.dims = std::move(dims);
  x.allocate();
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  for (int64_t i = 0, n = x.rows() * x.row_elements(); i < n && seed; ++i) store(t, x.memory->data(), i, t == DType::boolean ? (uniform(random) > 0 ? 1.0 : 0.0) : uniform(random));
  return x;
}
inline Tensor constant(DType t, std::vector<int64_t> dims, const std::vector<double>& values) {
  Tensor x = dense(t, std::move(dims));
  x.weight = true;
  for (size_t i = 0; i < values.size(); ++i) store(t, x.memory->data(), static_cast<int64_t>(i), values[i]);
  return x;
}
inline double at(const Tensor& x, int64_t i) { return load(x.dtype, x.memory->data(), i); }
inline int64_t count(const Tensor& x) { return x.rows() * x.row_elements(); }
inline TensorView view(const Tensor& x) {
  TensorView v;
  if (!x.present) return v;
  v.dtype = x.dtype;
  v.data = x.memory->data();
  v.shape = Shape(x.dims);
  return v;
}

/// Element e of output o must be want(o, e), but for slack(want).
template <class Want, class Slack>
void expect_each(cpu::Binder binder, const std::string& op, const Attrs& attrs, const std::vector<Tensor>& in, const std::vector<Tensor>& out, Want want, Slack slack) {
  for (const IsaSet isa : isa_sets()) {
    std::vector<std::vector<std::byte>> first;
    for (const int workers : {1, 3}) {
      Bound b(binder, op, attrs, in, out, isa, false, workers);
      ASSERT_TRUE(b.ok()) << op << ": " << b.error();
      b.run(0, static_cast<uint32_t>(workers - 1) * 7);
      for (size_t o = 0; o < out.size(); ++o) {
        if (!out[o].present) continue;
        if (workers > 1) {
          EXPECT_EQ(first[o], b.bytes(o)) << op << ": other bits with more workers";
          continue;
        }
        for (int64_t e = 0; e < count(b.out(o)); ++e) {
          const double w = want(o, e), got = at(b.out(o), e);
          if (std::isnan(w) ? !std::isnan(got) : !(w == got || std::fabs(w - got) <= slack(w))) {
            ADD_FAILURE() << op << " " << b.binding().kernel << " output " << o << " element " << e << ": " << got << ", expected " << w;
            return;
          }
        }
      }
      for (size_t o = 0; o < out.size() && workers == 1; ++o) first.push_back(out[o].present ? b.bytes(o) : std::vector<std::byte>{});
    }
  }
}

}  // namespace kernel_test
}  // namespace
