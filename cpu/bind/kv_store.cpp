// Writes new keys and values into their blocks: keys transposed, [head_dim, 64], values as rows. A tile is the rows of a segment that fall
// into one block, for some heads; rope_kv_store rotates them first, into the worker's scratch. f16 by rounding to nearest even, q8_0 by the quantiser of q8_rows: the same bits on every instruction set.
#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "cpu/bind/rope.h"
#include "cpu/kernels/attention/attention.h"
#include "cpu/kernels/qgemm/qgemm.h"
#include "quant/kv_block.h"
#include "quant/q8_rows.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kTileElements = 64 * 1024;

struct KvStore {
  Arg x;
  Rotation rotation;      ///< rope_kv_store: of x
  size_t scratch_bytes;   ///< of a head's store; behind them rotated rows and a table of angles
  Run run;
  Ref state;
  void (*to_f16)(const float*, uint16_t*, int64_t);
  QuantizeRow to_q8;
  int64_t heads, d, tile_heads, head_tiles;
  int64_t block_bytes, head_bytes;
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

int64_t bytes(const void* params, const StepEnv& env) {
  const KvStore& p = *static_cast<const KvStore*>(params);
  return env.extent(p.x.rows) * p.heads * (p.d * static_cast<int64_t>(sizeof(float)) + p.head_bytes / kKvBlock);
}

/// Rows that stand in one block, for one head.
struct Part {
  const float* x;     ///< [n] rows of d, `stride` floats apart
  int64_t stride, n;
  int64_t slot;       ///< of the first in its block
};

/// n rows of d, `stride` elements apart, as columns of a plane from `slot` on.
template <class T>
void store_columns(const T* rows, int64_t stride, int64_t n, int64_t d, T* plane, int64_t slot) {
  for (int64_t i = 0; i < d; ++i)
    for (int64_t t = 0; t < n; ++t) plane[i * kKvBlock + slot + t] = rows[t * stride + i];
}

/// T: uint16_t (f16) or float.
template <class T>
void store_head(const KvStore& p, const Part& part, std::byte* head, std::byte* scratch) {
  const int64_t d = p.d;
  T* to = p.values ? reinterpret_cast<T*>(head) + part.slot * d : reinterpret_cast<T*>(scratch);
  for (int64_t t = 0; t < part.n; ++t, to += d) {
    const float* x = part.x + t * part.stride;
    if constexpr (sizeof(T) == 2) p.to_f16(x, to, d);
    else std::memcpy(to, x, static_cast<size_t>(d) * sizeof(float));
  }
  if (!p.values) store_columns(reinterpret_cast<const T*>(scratch), d, part.n, d, reinterpret_cast<T*>(head), part.slot);
}

/// q8_0. Scratch: rows of q8_rows, then a row of floats where d is filled up.
template <>
void store_head<int8_t>(const KvStore& p, const Part& part, std::byte* head, std::byte* scratch) {
  const int64_t d = p.d, groups = kv_groups(d), padded = groups * kKvGroup, n = part.n, slot = part.slot;
  const auto stride = static_cast<int64_t>(q8_rows_stride(padded));
  float* filled = reinterpret_cast<float*>(scratch + kKvBlock * stride);
  std::fill(filled + d, filled + padded, 0.0f);
  for (int64_t t = 0; t < n; ++t) {
    const float* x = part.x + t * part.stride;
    if (d != padded) x = static_cast<const float*>(std::memcpy(filled, x, static_cast<size_t>(d) * sizeof(float)));
    p.to_q8(x, padded, scratch + t * stride);
  }
  const std::byte* scales = scratch + q8_rows_d(padded);
  std::byte* head_scales = head + kKvBlock * d;
  if (!p.values) {
    store_columns(reinterpret_cast<const int8_t*>(scratch), stride, n, d, reinterpret_cast<int8_t*>(head), slot);
    store_columns(reinterpret_cast<const float*>(scales), stride / 4, n, groups, reinterpret_cast<float*>(head_scales), slot);
    return;
  }
  for (int64_t t = 0; t < n; ++t) {
    std::memcpy(head + (slot + t) * d, scratch + t * stride, static_cast<size_t>(d));
    std::memcpy(head_scales + (slot + t) * groups * 4, scales + t * stride, static_cast<size_t>(groups) * 4);
  }
}

/// The same for `heads` heads from row `row` of the step on, rotated into `memory`: a table of angles, then the rows.
Part rotated(const KvStore& p, const StepEnv& env, const Part& part, int64_t row, int64_t heads, float* memory) {
  float* rows = memory + p.rotation.table_floats();
  const int64_t stride = heads * p.d;
  for (int64_t t = 0; t < part.n; ++t) p.rotation.rotate(env, row + t, part.x + t * part.stride, rows + t * stride, heads, memory);
  return {rows, stride, part.n, part.slot};
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
    std::byte *to = env.at(p.state) + block * p.block_bytes, *scratch = env.scratch(worker);
    const int64_t from = head_tile * p.tile_heads, end = std::min(p.heads, from + p.tile_heads);
    Part part{p.x.row<float>(env, s.first_row + first) + from * p.d, p.x.row_stride, last - first, (s.first_position + first) % kKvBlock};
    if (p.rotation.fn != nullptr) part = rotated(p, env, part, s.first_row + first, end - from, reinterpret_cast<float*>(scratch + p.scratch_bytes));
    for (int64_t h = from; h < end; ++h, part.x += p.d) store_head<T>(p, part, to + h * p.head_bytes, scratch);
    return;
  }
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const>, Ref) {
  auto* p = static_cast<KvStore*>(self.params.get());
  if (p->rotation.fn != nullptr) p->rotation.make_steps();
  return {{p->run, tiles, p, bytes}};
}

/// `rotation`: none for kv_store.
Result<KernelBinding> bind_store(const BindRequest& request, Rotation rotation, IsaSet isa) {
  const std::string& op = request.node->op;
  if (request.in.size() < 2) return unsupported("{}: {} operands, expected the state and x", op, request.in.size());
  const Operand &state = request.in[0], &x = request.in[1];
  if (x.dtype != DType::f32) return unsupported("{}: x is {}, expected f32", op, name_of(x.dtype));
  if (!is_kv_dtype(state.dtype)) return unsupported("{}: the state is {}, expected f32, f16 or q8_0", op, name_of(state.dtype));
  if (!is_kv(state.state)) return unsupported("{}: the state holds neither keys nor values", op);
  if (x.dims.size() != 3 || state.dims.size() != 4) return unsupported("{}: ranks {} and {}, expected 4 and 3", op, state.dims.size(), x.dims.size());
  const AttentionKernel& kernel = select_attention(isa);
  const bool q8 = state.dtype == DType::q8_0, rotates = rotation.fn != nullptr;
  auto p = std::make_shared<KvStore>();
  p->x = arg_of(x);
  p->state = state.ref;
  p->to_f16 = kernel.fn->to_f16;
  p->to_q8 = select_quantize(DType::q8_rows, isa);
  p->run = q8 ? run<int8_t> : state.dtype == DType::f16 ? run<uint16_t> : run<float>;
  p->heads = x.dims[1].times;
  p->d = x.dims[2].times;
  p->values = state.state == StateKind::kv_values;
  p->block_bytes = kv_block_bytes(state.dtype, state.row_stride, p->d);
  p->head_bytes = kv_head_bytes(state.dtype, p->d);
  p->tile_heads = std::clamp<int64_t>(kTileElements / std::max<int64_t>(1, p->d * kKvBlock), 1, std::max<int64_t>(1, p->heads));
  p->head_tiles = ceil_div(p->heads, p->tile_heads);
  const int64_t padded = kv_groups(p->d) * kKvGroup;
  if (q8) p->scratch_bytes = round_up(static_cast<size_t>(kKvBlock) * q8_rows_stride(padded) + static_cast<size_t>(padded) * sizeof(float), 64);
  else if (!p->values) p->scratch_bytes = static_cast<size_t>(p->head_bytes);
  KernelBinding b;
  b.kernel = fmt::format("{}.{}.{}", op, kernel.name, name_of(state.dtype));
  b.worker_scratch_bytes = p->scratch_bytes;
  if (rotates) b.worker_scratch_bytes += static_cast<size_t>(rotation.table_floats() + kKvBlock * p->tile_heads * p->d) * sizeof(float);
  p->rotation = std::move(rotation);
  b.finish = finish;
  b.params = p;
  return b;
}

}  // namespace

Result<KernelBinding> bind_kv_store(const BindRequest& request, IsaSet isa) { return bind_store(request, {}, isa); }

Result<KernelBinding> bind_rope_kv_store(const BindRequest& request, IsaSet isa) {
  MAINSPRING_TRY(Rotation rotation, rotation_of(request, 1, isa));
  return bind_store(request, std::move(rotation), isa);
}

}  // namespace mainspring::inline v0::cpu
