// format(value, spec): the mini-language shared by str.format and '%'.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "llm/template/formatting.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {
namespace {

// Wider fields and longer fractions than any prompt shows; the text's own limit comes on top.
constexpr int64_t kMaxPrecision = 1000;

bool is_align(char32_t c) { return c == '<' || c == '>' || c == '^' || c == '='; }

struct Reader {
  std::string_view text;
  size_t i = 0;
  bool take(char c) {
    if (i >= text.size() || text[i] != c) return false;
    ++i;
    return true;
  }
  // Digits; -1 where there are none.
  int64_t number() {
    int64_t v = -1;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
      v = std::min<int64_t>(std::max<int64_t>(v, 0) * 10 + (text[i] - '0'), int64_t{1} << 40);
    return v;
  }
};

std::string group_digits(std::string_view digits, char separator, size_t every) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string chars_of(double v, std::chars_format format, int64_t precision) {
  std::string buffer(static_cast<size_t>(precision) + 400, '\0');
  auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), v, format, static_cast<int>(precision));
  buffer.resize(ec == std::errc() ? static_cast<size_t>(end - buffer.data()) : 0);
  return buffer;
}

// No type but a precision: like 'g', with a ".0" where it would show an integer, and an exponent one digit earlier.
std::string general_with_point(double v, int64_t precision) {
  precision = std::max<int64_t>(precision, 1);
  std::string text = chars_of(v, std::chars_format::scientific, precision - 1);
  size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), text.data() + text.size(), exponent);
  if (exponent < -4 || exponent >= precision - 1) {
    std::string mantissa = text.substr(0, e);
    if (mantissa.find('.') != std::string::npos) mantissa.erase(mantissa.find_last_not_of('0') + 1);
    if (!mantissa.empty() && mantissa.back() == '.') mantissa.pop_back();
    return mantissa + text.substr(e);
  }
  std::string fixed = chars_of(v, std::chars_format::fixed, std::max<int64_t>(precision - 1 - exponent, 0));
  if (fixed.find('.') == std::string::npos) return fixed + ".0";
  fixed.erase(fixed.find_last_not_of('0') + 1);
  if (fixed.back() == '.') fixed += '0';
  return fixed;
}

// Without sign.
Result<std::string> real_text(double v, const FormatSpec& spec) {
  char type = spec.type;
  int64_t precision = spec.precision < 0 ? 6 : spec.precision;
  if (precision > kMaxPrecision) return exhausted("a precision of {}, expected at most {}", precision, kMaxPrecision);
  bool upper = type == 'E' || type == 'F' || type == 'G';
  if (!std::isfinite(v)) {
    std::string text = std::isnan(v) ? "nan" : "inf";
    if (upper) text = to_upper(text);
    return type == '%' ? text + "%" : text;
  }
  std::string text;
  switch (type) {
    case 'e':
    case 'E': text = chars_of(v, std::chars_format::scientific, precision); break;
    case 'f':
    case 'F': text = chars_of(v, std::chars_format::fixed, precision); break;
    case 'g':
    case 'G':
    case 'n': text = chars_of(v, std::chars_format::general, std::max<int64_t>(precision, 1)); break;
    case '%': text = chars_of(v * 100, std::chars_format::fixed, precision) + "%"; break;
    case 0: text = spec.precision < 0 ? real_repr(v) : general_with_point(v, precision); break;
    default: return invalid("unknown format code '{}' for object of type 'float'", type);
  }
  return upper ? to_upper(text) : text;
}

Result<std::string> integer_text(Heap& heap, Value v, const FormatSpec& spec, std::string& prefix) {
  BigInt n = big_of(v);
  if (n.limbs.size() > 447) return invalid("exceeds the limit (4300 digits) for integer string conversion");
  MAINSPRING_TRY_VOID(heap.charge(1 + static_cast<int64_t>(n.limbs.size() * n.limbs.size() / 8)));
  unsigned base = spec.type == 'x' || spec.type == 'X' ? 16 : spec.type == 'o' ? 8 : spec.type == 'b' ? 2 : 10;
  std::string digits = n.digits(base);
  if (spec.type == 'X') digits = to_upper(digits);
  if (spec.alternate && base != 10) prefix = {'0', spec.type};
  return digits;
}

}  // namespace

Result<FormatSpec> parse_format_spec(std::string_view text) {
  FormatSpec spec;
  Reader r{text};
  if (!text.empty()) {
    size_t after = 0;
    char32_t first = next_code_point(text, after);
    if (after < text.size() && is_align(static_cast<unsigned char>(text[after]))) {
      spec.fill = first;
      spec.align = text[after];
      r.i = after + 1;
    } else if (is_align(first)) {
      spec.align = static_cast<char>(first);
      r.i = after;
    }
  }
  bool has_fill = r.i > 1;
  if (r.i < text.size() && (text[r.i] == '+' || text[r.i] == '-' || text[r.i] == ' ')) spec.sign = text[r.i++];
  if (r.take('z')) return unsupported("the format option 'z'");
  spec.alternate = r.take('#');
  if (!has_fill && r.take('0')) {
    spec.fill = '0';
    if (spec.align == 0) spec.align = '0';  // '=' for numbers, '<' for text
  }
  spec.width = std::max<int64_t>(r.number(), 0);
  if (r.take(',')) spec.grouping = ',';
  else if (r.take('_')) spec.grouping = '_';
  if (r.take('.')) {
    spec.precision = r.number();
    if (spec.precision < 0) return invalid("format specifier missing precision");
  }
  if (r.i < text.size()) spec.type = text[r.i++];
  if (r.i != text.size()) return invalid("invalid format specifier '{}'", text);
  return spec;
}

void append_padded(TextBuilder& out, std::string_view text, const FormatSpec& spec, char default_align) {
  int64_t missing = spec.width - count_code_points(text);
  char align = spec.align == 0 ? default_align : spec.align;
  int64_t before = missing <= 0 || align == '<' || align == '0' ? 0 : align == '^' ? missing / 2 : missing;
  std::string fill;
  append_utf8(fill, spec.fill);
  auto pad = [&](int64_t n) {
    if (fill.size() == 1) out.fill(fill[0], n);
    else out.repeat(fill, n);
  };
  pad(before);
  out.append(text);
  pad(missing - before);
}

Result<void> append_number(TextBuilder& out, Value v, const FormatSpec& spec) {
  constexpr std::string_view real_types = "eEfFgG%";
  bool real = v.is(Kind::real) || (spec.type != 0 && real_types.find(spec.type) != std::string_view::npos);
  constexpr std::string_view whole_types = "dxXobnc";
  if (!real && spec.type != 0 && whole_types.find(spec.type) == std::string_view::npos)
    return invalid("unknown format code '{}' for object of type 'int'", spec.type);
  std::string prefix, digits;
  bool negative = false;
  if (real) {
    double x = real_of(v);
    negative = std::signbit(x) && !std::isnan(x);
    MAINSPRING_TRY(digits, real_text(std::fabs(x), spec));
  } else {
    if (spec.precision >= 0) return invalid("precision not allowed in integer format specifier");
    if (spec.type == 'c') {
      if (!v.is_int64() || v.int64() < 0 || v.int64() > 0x10FFFF) return invalid("%c arg not in range(0x110000)");
      std::string text;
      append_utf8(text, static_cast<char32_t>(v.int64()));
      append_padded(out, text, spec, '<');
      return {};
    }
    negative = v.is(Kind::big) ? v.big->negative : v.int64() < 0;
    MAINSPRING_TRY(digits, integer_text(out.heap(), v, spec, prefix));
  }
  if (spec.grouping != 0) {
    size_t whole = digits.find_first_not_of("0123456789abcdefABCDEF");
    whole = real ? digits.find_first_not_of("0123456789") : whole;
    whole = std::min(whole, digits.size());
    bool by_four = spec.type == 'x' || spec.type == 'X' || spec.type == 'o' || spec.type == 'b';
    size_t every = by_four ? 4 : 3;
    if (spec.fill == '0' && (spec.align == '=' || spec.align == '0')) {  // padding zeros are grouped, too
      int64_t taken = static_cast<int64_t>(digits.size() - whole + prefix.size()) + (negative || spec.sign != '-' ? 1 : 0);
      if (spec.width > static_cast<int64_t>(out.heap().room())) return out.heap().memory_error();
      while (static_cast<int64_t>(whole + (whole - 1) / every) + taken < spec.width) {
        digits.insert(digits.begin(), '0');
        ++whole;
      }
    }
    digits = group_digits(std::string_view(digits).substr(0, whole), spec.grouping, every) + digits.substr(whole);
  }
  std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (spec.align != '=' && spec.align != '0') {
    append_padded(out, sign + prefix + digits, spec, '>');
    return {};
  }
  out.append(sign + prefix);
  FormatSpec rest = spec;
  rest.align = '>';
  rest.width = spec.width - static_cast<int64_t>(sign.size() + prefix.size());
  append_padded(out, digits, rest, '>');
  return {};
}

Result<void> append_formatted(TextBuilder& out, Value v, const FormatSpec& spec) {
  if (v.is(Kind::boolean) && spec.type == 0) {
    if (spec.width == 0 && spec.align == 0) return append_str(out, v);
    return append_number(out, Value::of(v.int64()), spec);
  }
  if (v.is_number()) return append_number(out, v, spec);
  if (v.is_string()) {
    if (spec.type != 0 && spec.type != 's') return invalid("unknown format code '{}' for object of type 'str'", spec.type);
    if (spec.align == '=') return invalid("'=' alignment not allowed in string format specifier");
    if (spec.sign != '-') return invalid("sign not allowed in string format specifier");
    std::string_view text = v.text();
    if (spec.precision >= 0 && spec.precision < v.string->length) text = text.substr(0, byte_offset(text, spec.precision));
    append_padded(out, text, spec, '<');
    return {};
  }
  bool plain = spec.width == 0 && spec.align == 0 && spec.type == 0 && spec.precision < 0 && spec.grouping == 0 && !spec.alternate;
  if (!plain) return invalid("unsupported format string passed to {}.__format__", type_name(v));
  return append_str(out, v);
}

}  // namespace mainspring::inline v0::jinja
