// A chat template's text and a conversation in; the prompt's exact bytes out.
//
// Renders what Jinja2 3.1 renders in ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols,
// generation]) with the globals that model authors expect (raise_exception, strftime_now) and `tojson` as Python's json.dumps.
// A template is untrusted: parsing and rendering are bounded in time, memory and stack, and every failure is an error value that
// tells `line L, column C`. Knows nothing of models, tokenizers or files.
//
//   MAINSPRING_TRY(ChatTemplate chat, ChatTemplate::parse(source));
//   MAINSPRING_TRY(JsonValue variables, JsonValue::parse(R"({"messages": [{"role": "user", "content": "Hi"}]})"));
//   MAINSPRING_TRY(std::string prompt, chat.render(variables));
//
// Inside, in the order of the journey: lexer (bytes → tokens), parser (tokens → syntax tree), resolver (names → slots), evaluator
// (tree + values → text) with its tables of filters, tests, methods and globals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "mainspring/result.h"

namespace mainspring::inline v0 {

/// A point in local time, as `strftime_now` shows it.
struct DateTime {
  int year = 1970, month = 1, day = 1;  ///< month and day count from 1
  int hour = 0, minute = 0, second = 0, microsecond = 0;

  /// "2026-01-15", "2026-01-15T12:30" or "2026-01-15T12:30:05[.ffffff]" (a space may stand for the T). Errors: invalid_argument.
  static Result<DateTime> from_iso(std::string_view text);
  /// Seconds since 1970-01-01 UTC, shown `offset_seconds` east of Greenwich.
  static DateTime from_unix(int64_t seconds, int offset_seconds = 0);
  /// The system's clock in its time zone.
  static DateTime local_now();
};

/// What one render may use. Past a limit it ends with resource_exhausted. The defaults hold any honest prompt.
struct RenderLimits {
  int64_t max_steps = 20'000'000;             ///< nodes evaluated, items walked and 64-byte pieces of text made
  size_t max_output_bytes = size_t{64} << 20;  ///< of the rendered text
  size_t max_memory_bytes = size_t{256} << 20;  ///< of all values made while rendering
  int max_depth = 500;                        ///< nesting of nodes under evaluation: bounds the stack (under 512 KiB at the default)
  int max_call_depth = 120;                   ///< macros inside macros
};

struct RenderOptions {
  std::optional<DateTime> now;  ///< what strftime_now tells; unset: the system's clock
  RenderLimits limits;
};

/// A parsed template. Immutable: render from any thread. Cheap to copy.
class ChatTemplate {
 public:
  /// Parses and checks a template. Errors: invalid_argument (syntax; an unknown filter or test; over 200 levels of nesting),
  /// unsupported (include, import, extends and other things that need a second template), resource_exhausted (over 16 MiB of text).
  static Result<ChatTemplate> parse(std::string_view source);

  /// Renders with these variables (an object: messages, tools, bos_token, add_generation_prompt, …).
  /// Errors: invalid_argument (variables are no object; the template fails or refuses through raise_exception: the message holds its
  /// words), unsupported (a Python method or format that is not offered), resource_exhausted (a limit).
  [[nodiscard]] Result<std::string> render(const JsonValue& variables, const RenderOptions& options = {}) const;

  struct Parsed;

 private:
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace mainspring::inline v0
