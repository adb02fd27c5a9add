// pattern % values, and pattern.format(…).
#include <algorithm>
#include <cmath>

#include "llm/template/evaluator.h"
#include "llm/template/formatting.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

// ---- % ----------------------------------------------------------------------------------------------------------------------
class Percent {
 public:
  Percent(Evaluator& ev, const Str& pattern, Value values) : ev_(ev), text_(pattern.text), markup_(pattern.markup), values_(values), out_(ev.heap()) {}
  Result<Value> run();

 private:
  Result<Value> next_value();
  Result<void> directive();
  Result<void> flags(FormatSpec& spec, bool& left, bool& zero);
  Result<void> number_part(int64_t& v);
  Result<void> convert(char conversion, Value v, FormatSpec spec, bool left, bool zero);
  Result<void> convert_text(char conversion, Value v, const FormatSpec& spec);
  Result<void> convert_number(char conversion, Value v, FormatSpec spec, bool left, bool zero);

  Evaluator& ev_;
  std::string_view text_;
  bool markup_;
  Value values_;
  TextBuilder out_;
  size_t i_ = 0;
  size_t used_ = 0;
};

Result<Value> Percent::next_value() {
  bool many = values_.is(Kind::tuple);
  size_t count = many ? values_.list->size : 1;
  if (used_ >= count) return invalid("not enough arguments for format string");
  return many ? values_.list->items[used_++] : (++used_, values_);
}

Result<void> Percent::number_part(int64_t& v) {
  if (i_ < text_.size() && text_[i_] == '*') {
    ++i_;
    MAINSPRING_TRY(Value star, next_value());
    MAINSPRING_TRY(v, as_index("%", star));
    return {};
  }
  for (v = 0; i_ < text_.size() && text_[i_] >= '0' && text_[i_] <= '9'; ++i_)
    v = std::min<int64_t>(v * 10 + (text_[i_] - '0'), int64_t{1} << 40);
  return {};
}

Result<void> Percent::flags(FormatSpec& spec, bool& left, bool& zero) {
  for (; i_ < text_.size(); ++i_) {
    char c = text_[i_];
    if (c == '-') left = true;
    else if (c == '0') zero = true;
    else if (c == '+') spec.sign = '+';
    else if (c == ' ') spec.sign = spec.sign == '+' ? '+' : ' ';
    else if (c == '#') spec.alternate = true;
    else break;
  }
  MAINSPRING_TRY_VOID(number_part(spec.width));
  if (spec.width < 0) {
    left = true;
    spec.width = spec.width > -(int64_t{1} << 40) ? -spec.width : int64_t{1} << 40;
  }
  if (i_ < text_.size() && text_[i_] == '.') {
    ++i_;
    MAINSPRING_TRY_VOID(number_part(spec.precision));
    spec.precision = std::max<int64_t>(spec.precision, 0);
  }
  while (i_ < text_.size() && (text_[i_] == 'h' || text_[i_] == 'l' || text_[i_] == 'L')) ++i_;
  return {};
}

Result<void> Percent::convert_text(char conversion, Value v, const FormatSpec& spec) {
  TextBuilder part(ev_.heap());
  if (conversion == 'c' && v.is_string()) {
    if (v.string->length != 1) return invalid("%c requires int or char");
    part.append(v.text());
  } else if (conversion == 'c') {
    MAINSPRING_TRY(int64_t c, as_index("%c", v));
    if (c < 0 || c > 0x10FFFF) return invalid("%c arg not in range(0x110000)");
    append_utf8(part.text(), static_cast<char32_t>(c));
  } else if (conversion == 's') {
    MAINSPRING_TRY_VOID(append_str(part, v));
  } else {
    MAINSPRING_TRY_VOID(append_repr(part, v));
  }
  if (part.over()) return part.over_error();
  bool safe = v.is_string() && v.string->markup && conversion == 's';
  if (markup_ && !safe) {
    TextBuilder escaped(ev_.heap());
    append_escaped(escaped, part.view());
    part = std::move(escaped);
  }
  std::string_view text = part.view();
  if (spec.precision >= 0 && conversion != 'c') text = text.substr(0, byte_offset(text, spec.precision));
  append_padded(out_, text, spec, '>');
  return {};
}

Result<void> Percent::convert_number(char conversion, Value v, FormatSpec spec, bool left, bool zero) {
  if (v.is(Kind::undefined)) return undefined_error(*v.undefined);
  if (!v.is_number()) return invalid("%{} format: a real number is required, not {}", conversion, type_name(v));
  bool whole = std::string_view("diuoxX").find(conversion) != std::string_view::npos;
  int64_t min_digits = -1;
  if (whole) {
    if (v.is(Kind::real)) {
      if (conversion == 'x' || conversion == 'X' || conversion == 'o') return invalid("%{} format: an integer is required, not float", conversion);
      if (!std::isfinite(v.real)) return invalid("cannot convert float {} to integer", real_repr(v.real));
      MAINSPRING_TRY(v, make_integer(ev_.heap(), BigInt::from(v.real)));
    }
    min_digits = spec.precision;
    spec.precision = -1;
    spec.type = conversion == 'i' || conversion == 'u' ? 'd' : conversion;
  } else {
    if (spec.alternate) return unsupported("the '#' flag for floats");
    spec.type = conversion;
  }
  if (v.is(Kind::boolean)) v = Value::of(v.int64());
  int64_t width = spec.width;
  if (min_digits > 0) {  // a precision for integers pads the digits alone
    spec.width = 0;
    TextBuilder digits(ev_.heap());
    FormatSpec bare = spec;
    bare.fill = '0';
    bare.align = '=';
    bool signed_ = spec.sign != '-' || (v.is(Kind::big) ? v.big->negative : v.int64() < 0);
    bare.width = min_digits + (signed_ ? 1 : 0) + (spec.alternate && spec.type != 'd' ? 2 : 0);
    MAINSPRING_TRY_VOID(append_number(digits, v, bare));
    if (digits.over()) return digits.over_error();
    FormatSpec pad;
    pad.width = width;
    append_padded(out_, digits.view(), pad, left ? '<' : '>');
    return {};
  }
  if (left) spec.align = '<';
  else if (zero) {
    spec.fill = '0';
    spec.align = '=';
  }
  return append_number(out_, v, spec);
}

Result<void> Percent::convert(char conversion, Value v, FormatSpec spec, bool left, bool zero) {
  constexpr std::string_view texts = "srac", numbers = "diuoxXeEfFgG";
  if (texts.find(conversion) != std::string_view::npos) {
    if (conversion == 'a') return unsupported("the format '%a'");
    if (left) spec.align = '<';
    return convert_text(conversion, v, spec);
  }
  if (numbers.find(conversion) != std::string_view::npos) return convert_number(conversion, v, spec, left, zero);
  return invalid("unsupported format character '{}'", conversion);
}

Result<void> Percent::directive() {
  Value v;
  if (i_ < text_.size() && text_[i_] == '(') {
    if (!values_.is(Kind::dict)) return invalid("format requires a mapping");
    size_t begin = ++i_;
    for (int open = 1; i_ < text_.size(); ++i_) {
      open += text_[i_] == '(' ? 1 : text_[i_] == ')' ? -1 : 0;
      if (open == 0) break;
    }
    if (i_ >= text_.size()) return invalid("incomplete format key");
    std::string_view key = text_.substr(begin, i_++ - begin);
    const Entry* e = dict_find(*values_.dict, key);
    if (e == nullptr) return invalid("the format's mapping has no key '{}'", key);
    v = e->value;
  }
  FormatSpec spec;
  bool left = false, zero = false;
  MAINSPRING_TRY_VOID(flags(spec, left, zero));
  if (i_ >= text_.size()) return invalid("incomplete format");
  char conversion = text_[i_++];
  if (conversion == '%') {
    out_.append('%');
    return {};
  }
  if (v.is(Kind::missing)) {
    MAINSPRING_TRY(v, next_value());
  }
  return convert(conversion, v, spec, left, zero);
}

Result<Value> Percent::run() {
  MAINSPRING_TRY_VOID(ev_.heap().charge_bytes(text_.size()));
  while (i_ < text_.size()) {
    size_t percent = std::min(text_.find('%', i_), text_.size());
    out_.append(text_.substr(i_, percent - i_));
    i_ = percent;
    if (i_ >= text_.size()) break;
    ++i_;
    MAINSPRING_TRY_VOID(directive());
    if (out_.over()) return out_.over_error();
  }
  // Whatever can be indexed passes for a mapping here, and a mapping need not be used up.
  bool mapping = values_.is(Kind::dict) || values_.is(Kind::list) || values_.is(Kind::range) || values_.is(Kind::undefined);
  size_t count = values_.is(Kind::tuple) ? values_.list->size : 1;
  if (used_ < count && !mapping) return invalid("not all arguments converted during string formatting");
  if (out_.over()) return out_.over_error();
  return markup_ ? make_markup(ev_.heap(), out_.view()) : make_string(ev_.heap(), out_.view());
}

// ---- str.format -------------------------------------------------------------------------------------------------------------
class Braces {
 public:
  Braces(Evaluator& ev, const Str& pattern, const Arguments& args) : ev_(ev), markup_(pattern.markup), args_(args) {}
  Result<void> expand(std::string_view text, TextBuilder& out, int depth);

 private:
  Result<void> field(std::string_view inside, TextBuilder& out, int depth);
  Result<Value> lookup(std::string_view name);
  Result<Value> first(std::string_view name);

  Evaluator& ev_;
  bool markup_;
  const Arguments& args_;
  int64_t next_ = 0;
  bool manual_ = false;
};

bool all_digits(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<Value> Braces::first(std::string_view name) {
  if (name.empty() || all_digits(name)) {
    bool automatic = name.empty();
    if (automatic ? manual_ : next_ > 0) return invalid("cannot mix automatic and manual field numbering");
    int64_t i = 0;
    if (automatic) i = next_++;
    else {
      manual_ = true;
      for (char c : name) i = std::min<int64_t>(i * 10 + (c - '0'), 1'000'000);
    }
    if (static_cast<size_t>(i) >= args_.positional.size()) return invalid("format: no positional argument {}", i);
    return args_.positional[static_cast<size_t>(i)];
  }
  for (const Keyword& k : args_.keywords)
    if (k.name == name) return k.value;
  return invalid("format: no argument named '{}'", name);
}

Result<Value> Braces::lookup(std::string_view name) {
  size_t end = std::min(name.find_first_of(".["), name.size());
  MAINSPRING_TRY(Value v, first(name.substr(0, end)));
  while (end < name.size()) {
    bool index = name[end] == '[';
    size_t begin = end + 1;
    end = std::min(index ? name.find(']', begin) : name.find_first_of(".[", begin), name.size());
    if (index && end == name.size()) return invalid("format: missing ']' in '{}'", name);
    std::string_view part = name.substr(begin, end - begin);
    if (part.empty()) return invalid("format: empty attribute in '{}'", name);
    if (!index) {
      MAINSPRING_TRY(std::string_view copy, ev_.heap().copy(part));
      MAINSPRING_TRY(v, ev_.attribute(v, copy));
      continue;
    }
    ++end;
    Value key;
    if (all_digits(part)) {
      int64_t i = 0;
      for (char c : part) i = std::min<int64_t>(i * 10 + (c - '0'), int64_t{1} << 40);
      key = Value::of(i);
    } else {
      MAINSPRING_TRY(key, make_string(ev_.heap(), part));
    }
    MAINSPRING_TRY(v, ev_.item(v, key));
    if (end < name.size() && name[end] != '.' && name[end] != '[') return invalid("format: only '.' or '[' may follow ']' in '{}'", name);
  }
  return v;
}

Result<void> Braces::field(std::string_view inside, TextBuilder& out, int depth) {
  // The name ends at the first '!' or ':' outside brackets.
  size_t end = 0;
  for (bool bracket = false; end < inside.size(); ++end) {
    if (inside[end] == '[') bracket = true;
    else if (inside[end] == ']') bracket = false;
    else if (!bracket && (inside[end] == '!' || inside[end] == ':')) break;
  }
  std::string_view name = inside.substr(0, end);
  MAINSPRING_TRY(Value v, lookup(name));
  char conversion = 0;
  if (end < inside.size() && inside[end] == '!') {
    if (end + 1 >= inside.size()) return invalid("format: expected a conversion after '!'");
    conversion = inside[end + 1];
    end += 2;
    if (end < inside.size() && inside[end] != ':') return invalid("format: expected ':' after the conversion");
  }
  TextBuilder spec_text(ev_.heap());
  if (end < inside.size()) MAINSPRING_TRY_VOID(expand(inside.substr(end + 1), spec_text, depth + 1));
  if (conversion == 's') {
    MAINSPRING_TRY(v, to_str(ev_.heap(), v));
  } else if (conversion == 'r') {
    TextBuilder repr(ev_.heap());
    MAINSPRING_TRY_VOID(append_repr(repr, v));
    MAINSPRING_TRY(v, finish_string(repr));
  } else if (conversion != 0) {
    return conversion == 'a' ? unsupported("the conversion '!a'") : invalid("unknown conversion specifier '{}'", conversion);
  }
  MAINSPRING_TRY(FormatSpec spec, parse_format_spec(spec_text.view()));
  bool safe = v.is_string() && v.string->markup;
  if (!markup_ || safe || depth > 0) return append_formatted(out, v, spec);
  TextBuilder part(ev_.heap());
  MAINSPRING_TRY_VOID(append_formatted(part, v, spec));
  append_escaped(out, part.view());
  return {};
}

Result<void> Braces::expand(std::string_view text, TextBuilder& out, int depth) {
  if (depth > 1) return invalid("format: max string recursion exceeded");
  MAINSPRING_TRY_VOID(ev_.heap().charge_bytes(text.size()));
  for (size_t i = 0; i < text.size();) {
    size_t brace = std::min(text.find_first_of("{}", i), text.size());
    out.append(text.substr(i, brace - i));
    i = brace;
    if (i >= text.size()) break;
    if (i + 1 < text.size() && text[i + 1] == text[i]) {
      out.append(text[i]);
      i += 2;
      continue;
    }
    if (text[i] == '}') return invalid("format: single '}}' encountered in the pattern");
    size_t begin = ++i;
    for (int open = 1; i < text.size(); ++i) {
      open += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
      if (open == 0) break;
    }
    if (i >= text.size()) return invalid("format: expected '}}' before the end of the pattern");
    MAINSPRING_TRY_VOID(field(text.substr(begin, i++ - begin), out, depth));
    if (out.over()) return out.over_error();
  }
  return {};
}

}  // namespace

Result<Value> format_percent(Evaluator& ev, const Str& pattern, Value values) { return Percent(ev, pattern, values).run(); }

Result<Value> format_braces(Evaluator& ev, const Str& pattern, const Arguments& args) {
  TextBuilder out(ev.heap());
  MAINSPRING_TRY_VOID(Braces(ev, pattern, args).expand(pattern.text, out, 0));
  if (out.over()) return out.over_error();
  return make_like(ev.heap(), pattern, out.view());
}

}  // namespace mainspring::inline v0::jinja
