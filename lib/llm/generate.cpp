// The loop: prompt → logits → token → text, over public calls only.
#include <chrono>

#include "core/error.h"
#include "mainspring/text.h"

namespace mainspring::inline v0 {
namespace {

double seconds_since(std::chrono::steady_clock::time_point t) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count(); }

}  // namespace

Result<GenerateResult> generate(Session& session, std::span<const int32_t> prompt, const GenerateOptions& options,
                                const std::function<bool(std::string_view, int32_t)>& on_text) {
  const Model& model = session.model();
  if (prompt.empty()) return invalid("generate: the prompt has no tokens");
  if (options.max_tokens < 0) return invalid("generate: max_tokens is {}, expected at least 0", options.max_tokens);
  MAINSPRING_TRY(Sampler sampler, Sampler::create(model.vocabulary_size(), options.sampling));
  MAINSPRING_TRY(TextStream stream, TextStream::create(model));
  sampler.accept(prompt);

  GenerateResult out;
  auto begin = std::chrono::steady_clock::now();
  const StepOptions prompt_step{{}, options.cancel, options.prompt_progress, options.progress_user};
  const StepOptions token_step{{}, options.cancel, nullptr, nullptr};
  const auto emit = [&](std::string_view text, int32_t id) {
    out.text += text;
    return on_text == nullptr || on_text(text, id);
  };
  auto result = session.step(prompt, options.sequence, prompt_step);
  out.prompt_seconds = seconds_since(begin);
  begin = std::chrono::steady_clock::now();
  while (static_cast<int64_t>(out.tokens.size()) < options.max_tokens) {
    if (!result && result.error().code == Errc::cancelled) out.finish = Finish::cancelled;
    if (!result && result.error().code == Errc::resource_exhausted && !out.tokens.empty()) {
      out.finish = Finish::context_full;
      break;
    }
    if (!result && out.finish != Finish::cancelled) return std::move(result).error();
    if (out.finish == Finish::cancelled) break;
    const int32_t id = sampler.sample(result->row(0));
    out.tokens.push_back(id);
    if (!options.ignore_end && is_end_of_generation(model, id)) {
      out.finish = Finish::end_token;
      break;
    }
    if (!emit(stream.push(id), id)) {
      out.finish = Finish::stopped;
      break;
    }
    if (static_cast<int64_t>(out.tokens.size()) == options.max_tokens) break;
    result = session.step(std::span(&id, 1), options.sequence, token_step);
  }
  if (!result && out.tokens.empty() && result.error().code != Errc::cancelled) return std::move(result).error();
  if (const std::string_view rest = stream.finish(); !rest.empty()) emit(rest, -1);
  out.decode_seconds = seconds_since(begin);
  return out;
}

Result<GenerateResult> generate(Session& session, std::string_view prompt, const GenerateOptions& options, const std::function<bool(std::string_view, int32_t)>& on_text) {
  MAINSPRING_TRY(const std::vector<int32_t> tokens, tokenize(session.model(), prompt));
  return generate(session, tokens, options, on_text);
}

}  // namespace mainspring::inline v0
