// Text on top of a Session: tokenizer, chat template, sampling, generation. Free functions and small values over a Model.
//
// generate() is twenty lines over tokenize(), Session::step(), Sampler and TextStream, all public: a host that wants the loop writes the loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mainspring/export.h"
#include "mainspring/model.h"
#include "mainspring/result.h"
#include "mainspring/session.h"

namespace mainspring::inline v0 {

// ---- tokens ----------------------------------------------------------------------------------------------------------------

struct TokenizeOptions {
  bool add_special = true;    ///< BOS and EOS as the model's metadata says
  bool parse_special = true;  ///< texts of special tokens become those tokens
};

/// Ids of a text. Thread-safe. Errors: unsupported (the model's tokenizer or pre-tokenizer, named), corrupt_data (its tables),
/// not_found (the file has no tokenizer).
MAINSPRING_API Result<std::vector<int32_t>> tokenize(const Model& model, std::string_view text, const TokenizeOptions& options = {});
/// Text of ids; special tokens only when `special`. Errors: as tokenize; invalid_argument (an id outside the vocabulary).
MAINSPRING_API Result<std::string> detokenize(const Model& model, std::span<const int32_t> ids, bool special = false);

/// Facts of the model's tokenizer; -1 where there is none.
struct TokenInfo {
  int64_t vocabulary = 0;
  int32_t bos = -1, eos = -1, eot = -1, unknown = -1, padding = -1;
  bool add_bos = false, add_eos = false;
  std::string_view kind;  ///< tokenizer.ggml.model
};
MAINSPRING_API Result<TokenInfo> token_info(const Model& model);
/// True for the tokens that end an answer (end of text, of turn, of message).
MAINSPRING_API bool is_end_of_generation(const Model& model, int32_t id);

/// Turns a stream of ids into text that never splits a UTF-8 character. One thread at a time.
class MAINSPRING_API TextStream {
 public:
  static Result<TextStream> create(const Model& model, bool special = false);
  /// Characters that are complete with this id (may be empty). Valid until the next call.
  std::string_view push(int32_t id);
  /// What is left; broken bytes as U+FFFD.
  std::string_view finish();
  TextStream(TextStream&&) noexcept;
  TextStream& operator=(TextStream&&) noexcept;
  ~TextStream();

 private:
  struct Impl;
  explicit TextStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// ---- chat ------------------------------------------------------------------------------------------------------------------

struct ChatMessage {
  std::string role;     ///< "system", "user", "assistant", "tool"
  std::string content;
};
struct ChatOptions {
  bool add_generation_prompt = true;
  std::string variables_json{};  ///< further template variables as one JSON object (`tools`, `enable_thinking`, …); empty: none
  std::string now{};             ///< what strftime_now tells, "2026-01-15T12:30:00"; empty: the system's clock
};
/// Renders the conversation through the model's own template (tokenizer.chat_template), as Jinja would.
/// Errors: not_found (no template), invalid_argument (the template refuses, or its error with line and column), unsupported,
/// resource_exhausted (a template that does not end).
MAINSPRING_API Result<std::string> render_chat(const Model& model, std::span<const ChatMessage> messages, const ChatOptions& options = {});
/// Renders the model's own template with the variables of a JSON object (`messages`, `tools`, …); bos_token and eos_token are the model's
/// unless given. Errors: as render_chat.
MAINSPRING_API Result<std::string> render_chat_json(const Model& model, std::string_view variables_json, std::string_view now = {});
/// Renders the conversation and tokenizes it: special tokens of the template become tokens, and BOS stands once, whether the template writes it or
/// the model's metadata asks for it. Errors: as render_chat and tokenize.
MAINSPRING_API Result<std::vector<int32_t>> tokenize_chat(const Model& model, std::span<const ChatMessage> messages, const ChatOptions& options = {});
/// Renders any template with the variables of a JSON object.
MAINSPRING_API Result<std::string> render_template(std::string_view source, std::string_view variables_json, std::string_view now = {});

// ---- sampling --------------------------------------------------------------------------------------------------------------

/// How a token is drawn. The chain runs in this order; a filter at its neutral value does nothing:
///   logit bias → repetition, presence and frequency penalties → DRY → top-nσ → top-k → typical → top-p → min-p → XTC → temperature → draw.
/// With mirostat the filters after DRY are left out and temperature comes first. Greedy takes the largest logit after bias and penalties.
struct SamplingParams {
  bool greedy = false;
  float temperature = 0.8f;      ///< 0 is greedy
  int32_t top_k = 40;            ///< 0: off
  float top_p = 0.95f;           ///< Holtzman et al. 2019, arXiv:1904.09751; 1: off
  float min_p = 0.05f;           ///< Nguyen et al. 2024, arXiv:2407.01082; 0: off
  float typical_p = 1.0f;        ///< Meister et al. 2022, arXiv:2202.00666; 1: off
  float top_n_sigma = 0.0f;      ///< Tang et al. 2024, arXiv:2411.07641; 0: off
  float xtc_probability = 0.0f, xtc_threshold = 0.1f;
  float repetition_penalty = 1.0f;  ///< Keskar et al. 2019, arXiv:1909.05858; over the last `penalty_last` tokens
  float presence_penalty = 0.0f, frequency_penalty = 0.0f;
  int32_t penalty_last = 64;     ///< tokens looked back on; 0: off, -1: all
  float dry_multiplier = 0.0f, dry_base = 1.75f;  ///< 0: off
  int32_t dry_allowed_length = 2, dry_last = -1;
  std::vector<int32_t> dry_breakers{};  ///< tokens that end a repetition's reach
  int32_t mirostat = 0;          ///< 0: off, 2: Mirostat 2.0, Basu et al. 2020, arXiv:2007.14966
  float mirostat_tau = 5.0f, mirostat_eta = 0.1f;
  std::vector<std::pair<int32_t, float>> logit_bias{};
  uint64_t seed = 0;             ///< the random number at position p is Philox4x32-10 of (seed, p): speculation and batching cannot shift it
};

/// Draws tokens. Holds the history that penalties need (four bytes a token). One thread at a time.
class MAINSPRING_API Sampler {
 public:
  /// Errors: invalid_argument naming the parameter, what was got and the range.
  static Result<Sampler> create(int64_t vocabulary, const SamplingParams& params = {});
  /// Adds tokens of the prompt to the history (no draw).
  void accept(std::span<const int32_t> tokens);
  /// Draws the token for the next position and adds it to the history. `logits` [vocabulary] f32. Never fails: non-finite logits count as -inf,
  /// and when no token is left the smallest id with the largest logit is taken.
  int32_t sample(std::span<const float> logits);
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;
  ~Sampler();

 private:
  struct Impl;
  explicit Sampler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The largest element's index; the smallest among equals. `logits` must not be empty.
MAINSPRING_API int32_t argmax(std::span<const float> logits);

// ---- generation ------------------------------------------------------------------------------------------------------------

struct GenerateOptions {
  int64_t max_tokens = 256;
  SamplingParams sampling{};
  int sequence = 0;
  bool ignore_end = false;                    ///< go on after an end token
  const std::atomic<bool>* cancel = nullptr;  ///< stops cleanly, also in the middle of the prompt
  void (*prompt_progress)(void* user, int64_t done, int64_t total) = nullptr;
  void* progress_user = nullptr;
};

enum class Finish : uint8_t { end_token, max_tokens, context_full, stopped, cancelled };

struct GenerateResult {
  std::vector<int32_t> tokens;  ///< the end token included
  std::string text;
  Finish finish = Finish::max_tokens;
  double prompt_seconds = 0, decode_seconds = 0;
};

/// Appends the prompt to the sequence and draws tokens. `on_text` gets each piece of whole characters (and the id) and returns false to stop.
/// Errors: as Session::step and token_info. A cancelled run is a result with what was made so far.
MAINSPRING_API Result<GenerateResult> generate(Session& session, std::span<const int32_t> prompt, const GenerateOptions& options = {},
                                               const std::function<bool(std::string_view text, int32_t id)>& on_text = nullptr);
/// The same from text, tokenized with special tokens.
MAINSPRING_API Result<GenerateResult> generate(Session& session, std::string_view prompt, const GenerateOptions& options = {},
                                               const std::function<bool(std::string_view text, int32_t id)>& on_text = nullptr);

}  // namespace mainspring::inline v0
