// Operators that move elements to or from places that indices name: blocks of bytes that are contiguous on both sides. An index outside of its axis
// reads zeros and writes nothing.
#include <array>
#include <cstring>

#include "cpu/bind/tensor.h"
#include "cpu/bind/tensor_binders.h"

namespace mainspring::inline v0::cpu {
namespace {

using Extents = std::vector<int64_t>;
constexpr size_t kRank = static_cast<size_t>(Shape::kMaxRank);

struct GatherParams {
  Ref x, indices, y, updates;
  bool wide;            ///< indices of 64 bits, else of 32
  int64_t n, block;     ///< extent of the axis; bytes of a block
  int64_t count;        ///< indices for each outer index
  // GatherND, ScatterND: tuples of `depth` indices
  size_t depth = 0;
  std::array<int64_t, kRank> extents{}, strides{};  ///< of what a tuple names; strides in bytes
  int64_t batch_bytes = 0;
  // GatherElements: rows of the output along its last axis
  size_t rank = 0, axis = 0;
  std::array<int64_t, kRank> out{}, from{};  ///< the output's extents; strides of x in elements
  Cut cut;
  int64_t index(const std::byte* p, int64_t i) const { return wide ? reinterpret_cast<const int64_t*>(p)[i] : reinterpret_cast<const int32_t*>(p)[i]; }
};

int64_t gather_tiles(const void* params, const StepEnv&) { return static_cast<const GatherParams*>(params)->cut.tiles(); }

void copy_block(std::byte* to, const std::byte* from, int64_t bytes) {
  if (from != nullptr) std::memcpy(to, from, static_cast<size_t>(bytes));
  else std::memset(to, 0, static_cast<size_t>(bytes));
}

void gather_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const GatherParams*>(params);
  const std::byte *x = env.at(p.x), *indices = env.at(p.indices);
  std::byte* y = env.at(p.y);
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    int64_t i = p.index(indices, u % p.count);
    if (i < 0) i += p.n;
    copy_block(y + u * p.block, i >= 0 && i < p.n ? x + (u / p.count * p.n + i) * p.block : nullptr, p.block);
  }
}

/// Bytes from the beginning that tuple `at` names, -1 outside.
int64_t place_of(const GatherParams& p, const std::byte* indices, int64_t at) {
  int64_t place = 0;
  for (size_t d = 0; d < p.depth; ++d) {
    int64_t i = p.index(indices, at * static_cast<int64_t>(p.depth) + static_cast<int64_t>(d));
    if (i < 0) i += p.extents[d];
    if (i < 0 || i >= p.extents[d]) return -1;
    place += i * p.strides[d];
  }
  return place;
}

void gather_nd_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const GatherParams*>(params);
  const std::byte *x = env.at(p.x), *indices = env.at(p.indices);
  std::byte* y = env.at(p.y);
  for (int64_t u = p.cut.first(tile); u < p.cut.last(tile); ++u) {
    const int64_t place = place_of(p, indices, u);
    copy_block(y + u * p.block, place < 0 ? nullptr : x + u / p.count * p.batch_bytes + place, p.block);
  }
}

// Later updates of the same place win, so one tile does all.
void scatter_nd_run(const void* params, const StepEnv& env, int64_t, int) {
  const auto& p = *static_cast<const GatherParams*>(params);
  const std::byte *updates = env.at(p.updates), *indices = env.at(p.indices);
  std::byte* y = env.at(p.y);
  for (int64_t u = 0; u < p.count; ++u)
    if (const int64_t place = place_of(p, indices, u); place >= 0) std::memcpy(y + place, updates + u * p.block, static_cast<size_t>(p.block));
}

void copy_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const GatherParams*>(params);
  const int64_t first = p.cut.first(tile);
  std::memcpy(env.at(p.y) + first, env.at(p.x) + first, static_cast<size_t>(p.cut.last(tile) - first));
}

template <class T>
void elements_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const GatherParams*>(params);
  const T* x = reinterpret_cast<const T*>(env.at(p.x));
  const std::byte* indices = env.at(p.indices);
  T* y = reinterpret_cast<T*>(env.at(p.y));
  const size_t last = p.rank - 1;
  const int64_t along = p.from[p.axis], inner = p.axis == last ? 0 : p.from[last];
  for (int64_t row = p.cut.first(tile); row < p.cut.last(tile); ++row) {
    int64_t base = 0, rest = row;
    for (size_t d = last; d-- > 0;) {
      if (d != p.axis) base += rest % p.out[d] * p.from[d];
      rest /= p.out[d];
    }
    for (int64_t j = 0; j < p.out[last]; ++j) {
      const int64_t e = row * p.out[last] + j;
      int64_t i = p.index(indices, e);
      if (i < 0) i += p.n;
      y[e] = i >= 0 && i < p.n ? x[base + j * inner + i * along] : T{};
    }
  }
}

Result<GatherParams> indexed(const BindRequest& q) {
  MAINSPRING_TRY_VOID(want_constant_extents(q));
  const Operand& indices = q.in[1];
  if (q.out[0].dtype == DType::string || is_block_format(q.out[0].dtype)) return unsupported("{}: the kernel does not move {}", q.node->op, name_of(q.out[0].dtype));
  if (indices.dtype != DType::i64 && indices.dtype != DType::i32) return unsupported("{}: indices are {}", q.node->op, name_of(indices.dtype));
  GatherParams p{};
  p.x = q.in[0].ref;
  p.indices = indices.ref;
  p.y = q.out[0].ref;
  p.wide = indices.dtype == DType::i64;
  return p;
}

Cut cut_blocks(const BindRequest& q, int64_t blocks, int64_t bytes) { return Cut::of(blocks, 1, 4 + bytes / 16, q.workers); }

/// What tuples of `depth` indices into `dims` from `first` on name: blocks of what follows.
void name_places(GatherParams& p, const Extents& dims, size_t first, size_t depth, int64_t bytes) {
  p.depth = depth;
  p.block = bytes * product_of(std::span(dims).subspan(first + depth));
  int64_t stride = p.block;
  for (size_t d = depth; d-- > 0;) {
    p.extents[d] = dims[first + d];
    p.strides[d] = stride;
    stride *= dims[first + d];
  }
  p.batch_bytes = stride;
}

}  // namespace

Result<KernelBinding> bind_gather(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY(GatherParams p, indexed(q));
  const Extents x = *extents_of(q.in[0]);
  MAINSPRING_TRY(const size_t axis, axis_of(q, q.node->attrs.i("axis"), x.size()));
  p.n = x[axis];
  p.block = product_of(std::span(x).subspan(axis + 1)) * info_of(q.out[0].dtype).bytes;
  p.count = elements_of(q.in[1]);
  p.cut = cut_blocks(q, p.block > 0 ? product_of(std::span(x).first(axis)) * p.count : 0, p.block);
  return one_step("gather", p, gather_run, gather_tiles);
}

Result<KernelBinding> bind_gather_nd(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY(GatherParams p, indexed(q));
  const Extents x = *extents_of(q.in[0]), indices = *extents_of(q.in[1]);
  const auto batch = static_cast<size_t>(std::max<int64_t>(0, q.node->attrs.i("batch_dims")));
  if (indices.empty() || batch >= indices.size() || indices.back() < 0 || batch + static_cast<size_t>(indices.back()) > x.size())
    return unsupported("GatherND: {} batch extents, indices of rank {}", batch, indices.size());
  name_places(p, x, batch, static_cast<size_t>(indices.back()), info_of(q.out[0].dtype).bytes);
  const int64_t tuples = product_of(std::span(indices).first(indices.size() - 1));
  p.count = std::max<int64_t>(1, product_of(std::span(indices).subspan(batch, indices.size() - 1 - batch)));
  p.cut = cut_blocks(q, p.block > 0 ? tuples : 0, p.block);
  return one_step("gather", p, gather_nd_run, gather_tiles);
}

Result<KernelBinding> bind_scatter_nd(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY(GatherParams p, indexed(q));
  if (q.node->attrs.s("reduction", "none") != "none") return unsupported("ScatterND: reduction {}", q.node->attrs.s("reduction"));
  const Extents x = *extents_of(q.in[0]), indices = *extents_of(q.in[1]);
  if (indices.empty() || indices.back() < 0 || static_cast<size_t>(indices.back()) > x.size()) return unsupported("ScatterND: indices of rank {}", indices.size());
  const int64_t bytes = info_of(q.out[0].dtype).bytes;
  name_places(p, x, 0, static_cast<size_t>(indices.back()), bytes);
  p.updates = q.in[2].ref;
  p.count = p.block > 0 ? product_of(std::span(indices).first(indices.size() - 1)) : 0;
  p.cut = Cut::of(product_of(x) * bytes, 64, 1, q.workers);
  KernelBinding b;
  b.kernel = "scatter";
  b.params = std::make_shared<GatherParams>(p);
  b.finish = [](const KernelBinding& self, std::span<const std::byte* const>, Ref) {
    const void* params = self.params.get();
    return std::vector<Step>{Step{copy_run, gather_tiles, params}, Step{scatter_nd_run, [](const void*, const StepEnv&) -> int64_t { return 1; }, params}};
  };
  return b;
}

Result<KernelBinding> bind_gather_elements(const BindRequest& q, IsaSet) {
  MAINSPRING_TRY(GatherParams p, indexed(q));
  const Extents x = *extents_of(q.in[0]), y = *extents_of(q.out[0]);
  MAINSPRING_TRY(p.axis, axis_of(q, q.node->attrs.i("axis"), x.size()));
  if (x.size() != y.size() || x.size() > kRank) return unsupported("GatherElements: ranks {} and {}", x.size(), y.size());
  p.rank = x.size();
  p.n = x[p.axis];
  int64_t stride = 1;
  for (size_t d = p.rank; d-- > 0;) {
    p.out[d] = y[d];
    p.from[d] = stride;
    stride *= x[d];
  }
  const int64_t last = y.back();
  p.cut = Cut::of(last > 0 ? product_of(y) / last : 0, 1, 2 * last, q.workers);
  Run run = nullptr;
  switch (info_of(q.out[0].dtype).bytes) {
    case 1: run = elements_run<uint8_t>; break;
    case 2: run = elements_run<uint16_t>; break;
    case 4: run = elements_run<uint32_t>; break;
    case 8: run = elements_run<uint64_t>; break;
    default: return unsupported("GatherElements: {}", name_of(q.out[0].dtype));
  }
  return one_step("gather", p, run, gather_tiles);
}

}  // namespace mainspring::inline v0::cpu
