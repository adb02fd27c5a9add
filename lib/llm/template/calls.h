// Arguments of calls, and their binding to parameter names as Python binds them.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "llm/template/values.h"

namespace mainspring::inline v0::jinja {

class Evaluator;

struct Keyword {
  std::string_view name;
  Value value;
};
struct Arguments {
  std::span<const Value> positional;
  std::span<const Keyword> keywords;
};

/// The values of the parameters `names`, in that order; one that was not given stays Kind::missing. A name "" takes no keyword.
/// Errors: invalid_argument (too many, unknown or doubly given; one of the first `required` missing).
Result<void> bind_arguments(std::string_view who, const Arguments& args, std::span<const std::string_view> names, size_t required,
                            std::span<Value> out);

template <size_t N>
Result<std::array<Value, N>> bind(std::string_view who, const Arguments& args, const std::string_view (&names)[N], size_t required = 0) {
  std::array<Value, N> out{};
  MAINSPRING_TRY_VOID(bind_arguments(who, args, names, required, out));
  return out;
}
Result<void> no_arguments(std::string_view who, const Arguments& args);

// Reading a bound parameter. `missing` gives the default.
Result<int64_t> as_index(std::string_view who, Value v);  ///< an int that fits 64 bits (larger ones are clamped)
Result<int64_t> index_or(std::string_view who, Value v, int64_t otherwise);
bool truthy_or(Value v, bool otherwise);
Result<std::string_view> as_text(std::string_view who, Value v);

// The tables. Each is a sorted-by-hand list in its .inc; the name is the template's, the function is ours.
struct FilterEntry {
  std::string_view name;
  Result<Value> (*apply)(Evaluator&, Value input, const Arguments&);
};
struct TestEntry {
  std::string_view name;
  Result<bool> (*apply)(Evaluator&, Value input, const Arguments&);
};
struct MethodEntry {
  Kind type;
  std::string_view name;
  Result<Value> (*call)(Evaluator&, Value self, const Arguments&);  ///< null: it changes its object, which the sandbox refuses
};
struct GlobalEntry {
  std::string_view name;
  Result<Value> (*call)(Evaluator&, const Arguments&);
};

}  // namespace mainspring::inline v0::jinja
