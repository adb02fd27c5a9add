// Float linear layers: f32, f16 and bf16 panels, and rows of a block format decoded on the fly, × instruction set × rows 1, 4, 64, 512.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "bench/kernels.h"
#include "core/buffer.h"
#include "cpu/kernels/gemm/gemm.h"
#include "quant/quant.h"

namespace bench {
namespace {

using namespace mainspring;

constexpr int64_t kDepth = 2048;
constexpr int64_t kTilePanels = 4;  // divides every shape's panels

struct Shape {
  const GemmKernel* kernel;
  DType weight;
  int64_t rows, outputs;
  int64_t panels() const { return outputs / kGemmWidth; }
  size_t row_bytes() const { return static_cast<size_t>(kDepth / info_of(weight).block * info_of(weight).bytes); }
  size_t matrix_bytes() const { return static_cast<size_t>(outputs) * row_bytes(); }
};

/// Fills the pool with matrices of one panel (or 16 source rows) again and again.
std::byte* fill_matrices(const Shape& s) {
  const Pool p = pool(fmt::format("gemm {}", name_of(s.weight)));
  const size_t panel = kGemmWidth * s.row_bytes();
  if (p.mine) return p.memory.data();
  std::vector<float> row(kDepth);
  std::vector<std::byte> source(panel);
  for (int o = 0; o < kGemmWidth; ++o) {
    fill(row, static_cast<uint32_t>(o));
    (void)format_of(s.weight)->encode(row.data(), kDepth, source.data() + static_cast<size_t>(o) * s.row_bytes());
  }
  std::byte* first = p.memory.data();
  if (gemm_packs(s.weight)) gemm_pack(s.weight, source.data(), s.row_bytes(), kGemmWidth, kDepth, first);
  else std::memcpy(first, source.data(), panel);
  for (size_t i = 1; i < p.memory.size() / panel; ++i) std::memcpy(first + i * panel, first, panel);
  return first;
}

/// Tiles as cpu/bind/matrix.cpp cuts them: rows of x that stay in the level 2 cache, some panels for all rows before the next.
void run_matrix(const Shape& s, const std::byte* w, const float* x, float* y, std::byte* scratch) {
  const bool packed = gemm_packs(s.weight);
  const int64_t fits = packed ? (192 << 10) / (kDepth * 4) : kGemmDecodedRows, tile = fits / s.kernel->row_tile * s.kernel->row_tile;
  const size_t panel = kGemmWidth * s.row_bytes();
  const int64_t step = packed ? kTilePanels : 1;
  for (int64_t p = 0; p < s.panels(); p += step)
    for (int64_t r = 0; r < s.rows; r += tile) {
      const int64_t rows = std::min(tile, s.rows - r);
      const std::byte* at = w + static_cast<size_t>(p) * panel;
      float* out = y + r * s.outputs + p * kGemmWidth;
      if (packed) s.kernel->run(s.weight)({at, x + r * kDepth, kDepth, out, s.outputs, nullptr, kDepth, rows, step, step * kGemmWidth});
      else gemm_decoded(*s.kernel, {format_of(s.weight), at, s.row_bytes(), x + r * kDepth, kDepth, out, s.outputs, nullptr, kDepth, rows, kGemmWidth}, scratch);
    }
}

void run(benchmark::State& state, const Shape& s) {
  std::vector<float> x(static_cast<size_t>(s.rows * kDepth)), y(static_cast<size_t>(s.rows * s.outputs));
  fill(x, 2);
  Buffer scratch = Buffer::create(system_allocator(), kGemmDecodedScratch, "scratch").value();
  const std::byte* memory = fill_matrices(s);
  const auto matrices = static_cast<int64_t>(beyond_caches() / s.matrix_bytes());
  static int64_t next = 0;
  for (auto _ : state) {
    run_matrix(s, memory + static_cast<size_t>(next++ % matrices) * s.matrix_bytes(), x.data(), y.data(), scratch.data());
    benchmark::ClobberMemory();
  }
  report(state, s.kernel->isa, {static_cast<double>(s.matrix_bytes()), 2.0 * static_cast<double>(s.rows * s.outputs * kDepth), false});
}

}  // namespace

void register_gemm() {
  for (const GemmKernel& k : gemm_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    for (const DType weight : {DType::f32, DType::f16, DType::bf16, DType::q4_0, DType::q1_0})
      for (const int64_t rows : {1, 4, 64, 512}) {
        const Shape s{&k, weight, rows, k.isa == Isa::scalar ? 64 : 1024};
        const std::string name = fmt::format("gemm/{}/{}/{}x{}x{}", k.name, name_of(weight), rows, s.outputs, kDepth);
        benchmark::RegisterBenchmark(name.c_str(), [s](benchmark::State& state) { run(state, s); });
      }
  }
}

}  // namespace bench
