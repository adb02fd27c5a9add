// Attention over a paged cache, through its binder (which cuts tiles and splits). Decode: one row at a depth, keys and values from memory, bound
// by reading. Prefill: rows from position 0 on, causal, keys and values in caches, bound by f32 arithmetic.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "bench/kernels.h"
#include "core/buffer.h"
#include "cpu/bind/bind.h"
#include "cpu/kernels/attention/attention.h"
#include "quant/kv_block.h"

namespace bench {
namespace {

using namespace mainspring;

struct Shape {
  const AttentionKernel* kernel;
  DType kv;
  int64_t heads, kv_heads, d;
  int64_t depth, rows;  ///< rows at positions depth … depth + rows - 1

  int64_t blocks() const { return (depth + rows + kKvBlock - 1) / kKvBlock; }
  size_t block_bytes() const { return static_cast<size_t>(kv_heads * kv_head_bytes(kv, d)); }
};

/// The pool as blocks, keys in its first half and values in the second: every 16-bit word 0x2c2c is a small number, as f16, in f32 and in q8_0.
struct Cache {
  std::byte *keys, *values;
  int64_t blocks;
};
Cache cache_of(const Shape& s) {
  const Pool p = pool("attention");
  if (!p.mine) std::memset(p.memory.data(), 0x2c, p.memory.size());
  const size_t half = p.memory.size() / 2;
  return {p.memory.data(), p.memory.data() + half, static_cast<int64_t>(half / s.block_bytes())};
}

KernelBinding bind(const Shape& s, const Cache& c) {
  const Symbol symbols[] = {{"n_tokens", 1, 1, s.rows}};
  Operand q, keys, values;
  q.dims = {Dim(1, 0), s.heads, s.d};
  q.row_stride = s.heads * s.d;
  q.ref = {Space::input, 0};
  Operand out = q;
  out.ref = {Space::output, 0};
  keys.dtype = values.dtype = s.kv;
  keys.dims = {c.blocks, s.kv_heads, s.d, kKvBlock};
  values.dims = {c.blocks, s.kv_heads, kKvBlock, s.d};
  keys.row_stride = values.row_stride = s.kv_heads * s.d * kKvBlock;
  keys.ref = {Space::constant, static_cast<int64_t>(reinterpret_cast<intptr_t>(c.keys))};
  values.ref = {Space::constant, static_cast<int64_t>(reinterpret_cast<intptr_t>(c.values))};
  Node node;
  node.op = "attention";
  node.attrs = {{"scale", 1 / std::sqrt(static_cast<double>(s.d))}, {"causal", int64_t{1}}};
  const Operand in[] = {q, keys, values, Operand{}}, outs[] = {out};
  return cpu::bind_attention({.node = &node, .in = in, .out = outs, .symbols = symbols, .workers = 1, .max_context = s.blocks() * kKvBlock}, IsaSet{}.with(s.kernel->isa))
      .value();
}

void run(benchmark::State& state, const Shape& s) {
  const Cache cache = cache_of(s);
  const KernelBinding binding = bind(s, cache);
  Buffer scratch = Buffer::create(system_allocator(), binding.scratch_bytes + 64, "scratch").value();
  Buffer worker = Buffer::create(system_allocator(), binding.worker_scratch_bytes + 64, "scratch").value();
  std::vector<float> q(static_cast<size_t>(s.rows * s.heads * s.d)), y(q.size());
  fill(q, 3);
  std::vector<int32_t> table(static_cast<size_t>(cache.blocks));
  std::iota(table.begin(), table.end(), 0);
  const Segment segment{0, static_cast<int32_t>(s.rows), 0, static_cast<int32_t>(s.depth)};
  StepEnv env;
  env.base[static_cast<int>(Space::input)] = reinterpret_cast<std::byte*>(q.data());
  env.base[static_cast<int>(Space::output)] = reinterpret_cast<std::byte*>(y.data());
  env.base[static_cast<int>(Space::arena)] = scratch.data();
  env.symbols = &s.rows;
  env.worker_scratch = worker.data();
  env.scratch_stride = static_cast<int64_t>(worker.size());
  const std::vector<Step> steps = binding.finish(binding, {}, Ref{Space::arena, 0});
  const int64_t sequences = cache.blocks / s.blocks();
  static int64_t next = 0;
  for (auto _ : state) {
    env.info = {{&segment, 1}, table.data() + next++ % sequences * s.blocks(), static_cast<int32_t>(s.blocks())};
    for (const Step& step : steps)
      for (int64_t t = 0, tiles = step.tiles(step.params, env); t < tiles; ++t) step.run(step.params, env, t, 0);
    benchmark::ClobberMemory();
  }
  const int64_t seen = s.rows * s.depth + s.rows * (s.rows + 1) / 2;  // pairs of row and position
  report(state, s.kernel->isa,
         {static_cast<double>((s.depth + s.rows) * 2 * s.kv_heads * kv_head_bytes(s.kv, s.d) / kKvBlock), 4.0 * static_cast<double>(seen * s.heads * s.d), false});
}

}  // namespace

void register_attention() {
  struct Heads { int64_t heads, kv_heads, d; };
  struct Rows { const char* name; int64_t depth, rows; };
  for (const AttentionKernel& k : attention_kernels()) {
    if (!detect_isa().has(k.isa)) continue;
    for (const DType kv : {DType::f16, DType::q8_0, DType::f32})
      for (const Heads& h : {Heads{9, 3, 64}, {32, 8, 128}})  // SmolLM2-135M, Llama 3 8B
        for (const Rows& r : {Rows{"decode", 255, 1}, {"decode", 2047, 1}, {"prefill", 0, 64}, {"prefill", 0, 512}}) {
          const Shape s{&k, kv, h.heads, h.kv_heads, h.d, r.depth, r.rows};
          const std::string name =
              fmt::format("attention_{}/{}/{}/{}x{}on{}x{}", r.name, k.name, name_of(kv), r.depth + r.rows, h.heads, h.kv_heads, h.d);
          benchmark::RegisterBenchmark(name.c_str(), [s](benchmark::State& state) { run(state, s); });
        }
  }
}

}  // namespace bench
