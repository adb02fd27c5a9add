// Python's text formatting: '%' with values, str.format, json.dumps, pprint, strftime. In: a pattern and values. Out: text.
#pragma once

#include <string_view>

#include "llm/template/calls.h"
#include "llm/template/template.h"
#include "llm/template/values.h"

namespace mainspring::inline v0::jinja {

/// One format specification: "[[fill]align][sign][#][0][width][grouping][.precision][type]".
struct FormatSpec {
  char32_t fill = ' ';
  char align = 0;  ///< '<', '>', '^', '=' or 0
  char sign = '-';
  bool alternate = false;
  int64_t width = 0;
  char grouping = 0;
  int64_t precision = -1;
  char type = 0;
};
Result<FormatSpec> parse_format_spec(std::string_view text);
/// format(v, spec).
Result<void> append_formatted(TextBuilder& out, Value v, const FormatSpec& spec);
Result<void> append_number(TextBuilder& out, Value v, const FormatSpec& spec);
void append_padded(TextBuilder& out, std::string_view text, const FormatSpec& spec, char default_align);

/// pattern % values.
Result<Value> format_percent(Evaluator& ev, const Str& pattern, Value values);
/// pattern.format(…); fields are looked up through the sandbox.
Result<Value> format_braces(Evaluator& ev, const Str& pattern, const Arguments& args);

struct JsonFormat {
  bool ensure_ascii = false, sort_keys = false, pretty = false;
  std::string_view indent;  ///< of one level, if pretty
  int64_t indent_spaces = 0;  ///< used where `indent` is empty
  std::string_view item_separator = ", ", key_separator = ": ";
};
/// json.dumps(v, …). Errors: invalid_argument (a type that is not JSON's).
Result<void> append_json(TextBuilder& out, Value v, const JsonFormat& format, int depth = 0);
/// pprint.pformat(v).
Result<void> append_pretty(TextBuilder& out, Value v);

/// now.strftime(format), in the C locale.
Result<void> append_time(TextBuilder& out, const DateTime& time, std::string_view format);

}  // namespace mainspring::inline v0::jinja
