// A compiled plan of a Model and its mutable state: arena, KV, recurrent memory. Move-only; one thread at a time.
//
//   MAINSPRING_TRY(Session session, Session::create(model, {.max_context = 4096}));
//   MAINSPRING_TRY(StepResult r, session.step(prompt));        // r.logits: [1, vocabulary] of the prompt's last token
//
// Everything a step needs is sized at creation: a step allocates nothing and makes no system call but waiting.
// A row's bits (logits of a token) depend on its sequence's tokens alone: not on threads, chunking or batch neighbours.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mainspring/export.h"
#include "mainspring/model.h"
#include "mainspring/result.h"
#include "mainspring/tensor.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

/// Extents that a symbol of a graph may take.
struct SymbolRange {
  int64_t min = 1, opt = 1, max = 1;
};

struct SessionOptions {
  int64_t max_context = 0;    ///< positions a sequence may have, at most a model's table of learnt positions; 0: the model's own, at most 4096
  int max_sequences = 1;      ///< sequences side by side (slots 0 … n-1)
  int max_batch_tokens = 512; ///< rows of one forward pass; longer inputs are cut (the bits do not change)
  int max_output_rows = 0;    ///< rows whose logits one step may return; 0: max_sequences
  int threads = 0;            ///< workers; 0: the context's
  bool exact = false;         ///< f32 activations and KV: the reference arithmetic
  /// What keys and values are kept in; none: f16, and f32 where exact, which takes no other.
  /// f32: 4 bytes an element. f16: 2. q8_0: int8 with an f32 scale for 32 elements of a head, 1 + 1/8 bytes, 56 % of f16; costs about as
  /// much accuracy as weights in Q8_0. A row's bits depend on that row alone with each of them.
  std::optional<DType> kv_dtype = std::nullopt;
  /// Graphs: ranges of named extents. With one for every symbol, the plan for `opt` and the memory for `max` are made by create(), and run() refuses
  /// what lies outside. Without, any extents run: a plan is made when they first come, and kept for the latest few.
  std::vector<std::pair<std::string, SymbolRange>> profiles = {};
};

/// An input or output by its name.
struct NamedTensor {
  std::string_view name;
  Datum value;
};

struct RunOptions {
  std::chrono::nanoseconds budget{0};          ///< leave after about this time and return in_progress; 0: no limit
  const std::atomic<bool>* cancel = nullptr;   ///< when it becomes true the run ends with Errc::cancelled
};

/// What a run gave.
struct RunResult {
  bool in_progress = false;                    ///< true: call resume_run() to go on; nothing is there yet
  std::vector<std::string> names;              ///< of the graph's outputs, in order
  std::vector<Datum> values;                   ///< none, where the output was bound to the caller's memory
  /// The tensor of that name; empty where there is none, or it is no tensor.
  Tensor operator[](std::string_view name) const {
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return values[i].tensor;
    return {};
  }
};

/// Which rows of an item give logits.
enum class Logits : uint8_t { none, last, all };

/// Tokens to append to one sequence.
struct StepItem {
  int sequence = 0;
  std::span<const int32_t> tokens{};  ///< at least one
  Logits logits = Logits::last;
};

struct StepOptions {
  std::chrono::nanoseconds budget{0};          ///< leave after about this time and return in_progress; 0: no limit
  const std::atomic<bool>* cancel = nullptr;   ///< when it becomes true the step ends with Errc::cancelled within about 100 µs
  void (*progress)(void* user, int64_t done, int64_t total) = nullptr;  ///< after each forward pass: rows done of all rows of the call
  void* progress_user = nullptr;
};

struct StepResult {
  bool in_progress = false;  ///< true: call resume() to go on; logits are not there yet
  int64_t rows = 0;          ///< rows of logits: items in order, within an item in token order
  int64_t vocabulary = 0;
  const float* logits = nullptr;  ///< [rows, vocabulary] f32, valid until the next step, resume or truncate
  std::span<const float> row(int64_t i) const { return {logits + i * vocabulary, static_cast<size_t>(vocabulary)}; }
};

/// Bytes that a session takes, known before it is made.
struct MemoryUse {
  size_t weights_file = 0;  ///< weights of the file that stay mapped
  size_t panels = 0;        ///< weights in the kernels' layout, shared by the sessions of a Model
  size_t kv = 0;            ///< KV blocks at max_context × max_sequences
  size_t recurrent = 0;     ///< recurrent states
  size_t arena = 0;         ///< activations and scratch
  size_t logits = 0;
  size_t total() const { return weights_file + panels + kv + recurrent + arena + logits; }
};

/// What the workers did between start_profile() and stop_profile().
struct Profile {
  struct Pass { int64_t rows, output_rows; };  ///< of one forward pass: tokens, and rows of logits among them
  /// One tile of one step of one pass. `node` counts as explain() lists them; times are of the steady clock.
  struct Tile {
    int32_t pass, node, step, tile, worker;
    int64_t begin_ns, end_ns;
  };
  std::vector<Pass> passes;
  std::vector<Tile> tiles;  ///< worker by worker, in order of time; what lies between a worker's tiles within a pass is waiting
  int64_t dropped = 0;      ///< tiles for which there was no room
  std::vector<int64_t> bytes;  ///< [passes, nodes]: what a node had to read and write in a pass, each byte once. Much of it may lie in a cache
};

class MAINSPRING_API Session {
 public:
  /// Compiles the model for these options and takes all memory. Sessions of one Model share the packed weights.
  /// Errors: invalid_argument (an option out of range), unsupported, out_of_memory.
  static Result<Session> create(const Model& model, const SessionOptions& options = {});
  /// What create() would take, from the model's headers alone. Errors as create().
  static Result<MemoryUse> plan_memory(const Model& model, const SessionOptions& options = {});

  /// Appends tokens to sequences and returns the logits asked for. The sequences of one call must differ.
  /// Errors, before anything is changed: invalid_argument (id outside the vocabulary, unknown or repeated sequence, a step in progress),
  /// resource_exhausted (more positions than max_context, more rows of logits than max_output_rows).
  /// Later: cancelled. Then each sequence holds the tokens of whole forward passes (see position()); a recurrent one must be truncated to 0.
  Result<StepResult> step(std::span<const StepItem> items, const StepOptions& options = {});
  /// One sequence, logits of the last token.
  Result<StepResult> step(std::span<const int32_t> tokens, int sequence = 0, const StepOptions& options = {});
  /// Goes on with a step that returned in_progress. Errors: as step; invalid_argument when none is in progress.
  Result<StepResult> resume(const StepOptions& options = {});

  /// Runs a graph. Inputs by name, each once (those that the file gives a default may be left out); nothing is copied: they must stay in place and unchanged
  /// until the run is done. `outputs`: the caller's dense memory for some of them (not for strings), written in place; the others come back in the result.
  /// Runs with the same extents as one of the latest allocate nothing where every output is bound and no extent hangs on data.
  /// Errors: invalid_argument (an unknown or missing name, dtype, rank or extents that do not fit; operands that do not fit each other, with the
  /// node's name; a language model), cancelled, out_of_memory, unsupported.
  Result<RunResult> run(std::span<const NamedTensor> inputs, std::span<const NamedTensor> outputs = {}, const RunOptions& options = {});
  Result<RunResult> run(std::initializer_list<NamedTensor> inputs, std::initializer_list<NamedTensor> outputs = {}, const RunOptions& options = {});
  /// Goes on with a run that returned in_progress. Errors: as run; invalid_argument when none is in progress.
  Result<RunResult> resume_run(const RunOptions& options = {});
  /// Makes the plan for inputs like these (their contents do not count, but for small ones that extents hang on) without running. Errors: as run.
  Result<void> prepare(std::span<const NamedTensor> inputs);

  /// Positions that sequence holds.
  int64_t position(int sequence = 0) const;
  /// Forgets all but the first n tokens of a sequence. Errors: invalid_argument (n negative or beyond position; a step in progress),
  /// unsupported (a recurrent model can only go back to 0).
  Result<void> truncate(int sequence, int64_t n);

  const Model& model() const&;
  const SessionOptions& options() const&;  ///< as completed by create()
  MemoryUse memory() const;
  /// Node → kernel → bytes → why, a line each; `json`: the same as one JSON array.
  std::string explain(bool json = false) const;
  /// Notes each tile from now on, up to `tiles` for each worker: takes the memory here, a step still allocates nothing. A provider whose
  /// devices tell no times leaves the profile empty. Starting anew forgets what was noted.
  /// Errors: invalid_argument (a step in progress, tiles out of 1 to 2^24), out_of_memory.
  Result<void> start_profile(int64_t tiles = int64_t{1} << 18);
  /// What was noted, empty where none was started. Errors: invalid_argument (a step in progress).
  Result<Profile> stop_profile();
  /// Weight bytes that one decode step reads (for the share of roof).
  int64_t bytes_per_token() const;
  /// Multiplies and adds of a token's way to the last layer (of a mixture the experts that run; without attention, whose work grows with
  /// the depth), and those of one row of logits.
  int64_t ops_per_token() const;
  int64_t ops_per_output_row() const;

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  struct Impl;  ///< internal

 private:
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mainspring::inline v0
