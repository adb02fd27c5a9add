// Quantised linear layers: every format × instruction set × rows 1, 4, 16, 64, 512. One row is bound by reading the panels, 512 by int8 arithmetic.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "bench/kernels.h"
#include "core/buffer.h"
#include "cpu/kernels/qgemm/qgemm.h"
#include "quant/q8_rows.h"

namespace bench {
namespace {

using namespace mainspring;

constexpr int64_t kDepth = 2048;
// As cpu/bind/matrix.cpp cuts a step: rows that stay in the level 2 cache while panels pass by, and few enough panels to stay there for all rows.
constexpr int64_t kTileRows = 64, kTilePanels = 4;

struct Shape {
  const QgemmKernel* kernel;
  int64_t rows, outputs;
  /// What a panel comes from: itself, or source rows.
  size_t panel_bytes() const {
    const DTypeInfo info = info_of(kernel->weight);
    return kernel->codes ? static_cast<size_t>(kernel->width * (kDepth / info.block * info.bytes)) : kernel->panel_bytes(kDepth);
  }
};

/// Fills the pool with matrices, the same one again and again; how many there are. Any byte 0x20…0x2f makes sound scales in every format
/// (f16 between 2^-7 and 2^-4), and the kernels' speed does not depend on the codes. Where rows are read the codes choose rows of grids: any there.
int64_t pack_matrices(const Shape& s, std::byte*& memory) {
  const size_t panel = s.panel_bytes();
  const auto panels = static_cast<size_t>(s.kernel->panel_count(s.outputs));
  const Pool p = pool(fmt::format("qgemm {} {}", s.kernel->name, s.outputs));
  const size_t n = p.memory.size() / (panel * panels);
  memory = p.memory.data();
  if (p.mine) return static_cast<int64_t>(n);
  const DTypeInfo info = info_of(s.kernel->weight);
  const size_t row_bytes = static_cast<size_t>(kDepth / info.block * info.bytes);
  std::mt19937 random(1);
  std::vector<std::byte> source(row_bytes * static_cast<size_t>(s.kernel->width));
  for (std::byte& b : source) b = static_cast<std::byte>(0x20 | random() % 16);
  if (s.kernel->codes) std::copy(source.begin(), source.end(), memory);
  else s.kernel->pack(source.data(), row_bytes, s.kernel->width, kDepth, memory);
  for (size_t i = 1; i < n * panels; ++i) std::memcpy(memory + i * panel, memory, panel);
  return static_cast<int64_t>(n);
}

void run_matrix(const Shape& s, const std::byte* panels, const Buffer& x, float* y, std::byte* scratch) {
  const auto x_stride = static_cast<int64_t>(q8_rows_stride(kDepth));
  const int64_t count = s.kernel->panel_count(s.outputs), tile_rows = kTileRows / s.kernel->row_tile * s.kernel->row_tile;
  const int64_t tile_panels = s.rows > kTileRows ? kTilePanels : count;
  for (int64_t p = 0; p < count; p += tile_panels)
    for (int64_t r = 0; r < s.rows; r += tile_rows) {
      const int64_t n = std::min(tile_panels, count - p), first = p * s.kernel->width;
      (*s.kernel)({panels + static_cast<size_t>(p) * s.panel_bytes(), x.data() + r * x_stride, x_stride, y + r * s.outputs + first,
                   s.outputs, nullptr, kDepth, std::min(tile_rows, s.rows - r), n, n * s.kernel->width, false, scratch});
    }
}

void run(benchmark::State& state, const Shape& s) {
  Buffer x = Buffer::create(system_allocator(), static_cast<size_t>(s.rows) * q8_rows_stride(kDepth), "activations").value();
  std::vector<float> f(static_cast<size_t>(s.rows * kDepth)), y(static_cast<size_t>(s.rows * s.outputs));
  fill(f, 2);
  quantise_q8_rows(f.data(), kDepth, s.rows, kDepth, x.data());
  Buffer scratch = Buffer::create(system_allocator(), qgemm_scratch_bytes(s.kernel->width, kDepth), "scratch").value();
  std::byte* memory = nullptr;
  const int64_t matrices = pack_matrices(s, memory);
  const size_t bytes = s.panel_bytes() * static_cast<size_t>(s.kernel->panel_count(s.outputs));
  static int64_t next = 0;  // goes on where the last repetition ended, for what that one read may still be in a cache
  for (auto _ : state) {
    run_matrix(s, memory + static_cast<size_t>(next++ % matrices) * bytes, x, y.data(), scratch.data());
    benchmark::ClobberMemory();
  }
  report(state, s.kernel->isa, {static_cast<double>(bytes), 2.0 * static_cast<double>(s.rows * s.outputs * kDepth), true});
}

}  // namespace

void register_qgemm() {
  for (const QgemmKernel& k : qgemm_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    for (const int64_t rows : {1, 4, 16, 64, 512}) {
      const Shape s{&k, rows, k.isa == Isa::scalar ? 64 : 2048};  // scalar: slow, and the share does not depend on it
      const std::string name = fmt::format("qgemm/{}/{}/{}x{}x{}", name_of(k.isa), name_of(k.weight), rows, s.outputs, kDepth);
      benchmark::RegisterBenchmark(name.c_str(), [s](benchmark::State& state) { run(state, s); });
    }
  }
}

}  // namespace bench
