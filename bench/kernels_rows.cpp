// What works on rows of activations: norm, softmax, rope, elementwise, quantising to int8. The rows were just written by the step before and
// lie in the nearest caches, here too: bytes are read and written ones together, and a share of the read bandwidth far above 100 % is what
// one wants to see. Ops are not counted.
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <vector>

#include "bench/kernels.h"
#include "cpu/kernels/elementwise/elementwise.h"
#include "cpu/kernels/norm/norm.h"
#include "cpu/kernels/qgemm/qgemm.h"
#include "cpu/kernels/rope/rope.h"
#include "quant/q8_rows.h"

namespace bench {
namespace {

using namespace mainspring;

/// A row as input and as output. `streams`: rows read and written by one call.
struct Rows {
  std::vector<float> x, y, w, b;
  explicit Rows(int64_t n) : x(static_cast<size_t>(n)), y(x.size()), w(x.size()), b(x.size()) {
    fill(x, 1);
    fill(y, 2);
    fill(w, 3);
    fill(b, 4);
  }
};
using Call = std::function<void(Rows&)>;

void add(const std::string& name, Isa isa, int64_t n, double bytes, Call call) {
  benchmark::RegisterBenchmark(fmt::format("{}/f32/{}", name, n).c_str(), [=](benchmark::State& state) {
    Rows rows(n);
    for (auto _ : state) {
      call(rows);
      benchmark::ClobberMemory();
    }
    report(state, isa, {bytes * static_cast<double>(n), 0, false});
  });
}

void register_norm() {
  for (const NormKernel& k : norm_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    const NormIsa* fn = k.fn;
    for (const int64_t d : {576, 2048}) {
      const auto args = [d](Rows& r) { return NormArgs{r.x.data(), r.y.data(), r.w.data(), r.b.data(), d, 1e-5f}; };
      add(fmt::format("norm_rms/{}", k.name), k.isa, d, 12, [=](Rows& r) { fn->rms(args(r)); });
      add(fmt::format("norm_layer/{}", k.name), k.isa, d, 16, [=](Rows& r) { fn->layer(args(r)); });
      add(fmt::format("norm_l2/{}", k.name), k.isa, d, 8, [=](Rows& r) { fn->l2({r.x.data(), r.y.data(), nullptr, nullptr, d, 1e-5f}); });
      add(fmt::format("softmax/{}", k.name), k.isa, d, 8, [=](Rows& r) { fn->softmax(r.x.data(), r.y.data(), d); });
    }
  }
}

void register_rope() {
  constexpr int64_t kHeads = 9, kHeadDim = 64, kPairs = kHeadDim / 2;
  std::vector<uint64_t> steps;
  for (int64_t i = 0; i < kPairs; ++i) steps.push_back(rope_step(std::pow(10000.0, -static_cast<double>(i) / kPairs)));
  for (const RopeKernel& k : rope_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    const RopeIsa* fn = k.fn;
    for (const bool neox : {false, true}) {
      std::vector<float> table(static_cast<size_t>(rope_table_floats(kPairs)));
      fn->angles(steps.data(), kPairs, 1234, 1, neox, table.data());
      add(fmt::format("rope_{}/{}", neox ? "neox" : "pairs", k.name), k.isa, kHeads * kHeadDim, 8,
          [=](Rows& r) { fn->rotate({r.x.data(), r.y.data(), kHeads, kHeadDim, kPairs, neox, table.data()}); });
    }
    add(fmt::format("rope_angles/{}", k.name), k.isa, rope_table_floats(kPairs), 4, [=](Rows& r) { fn->angles(steps.data(), kPairs, 1234, 1, true, r.y.data()); });
  }
}

void register_elementwise() {
  constexpr int64_t kN = 1536;
  constexpr const char* kUnary[] = {"silu", "gelu", "gelu_erf", "sigmoid", "tanh", "exp", "softplus", "scale"};
  constexpr const char* kGlu[] = {"silu", "gelu", "gelu_erf", "swiglu_oai"};
  for (const ElementwiseKernel& k : elementwise_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    for (const char* op : kUnary) {
      const auto fn = k.fn->unary[static_cast<int>(unary_op_of(op))];
      add(fmt::format("unary_{}/{}", op, k.name), k.isa, kN, 8, [=](Rows& r) { fn({r.x.data(), r.y.data(), kN, 1.5f, 0.5f}); });
    }
    for (const char* op : {"add", "mul", "div"}) {
      const auto fn = k.fn->binary[static_cast<int>(binary_op_of(op))];
      add(fmt::format("binary_{}/{}", op, k.name), k.isa, kN, 12, [=](Rows& r) { fn({r.x.data(), r.w.data(), r.y.data(), kN}); });
    }
    for (const char* act : kGlu) {
      const auto fn = k.fn->glu[static_cast<int>(glu_act_of(act))];
      add(fmt::format("glu_{}/{}", act, k.name), k.isa, kN, 12, [=](Rows& r) { fn({r.x.data(), r.w.data(), r.y.data(), kN, 1.702f, 7}); });
    }
    const auto combine = k.fn->combine;
    add(fmt::format("combine/{}", k.name), k.isa, kN, 20, [=](Rows& r) {
      const float weights[] = {0.4f, 0.3f, 0.2f, 0.1f};
      combine({r.x.data(), 0, weights, 4, r.y.data(), kN});  // four experts' rows, here the same one
    });
  }
}

}  // namespace

void register_rows() {
  register_norm();
  register_rope();
  register_elementwise();
  for (const Isa isa : {Isa::scalar, Isa::avx2}) {
    if (!detect_isa().has(isa)) continue;
    const QuantizeRow fn = select_quantize(DType::q8_rows, IsaSet{}.with(isa));
    constexpr int64_t kN = 1536;
    static_assert(q8_rows_stride(kN) <= kN * sizeof(float));
    add(fmt::format("quantize_q8/{}", name_of(isa)), isa, kN, 4 + 1.375, [=](Rows& r) { fn(r.x.data(), kN, reinterpret_cast<std::byte*>(r.y.data())); });
  }
}

}  // namespace bench
