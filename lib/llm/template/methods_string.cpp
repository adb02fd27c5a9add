// Methods of Python's str: what they make.
#include <algorithm>

#include "llm/template/evaluator.h"
#include "llm/template/formatting.h"
#include "llm/template/tables.h"
#include "llm/template/text_ops.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

// A whole text through one of the case functions.
Result<Value> mapped(Evaluator& ev, std::string_view who, Value self, const Arguments& args, std::string (*map)(std::string_view)) {
  MAINSPRING_TRY_VOID(no_arguments(who, args));
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(self.text().size() * 4));
  if (self.text().size() > ev.heap().room() / 3) return ev.heap().memory_error();
  return make_like(ev.heap(), *self.string, map(self.text()));
}

enum class Side : uint8_t { left = 1, right = 2, both = 3 };

Result<Value> stripped(Evaluator& ev, std::string_view who, Value self, const Arguments& args, Side side) {
  MAINSPRING_TRY(auto a, bind(who, args, {""}));
  std::string_view text = self.text();
  bool left = (static_cast<int>(side) & 1) != 0, right = (static_cast<int>(side) & 2) != 0;
  if (a[0].is(Kind::missing) || a[0].is(Kind::none)) {
    if (left) text = strip_left(text);
    if (right) text = strip_right(text);
  } else {
    MAINSPRING_TRY(std::string_view set, as_text(who, a[0]));
    MAINSPRING_TRY_VOID(ev.heap().charge_bytes(set.size()));
    if (left) text = strip_left(text, set);
    if (right) text = strip_right(text, set);
    MAINSPRING_TRY_VOID(ev.heap().charge_bytes(8 * (self.text().size() - text.size())));
  }
  return make_part(ev.heap(), *self.string, text);
}

Result<std::string_view> fill_character(std::string_view who, Value v) {
  if (v.is(Kind::missing)) return std::string_view(" ");
  MAINSPRING_TRY(std::string_view fill, as_text(who, v));
  if (v.string->length != 1) return invalid("{}: the fill character must be exactly one character long", who);
  return fill;
}

Result<Value> justified(Evaluator& ev, std::string_view who, Value self, const Arguments& args, bool left) {
  MAINSPRING_TRY(auto a, bind(who, args, {"", ""}, 1));
  MAINSPRING_TRY(int64_t width, as_index(who, a[0]));
  MAINSPRING_TRY(std::string_view fill, fill_character(who, a[1]));
  int64_t missing = width > self.string->length ? width - self.string->length : 0;
  return pad(ev.heap(), *self.string, left ? 0 : missing, left ? missing : 0, fill);
}

Result<Value> split(Evaluator& ev, std::string_view who, Value self, const Arguments& args, bool from_right) {
  MAINSPRING_TRY(auto a, bind(who, args, {"sep", "maxsplit"}));
  MAINSPRING_TRY(int64_t max, index_or(who, a[1], -1));
  std::string_view text = self.text();
  if (text.size() > ev.heap().room() / sizeof(std::string_view)) return ev.heap().memory_error();
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(text.size()));
  if (a[0].is(Kind::missing) || a[0].is(Kind::none)) return make_string_list(ev.heap(), *self.string, split_space(text, max, from_right));
  MAINSPRING_TRY(std::string_view separator, as_text(who, a[0]));
  if (separator.empty()) return invalid("{}: empty separator", who);
  MAINSPRING_TRY_VOID(charge_search(ev.heap(), text, separator));
  return make_string_list(ev.heap(), *self.string, split_at(text, separator, max, from_right));
}

Result<Value> partitioned(Evaluator& ev, std::string_view who, Value self, const Arguments& args, bool from_right) {
  MAINSPRING_TRY(auto a, bind(who, args, {""}, 1));
  MAINSPRING_TRY(std::string_view separator, as_text(who, a[0]));
  if (separator.empty()) return invalid("{}: empty separator", who);
  std::string_view text = self.text();
  MAINSPRING_TRY_VOID(charge_search(ev.heap(), text, separator));
  size_t at = from_right ? rfind_text(text, separator) : find_text(text, separator);
  std::string_view none;
  std::string_view parts[3] = {text, none, none};
  if (at != std::string_view::npos) {
    parts[0] = text.substr(0, at);
    parts[1] = text.substr(at, separator.size());
    parts[2] = text.substr(at + separator.size());
  } else if (from_right) {
    std::swap(parts[0], parts[2]);
  }
  return make_string_list(ev.heap(), *self.string, parts, Kind::tuple);
}

Result<Value> without(Evaluator& ev, std::string_view who, Value self, const Arguments& args, bool prefix) {
  MAINSPRING_TRY(auto a, bind(who, args, {""}, 1));
  MAINSPRING_TRY(std::string_view part, as_text(who, a[0]));
  std::string_view text = self.text();
  if (part.size() > text.size()) return self;
  if (prefix && text.substr(0, part.size()) == part) text = text.substr(part.size());
  else if (!prefix && text.substr(text.size() - part.size()) == part) text = text.substr(0, text.size() - part.size());
  return make_part(ev.heap(), *self.string, text);
}

}  // namespace

Result<Value> method_upper(Evaluator& ev, Value self, const Arguments& args) { return mapped(ev, "upper", self, args, to_upper); }
Result<Value> method_lower(Evaluator& ev, Value self, const Arguments& args) { return mapped(ev, "lower", self, args, to_lower); }
Result<Value> method_title(Evaluator& ev, Value self, const Arguments& args) { return mapped(ev, "title", self, args, to_title); }
Result<Value> method_swapcase(Evaluator& ev, Value self, const Arguments& args) { return mapped(ev, "swapcase", self, args, swap_case); }
Result<Value> method_casefold(Evaluator& ev, Value self, const Arguments& args) { return mapped(ev, "casefold", self, args, fold_case); }
Result<Value> method_capitalize(Evaluator& ev, Value self, const Arguments& args) {
  return mapped(ev, "capitalize", self, args, to_capitalized);
}

Result<Value> method_strip(Evaluator& ev, Value self, const Arguments& args) { return stripped(ev, "strip", self, args, Side::both); }
Result<Value> method_lstrip(Evaluator& ev, Value self, const Arguments& args) { return stripped(ev, "lstrip", self, args, Side::left); }
Result<Value> method_rstrip(Evaluator& ev, Value self, const Arguments& args) { return stripped(ev, "rstrip", self, args, Side::right); }

Result<Value> method_ljust(Evaluator& ev, Value self, const Arguments& args) { return justified(ev, "ljust", self, args, true); }
Result<Value> method_rjust(Evaluator& ev, Value self, const Arguments& args) { return justified(ev, "rjust", self, args, false); }
Result<Value> method_center(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("center", args, {"", ""}, 1));
  MAINSPRING_TRY(int64_t width, as_index("center", a[0]));
  MAINSPRING_TRY(std::string_view fill, fill_character("center", a[1]));
  return center(ev.heap(), *self.string, width, fill);
}
Result<Value> method_zfill(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("zfill", args, {""}, 1));
  MAINSPRING_TRY(int64_t width, as_index("zfill", a[0]));
  std::string_view text = self.text();
  bool sign = !text.empty() && (text[0] == '+' || text[0] == '-');
  TextBuilder out(ev.heap());
  if (sign) out.append(text[0]);
  out.fill('0', width > self.string->length ? width - self.string->length : 0);
  out.append(text.substr(sign ? 1 : 0));
  if (out.over()) return out.over_error();
  return make_like(ev.heap(), *self.string, out.view());
}

Result<Value> method_split(Evaluator& ev, Value self, const Arguments& args) { return split(ev, "split", self, args, false); }
Result<Value> method_rsplit(Evaluator& ev, Value self, const Arguments& args) { return split(ev, "rsplit", self, args, true); }
Result<Value> method_splitlines(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("splitlines", args, {"keepends"}));
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(self.text().size()));
  if (self.text().size() > ev.heap().room() / sizeof(std::string_view)) return ev.heap().memory_error();
  return make_string_list(ev.heap(), *self.string, split_lines(self.text(), truthy_or(a[0], false)));
}
Result<Value> method_partition(Evaluator& ev, Value self, const Arguments& args) { return partitioned(ev, "partition", self, args, false); }
Result<Value> method_rpartition(Evaluator& ev, Value self, const Arguments& args) { return partitioned(ev, "rpartition", self, args, true); }
Result<Value> method_removeprefix(Evaluator& ev, Value self, const Arguments& args) { return without(ev, "removeprefix", self, args, true); }
Result<Value> method_removesuffix(Evaluator& ev, Value self, const Arguments& args) { return without(ev, "removesuffix", self, args, false); }

Result<Value> method_replace(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("replace", args, {"", "", ""}, 2));
  MAINSPRING_TRY(std::string_view old, as_text("replace", a[0]));
  MAINSPRING_TRY(std::string_view with, as_text("replace", a[1]));
  MAINSPRING_TRY(int64_t count, index_or("replace", a[2], -1));
  TextBuilder escaped(ev.heap());
  if (self.string->markup && !a[1].string->markup) {
    append_escaped(escaped, with);
    with = escaped.view();
  }
  TextBuilder out(ev.heap());
  MAINSPRING_TRY_VOID(append_replaced(out, self.text(), old, with, count));
  if (out.over()) return out.over_error();
  return make_like(ev.heap(), *self.string, out.view());
}

Result<Value> method_join(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("join", args, {""}, 1));
  MAINSPRING_TRY(std::vector<Value> items, collect(ev, a[0]));
  bool markup = self.string->markup;
  TextBuilder out(ev.heap());
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out.append(self.text());
    if (!items[i].is_string()) {
      if (!markup) return invalid("join: sequence item {}: expected str instance, {} found", i, type_name(items[i]));
      MAINSPRING_TRY(items[i], to_str(ev.heap(), items[i]));
    }
    if (markup && !items[i].string->markup) append_escaped(out, items[i].text());
    else out.append(items[i].text());
    if (out.over()) return out.over_error();
  }
  return make_like(ev.heap(), *self.string, out.view());
}

Result<Value> method_expandtabs(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("expandtabs", args, {"tabsize"}));
  MAINSPRING_TRY(int64_t size, index_or("expandtabs", a[0], 8));
  TextBuilder out(ev.heap());
  int64_t column = 0;
  for (size_t i = 0; i < self.text().size() && !out.over();) {
    size_t begin = i;
    char32_t c = next_code_point(self.text(), i);
    if (c == '\t') {
      int64_t n = size > 0 ? size - column % size : 0;
      out.fill(' ', n);
      column += n;
      continue;
    }
    out.append(self.text().substr(begin, i - begin));
    column = c == '\n' || c == '\r' ? 0 : column + 1;
  }
  if (out.over()) return out.over_error();
  return make_like(ev.heap(), *self.string, out.view());
}

Result<Value> method_format(Evaluator& ev, Value self, const Arguments& args) { return format_braces(ev, *self.string, args); }
Result<Value> method_format_map(Evaluator& ev, Value self, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("format_map", args, {""}, 1));
  if (!a[0].is(Kind::dict)) return invalid("format_map: expected a mapping, got {}", type_name(a[0]));
  std::vector<Keyword> keywords;
  for (const Entry& e : a[0].dict->span())
    if (e.key.is_string()) keywords.push_back({e.key.text(), e.value});
  return format_braces(ev, *self.string, Arguments{{}, keywords});
}

Result<Value> method_encode(Evaluator&, Value, const Arguments&) { return unsupported("str.encode: templates here have no bytes"); }
Result<Value> method_maketrans(Evaluator&, Value, const Arguments&) { return unsupported("str.maketrans"); }
Result<Value> method_translate(Evaluator&, Value, const Arguments&) { return unsupported("str.translate"); }

}  // namespace mainspring::inline v0::jinja
