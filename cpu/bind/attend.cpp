// attend: a tile is some queries of a head (or of the heads that share keys), which meet the keys a block at a time: scores by gemm, softmax, times values by
// gemm. A row's results gather in y itself, so scratch is a block of scores for some rows, whatever the number of keys. Keys are turned into panels by a
// step of their own where several tiles read them, else by the tile; values are read as they lie.
#include <cmath>
#include <limits>

#include "core/checked.h"
#include "cpu/bind/bind.h"
#include "cpu/bind/strides.h"
#include "cpu/kernels/attend/attend.h"
#include "cpu/kernels/elementwise/elementwise.h"
#include "cpu/kernels/gemm/gemm.h"

namespace mainspring::inline v0::cpu {
namespace {

constexpr int64_t kKeys = 256;   ///< most keys of a block
constexpr int64_t kRows = 24;    ///< queries whose scores stand at a time: with 256 keys 24 KiB, near the level 1 cache
constexpr int64_t kQueries = 128;  ///< most queries of a tile
constexpr double kTileMacs = 6e6;  ///< about 100 µs

/// A tensor as attention walks it: strides in elements.
struct Walked {
  Ref ref;
  int64_t batch = 0, head = 0, row = 0, depth = 1;
};

struct AttendParams {
  const GemmKernel* gemm = nullptr;
  const AttendIsa* attend = nullptr;
  void (*scale_row)(const UnaryArgs&) = nullptr;
  Walked q, k, v, y, mask;     ///< mask: depth is the stride along the keys
  bool mask_is_bool = false, causal = false;
  int64_t batch = 0, heads = 0, group = 1, s = 0, t = 0, d = 0, dv = 0;  ///< heads: of k and v
  float scale = 1, softcap = 0;
  int64_t block = 16;          ///< keys of a block
  int64_t queries = 1, query_tiles = 1, heads_per_tile = 1, head_tiles = 1;
  bool keys_in_place = false;  ///< k is transposed: its rows serve as they are
  bool keys_made = false;      ///< panels in the node's scratch, by a step
  Ref made;
  int64_t panels() const { return gemm_panel_count(t); }
  int64_t panel_floats() const { return d * kGemmWidth; }
  int64_t rows_per_tile() const { return heads_per_tile * queries; }
};

float* floats(const StepEnv& env, Ref r) { return reinterpret_cast<float*>(env.at(r)); }

/// Keys [from, to) as panels.
void panels_of_keys(const AttendParams& p, const float* k, int64_t from, int64_t to, float* panels) {
  for (int64_t j = from; j < to; j += kGemmWidth)
    gemm_panel_of_rows(*p.gemm, k + j * p.k.row, p.k.row, std::min<int64_t>(kGemmWidth, p.t - j), p.d, panels + (j - from) * p.d);
}

int64_t keys_per_tile(const AttendParams& p) { return std::max<int64_t>(1, (16 << 10) / std::max<int64_t>(1, p.panel_floats())) * kGemmWidth; }

int64_t keys_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const AttendParams*>(params);
  return p.batch * p.heads * ceil_div(p.t, keys_per_tile(p));
}

void keys_run(const void* params, const StepEnv& env, int64_t tile, int) {
  const auto& p = *static_cast<const AttendParams*>(params);
  const int64_t tiles = ceil_div(p.t, keys_per_tile(p)), head = tile / tiles, from = tile % tiles * keys_per_tile(p);
  panels_of_keys(p, floats(env, p.k.ref) + head / p.heads * p.k.batch + head % p.heads * p.k.head, from, std::min(p.t, from + keys_per_tile(p)),
                 floats(env, p.made) + (head * p.panels() * kGemmWidth + from) * p.d);
}

/// A worker's scratch. Every part begins at a multiple of 64 bytes.
struct Scratch {
  int64_t scores_at, mask_at, top_at, sum_at, floats;
  float *panels, *scores, *mask, *top, *sum;
  explicit Scratch(const AttendParams& p, std::byte* at = nullptr) {
    const auto behind = [](int64_t from, int64_t n) { return from + (n + 15) / 16 * 16; };
    scores_at = behind(0, p.keys_in_place || p.keys_made ? 0 : p.block * p.d);
    mask_at = behind(scores_at, kRows * p.block);
    top_at = behind(mask_at, p.block);
    sum_at = behind(top_at, p.rows_per_tile());
    floats = behind(sum_at, p.rows_per_tile());
    if (at == nullptr) return;
    panels = reinterpret_cast<float*>(at);
    scores = panels + scores_at;
    mask = panels + mask_at;
    top = panels + top_at;
    sum = panels + sum_at;
  }
};

/// Keys [from, from + n) of one head and their values, wherever they lie.
struct Keys {
  int64_t from, n;
  const float* k;  ///< panels, or [d][k_stride]
  int64_t k_panel, k_stride;
  const float* v;
};

/// The mask of a query for a block of keys: where it lies, or made in `row`.
const float* mask_row(const AttendParams& p, const std::byte* mask, int64_t at, int64_t n, float* row) {
  if (p.mask_is_bool && p.mask.depth) {
    p.attend->mask_of(reinterpret_cast<const uint8_t*>(mask) + at, n, row);
    return row;
  }
  const auto* values = reinterpret_cast<const float*>(mask);
  if (p.mask.depth) return values + at;
  const float one = !p.mask_is_bool ? values[at] : mask[at] != std::byte{} ? 0 : -std::numeric_limits<float>::infinity();
  std::fill_n(row, n, one);
  return row;
}

/// Queries [first, first + rows) of a head, rows <= kRows, against a block. q, y, top and sum: of the first query; mask: of the head's.
void meet(const AttendParams& p, const Keys& keys, const Scratch& scratch, int64_t first, int64_t rows, const float* q, float* y, const std::byte* mask, int64_t mask_at,
          float* top, float* sum) {
  const auto seen = [&](int64_t query) { return p.causal ? std::clamp<int64_t>(query + p.t - p.s + 1 - keys.from, 0, keys.n) : keys.n; };
  const int64_t most = seen(first + rows - 1), padded = (most + 15) / 16 * 16;
  if (most == 0) return;
  GemmBlock g{};
  g.w = keys.k;
  g.panel_stride = keys.k_panel;
  g.w_stride = keys.k_stride;
  g.x = q;
  g.x_stride = p.q.row;
  g.y = scratch.scores;
  g.y_stride = p.block;
  g.k = p.d;
  g.rows = rows;
  g.outputs = most;
  (p.keys_in_place ? p.gemm->fn->in_place : p.gemm->fn->panels)(g);
  const float* row = nullptr;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t n = seen(first + r);
    if (mask && (r == 0 || p.mask.row)) row = mask_row(p, mask, mask_at + (first + r) * p.mask.row + keys.from * p.mask.depth, p.mask.row ? n : most, scratch.mask);
    const float keep = p.attend->soften({scratch.scores + r * p.block, n, padded, row, p.scale, p.softcap, top + r, sum + r});
    if (keep != 1 && keys.from) p.scale_row({y + r * p.y.row, y + r * p.y.row, p.dv, keep, 0});
  }
  GemmBlock h{};
  h.w = keys.v;
  h.panel_stride = kGemmWidth;
  h.w_stride = p.v.row;
  h.x = scratch.scores;
  h.x_stride = p.block;
  h.y = y;
  h.y_stride = p.y.row;
  h.start = keys.from ? y : nullptr;
  h.start_stride = p.y.row;
  h.k = most;
  h.rows = rows;
  h.outputs = p.dv;
  p.gemm->fn->in_place(h);
}

int64_t attend_tiles(const void* params, const StepEnv&) {
  const auto& p = *static_cast<const AttendParams*>(params);
  return p.batch * p.heads * p.head_tiles * p.query_tiles;
}

void attend_run(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const auto& p = *static_cast<const AttendParams*>(params);
  const int64_t first = tile % p.query_tiles * p.queries, queries = std::min(p.queries, p.s - first);
  const int64_t first_head = tile / p.query_tiles % p.head_tiles * p.heads_per_tile, heads = std::min(p.heads_per_tile, p.group - first_head);
  const int64_t head = tile / p.query_tiles / p.head_tiles, b = head / p.heads, kv = head % p.heads;
  const Scratch scratch(p, env.scratch(worker));
  const float* k = floats(env, p.k.ref) + b * p.k.batch + kv * p.k.head;
  const float* v = floats(env, p.v.ref) + b * p.v.batch + kv * p.v.head;
  std::fill_n(scratch.top, heads * queries, -std::numeric_limits<float>::infinity());
  std::fill_n(scratch.sum, heads * queries, 0.0f);
  const auto query = [&](const Walked& w, int64_t h, int64_t i) { return b * w.batch + (kv * p.group + first_head + h) * w.head + (first + i) * w.row; };
  const std::byte* mask = p.mask.ref ? env.at(p.mask.ref) : nullptr;
  const int64_t last_key = p.causal ? std::clamp<int64_t>(first + queries + p.t - p.s, 0, p.t) : p.t;
  for (int64_t from = 0; from < last_key; from += p.block) {
    Keys keys{from, std::min(p.block, p.t - from), k + from, kGemmWidth, p.k.depth, v + from * p.v.row};
    if (!p.keys_in_place) {
      keys.k = p.keys_made ? floats(env, p.made) + (head * p.panels() * kGemmWidth + from) * p.d : scratch.panels;
      keys.k_panel = p.panel_floats();
      keys.k_stride = kGemmWidth;
      if (!p.keys_made) panels_of_keys(p, k, from, from + keys.n, scratch.panels);
    }
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < queries; i += kRows)
        meet(p, keys, scratch, first + i, std::min(kRows, queries - i), floats(env, p.q.ref) + query(p.q, h, i), floats(env, p.y.ref) + query(p.y, h, i), mask,
             b * p.mask.batch + (kv * p.group + first_head + h) * p.mask.head, scratch.top + h * queries + i, scratch.sum + h * queries + i);
  }
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < queries; ++i) {
      float* y = floats(env, p.y.ref) + query(p.y, h, i);
      const float sum = scratch.sum[h * queries + i];
      if (sum == 0) std::fill_n(y, p.dv, 0.0f);
      else p.scale_row({y, y, p.dv, 1 / sum, 0});
    }
}

std::vector<Step> attend_finish(const KernelBinding& self, std::span<const std::byte* const>, Ref scratch) {
  auto* p = static_cast<AttendParams*>(self.params.get());
  std::vector<Step> steps;
  p->made = scratch;
  if (p->keys_made) steps.push_back({keys_run, keys_tiles, p});
  steps.push_back({attend_run, attend_tiles, p});
  return steps;
}

Walked walked(const Operand& o, size_t head, size_t row, size_t depth) {
  const std::vector<int64_t> strides = strides_of(o, 4);
  return {o.ref, strides[0], strides[head], strides[row], strides[depth]};
}

void cut(AttendParams* p, int workers) {
  if (p->s == 1) {  // the heads that share keys are the rows
    p->s = p->group;
    p->q.row = p->q.head, p->q.head *= p->group;
    p->y.row = p->y.head, p->y.head *= p->group;
    p->mask.row = p->mask.head, p->mask.head *= p->group;
    p->group = 1;
    p->causal = false;
  }
  const int64_t blocks = std::max<int64_t>(1, ceil_div(p->t, kKeys));
  p->block = std::max<int64_t>(16, ceil_div(ceil_div(p->t, blocks), int64_t{16}) * 16);
  const double macs = static_cast<double>(std::max<int64_t>(1, p->t * (p->d + p->dv)));
  int64_t most = std::clamp<int64_t>(static_cast<int64_t>(kTileMacs / macs), kRows, kQueries);
  while (most > kRows && p->batch * p->heads * p->group * ceil_div(p->s, most) < 4 * workers) most /= 2;
  p->query_tiles = std::max<int64_t>(1, ceil_div(p->s, most));
  p->queries = ceil_div(p->s, p->query_tiles);
  p->heads_per_tile = p->query_tiles > 1 ? 1 : std::clamp<int64_t>(most / std::max<int64_t>(1, p->queries), 1, p->group);
  p->head_tiles = ceil_div(p->group, p->heads_per_tile);
}

}  // namespace

Result<KernelBinding> bind_attend(const BindRequest& q, IsaSet isa) {
  const Operand mask = q.in.size() > 3 ? q.in[3] : Operand{};
  for (const Operand* o : {&q.in[0], &q.in[1], &q.in[2], &mask, &q.out[0]})
    if (*o && !constant_dims(*o)) return unsupported("attend: an operand has a symbolic extent");
  const Attrs& attrs = q.node->attrs;
  auto params = std::make_shared<AttendParams>();
  AttendParams& p = *params;
  p.gemm = &select_gemm(isa);
  p.attend = select_attend(isa).fn;
  p.scale_row = select_elementwise(isa).fn->unary[static_cast<int>(UnaryOp::scale)];
  const size_t head = attrs.s("layout") == "bshd" ? 2 : 1, row = 3 - head;
  p.keys_in_place = attrs.i("k_transposed") != 0;
  p.q = walked(q.in[0], head, row, 3);
  p.k = p.keys_in_place ? walked(q.in[1], 1, 3, 2) : walked(q.in[1], head, row, 3);
  p.v = walked(q.in[2], head, row, 3);
  p.y = walked(q.out[0], head, row, 3);
  p.batch = q.out[0].dims[0].times;
  p.heads = q.in[2].dims[head].times;
  p.group = std::max<int64_t>(1, q.out[0].dims[head].times / std::max<int64_t>(1, p.heads));
  p.s = q.out[0].dims[row].times;
  p.t = q.in[2].dims[row].times;
  p.d = q.in[0].dims[3].times;
  p.dv = q.out[0].dims[3].times;
  if (mask) p.mask = walked(mask, 1, 2, 3);
  p.mask_is_bool = mask && mask.dtype == DType::boolean;
  p.causal = attrs.i("causal") != 0;
  p.scale = static_cast<float>(attrs.f("scale", 1 / std::sqrt(static_cast<double>(p.d))));
  p.softcap = static_cast<float>(attrs.f("softcap"));
  if (q.out[0].dims[head].times == 0 || p.s == 0 || p.dv == 0) p.batch = 0;
  cut(&p, q.workers);
  KernelBinding r;
  p.keys_made = !p.keys_in_place && p.query_tiles * p.head_tiles > 1;
  if (p.keys_made) r.scratch_bytes = static_cast<size_t>(p.batch * p.heads * p.panels() * p.panel_floats()) * sizeof(float);
  r.worker_scratch_bytes = static_cast<size_t>(Scratch(p).floats) * sizeof(float);
  r.kernel = fmt::format("attend.{} {} queries of {}, {} keys of {}", select_attend(isa).name, p.queries, p.s, p.block, p.t);
  r.ops_per_row = 2 * p.group * p.heads * p.t * (p.d + p.dv);
  r.finish = attend_finish;
  r.params = std::move(params);
  return r;
}

}  // namespace mainspring::inline v0::cpu
