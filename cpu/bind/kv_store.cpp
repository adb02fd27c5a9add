// Writes new keys and values into their blocks: keys transposed, [head_dim, 64], values as rows. A tile is the rows of a segment that fall
// into one block, for some heads. f16 by rounding to nearest even, the same bits on every instruction set.
#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "cpu/bind/bind.h"
#include "cpu/kernels/attention/attention.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kTileElements = 64 * 1024;

struct KvStore {
  Arg x;
  Ref state;
  void (*to_f16)(const float*, uint16_t*, int64_t);
  int64_t heads, d, tile_heads, head_tiles;
  int64_t block_bytes;
  bool values;
};

/// Blocks that the segment touches.
int64_t blocks_of(const Segment& s) {
  if (s.rows <= 0) return 0;
  return (int64_t{s.first_position} + s.rows - 1) / kKvBlock - s.first_position / kKvBlock + 1;
}

int64_t tiles(const void* params, const StepEnv& env) {
  int64_t n = 0;
  for (const Segment& s : env.info.segments) n += blocks_of(s);
  return n * static_cast<const KvStore*>(params)->head_tiles;
}

/// Rows [first, last) of the segment, which stand in one block, for one head. T: uint16_t (f16) or float.
template <class T>
void store_head(const KvStore& p, const StepEnv& env, const Segment& s, int64_t first, int64_t last, int64_t head, T* block, T* row) {
  const int64_t slot = (s.first_position + first) % kKvBlock, d = p.d;
  for (int64_t r = first; r < last; ++r) {
    const float* x = p.x.row<float>(env, s.first_row + r) + head * d;
    T* to = p.values ? block + (slot + r - first) * d : row + (r - first) * d;
    if constexpr (sizeof(T) == 2) p.to_f16(x, to, d);
    else std::memcpy(to, x, static_cast<size_t>(d) * sizeof(float));
  }
  if (p.values) return;
  const int64_t n = last - first;
  for (int64_t i = 0; i < d; ++i)
    for (int64_t t = 0; t < n; ++t) block[i * kKvBlock + slot + t] = row[t * d + i];
}

template <class T>
void run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const KvStore& p = *static_cast<const KvStore*>(params);
  const int64_t head_tile = tile % p.head_tiles;
  tile /= p.head_tiles;
  for (const Segment& s : env.info.segments) {
    const int64_t n = blocks_of(s);
    if (tile >= n) {
      tile -= n;
      continue;
    }
    const int64_t b = s.first_position / kKvBlock + tile;
    const int64_t first = std::max<int64_t>(0, b * kKvBlock - s.first_position), last = std::min<int64_t>(s.rows, (b + 1) * kKvBlock - s.first_position);
    const int32_t block = env.info.block_table[int64_t{s.sequence} * env.info.blocks_per_sequence + b];
    T* to = reinterpret_cast<T*>(env.at(p.state) + block * p.block_bytes);
    T* row = reinterpret_cast<T*>(env.scratch(worker));
    const int64_t end = std::min(p.heads, (head_tile + 1) * p.tile_heads);
    for (int64_t h = head_tile * p.tile_heads; h < end; ++h) store_head(p, env, s, first, last, h, to + h * p.d * kKvBlock, row);
    return;
  }
}

}  // namespace

Result<KernelBinding> bind_kv_store(const BindRequest& request, IsaSet isa) {
  if (request.in.size() < 2) return unsupported("kv_store: {} operands, expected the state and x", request.in.size());
  const Operand &state = request.in[0], &x = request.in[1];
  if (x.dtype != DType::f32) return unsupported("kv_store: x is {}, expected f32", name_of(x.dtype));
  if (state.dtype != DType::f32 && state.dtype != DType::f16) return unsupported("kv_store: the state is {}, expected f32 or f16", name_of(state.dtype));
  if (state.state != StateKind::kv_keys && state.state != StateKind::kv_values) return unsupported("kv_store: the state holds neither keys nor values");
  if (x.dims.size() != 3 || state.dims.size() != 4) return unsupported("kv_store: ranks {} and {}, expected 4 and 3", state.dims.size(), x.dims.size());
  const AttentionKernel& kernel = select_attention(isa);
  KvStore p{};
  p.x = arg_of(x);
  p.state = state.ref;
  p.to_f16 = kernel.fn->to_f16;
  p.heads = x.dims[1].times;
  p.d = x.dims[2].times;
  p.values = state.state == StateKind::kv_values;
  p.block_bytes = state.row_stride * info_of(state.dtype).bytes;
  p.tile_heads = std::clamp<int64_t>(kTileElements / std::max<int64_t>(1, p.d * kKvBlock), 1, std::max<int64_t>(1, p.heads));
  p.head_tiles = ceil_div(p.heads, p.tile_heads);
  KernelBinding b = one_step(fmt::format("kv_store.{}.{}", kernel.name, name_of(state.dtype)), p, state.dtype == DType::f16 ? run<uint16_t> : run<float>, tiles);
  b.worker_scratch_bytes = p.values ? 0 : static_cast<size_t>(p.d * kKvBlock * info_of(state.dtype).bytes);
  return b;
}

}  // namespace mainspring::inline v0::cpu
