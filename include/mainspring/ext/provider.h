// EXTENDERS: the whole interface between the planner and something that computes (CPU, CUDA, a plug-in's own device).
//
// The planner offers each node to the providers in order; `bind` accepts it by returning a KernelBinding or refuses with a reason,
// which `explain` shows. A binding is a list of Steps: plain function pointers with parameters, run without any look-up.
// The plan is shared by sessions, so parameters name memory by Ref (space + offset); StepEnv holds a session's base addresses.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mainspring/context.h"
#include "mainspring/ext/graph.h"
#include "mainspring/ext/op.h"
#include "mainspring/result.h"

namespace mainspring::inline v0 {

/// Where a value lives. `constant`: the offset is an address (weights, panels: shared by sessions).
/// From `count` on: the inputs, then the outputs of a graph, each at an address of its own (Space::count + i).
enum class Space : uint16_t { none, constant, arena, state, input, output, count };

struct Ref {
  Space space = Space::none;
  int64_t offset = 0;
  explicit operator bool() const { return space != Space::none; }
};

/// Where workers note their tiles while a host profiles a session. Each worker writes a lane of its own; a full lane counts what it drops.
struct TileRecorder {
  struct Tile { int32_t pass, step, tile; int64_t begin_ns, end_ns; };
  struct alignas(64) Lane { int64_t noted = 0, dropped = 0; };
  Tile* tiles = nullptr;  ///< [workers, room]
  Lane* lanes = nullptr;  ///< [workers]
  int64_t room = 0;
  int32_t pass = 0;       ///< the session's: which forward pass runs
  void note(int worker, int64_t step, int64_t tile, int64_t begin_ns, int64_t end_ns) {
    Lane& lane = lanes[worker];
    if (lane.noted == room) { ++lane.dropped; return; }
    tiles[worker * room + lane.noted++] = {pass, static_cast<int32_t>(step), static_cast<int32_t>(tile), begin_ns, end_ns};
  }
};

/// What a tile of a step sees: base addresses and the actual values of the symbols.
struct StepEnv {
  std::byte* base[static_cast<int>(Space::count)] = {};
  std::byte* const* externals = nullptr;  ///< of a graph: its inputs, then its outputs
  const int64_t* symbols = nullptr;       ///< actual extents, by SymbolId
  StepInfo info;                          ///< segments and block table of this step
  std::byte* worker_scratch = nullptr;    ///< scratch_stride bytes for each worker, 64-byte aligned
  int64_t scratch_stride = 0;
  TileRecorder* recorder = nullptr;       ///< null: nobody profiles. A provider that knows no tile times leaves it alone
  std::byte* at(Ref r) const {
    if (r.space == Space::constant) return reinterpret_cast<std::byte*>(r.offset);
    if (r.space >= Space::count) return externals[static_cast<int>(r.space) - static_cast<int>(Space::count)] + r.offset;
    return base[static_cast<int>(r.space)] + r.offset;
  }
  int64_t extent(Dim d) const { return d.is_constant() ? d.times : d.times * symbols[d.symbol]; }
  std::byte* scratch(int worker) const { return worker_scratch + worker * scratch_stride; }
};

/// One entry of the flat list. `tiles` says into how many independent pieces the step falls now; `run` does one of them, in at most
/// about 100 µs, on any worker, in any order. All tiles of a step are done before the next step begins, unless that one stands `beside` it.
struct Step {
  void (*run)(const void* params, const StepEnv& env, int64_t tile, int worker) = nullptr;
  int64_t (*tiles)(const void* params, const StepEnv& env) = nullptr;
  const void* params = nullptr;  ///< owned by the binding's `params`
  /// What the step must read and write now, for a profile: each byte once, as far as one cache could do it. Null in all steps of a node: its weights
  /// (bytes_read, else all), the recurrent states of the segments, and every row of its other operands but KV.
  int64_t (*bytes)(const void* params, const StepEnv& env) = nullptr;
  bool beside = false;           ///< the planner's: may run at the same time as the step before it (and those that one stands beside)
};

/// An input or output as a kernel's binder sees it.
struct Operand {
  DType dtype = DType::f32;
  Dims dims;
  StateKind state = StateKind::none;
  Ref ref;                       ///< absent optional operands: Space::none
  int64_t row_stride = 0;        ///< elements (q8_rows, q16_rows: bytes) between indices of the outermost extent
  bool is_weight = false;        ///< constant: `ref` is the address of the source bytes
  bool also_linear = false;      ///< the weight is also the matrix of a linear node (tied embeddings)
  explicit operator bool() const { return ref.space != Space::none; }
};

/// A weight in the layout of a kernel, made once and shared by all sessions of a Model. Key: (weight, `layout`).
struct Packing {
  int input = -1;                ///< which operand
  std::string layout;            ///< name: equal names mean equal bytes
  size_t bytes = 0;
  int64_t pieces = 0;            ///< independent parts; part i may run on any thread
  std::shared_ptr<const void> user;
  void (*pack)(const void* user, const std::byte* source, int64_t piece, std::byte* panels) = nullptr;
  /// Source bytes that piece i reads (offset, size), so that pages can be given back as they are packed; null: keep the source mapped.
  std::pair<size_t, size_t> (*reads)(const void* user, int64_t piece) = nullptr;
};

/// Several kernels can do a node, with the same bits: which is fastest on this machine? The planner answers, where it has a cache to keep the answer in.
/// Thread-safe.
class MAINSPRING_API Choices {
 public:
  struct Question {
    std::string key;             ///< all that the answer depends on but for the machine and the build: kernels, formats, extents
    int kernels = 0;             ///< the first is the one to take unless another is clearly faster
    int loads = 1;               ///< kinds of work that it will do, such as one row and many; fast at one and slow at another is not better
    size_t memory = 0;           ///< bytes for `run`, aligned to 64, every one `fill`
    std::byte fill{};
    /// Does the work once, on the calling thread, in about 10 to 100 µs.
    void (*run)(const void* user, int kernel, int load, std::byte* memory) = nullptr;
    const void* user = nullptr;  ///< read during choose() only
  };
  struct Choice {
    int kernel = 0;
    std::vector<int64_t> ns;     ///< [kernels, loads]; empty: nothing was measured
  };
  virtual ~Choices() = default;
  /// The first time a key is asked about: takes about a millisecond, or none where this Model has spent its budget. Else, and in later starts,
  /// answers from memory.
  virtual Choice choose(const Question& question) = 0;
};

struct BindRequest {
  const Node* node = nullptr;
  const OpDef* op = nullptr;
  std::span<const Operand> in;
  std::span<const Operand> out;
  std::span<const Symbol> symbols;
  bool exact = false;            ///< f32 activations and KV (design §2)
  int workers = 1;               ///< how many may run tiles
  int32_t max_sequences = 1;
  int64_t max_context = 0;       ///< positions a sequence may have
  Choices* choices = nullptr;    ///< null: a provider takes what its own order says
};

/// What a provider answers. Phase 1 (`bind`): kernel, packings, scratch. Phase 2 (`finish`): steps, once packings and scratch have addresses.
struct KernelBinding {
  std::string kernel;            ///< "qgemm.avx2.q4_1 8x32"
  std::string why;               ///< why better ones declined; empty when the best was taken
  std::vector<Packing> packings;
  size_t scratch_bytes = 0;      ///< shared by the node's tiles and steps, in the arena, alive during the node
  size_t worker_scratch_bytes = 0;  ///< private to each worker during a tile
  int64_t bytes_read = 0;        ///< weight bytes a step reads (bench, explain)
  int64_t ops_per_row = 0;       ///< multiply-adds × 2 for one row
  /// Makes the steps: `packed[i]` is the address of packings[i], `scratch` of the node's scratch.
  std::vector<Step> (*finish)(const KernelBinding& self, std::span<const std::byte* const> packed, Ref scratch) = nullptr;
  std::shared_ptr<void> params;  ///< what finish and the steps use; lives as long as the plan
};

struct ProviderInfo {
  std::string name;              ///< "cpu"
  std::string device;            ///< "x86-64 avx2 fma f16c": what panels depend on
  std::string machine{};         ///< "GenuineIntel 6-207-2 L2 2048": what else times depend on
};

/// Where a list of steps stands: made by a provider for one session, kept over pauses.
class MAINSPRING_API RunState {
 public:
  virtual ~RunState() = default;
};

/// When a run should leave early. Checked between tiles.
struct StopConditions {
  const std::atomic<bool>* cancel = nullptr;
  int64_t deadline_ns = 0;  ///< steady clock; 0: none
};
enum class RunStatus : uint8_t { done, paused, cancelled };

/// The virtuals that a device needs. Thread-safety: bind, prepack, allocate from any thread; run by one thread at a time for one RunState.
class MAINSPRING_API Provider {
 public:
  virtual ~Provider() = default;
  virtual ProviderInfo info() const = 0;
  /// Memory of the device (CPU: the context's allocator). Errors: out_of_memory.
  virtual Result<std::byte*> allocate(size_t bytes) = 0;
  virtual void release(std::byte* memory, size_t bytes) = 0;
  /// Copies between host and device or within.
  virtual Result<void> copy(std::byte* to, const std::byte* from, size_t bytes) = 0;
  /// Accepts a node or refuses with Errc::unsupported and the reason.
  virtual Result<KernelBinding> bind(const BindRequest& request) = 0;
  /// Packs pieces [first, first + n) from `source` into `panels` with up to `workers` workers.
  virtual Result<void> prepack(const Packing& packing, int64_t first, int64_t n, const std::byte* source, std::byte* panels, int workers) = 0;
  /// Errors: out_of_memory.
  virtual Result<std::unique_ptr<RunState>> make_run(size_t n_steps, int workers) = 0;
  /// Runs the list from where `state` stands; `fresh` begins at the first step. Allocates nothing.
  virtual RunStatus run(std::span<const Step> steps, const StepEnv& env, RunState& state, bool fresh, const StopConditions& stop) = 0;
};

}  // namespace mainspring::inline v0
