// GRAPH → PLAN. In: a graph after passes, a provider. Out: an immutable, shareable list of steps with every offset, panel and kernel decided.
// Must not know files, tokens or sessions.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "mainspring/context.h"
#include "mainspring/ext/graph.h"
#include "mainspring/ext/provider.h"
#include "plan/cache.h"

namespace mainspring::inline v0 {

/// Packed weights of one Model, shared by its plans while any of them lives. Thread-safe.
class PanelStore {
 public:
  struct Panels {
    std::shared_ptr<const void> owner;  ///< keeps `data`: a slab, or the cache's file
    std::byte* data = nullptr;          ///< not written once `packed`
    size_t bytes = 0;
    std::string kept_as;   ///< the name in the cache; empty: not to be kept
    std::mutex packing;    ///< held by the plan that packs
    bool packed = false;
    bool from_cache = false;  ///< explain tells
    bool kept = false;     ///< the cache has them, or could not take them; under `packing`
  };
  /// Where one plan's new panels lie side by side: a matrix of a small model alone is too small for huge pages, many together are not.
  struct Slab {
    size_t expected = 0;  ///< bytes that this plan will yet ask for
    std::shared_ptr<Buffer> buffer;
    size_t used = 0;
  };
  static constexpr size_t kSlabBytes = size_t{64} << 20;  // and more where one matrix is larger

  /// Null: nothing is kept beyond the Model. Set once, before the first plan.
  std::unique_ptr<PlanCache> cache;

  bool holds(const std::string& key);
  /// The panels of this key, new and not packed where nobody holds them. Errors: out_of_memory.
  Result<std::shared_ptr<Panels>> get(const Context& context, const std::string& key, size_t bytes, Slab& slab);
  /// The same, and packed, where the cache has panels of this name; else null.
  std::shared_ptr<Panels> get_cached(const std::string& key, const std::string& name, size_t bytes);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Panels>> panels_;
};

struct PlanOptions {
  bool exact = false;
  int workers = 1;
  int32_t max_sequences = 1;
  int64_t max_context = 0;
  bool dry = false;  ///< only sizes: no panel is made and no step either
  DType kv = DType::f16;  ///< of the KV states
  bool external = false;  ///< inputs and outputs lie at addresses of their own (Space::count + i): a graph of tensors
};

/// Where a value lives, after views were resolved.
struct Placement {
  Ref ref;
  int64_t row_stride = 0;
  ValueId root = kNone;  ///< the value whose storage this is
};

struct PlannedNode {
  NodeId node = kNone;
  int32_t stage = 0, n_steps = 0;
  std::string kernel, why;
  int64_t bytes_read = 0, ops_per_row = 0;
  std::vector<std::string> layouts;
};

struct Plan {
  Graph graph;
  PlanOptions options;
  std::vector<PlannedNode> nodes;
  std::vector<Step> steps;              ///< by stage
  std::vector<int32_t> step_node;       ///< index into `nodes` of each step
  std::vector<Placement> placements;    ///< by ValueId
  std::vector<size_t> output_row_bytes; ///< by graph output
  size_t arena_bytes = 0, state_bytes = 0, kv_bytes = 0, input_bytes = 0, worker_scratch_bytes = 0, panel_bytes = 0, source_bytes = 0;
  int64_t bytes_per_token = 0;          ///< weight bytes that a step of one row reads

  std::vector<KernelBinding> bindings;  ///< own the steps' parameters
  std::vector<std::shared_ptr<PanelStore::Panels>> panels;
};

/// Gives the pages of packed source bytes back (a mapping of a file); may be null.
struct SourceRelease {
  void (*release)(void* user, std::span<const std::byte> bytes) = nullptr;
  void* user = nullptr;
};

/// Errors: unsupported (no kernel for a node, with its name and the reason), out_of_memory, internal.
Result<std::shared_ptr<const Plan>> make_plan(Graph graph, const PlanOptions& options, Provider& provider, const Context& context, PanelStore& store,
                                              const SourceRelease& release);

/// Bytes of `rows` indices of a dense value's outermost extent (KV: blocks).
size_t bytes_of(const Value& value, int64_t rows);
/// Bytes of a value when its symbols are at their maximum.
size_t max_bytes(const Graph& graph, const Value& value);
/// Elements between rows of a dense value (q8_rows, q16_rows: bytes).
int64_t dense_row_stride(const Value& value);

/// Whether a node is no work, but another look at its input's memory.
inline bool is_view(const Graph& graph, std::span<const Placement> placements, const Node& n) {
  return graph.values[static_cast<size_t>(n.out[0])].kind == Kind::computed && placements[static_cast<size_t>(n.out[0])].root != n.out[0];
}
/// When each node runs: stages follow each other, and nodes of the same one neither read nor write what another of them writes. A node runs with
/// the node before it where it can, at most one stage ahead. A view has the stage of what it looks at (-1: an input's). Placements have their roots.
std::vector<int32_t> stages_of(const Graph& graph, std::span<const Placement> placements);

/// An interval of memory in time: bytes needed from stage `first` to stage `last`.
struct Interval {
  size_t bytes;
  int32_t first, last;
  size_t offset = 0;  ///< result
};
/// Assigns offsets so that intervals that overlap in time do not overlap in memory (largest first). Returns the arena's size.
size_t assign_offsets(std::vector<Interval>& intervals);

}  // namespace mainspring::inline v0
