// embed: rows gathered from a table and decoded. gather_rows: rows copied.
#include <cstring>

#include "cpu/bind/bind.h"
#include "cpu/bind/linear.h"
#include "cpu/bind/rows.h"

namespace mainspring::inline v0::cpu {
namespace {

struct EmbedParams {
  const BlockFormat* format = nullptr;
  PanelLayout layout;                  ///< of panels, when the linear layer's are used
  const std::byte* weights = nullptr;  ///< source rows or panels
  bool panels = false;
  int64_t vocabulary = 0;
  Ref ids;
  RowSpan y;
  int64_t per_tile = 1;
};

int64_t embed_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const EmbedParams*>(params);
  return ceil_div(p.y.count(env), p.per_tile);
}

void embed_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const EmbedParams*>(params);
  const int32_t* ids = reinterpret_cast<const int32_t*>(env.at(p.ids));
  const int64_t first = tile * p.per_tile, last = std::min(first + p.per_tile, p.y.count(env)), d = p.y.length;
  for (int64_t r = first; r < last; ++r) {
    float* y = p.y.row<float>(env, r);
    const int64_t id = ids[r];
    if (id < 0 || id >= p.vocabulary) {  // steps check ids before; a graph's own input may not have been
      std::fill_n(y, d, 0.0f);
    } else if (!p.panels) {
      p.format->decode(p.weights + static_cast<size_t>(id) * p.layout.row_bytes(), d, y);
    } else if (p.layout.qgemm) {
      p.layout.qgemm->decode_row(p.weights, d, id, y);
    } else if (p.layout.bgemm) {
      bgemm_unpack_row(p.weights, d, id, y);
    } else {
      gemm_unpack_row(p.layout.dtype, p.weights, d, id, y);
    }
  }
}

/// Rows of the table that the ids name, not all of it.
int64_t embed_bytes(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const EmbedParams*>(params);
  return p.y.bytes(env) + p.y.count(env) * static_cast<int64_t>(sizeof(int32_t) + p.layout.row_bytes());
}

std::vector<Step> embed_finish(const KernelBinding& self, std::span<const std::byte* const> packed, Ref) {
  auto* p = static_cast<EmbedParams*>(self.params.get());
  if (!packed.empty()) p->weights = packed[0];
  return {Step{embed_run, embed_tiles, p, embed_bytes}};
}

struct GatherParams {
  RowSpan x, y;  ///< one index of the outermost extent
  Ref rows;
  int64_t bytes, per_tile;
};

int64_t gather_tiles(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const GatherParams*>(params);
  return ceil_div(p.y.count(env), p.per_tile);
}

void gather_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const GatherParams*>(params);
  const int32_t* rows = reinterpret_cast<const int32_t*>(env.at(p.rows));
  const int64_t first = tile * p.per_tile, last = std::min(first + p.per_tile, p.y.count(env)), have = p.x.count(env);
  for (int64_t r = first; r < last; ++r) {
    const int64_t from = rows[r];
    if (from < 0 || from >= have)
      std::memset(p.y.at(env, r), 0, static_cast<size_t>(p.bytes));
    else
      std::memcpy(p.y.at(env, r), p.x.at(env, from), static_cast<size_t>(p.bytes));
  }
}

int64_t gather_bytes(const void* params, const StepEnv& env) {
  const auto& p = *static_cast<const GatherParams*>(params);
  return 2 * p.y.bytes(env) + p.y.count(env) * static_cast<int64_t>(sizeof(int32_t));
}

}  // namespace

Result<KernelBinding> bind_embed(const BindRequest& q, IsaSet isa) {
  const Operand &w = q.in[0], &ids = q.in[1], &y = q.out[0];
  if (!w.is_weight || w.dims.size() != 2 || !w.dims[0].is_constant() || !w.dims[1].is_constant())
    return unsupported("embed: the table is not a constant weight");
  if (ids.dtype != DType::i32 || y.dtype != DType::f32)
    return unsupported("embed: ids are {} and rows {}, expected i32 and f32", name_of(ids.dtype), name_of(y.dtype));
  KernelBinding b;
  auto params = std::make_shared<EmbedParams>();
  EmbedParams& p = *params;
  const int64_t d = w.dims[1].times;
  p.format = format_of(w.dtype);
  if (!p.format) return unsupported("embed: no decoder for {}", name_of(w.dtype));
  if (d % p.format->block) return unsupported("embed: rows of {} are no multiple of {}'s block of {}", d, p.format->name, p.format->block);
  p.vocabulary = w.dims[0].times;
  p.ids = ids.ref;
  p.y = span_of(y);
  p.per_tile = rows_per_tile(d, 4096);
  p.weights = reinterpret_cast<const std::byte*>(w.ref.offset);
  // A tied table is read out of the panels of its linear layer, so that the source need not stay.
  const bool lowered = !q.exact && takes_lowered(w.dtype, d, isa);
  p.panels = panel_layout(w, lowered, isa, q.choices, &p.layout) && w.also_linear;
  if (p.panels) b.packings.push_back(packing_of(p.layout, 0));
  b.kernel = p.panels ? fmt::format("embed of {}", p.layout.name()) : fmt::format("embed of {} rows", p.format->name);
  b.finish = embed_finish;
  b.params = std::move(params);
  return b;
}

Result<KernelBinding> bind_gather_rows(const BindRequest& q, IsaSet) {
  const Operand &x = q.in[0], &rows = q.in[1];
  if (x.dims.size() < 2 || !constant_rows(x) || is_block_format(x.dtype))
    return unsupported("gather_rows: expected rows of scalars with constant extents");
  if (rows.dtype != DType::i32) return unsupported("gather_rows: rows are {}, expected i32", name_of(rows.dtype));
  const size_t keep = x.dims.size() - 1;
  GatherParams p{span_of(x, keep), span_of(q.out[0], keep), rows.ref, 0, 1};
  p.bytes = p.x.length * info_of(x.dtype).bytes;
  p.per_tile = rows_per_tile(p.bytes, 65536);
  return one_step("copy", p, gather_run, gather_tiles, gather_bytes);
}

}  // namespace mainspring::inline v0::cpu
