#include "mainspring/session.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "core/clock.h"
#include "core/context_impl.h"
#include "core/error.h"
#include "quant/kv_block.h"
#include "runtime/session_impl.h"

namespace mainspring::inline v0 {
namespace {

constexpr int kMaxBatchTokens = 65536;
constexpr int kMaxSequences = 4096;
constexpr int64_t kMaxContext = int64_t{1} << 27;

int64_t blocks_per_sequence(const SessionOptions& o) { return ceil_div(o.max_context, kKvBlock); }

PlanOptions plan_options(const SessionOptions& o) { return {o.exact, o.threads, o.max_sequences, o.max_context, false, *o.kv_dtype}; }

MemoryUse memory_of(const Plan& plan, const SessionOptions& o) {
  MemoryUse m;
  m.weights_file = plan.source_bytes;
  m.panels = plan.panel_bytes;
  m.kv = plan.kv_bytes;
  m.recurrent = plan.state_bytes - plan.kv_bytes;
  m.arena = plan.arena_bytes + plan.input_bytes + plan.worker_scratch_bytes * static_cast<size_t>(o.threads) +
            static_cast<size_t>(o.max_context * o.max_sequences) * sizeof(int32_t);
  m.logits = plan.output_row_bytes.empty() ? 0 : plan.output_row_bytes[0] * static_cast<size_t>(o.max_output_rows);
  return m;
}

}  // namespace

Result<SessionOptions> complete(const Model& model, const SessionOptions& options) {
  SessionOptions o = options;
  if (o.threads < 0 || o.threads > 1024) return invalid("session: threads is {}, expected 0 to 1024", o.threads);
  if (o.threads == 0) o.threads = model.context().workers();
  if (model.is_graph()) return o;
  if (model.graph().nodes.empty()) return invalid("session: the model was opened for its vocabulary only");
  const int64_t table = model.impl()->facts.max_positions;  // learnt position embeddings end there
  if (o.max_context == 0) {
    o.max_context = model.context_length() > 0 ? std::min<int64_t>(model.context_length(), 4096) : 4096;
    if (table > 0) o.max_context = std::min(o.max_context, table);
  }
  if (table > 0 && o.max_context > table) return invalid("session: max_context is {}, the model's table of positions has {} rows", o.max_context, table);
  if (o.max_context < 1 || o.max_context > kMaxContext) return invalid("session: max_context is {}, expected 1 to {}", o.max_context, kMaxContext);
  if (o.max_sequences < 1 || o.max_sequences > kMaxSequences) return invalid("session: max_sequences is {}, expected 1 to {}", o.max_sequences, kMaxSequences);
  if (o.max_batch_tokens < 1 || o.max_batch_tokens > kMaxBatchTokens)
    return invalid("session: max_batch_tokens is {}, expected 1 to {}", o.max_batch_tokens, kMaxBatchTokens);
  if (o.max_output_rows == 0) o.max_output_rows = o.max_sequences;
  if (o.max_output_rows < 1 || o.max_output_rows > kMaxBatchTokens) return invalid("session: max_output_rows is {}, expected 1 to {}", o.max_output_rows, kMaxBatchTokens);
  if (!o.kv_dtype) o.kv_dtype = o.exact ? DType::f32 : DType::f16;
  if (!is_kv_dtype(*o.kv_dtype)) return invalid("session: kv_dtype is {}, expected f32, f16 or q8_0", name_of(*o.kv_dtype));
  if (o.exact && o.kv_dtype != DType::f32) return invalid("session: kv_dtype is {}, an exact session keeps keys and values in f32", name_of(*o.kv_dtype));
  o.max_batch_tokens = static_cast<int>(std::min<int64_t>(o.max_batch_tokens, o.max_context * o.max_sequences));
  if (!checked_mul<int64_t>(o.max_context, o.max_sequences) || o.max_context * o.max_sequences > kMaxContext * 16)
    return invalid("session: max_context {} x max_sequences {} is too large", o.max_context, o.max_sequences);
  return o;
}

Result<void> Session::Impl::make() {
  MAINSPRING_TRY(plan, compile(*model.impl(), plan_options(options), options.max_batch_tokens, options.max_output_rows));
  memory = memory_of(*plan, options);
  const Context& context = model.context();
  MAINSPRING_TRY(arena, Buffer::create(context, plan->arena_bytes + plan->worker_scratch_bytes * static_cast<size_t>(options.threads), "activations"));
  MAINSPRING_TRY(state, Buffer::create(context, plan->state_bytes, "kv and recurrent state"));
  MAINSPRING_TRY(input, Buffer::create(context, plan->input_bytes, "step inputs"));
  MAINSPRING_TRY(logits, Buffer::create(context, memory.logits, "logits"));
  MAINSPRING_TRY(token_store, Buffer::create(context, static_cast<size_t>(options.max_context * options.max_sequences) * sizeof(int32_t), "tokens"));
  const int64_t blocks = blocks_per_sequence(options);
  MAINSPRING_TRY(table, Buffer::create(context, static_cast<size_t>(blocks * options.max_sequences) * sizeof(int32_t), "block table"));
  auto* entry = table.as<int32_t>().data();
  for (int64_t i = 0; i < blocks * options.max_sequences; ++i) entry[i] = static_cast<int32_t>(i);
  MAINSPRING_TRY(run_state, model.impl()->provider->make_run(plan->steps.size(), options.threads));

  segments.reserve(static_cast<size_t>(options.max_sequences));
  items.reserve(static_cast<size_t>(options.max_sequences));
  sequences.resize(static_cast<size_t>(options.max_sequences));
  auto base = [&](Space s) -> std::byte*& { return env.base[static_cast<int>(s)]; };
  base(Space::arena) = arena.data();
  base(Space::state) = state.data();
  base(Space::input) = input.data();
  base(Space::output) = logits.data();
  env.symbols = symbols;
  env.worker_scratch = arena.data() + plan->arena_bytes;
  env.scratch_stride = static_cast<int64_t>(plan->worker_scratch_bytes);
  env.info.block_table = entry;
  env.info.blocks_per_sequence = static_cast<int32_t>(blocks);
  symbols[LlmSymbols::n_blocks] = blocks * options.max_sequences;
  symbols[LlmSymbols::n_sequences] = options.max_sequences;
  return {};
}

/// Checks a call whole before anything changes, and copies its tokens: the caller's span may go away before a resume.
Result<void> Session::Impl::accept(std::span<const StepItem> call) {
  if (runner != nullptr) return invalid("session: a graph is run, not stepped");
  if (phase != Phase::idle) return invalid("session: a step is in progress, resume it first");
  if (call.empty()) return invalid("session: the step has no items");
  if (call.size() > sequences.size()) return invalid("session: the step has {} items, the session has {} sequences", call.size(), sequences.size());
  int64_t rows = 0, outputs = 0;
  const int64_t vocabulary = model.vocabulary_size();
  for (size_t i = 0; i < call.size(); ++i) {
    const StepItem& item = call[i];
    if (item.sequence < 0 || static_cast<size_t>(item.sequence) >= sequences.size())
      return invalid("session: item {} names sequence {}, the session has 0 to {}", i, item.sequence, sequences.size() - 1);
    for (size_t j = 0; j < i; ++j)
      if (call[j].sequence == item.sequence) return invalid("session: sequence {} stands twice in one step", item.sequence);
    if (item.tokens.empty()) return invalid("session: item {} has no tokens", i);
    const Sequence& s = sequences[static_cast<size_t>(item.sequence)];
    if (s.broken) return invalid("session: sequence {} was cancelled inside a recurrent pass, truncate it to 0 first", item.sequence);
    const auto n = static_cast<int64_t>(item.tokens.size());
    if (s.position + n > options.max_context)
      return exhausted("session: sequence {} holds {} positions and {} tokens were given, max_context is {}", item.sequence, s.position, n, options.max_context);
    for (size_t k = 0; k < item.tokens.size(); ++k)
      if (item.tokens[k] < 0 || item.tokens[k] >= vocabulary) return invalid("session: token {} of item {} is {}, the vocabulary has 0 to {}", k, i, item.tokens[k], vocabulary - 1);
    rows += n;
    outputs += item.logits == Logits::all ? n : item.logits == Logits::last ? 1 : 0;
  }
  if (outputs > options.max_output_rows) return exhausted("session: {} rows of logits were asked for, max_output_rows is {}", outputs, options.max_output_rows);
  items.clear();
  int32_t* store = token_store.as<int32_t>().data();
  for (const StepItem& item : call) {
    std::memcpy(store, item.tokens.data(), item.tokens.size_bytes());
    items.push_back({item.sequence, store, static_cast<int64_t>(item.tokens.size()), 0, 0, item.logits});
    store += item.tokens.size();
  }
  rows_done = output_done = 0;
  rows_total = rows;
  output_total = outputs;
  phase = Phase::between_passes;
  return {};
}

/// Fills the inputs of the next forward pass: items in order, as many rows as fit.
void Session::Impl::begin_pass() {
  int32_t* tokens = input_of(LlmInputs::tokens);
  int32_t* positions = input_of(LlmInputs::positions);
  int32_t* output_rows = input_of(LlmInputs::output_rows);
  segments.clear();
  int64_t row = 0, outputs = 0;
  for (Item& item : items) {
    const int64_t n = std::min<int64_t>(item.count - item.done, options.max_batch_tokens - row);
    item.in_pass = n;
    if (n == 0) continue;
    const int64_t at = sequences[static_cast<size_t>(item.sequence)].position;
    segments.push_back({static_cast<int32_t>(row), static_cast<int32_t>(n), item.sequence, static_cast<int32_t>(at)});
    std::memcpy(tokens + row, item.tokens + item.done, static_cast<size_t>(n) * sizeof(int32_t));
    for (int64_t i = 0; i < n; ++i) positions[row + i] = static_cast<int32_t>(at + i);
    const int64_t first = item.logits == Logits::all ? 0 : item.logits == Logits::last && item.done + n == item.count ? n - 1 : n;
    for (int64_t i = first; i < n; ++i) output_rows[outputs++] = static_cast<int32_t>(row + i);
    row += n;
  }
  symbols[LlmSymbols::n_tokens] = row;
  symbols[LlmSymbols::n_outputs] = outputs;
  env.info.segments = segments;
  note_pass();
  env.base[static_cast<int>(Space::output)] = logits.data() + static_cast<size_t>(output_done) * plan->output_row_bytes[0];
}

void Session::Impl::end_pass() {
  for (Item& item : items) {
    item.done += item.in_pass;
    sequences[static_cast<size_t>(item.sequence)].position += item.in_pass;
    item.in_pass = 0;
  }
  rows_done += symbols[LlmSymbols::n_tokens];
  output_done += symbols[LlmSymbols::n_outputs];
}

Result<StepResult> Session::Impl::advance(const StepOptions& step) {
  StopConditions stop;
  stop.cancel = step.cancel;
  if (step.budget.count() > 0) stop.deadline_ns = now_ns() + step.budget.count();
  Provider& provider = *model.impl()->provider;
  while (rows_done < rows_total) {
    const bool fresh = phase == Phase::between_passes;
    if (fresh) begin_pass();
    phase = Phase::in_pass;
    const RunStatus status = provider.run(plan->steps, env, *run_state, fresh, stop);
    if (status == RunStatus::paused) {
      StepResult r;
      r.in_progress = true;
      return r;
    }
    if (status == RunStatus::cancelled) {
      if (model.is_recurrent())
        for (const Item& item : items) sequences[static_cast<size_t>(item.sequence)].broken |= item.in_pass > 0;
      phase = Phase::idle;
      return cancelled("session: cancelled after {} of {} tokens", rows_done, rows_total);
    }
    end_pass();
    phase = Phase::between_passes;
    if (step.progress != nullptr) step.progress(step.progress_user, rows_done, rows_total);
  }
  phase = Phase::idle;
  StepResult r;
  r.rows = output_total;
  r.vocabulary = model.vocabulary_size();
  r.logits = logits.as<float>().data();
  return r;
}

Result<Session> Session::create(const Model& model, const SessionOptions& options) {
  MAINSPRING_TRY(SessionOptions completed, complete(model, options));
  auto impl = std::make_unique<Impl>(model, completed);
  MAINSPRING_TRY_VOID(model.is_graph() ? impl->make_graph() : impl->make());
  return Session(std::move(impl));
}

Result<MemoryUse> Session::plan_memory(const Model& model, const SessionOptions& options) {
  if (model.is_graph()) return unsupported("session: the memory of a graph is known once its inputs are (prepare, then memory)");
  MAINSPRING_TRY(SessionOptions completed, complete(model, options));
  PlanOptions dry = plan_options(completed);
  dry.dry = true;
  MAINSPRING_TRY(auto plan, compile(*model.impl(), dry, completed.max_batch_tokens, completed.max_output_rows));
  return memory_of(*plan, completed);
}

Result<StepResult> Session::step(std::span<const StepItem> items, const StepOptions& options) {
  MAINSPRING_TRY_VOID(impl_->accept(items));
  return impl_->advance(options);
}

Result<StepResult> Session::step(std::span<const int32_t> tokens, int sequence, const StepOptions& options) {
  const StepItem item{sequence, tokens, Logits::last};
  return step(std::span(&item, 1), options);
}

Result<StepResult> Session::resume(const StepOptions& options) {
  if (impl_->phase == Impl::Phase::idle) return invalid("session: no step is in progress");
  return impl_->advance(options);
}

int64_t Session::position(int sequence) const {
  if (sequence < 0 || static_cast<size_t>(sequence) >= impl_->sequences.size()) return 0;
  return impl_->sequences[static_cast<size_t>(sequence)].position;
}

Result<void> Session::truncate(int sequence, int64_t n) {
  if (impl_->phase != Impl::Phase::idle) return invalid("session: a step is in progress, resume or cancel it first");
  if (sequence < 0 || static_cast<size_t>(sequence) >= impl_->sequences.size())
    return invalid("session: there is no sequence {}, the session has 0 to {}", sequence, impl_->sequences.size() - 1);
  Impl::Sequence& s = impl_->sequences[static_cast<size_t>(sequence)];
  if (n < 0 || n > s.position) return invalid("session: cannot truncate sequence {} to {}, it holds {} positions", sequence, n, s.position);
  if (impl_->model.is_recurrent() && n != 0 && n != s.position)
    return unsupported("session: a recurrent model cannot be truncated to {} of {} positions, only to 0", n, s.position);
  s.position = n;
  if (n == 0) s.broken = false;
  return {};
}

const Model& Session::model() const& { return impl_->model; }
const SessionOptions& Session::options() const& { return impl_->options; }
int64_t Session::bytes_per_token() const { return impl_->plan != nullptr ? impl_->plan->bytes_per_token : 0; }

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

}  // namespace mainspring::inline v0
