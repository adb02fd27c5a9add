// A session's memory and where its current call stands.
#pragma once

#include <memory>
#include <vector>

#include "core/buffer.h"
#include "mainspring/session.h"
#include "runtime/graph_runner.h"
#include "runtime/model_impl.h"

namespace mainspring::inline v0 {

struct Session::Impl {
  Impl(const Model& m, const SessionOptions& o) : model(m), options(o) {}

  struct Sequence {
    int64_t position = 0;
    bool broken = false;  ///< a recurrent state was left half-way: only truncate(0) mends it
  };
  /// One item of the current call.
  struct Item {
    int sequence;
    const int32_t* tokens;  ///< in token_store
    int64_t count, done, in_pass;
    Logits logits;
  };
  enum class Phase : uint8_t { idle, between_passes, in_pass };

  Model model;
  SessionOptions options;
  std::shared_ptr<const Plan> plan;
  MemoryUse memory;

  Buffer arena, state, input, logits, token_store, table;
  std::unique_ptr<RunState> run_state;
  StepEnv env;
  int64_t symbols[4] = {};
  std::vector<Segment> segments;  // capacity: max_sequences
  std::vector<Sequence> sequences;
  std::vector<Item> items;        // capacity: max_sequences
  Phase phase = Phase::idle;
  int64_t rows_done = 0, rows_total = 0, output_done = 0, output_total = 0;

  Buffer profile_memory;  // lanes, passes, bytes, tiles; empty: nobody profiles
  TileRecorder recorder;
  Profile::Pass* profile_passes = nullptr;
  int64_t* profile_bytes = nullptr;  // [passes, nodes]
  int32_t most_passes = 0;

  // graphs of tensors
  std::shared_ptr<const Graph> tensors;
  GraphHost host;
  std::unique_ptr<GraphRunner> runner;
  std::vector<Datum> run_inputs, run_outputs, bound_outputs;  ///< by position

  Result<void> make_graph();
  Result<void> gather_inputs(std::span<const NamedTensor> inputs);
  Result<void> check_profiles() const;
  Result<RunResult> advance_run(const RunOptions& options);
  Result<void> make();
  Result<void> accept(std::span<const StepItem> call);
  void begin_pass();
  void note_pass();
  void end_pass();
  Result<StepResult> advance(const StepOptions& step);
  int32_t* input_of(int index) { return reinterpret_cast<int32_t*>(input.data() + plan->placements[static_cast<size_t>(plan->graph.inputs[static_cast<size_t>(index)])].ref.offset); }
};

/// Options with every default filled in. Errors: invalid_argument.
Result<SessionOptions> complete(const Model& model, const SessionOptions& options);

}  // namespace mainspring::inline v0
