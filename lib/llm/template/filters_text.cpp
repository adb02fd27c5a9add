// Jinja's filters on text.
#include <algorithm>

#include "llm/template/evaluator.h"
#include "llm/template/formatting.h"
#include "llm/template/tables.h"
#include "llm/template/text_ops.h"
#include "llm/template/unicode.h"
#include "llm/template/word_wrap.h"

namespace mainspring::inline v0::jinja {
namespace {

Result<Value> mapped(Evaluator& ev, std::string_view who, Value v, const Arguments& args, std::string (*map)(std::string_view)) {
  MAINSPRING_TRY_VOID(no_arguments(who, args));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(s.text().size() * 4));
  if (s.text().size() > ev.heap().room() / 3) return ev.heap().memory_error();
  return make_like(ev.heap(), *s.string, map(s.text()));
}

// Jinja's own title case: words begin after white space and after - ( { [ <.
std::string title_words(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    auto separates = [](char32_t c) { return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<'; };
    bool separator = false;
    for (size_t next = i; i < text.size(); i = next) {
      bool one = separates(next_code_point(text, next));
      if (i == begin) separator = one;
      else if (one != separator) break;
    }
    std::string_view word = text.substr(begin, i - begin);
    size_t first = 0;
    next_code_point(word, first);
    out += to_upper(word.substr(0, first));
    out += to_lower(word.substr(first));
  }
  return out;
}

// The text of a filter's input that Python would take a string method of.
Result<Value> string_input(std::string_view who, Value v) {
  if (v.is_string()) return v;
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  return invalid("{}: '{}' object is no string", who, type_name(v));
}

}  // namespace

Result<Value> filter_upper(Evaluator& ev, Value v, const Arguments& args) { return mapped(ev, "upper", v, args, to_upper); }
Result<Value> filter_lower(Evaluator& ev, Value v, const Arguments& args) { return mapped(ev, "lower", v, args, to_lower); }
Result<Value> filter_capitalize(Evaluator& ev, Value v, const Arguments& args) { return mapped(ev, "capitalize", v, args, to_capitalized); }
Result<Value> filter_title(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(Value title, mapped(ev, "title", v, args, title_words));
  return make_view_string(ev.heap(), title.text());
}

Result<Value> filter_string(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("string", args));
  return to_str(ev.heap(), v);
}
Result<Value> filter_safe(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("safe", args));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  return Value::of(ev.heap().make<Str>(s.text(), true, s.string->length));
}
Result<Value> filter_forceescape(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("forceescape", args));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  TextBuilder out(ev.heap());
  append_escaped(out, s.text());
  if (out.over()) return out.over_error();
  return make_markup(ev.heap(), out.view());
}
Result<Value> filter_escape(Evaluator& ev, Value v, const Arguments& args) {
  if (v.is_string() && v.string->markup) return v;
  return filter_forceescape(ev, v, args);
}

Result<Value> filter_trim(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("trim", args, {"chars"}));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  Arguments chars{{a.data(), a[0].is(Kind::missing) ? size_t{0} : size_t{1}}, {}};
  return method_strip(ev, s, chars);
}
Result<Value> filter_center(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("center", args, {"width"}));
  MAINSPRING_TRY(int64_t width, index_or("center", a[0], 80));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  return center(ev.heap(), *s.string, width, " ");
}

Result<Value> filter_replace(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("replace", args, {"old", "new", "count"}, 2));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  MAINSPRING_TRY(Value old, to_str(ev.heap(), a[0]));
  MAINSPRING_TRY(Value with, to_str(ev.heap(), a[1]));
  MAINSPRING_TRY(int64_t count, a[2].is(Kind::none) ? Result<int64_t>(-1) : index_or("replace", a[2], -1));
  TextBuilder out(ev.heap());
  MAINSPRING_TRY_VOID(append_replaced(out, s.text(), old.text(), with.text(), count));
  return finish_string(out);
}

Result<Value> filter_format(Evaluator& ev, Value v, const Arguments& args) {
  if (!args.positional.empty() && !args.keywords.empty()) return invalid("format: positional and keyword arguments cannot be mixed");
  MAINSPRING_TRY(Value pattern, to_str(ev.heap(), v));
  if (args.keywords.empty()) {
    MAINSPRING_TRY(Value values, make_list(ev.heap(), args.positional, Kind::tuple));
    return format_percent(ev, *pattern.string, values);
  }
  Dict* dict = make_dict(ev.heap());
  for (const Keyword& k : args.keywords) MAINSPRING_TRY_VOID(dict_set(ev.heap(), *dict, make_view_string(ev.heap(), k.name), k.value));
  return format_percent(ev, *pattern.string, Value::of(dict));
}

Result<Value> filter_indent(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("indent", args, {"width", "first", "blank"}));
  MAINSPRING_TRY(v, string_input("indent", v));
  std::string spaces;
  std::string_view indent;
  if (a[0].is_string()) {
    indent = a[0].text();
  } else {
    MAINSPRING_TRY(int64_t width, index_or("indent", a[0], 4));
    if (width > 0 && static_cast<size_t>(width) > ev.heap().room()) return ev.heap().memory_error();
    spaces.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    indent = spaces;
  }
  bool first = truthy_or(a[1], false), blank = truthy_or(a[2], false);
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(v.text().size()));
  std::string text(v.text());
  text += '\n';
  std::vector<std::string_view> lines = split_lines(text, false);
  TextBuilder out(ev.heap());
  for (size_t i = 0; i < lines.size() && !out.over(); ++i) {
    if (i != 0) out.append('\n');
    if (i == 0 ? first : blank || !lines[i].empty()) out.append(indent);
    out.append(lines[i]);
  }
  if (out.over()) return out.over_error();
  return make_like(ev.heap(), *v.string, out.view());
}

Result<Value> filter_truncate(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("truncate", args, {"length", "killwords", "end", "leeway"}));
  MAINSPRING_TRY(int64_t length, index_or("truncate", a[0], 255));
  Value end = a[2].is(Kind::missing) ? make_view_string(ev.heap(), "...") : a[2];
  MAINSPRING_TRY_VOID(as_text("truncate", end));
  MAINSPRING_TRY(int64_t leeway, a[3].is(Kind::none) ? Result<int64_t>(5) : index_or("truncate", a[3], 5));
  if (length < end.string->length) return invalid("truncate: expected length >= {}, got {}", end.string->length, length);
  if (leeway < 0) return invalid("truncate: expected leeway >= 0, got {}", leeway);
  if (v.is(Kind::undefined)) return v;
  MAINSPRING_TRY(v, string_input("truncate", v));
  if (v.string->length - leeway <= length) return v;
  std::string_view kept = v.text().substr(0, byte_offset(v.text(), length - end.string->length));
  if (!truthy_or(a[1], false)) kept = kept.substr(0, std::min(kept.rfind(' '), kept.size()));
  MAINSPRING_TRY(std::string_view text, ev.heap().concat(kept, end.text()));
  return make_view_string(ev.heap(), text);
}

Result<Value> filter_wordcount(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("wordcount", args));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(s.text().size() * 4));
  int64_t n = 0;
  bool inside = false;
  for (size_t i = 0; i < s.text().size();) {
    char32_t c = next_code_point(s.text(), i);
    bool word = c == '_' || is_alnum(c);
    n += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::of(n);
}

Result<Value> filter_wordwrap(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("wordwrap", args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"}));
  MAINSPRING_TRY(v, string_input("wordwrap", v));
  MAINSPRING_TRY(int64_t width, index_or("wordwrap", a[0], 79));
  std::string_view separator = "\n";
  if (!a[2].is(Kind::missing) && !a[2].is(Kind::none)) {
    MAINSPRING_TRY(separator, as_text("wordwrap", a[2]));
  }
  WrapOptions options{width, truthy_or(a[1], true), truthy_or(a[3], true)};
  if (width <= 0 && !v.text().empty()) return invalid("wordwrap: invalid width {}, expected > 0", width);
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(v.text().size() * 32));
  if (v.text().size() > ev.heap().room() / 32) return ev.heap().memory_error();
  TextBuilder out(ev.heap());
  bool first = true;
  for (std::string_view paragraph : split_lines(v.text(), false)) {
    if (!first) out.append(separator);
    first = false;
    std::vector<std::string> lines = wrap_words(paragraph, options);
    for (size_t i = 0; i < lines.size(); ++i) {
      if (i != 0) out.append(separator);
      out.append(lines[i]);
    }
    if (out.over()) return out.over_error();
  }
  return finish_string(out);
}

// ---- markup -----------------------------------------------------------------------------------------------------------------
namespace {

// The character references that prompts show; the other 2 000 names are refused.
Result<void> append_unescaped(std::string& out, std::string_view text) {
  struct Named {
    std::string_view name, text;
  };
  constexpr Named names[] = {{"amp", "&"},       {"lt", "<"},         {"gt", ">"},         {"quot", "\""},    {"apos", "'"},
                             {"nbsp", "\u00A0"}, {"copy", "\u00A9"},  {"reg", "\u00AE"},   {"laquo", "\u00AB"}, {"raquo", "\u00BB"},
                             {"hellip", "\u2026"}, {"mdash", "\u2014"}, {"ndash", "\u2013"}, {"euro", "\u20AC"}, {"bull", "\u2022"}};
  for (size_t i = 0; i < text.size();) {
    size_t end = text[i] == '&' ? text.find(';', i) : std::string_view::npos;
    std::string_view name = end == std::string_view::npos ? std::string_view() : text.substr(i + 1, end - i - 1);
    bool word = !name.empty() && name.size() < 32 && std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(static_cast<unsigned char>(c)) || c == '#'; });
    if (!word) {
      out += text[i++];
      continue;
    }
    if (name[0] == '#') {
      bool hex = name.size() > 1 && (name[1] | 32) == 'x';
      char32_t c = 0;
      for (char d : name.substr(hex ? 2 : 1)) {
        int digit = d <= '9' ? d - '0' : (d | 32) - 'a' + 10;
        if (digit >= (hex ? 16 : 10)) return unsupported("striptags: the character reference '&{};'", name);
        c = std::min<char32_t>(c * (hex ? 16 : 10) + static_cast<char32_t>(digit), 0x110000);
      }
      if (c == 0 || c > 0x10FFFF || (c >= 0x80 && c < 0xA0) || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
      append_utf8(out, c);
    } else {
      const Named* found = std::find_if(std::begin(names), std::end(names), [&](const Named& n) { return n.name == name; });
      if (found == std::end(names)) return unsupported("striptags: the character reference '&{};'", name);
      out += found->text;
    }
    i = end + 1;
  }
  return {};
}

bool url_safe(unsigned char c, bool query) {
  return (c < 0x80 && is_alnum(c)) || c == '_' || c == '.' || c == '-' || c == '~' || (!query && c == '/');
}

void append_url(TextBuilder& out, std::string_view text, bool query) {
  for (char ch : text) {
    auto c = static_cast<unsigned char>(ch);
    if (url_safe(c, query)) out.append(ch);
    else if (query && ch == ' ') out.append('+');
    else out.append(fmt::format("%{:02X}", static_cast<unsigned>(c)));
  }
}

}  // namespace

Result<Value> filter_striptags(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("striptags", args));
  MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
  std::string_view text = s.text();
  MAINSPRING_TRY_VOID(ev.heap().charge_bytes(text.size() * 4));
  if (text.size() > ev.heap().room() / 32) return ev.heap().memory_error();
  std::string bare;
  size_t at = 0;
  for (size_t open = text.find('<'); open != std::string_view::npos; open = text.find('<', at)) {
    bool comment = text.substr(open, 4) == "<!--";
    size_t close = comment ? text.find("-->", open + 4) : text.find('>', open);
    if (close == std::string_view::npos) break;
    bare += text.substr(at, open - at);
    at = close + (comment ? 3 : 1);
  }
  bare += text.substr(at);
  std::string joined, plain;
  for (std::string_view word : split_space(bare, -1, false)) {
    if (!joined.empty()) joined += ' ';
    joined += word;
  }
  MAINSPRING_TRY_VOID(append_unescaped(plain, joined));
  return make_string(ev.heap(), plain);
}

Result<Value> filter_urlencode(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("urlencode", args));
  TextBuilder out(ev.heap());
  if (v.is_string() || !is_iterable(v)) {
    MAINSPRING_TRY(Value s, to_str(ev.heap(), v));
    append_url(out, s.text(), false);
    return finish_string(out);
  }
  if (v.is(Kind::dict)) {
    MAINSPRING_TRY(v, method_dict_items(ev, v, {}));
  }
  MAINSPRING_TRY(std::vector<Value> pairs, collect(ev, v));
  for (size_t i = 0; i < pairs.size(); ++i) {
    MAINSPRING_TRY(std::vector<Value> pair, collect(ev, pairs[i]));
    if (pair.size() != 2) return invalid("urlencode: expected pairs, got {} values", pair.size());
    MAINSPRING_TRY(Value key, to_str(ev.heap(), pair[0]));
    MAINSPRING_TRY(Value value, to_str(ev.heap(), pair[1]));
    if (i != 0) out.append('&');
    append_url(out, key.text(), true);
    out.append('=');
    append_url(out, value.text(), true);
    if (out.over()) return out.over_error();
  }
  return finish_string(out);
}

Result<Value> filter_urlize(Evaluator&, Value, const Arguments&) { return unsupported("urlize: a prompt has no links"); }

Result<Value> filter_xmlattr(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("xmlattr", args, {"autospace"}));
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  if (!v.is(Kind::dict)) return invalid("xmlattr: expected a mapping, got {}", type_name(v));
  TextBuilder out(ev.heap());
  bool space = truthy_or(a[0], true);
  auto append = [&](Value part) -> Result<void> {
    MAINSPRING_TRY(Value escaped, filter_escape(ev, part, {}));
    out.append(escaped.text());
    return {};
  };
  for (const Entry& e : v.dict->span()) {
    if (e.value.is(Kind::none) || e.value.is(Kind::undefined)) continue;
    MAINSPRING_TRY(std::string_view key, as_text("xmlattr", e.key));
    if (key.find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) return invalid("xmlattr: invalid character in attribute name '{}'", key);
    if (space || out.size() != 0) out.append(' ');
    MAINSPRING_TRY_VOID(append(e.key));
    out.append("=\"");
    MAINSPRING_TRY_VOID(append(e.value));
    out.append('"');
  }
  return finish_string(out);
}

// ---- json -------------------------------------------------------------------------------------------------------------------
Result<Value> filter_tojson(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY(auto a, bind("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonFormat format;
  format.ensure_ascii = truthy_or(a[0], false);
  format.sort_keys = truthy_or(a[3], false);
  if (!a[1].is(Kind::missing) && !a[1].is(Kind::none)) {
    format.pretty = true;
    format.item_separator = ",";
    if (a[1].is_string()) {
      format.indent = a[1].text();
    } else {
      MAINSPRING_TRY(format.indent_spaces, as_index("tojson", a[1]));
      format.indent_spaces = std::min<int64_t>(format.indent_spaces, 1 << 20);
    }
  }
  if (!a[2].is(Kind::missing) && !a[2].is(Kind::none)) {
    MAINSPRING_TRY(std::vector<Value> pair, collect(ev, a[2]));
    if (pair.size() != 2) return invalid("tojson: expected 2 separators, got {}", pair.size());
    MAINSPRING_TRY(format.item_separator, as_text("tojson", pair[0]));
    MAINSPRING_TRY(format.key_separator, as_text("tojson", pair[1]));
  }
  TextBuilder out(ev.heap());
  MAINSPRING_TRY_VOID(append_json(out, v, format));
  return finish_string(out);
}

Result<Value> filter_pprint(Evaluator& ev, Value v, const Arguments& args) {
  MAINSPRING_TRY_VOID(no_arguments("pprint", args));
  TextBuilder out(ev.heap());
  MAINSPRING_TRY_VOID(append_pretty(out, v));
  return finish_string(out);
}

}  // namespace mainspring::inline v0::jinja
