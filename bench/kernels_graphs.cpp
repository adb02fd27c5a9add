// Kernels of ONNX graphs: one time step of recurrent networks (weights in the level 2 cache) and integer products.
#include <fmt/format.h>

#include <vector>

#include "bench/kernels.h"
#include "cpu/kernels/igemm/igemm.h"
#include "cpu/kernels/rnn/rnn.h"

namespace bench {
namespace {

using namespace mainspring;

/// At a multiple of 64, as panels are.
template <class T>
struct Aligned {
  explicit Aligned(int64_t n) : memory(static_cast<size_t>(n) * sizeof(T) + 64) {}
  T* data() { return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64); }
  std::vector<std::byte> memory;
};

void add_step(const RnnKernel& k, const char* cell, RnnFn fn, int64_t gates, int64_t hidden, int64_t rows) {
  benchmark::RegisterBenchmark(fmt::format("rnn/{}/f32/{} {}x{}", k.name, cell, rows, hidden).c_str(), [=](benchmark::State& state) {
    const int64_t weights = gates * hidden * hidden;
    Aligned<float> r(weights), h(rows * hidden), p(rows * gates * hidden), c(rows * hidden), y(rows * hidden), bias(hidden);
    fill({r.data(), static_cast<size_t>(weights)}, 1);
    fill({h.data(), static_cast<size_t>(rows * hidden)}, 2);
    fill({p.data(), static_cast<size_t>(rows * gates * hidden)}, 3);
    RnnStep a{};
    a.panels = r.data();
    a.h = a.before = h.data();
    a.h_stride = a.unit_stride = a.k = a.p_gate = hidden;
    a.p = p.data();
    a.p_stride = gates * hidden;
    a.c = c.data();
    a.y = y.data();
    a.bias = bias.data();
    a.rows = rows;
    a.groups = rnn_groups(hidden);
    for (auto _ : state) {
      fn(a);
      benchmark::ClobberMemory();
    }
    report(state, k.isa, {static_cast<double>(weights) * 4, static_cast<double>(2 * weights * rows), false});
  });
}

void add_product(const IgemmKernel& k, int64_t rows, int64_t depth, int64_t outputs) {
  benchmark::RegisterBenchmark(fmt::format("igemm/{}/i8/{}x{}x{}", k.name, rows, depth, outputs).c_str(), [=, &k](benchmark::State& state) {
    const int64_t panels = igemm_panels(outputs), row_bytes = k.row_bytes(depth);
    Aligned<std::byte> w(panels * igemm_panel_bytes(depth)), x(rows * row_bytes);
    Aligned<int32_t> y(rows * outputs);
    for (auto _ : state) {
      k.fn->signed_lanes({w.data(), nullptr, igemm_panel_bytes(depth), x.data(), row_bytes, y.data(), outputs, igemm_quads(depth), rows, panels});
      benchmark::ClobberMemory();
    }
    report(state, k.isa, {static_cast<double>(depth * outputs), static_cast<double>(2 * rows * depth * outputs), true});
  });
}

}  // namespace

void register_graphs() {
  for (const RnnKernel& k : rnn_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    for (const int64_t rows : {1, 16}) {
      add_step(k, "lstm", k.fn->lstm, 4, 128, rows);
      add_step(k, "gru", k.fn->gru, 3, 128, rows);
    }
  }
  for (const IgemmKernel& k : igemm_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    for (const int64_t rows : {1, 64}) add_product(k, rows, 768, 256);
  }
}

}  // namespace bench
