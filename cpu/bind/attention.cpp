// Tiles of attention. First step: a tile is one kv head, some rows of a segment (with all the query heads that read this kv head, or a part
// of them), and either all splits of the keys or a run of them; or it is all of some segments that are small. Second step: merges the splits
// of rows that were cut. All ways make the same bits, so how a step is cut may follow its size and the number of workers: by runs of splits where
// that makes more tiles and the partial results fit into the node's scratch, else each tile walks all.
#include <algorithm>

#include "core/checked.h"
#include "cpu/bind/bind.h"
#include "cpu/kernels/attention/attention.h"
#include "quant/kv_block.h"

namespace mainspring::inline v0::cpu {
namespace {

static_assert(kAttentionBlock == kKvBlock && kAttentionGroup == kKvGroup && kAttentionSplit % kKvBlock == 0);

/// Scratch for partial results: this much, or what one row of the longest context needs if that is more, at most what any step needs.
constexpr int64_t kScratchBudget = 8 << 20;
constexpr int64_t kTileNs = 80'000;
constexpr int64_t kLeastTileNs = 2'000;
constexpr int64_t kTilesOfWorker = 8;  // as many at least, where there is enough to do, so that none waits long for the last
constexpr int64_t kLeastQueries = 6;   // a full register tile
constexpr int64_t kMostQueries = 96;

struct Attention {
  Arg q, out;
  Ref keys, values, sinks, scratch;
  const AttentionIsa* fn;
  void (*walk)(const AttentionWalk&);
  int64_t heads, kv_heads, group, dk, dv;
  int64_t key_block, key_head, value_block, value_head;  ///< bytes from block to block, from head to head
  int64_t window;
  bool causal;
  float scale, softcap;
  int64_t workers, tile_macs, least_macs, most_queries, slot_floats;
  int64_t slots;                                         ///< partial results that the scratch holds
};

/// Positions that a row sees: [begin, end).
struct Range {
  int64_t begin, end;
};
Range range_of(const Attention& a, const Segment& s, int64_t row) {
  const int64_t p = s.first_position + row;
  return {a.window ? std::max<int64_t>(0, p - a.window + 1) : 0, a.causal ? p + 1 : int64_t{s.first_position} + s.rows};
}

/// How a segment falls into tiles, or that it is one of several that are a tile together.
struct Cut {
  const Segment *segment, *end;      ///< [segment, end)
  bool whole;                        ///< one tile for all of them
  int64_t first_split, splits, run;  ///< of the keys that any row sees; run: those of a tile
  bool by_split;                     ///< run < splits; partial results from slot `slot` on: [row, head, split]
  int64_t slot;
  int64_t tile_rows, row_tiles, tile_heads, head_tiles, runs;
  int64_t tiles(int64_t kv_heads) const { return whole ? 1 : kv_heads * row_tiles * head_tiles * runs; }
};

/// Multiply-adds of a segment, with the keys of its last row for each.
int64_t macs_of(const Attention& a, const Segment& s) {
  const Range last = range_of(a, s, s.rows - 1);
  return s.rows * a.heads * (last.end - last.begin) * (a.dk + a.dv);
}

/// Goes through the segments of a step, in order.
class Cutter {
 public:
  Cutter(const Attention& a, const StepEnv& env) : a_(a), next_(env.info.segments.data()), end_(next_ + env.info.segments.size()) {
    int64_t macs = 0;
    for (const Segment& s : env.info.segments) macs += s.rows > 0 ? macs_of(a, s) : 0;
    small_macs_ = std::clamp(a.workers > 1 ? 2 * macs / (kTilesOfWorker * a.workers) : macs, a.least_macs, a.tile_macs / 2);
  }

  bool next(Cut& c) {
    while (next_ != end_ && next_->rows <= 0) ++next_;
    if (next_ == end_) return false;
    c = Cut{};
    c.segment = next_;
    c.end = take_small();
    c.whole = c.end != c.segment;
    if (!c.whole) {
      cut(c, *next_);
      c.end = next_ + 1;
    }
    next_ = c.end;
    return true;
  }

 private:
  /// Where the small segments from here on end that make a tile: they must fit into a worker's memory, too.
  const Segment* take_small() const {
    const Segment* s = next_;
    for (int64_t macs = 0; s != end_; ++s) {
      if (s->rows <= 0) continue;
      if (s->rows * a_.group > a_.most_queries) break;
      macs += macs_of(a_, *s);
      if (macs > small_macs_) break;
    }
    return s;
  }

  void cut(Cut& c, const Segment& s) {
    const Range first = range_of(a_, s, 0), last = range_of(a_, s, s.rows - 1);
    c.first_split = first.begin / kAttentionSplit;
    c.splits = (last.end - 1) / kAttentionSplit - c.first_split + 1;
    c.run = c.splits;
    const int64_t need = s.rows * a_.heads * c.splits;
    if (c.splits > 1 && used_ + need <= a_.slots) {
      // Few queries are bound by reading, at half the speed of many.
      const int64_t queries = cut_rows(c, s, kAttentionSplit), most = a_.tile_macs / 2 / (queries * kAttentionSplit * (a_.dk + a_.dv));
      const int64_t wanted = a_.workers > 1 ? ceil_div(kTilesOfWorker * a_.workers, a_.kv_heads * c.row_tiles * c.head_tiles) : 1;
      c.run = std::clamp<int64_t>(most, 1, ceil_div(c.splits, wanted));
    }
    c.by_split = c.run < c.splits;
    c.runs = ceil_div(c.splits, c.run);
    c.slot = used_;
    if (c.by_split) used_ += need;
    else cut_rows(c, s, last.end - last.begin);
  }

  /// Rows and heads of a tile that walks so many keys; returns the most queries that it has.
  int64_t cut_rows(Cut& c, const Segment& s, int64_t keys) const {
    const int64_t queries = std::clamp(a_.tile_macs / (keys * (a_.dk + a_.dv)), kLeastQueries, a_.most_queries);
    c.head_tiles = ceil_div(a_.group, queries);
    c.tile_heads = ceil_div(a_.group, c.head_tiles);
    c.head_tiles = ceil_div(a_.group, c.tile_heads);
    c.tile_rows = std::min<int64_t>(s.rows, std::max<int64_t>(1, queries / c.tile_heads));
    c.row_tiles = ceil_div(s.rows, c.tile_rows);
    return c.tile_rows * c.tile_heads;
  }

  const Attention& a_;
  const Segment *next_, *end_;
  int64_t used_ = 0;        ///< slots
  int64_t small_macs_ = 0;  ///< of segments that are a tile together
};

float* partial(const Attention& a, const StepEnv& env, const Cut& c, int64_t row, int64_t head, int64_t split) {
  return reinterpret_cast<float*>(env.at(a.scratch)) + (c.slot + (row * a.heads + head) * c.splits + split - c.first_split) * a.slot_floats;
}

/// A worker's private memory, cut up.
struct Workspace {
  const float** q;
  float **slots, **targets;   ///< the slot of each query's result, and those of the split at hand
  int32_t *begin, *end;
  float *scores, *decoded, *totals, *partials;
};

size_t workspace_bytes(const Attention& a) {
  const int64_t n = a.most_queries;
  const int64_t floats = n * kAttentionBlock + kAttentionBlock * (a.dk + a.slot_floats) + 2 * n * a.slot_floats;
  return round_up(static_cast<size_t>(n) * (3 * sizeof(void*) + 2 * sizeof(int32_t)), 64) + static_cast<size_t>(floats) * sizeof(float);
}

Workspace workspace_of(const Attention& a, std::byte* memory) {
  const int64_t n = a.most_queries;
  Workspace w{};
  w.q = reinterpret_cast<const float**>(memory);
  w.slots = reinterpret_cast<float**>(memory) + n;
  w.targets = w.slots + n;
  w.begin = reinterpret_cast<int32_t*>(w.targets + n);
  w.end = w.begin + n;
  w.scores = reinterpret_cast<float*>(memory + round_up(static_cast<size_t>(n) * (3 * sizeof(void*) + 2 * sizeof(int32_t)), 64));
  w.decoded = w.scores + n * kAttentionBlock;
  w.totals = w.decoded + kAttentionBlock * (a.dk + a.slot_floats);
  w.partials = w.totals + n * a.slot_floats;
  return w;
}

/// What a tile of the first step does at once.
struct Tile {
  const Segment* segment;
  Cut cut;
  int64_t kv_head, first_head, heads;   ///< first_head: of the kv head's group
  int64_t first_row, rows;
  int64_t first_split, last_split;
  const std::byte* next_keys;           ///< what the worker reads after them, null if not known
};

/// Tile `tile` of a segment that is cut; false if no row of it sees the splits.
bool tile_of(const Attention& a, const Cut& c, int64_t tile, Tile& t) {
  const Segment& s = *c.segment;
  const int64_t per_head = c.row_tiles * c.head_tiles * c.runs;
  t = {&s, c, tile / per_head, 0, 0, 0, 0, 0, 0, nullptr};
  int64_t rest = tile % per_head;
  // Rows of late positions see most: they come first, so that no large tile is left at the end.
  const int64_t row_tile = c.row_tiles - 1 - rest % c.row_tiles;
  rest /= c.row_tiles;
  t.first_head = rest % c.head_tiles * c.tile_heads;
  rest /= c.head_tiles;
  t.heads = std::min(c.tile_heads, a.group - t.first_head);
  t.first_row = row_tile * c.tile_rows;
  t.rows = std::min(c.tile_rows, s.rows - t.first_row);
  const int64_t first = range_of(a, s, t.first_row).begin / kAttentionSplit;
  const int64_t last = (range_of(a, s, t.first_row + t.rows - 1).end - 1) / kAttentionSplit;
  t.first_split = std::max(first, c.first_split + rest * c.run);
  t.last_split = std::min(last, c.first_split + (rest + 1) * c.run - 1);
  return t.first_split <= t.last_split;
}

/// Queries of the tile in order of rows, then heads; their ranges and the places of their results.
int64_t list_queries(const Attention& a, const StepEnv& env, const Tile& t, const Workspace& w) {
  int64_t n = 0;
  for (int64_t r = t.first_row; r < t.first_row + t.rows; ++r) {
    const Range range = range_of(a, *t.segment, r);
    const float* q = a.q.row<float>(env, t.segment->first_row + r);
    for (int64_t h = 0; h < t.heads; ++h, ++n) {
      w.q[n] = q + (t.kv_head * a.group + t.first_head + h) * a.dk;
      w.begin[n] = static_cast<int32_t>(range.begin);
      w.end[n] = static_cast<int32_t>(range.end);
      w.slots[n] = w.totals + n * a.slot_floats;
    }
  }
  return n;
}

void finish_query(const Attention& a, const StepEnv& env, const Tile& t, int64_t i, const float* slot) {
  const int64_t head = t.kv_head * a.group + t.first_head + i % t.heads;
  const float* sink = a.sinks ? reinterpret_cast<const float*>(env.at(a.sinks)) + head : nullptr;
  a.fn->finish(slot, sink, a.out.row<float>(env, t.segment->first_row + t.first_row + i / t.heads) + head * a.dv, a.dv);
}

/// One split of the tile's queries. A query's first split goes to its result, a later one is merged into it, or kept for the second step.
void walk_split(const Attention& a, const StepEnv& env, const Tile& t, const Workspace& w, int64_t n, int64_t split) {
  const int64_t from = split * kAttentionSplit, to = from + kAttentionSplit;
  int64_t first = 0, last = n;
  while (first < n && w.end[first] <= from) ++first;
  while (last > first && w.begin[last - 1] >= to) --last;
  if (first == last) return;
  auto alone = [&](int64_t i) { return w.begin[i] >= from && w.end[i] <= to; };
  for (int64_t i = first; i < last; ++i) {
    const int64_t head = t.kv_head * a.group + t.first_head + i % t.heads;
    if (t.cut.by_split && !alone(i)) w.targets[i] = partial(a, env, t.cut, t.first_row + i / t.heads, head, split);
    else w.targets[i] = w.begin[i] >= from ? w.slots[i] : w.partials + i * a.slot_floats;
  }
  AttentionWalk walk{};
  walk.q = w.q + first;
  walk.slots = w.targets + first;
  walk.begin = w.begin + first;
  walk.end = w.end + first;
  walk.queries = last - first;
  walk.first_block = std::max<int64_t>(from, w.begin[first]) / kAttentionBlock;
  walk.last_block = ceil_div(std::min<int64_t>(to, w.end[last - 1]), kAttentionBlock);
  walk.blocks = env.info.block_table + int64_t{t.segment->sequence} * env.info.blocks_per_sequence;
  walk.keys = env.at(a.keys) + t.kv_head * a.key_head;
  if (split < t.last_split) walk.next_keys = walk.keys + walk.blocks[to / kAttentionBlock] * a.key_block;
  else walk.next_keys = t.next_keys != nullptr ? t.next_keys : walk.keys;
  walk.values = env.at(a.values) + t.kv_head * a.value_head;
  walk.key_stride = a.key_block;
  walk.value_stride = a.value_block;
  walk.dk = a.dk;
  walk.dv = a.dv;
  walk.scale = a.scale;
  walk.softcap = a.softcap;
  walk.scores = w.scores;
  walk.decoded = w.decoded;
  a.walk(walk);
  for (int64_t i = first; i < last; ++i) {
    if (t.cut.by_split && !alone(i)) continue;
    if (w.targets[i] != w.slots[i]) a.fn->absorb(w.slots[i], w.targets[i], a.dv);
    if (w.end[i] <= to) finish_query(a, env, t, i, w.slots[i]);
  }
}

void walk_tile(const Attention& a, const StepEnv& env, const Tile& t, const Workspace& w) {
  const int64_t n = list_queries(a, env, t, w);
  for (int64_t split = t.first_split; split <= t.last_split; ++split) walk_split(a, env, t, w, n, split);
}

const std::byte* first_keys(const Attention& a, const StepEnv& env, const Segment& s, int64_t kv_head) {
  const int64_t block = env.info.block_table[int64_t{s.sequence} * env.info.blocks_per_sequence + range_of(a, s, 0).begin / kAttentionBlock];
  return env.at(a.keys) + kv_head * a.key_head + block * a.key_block;
}

/// Small segments, one kv head after the other.
void walk_whole(const Attention& a, const StepEnv& env, const Cut& c, const Workspace& w) {
  for (const Segment* s = c.segment; s != c.end;) {
    const Segment* next = s + 1;
    while (next != c.end && next->rows <= 0) ++next;
    const int64_t first = range_of(a, *s, 0).begin / kAttentionSplit, last = (range_of(a, *s, s->rows - 1).end - 1) / kAttentionSplit;
    for (int64_t h = 0; h < a.kv_heads; ++h) {
      const std::byte* after = h + 1 < a.kv_heads ? first_keys(a, env, *s, h + 1) : next != c.end ? first_keys(a, env, *next, 0) : nullptr;
      walk_tile(a, env, {s, c, h, 0, a.group, 0, s->rows, first, last, after}, w);
    }
    s = next;
  }
}

void run_walk(const void* params, const StepEnv& env, int64_t tile, int worker) {
  const Attention& a = *static_cast<const Attention*>(params);
  const Workspace w = workspace_of(a, env.scratch(worker));
  Cutter cutter(a, env);
  for (Cut c; cutter.next(c); tile -= c.tiles(a.kv_heads)) {
    if (tile >= c.tiles(a.kv_heads)) continue;
    if (c.whole) return walk_whole(a, env, c, w);
    Tile t{};
    if (tile_of(a, c, tile, t)) walk_tile(a, env, t, w);
    return;
  }
}

int64_t walk_tiles(const void* params, const StepEnv& env) {
  const Attention& a = *static_cast<const Attention*>(params);
  int64_t tiles = 0;
  Cutter cutter(a, env);
  for (Cut c; cutter.next(c);) tiles += c.tiles(a.kv_heads);
  return tiles;
}

/// q, the result, and the keys and values that the rows of a tile see: once for all of them and for the heads of a group.
int64_t walk_bytes(const void* params, const StepEnv& env) {
  const Attention& a = *static_cast<const Attention*>(params);
  int64_t positions = 0;
  Cutter cutter(a, env);
  for (Cut c; cutter.next(c);)
    for (const Segment* s = c.segment; s != c.end; ++s) {
      const int64_t step = c.whole ? s->rows : c.tile_rows;
      for (int64_t row = 0; row < s->rows; row += step) positions += range_of(a, *s, std::min<int64_t>(row + step, s->rows) - 1).end - range_of(a, *s, row).begin;
    }
  return positions * a.kv_heads * (a.key_head + a.value_head) / kKvBlock + env.extent(a.q.rows) * a.heads * (a.dk + a.dv) * static_cast<int64_t>(sizeof(float));
}

/// Pairs of row and head that a tile of the second step merges.
int64_t merges_of(const Attention& a, const Cut& c) { return std::max<int64_t>(1, (1 << 17) / (c.splits * a.slot_floats)); }

int64_t merge_tiles_of(const Attention& a, const Cut& c) { return c.by_split ? ceil_div(c.segment->rows * a.heads, merges_of(a, c)) : 0; }

int64_t merge_tiles(const void* params, const StepEnv& env) {
  const Attention& a = *static_cast<const Attention*>(params);
  int64_t tiles = 0;
  Cutter cutter(a, env);
  for (Cut c; cutter.next(c);) tiles += merge_tiles_of(a, c);
  return tiles;
}

void merge_row(const Attention& a, const StepEnv& env, const Cut& c, int64_t row, int64_t head) {
  const Segment& s = *c.segment;
  const Range range = range_of(a, s, row);
  const int64_t first = range.begin / kAttentionSplit, last = (range.end - 1) / kAttentionSplit;
  if (first == last) return;  // finished by its tile
  float* slot = partial(a, env, c, row, head, first);
  for (int64_t split = first + 1; split <= last; ++split) a.fn->absorb(slot, partial(a, env, c, row, head, split), a.dv);
  const float* sink = a.sinks ? reinterpret_cast<const float*>(env.at(a.sinks)) + head : nullptr;
  a.fn->finish(slot, sink, a.out.row<float>(env, s.first_row + row) + head * a.dv, a.dv);
}

void run_merge(const void* params, const StepEnv& env, int64_t tile, int) {
  const Attention& a = *static_cast<const Attention*>(params);
  Cutter cutter(a, env);
  for (Cut c; cutter.next(c); tile -= merge_tiles_of(a, c)) {
    if (tile >= merge_tiles_of(a, c)) continue;
    const int64_t step = merges_of(a, c), end = std::min<int64_t>(c.segment->rows * a.heads, (tile + 1) * step);
    for (int64_t i = tile * step; i < end; ++i) merge_row(a, env, c, i / a.heads, i % a.heads);
    return;
  }
}

std::vector<Step> finish(const KernelBinding& self, std::span<const std::byte* const>, Ref scratch) {
  auto* a = static_cast<Attention*>(self.params.get());
  a->scratch = scratch;
  std::vector<Step> steps{{run_walk, walk_tiles, a, walk_bytes}};
  if (a->slots > 0) steps.push_back({run_merge, merge_tiles, a});
  return steps;
}

Result<void> check(const BindRequest& request) {
  if (request.in.size() < 3 || request.out.empty()) return unsupported("attention: {} operands, expected q, keys and values", request.in.size());
  const Operand &q = request.in[0], &keys = request.in[1], &values = request.in[2], &out = request.out[0];
  if (q.dtype != DType::f32 || out.dtype != DType::f32) return unsupported("attention: q is {}, expected f32", name_of(q.dtype));
  if (keys.dtype != values.dtype || !is_kv_dtype(keys.dtype))
    return unsupported("attention: keys are {} and values {}, expected both f32, f16 or q8_0", name_of(keys.dtype), name_of(values.dtype));
  if (q.dims.size() != 3 || keys.dims.size() != 4 || values.dims.size() != 4)
    return unsupported("attention: ranks {}, {} and {}, expected 3, 4 and 4", q.dims.size(), keys.dims.size(), values.dims.size());
  if (request.in.size() > 3 && request.in[3] && request.in[3].dtype != DType::f32)
    return unsupported("attention: sinks are {}, expected f32", name_of(request.in[3].dtype));
  if (q.dims[1].times < 1 || q.dims[2].times < 1 || values.dims[3].times < 1 || keys.dims[1].times < 1 || q.dims[1].times % keys.dims[1].times != 0)
    return unsupported("attention: {} heads of {} on {} kv heads of {}", q.dims[1].times, q.dims[2].times, keys.dims[1].times, values.dims[3].times);
  return {};
}

}  // namespace

Result<KernelBinding> bind_attention(const BindRequest& request, IsaSet isa) {
  MAINSPRING_TRY_VOID(check(request));
  const Operand &q = request.in[0], &keys = request.in[1], &values = request.in[2];
  const Attrs& attrs = request.node->attrs;
  const AttentionKernel& kernel = select_attention(isa);
  auto a = std::make_shared<Attention>();
  a->q = arg_of(q);
  a->out = arg_of(request.out[0]);
  a->keys = keys.ref;
  a->values = values.ref;
  if (request.in.size() > 3) a->sinks = request.in[3].ref;
  a->fn = kernel.fn;
  a->walk = keys.dtype == DType::f16 ? kernel.fn->walk_f16 : keys.dtype == DType::q8_0 ? kernel.fn->walk_q8 : kernel.fn->walk_f32;
  a->heads = q.dims[1].times;
  a->kv_heads = keys.dims[1].times;
  a->group = a->heads / a->kv_heads;
  a->dk = q.dims[2].times;
  a->dv = values.dims[3].times;
  a->key_block = kv_block_bytes(keys.dtype, keys.row_stride, a->dk);
  a->key_head = kv_head_bytes(keys.dtype, a->dk);
  a->value_block = kv_block_bytes(values.dtype, values.row_stride, a->dv);
  a->value_head = kv_head_bytes(values.dtype, a->dv);
  a->window = attrs.i("window", 0);
  a->causal = attrs.i("causal", 1) != 0;
  a->scale = static_cast<float>(attrs.f("scale", 1));
  a->softcap = static_cast<float>(attrs.f("softcap", 0));
  a->workers = std::max<int64_t>(1, request.workers);
  a->tile_macs = kernel.macs_per_ns * kTileNs;
  a->least_macs = kernel.macs_per_ns * kLeastTileNs;
  // The scores, queries and results of a tile should stay in a level 2 cache beside the block.
  a->most_queries = std::clamp<int64_t>(12288 / (a->dk + a->dv), 2 * kLeastQueries, kMostQueries);
  a->slot_floats = attention_slot_floats(a->dv);

  const Dim rows = q.dims[0];
  const int64_t most_rows = rows.is_constant() ? rows.times : rows.times * request.symbols[static_cast<size_t>(rows.symbol)].max;
  const int64_t most_splits = ceil_div(std::max<int64_t>(request.max_context, 1), kAttentionSplit);
  const int64_t one_row = a->heads * most_splits;
  if (most_splits > 1) a->slots = std::min(most_rows * one_row, std::max(kScratchBudget / (a->slot_floats * 4), one_row));

  KernelBinding b;
  b.kernel = fmt::format("attention.{}.{}", kernel.name, name_of(keys.dtype));
  b.scratch_bytes = static_cast<size_t>(a->slots * a->slot_floats) * sizeof(float);
  b.worker_scratch_bytes = workspace_bytes(*a);
  b.ops_per_row = 0;  // depends on the depth
  b.finish = finish;
  b.params = a;
  return b;
}

}  // namespace mainspring::inline v0::cpu
