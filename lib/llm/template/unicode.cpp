#include "llm/template/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

namespace mainspring::inline v0::jinja {
namespace {

struct Range {
  char32_t first, last;
};
struct CaseMap {
  char32_t from;
  char32_t to[3];  // zero-padded
};
#include "llm/template/unicode_data.inc"

template <size_t N>
bool contains(const Range (&ranges)[N], char32_t c) {
  const Range* it = std::upper_bound(std::begin(ranges), std::end(ranges), c, [](char32_t v, const Range& r) { return v < r.first; });
  return it != std::begin(ranges) && c <= std::prev(it)->last;
}

template <size_t N>
const CaseMap* find_map(const CaseMap (&maps)[N], char32_t c) {
  const CaseMap* it = std::lower_bound(std::begin(maps), std::end(maps), c, [](const CaseMap& m, char32_t v) { return m.from < v; });
  return it != std::end(maps) && it->from == c ? it : nullptr;
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }
bool is_mark(utf8proc_category_t k) { return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC; }

void append_map(std::string& out, const CaseMap& m) {
  for (char32_t c : m.to)
    if (c != 0) append_utf8(out, c);
}
void append_upper(std::string& out, char32_t c) {
  if (c < 0x80) out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  else if (const CaseMap* m = find_map(kUpper, c)) append_map(out, *m);
  else append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}
void append_lower(std::string& out, char32_t c) {
  if (c < 0x80) out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  else if (const CaseMap* m = find_map(kLower, c)) append_map(out, *m);
  else append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}
void append_title(std::string& out, char32_t c) {
  if (const CaseMap* m = find_map(kTitle, c)) append_map(out, *m);
  else append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
}

// Characters that the final-sigma rule looks through.
bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: break;
  }
  constexpr char32_t punctuation[] = {0x27, 0x2E, 0x3A, 0xB7, 0x2018, 0x2019, 0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
  return std::find(std::begin(punctuation), std::end(punctuation), c) != std::end(punctuation);
}

// A capital sigma ends a word if a cased letter stands before it and none after it.
bool is_final_sigma(std::string_view text, size_t begin, size_t end) {
  bool before = false;
  for (size_t i = begin; i > 0;) {
    char32_t c = previous_code_point(text, i);
    if (is_case_ignorable(c)) continue;
    before = is_cased(c);
    break;
  }
  if (!before) return false;
  for (size_t i = end; i < text.size();) {
    char32_t c = next_code_point(text, i);
    if (!is_case_ignorable(c)) return !is_cased(c);
  }
  return true;
}

void append_lower_at(std::string& out, std::string_view text, size_t begin, size_t end, char32_t c) {
  if (c == 0x3A3) append_utf8(out, is_final_sigma(text, begin, end) ? 0x3C2 : 0x3C3);
  else append_lower(out, c);
}

}  // namespace

char32_t next_code_point(std::string_view text, size_t& i) {
  auto byte = [&](size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u; };
  unsigned c = byte(i);
  auto tail = [&](size_t k) { return byte(i + k) & 0x3Fu; };
  if (c < 0xC0) {
    ++i;
    return c;
  }
  char32_t v = c < 0xE0 ? (c & 0x1Fu) << 6 | tail(1)
             : c < 0xF0 ? (c & 0x0Fu) << 12 | tail(1) << 6 | tail(2)
                        : (c & 0x07u) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
  i = std::min(text.size(), i + (c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4));
  return v;
}

char32_t previous_code_point(std::string_view text, size_t& i) {
  do --i;
  while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80);
  size_t at = i;
  return next_code_point(text, at);
}

void append_utf8(std::string& out, char32_t c) {
  auto put = [&](char32_t b) { out += static_cast<char>(static_cast<unsigned char>(b)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

int64_t count_code_points(std::string_view text) {
  int64_t n = 0;
  for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

size_t byte_offset(std::string_view text, int64_t n) {
  size_t i = 0;
  for (; n > 0 && i < text.size(); --n) next_code_point(text, i);
  return i;
}

bool is_valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    utf8proc_int32_t c = 0;
    utf8proc_ssize_t n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + i,
                                          static_cast<utf8proc_ssize_t>(text.size() - i), &c);
    if (n <= 0) return false;
    i += static_cast<size_t>(n);
  }
  return true;
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}
bool is_line_break(char32_t c) { return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029; }
bool is_alpha(char32_t c) {
  if (c < 0x80) return (c | 32) >= 'a' && (c | 32) <= 'z';
  utf8proc_category_t k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
bool is_decimal(char32_t c) { return c < 0x80 ? c >= '0' && c <= '9' : category(c) == UTF8PROC_CATEGORY_ND; }
bool is_digit(char32_t c) { return is_decimal(c) || contains(kDigits, c); }
bool is_numeric(char32_t c) { return is_digit(c) || contains(kNumbers, c); }
bool is_upper(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  return category(c) == UTF8PROC_CATEGORY_LU || contains(kOtherUpper, c);
}
bool is_lower(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  return category(c) == UTF8PROC_CATEGORY_LL || contains(kOtherLower, c);
}
bool is_title(char32_t c) { return c >= 0x80 && category(c) == UTF8PROC_CATEGORY_LT; }
bool is_printable(char32_t c) {
  if (c < 0x80) return c >= 0x20 && c < 0x7F;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    default: return true;
  }
}

namespace {
// Letters that may only follow in an identifier, because their NFKC form starts with a mark; and those that may not stand in one at all,
// because theirs holds a space.
bool only_follows(char32_t c) { return c == 0xE33 || c == 0xEB3 || c == 0xFF9E || c == 0xFF9F; }
bool never_in_identifier(char32_t c) {
  return c == 0x37A || c == 0x2E2F || (c >= 0xFC5E && c <= 0xFC63) || c == 0xFDFA || c == 0xFDFB || (c >= 0xFE70 && c <= 0xFE7E && c % 2 == 0);
}
}  // namespace

bool is_identifier_start(char32_t c) {
  if (c < 0x80) return is_alpha(c) || c == '_';
  if (only_follows(c) || never_in_identifier(c)) return false;
  return is_alpha(c) || category(c) == UTF8PROC_CATEGORY_NL || c == 0x2118 || c == 0x212E || c == 0x1885 || c == 0x1886;
}
bool is_identifier_part(char32_t c) {
  if (c < 0x80) return is_alpha(c) || c == '_' || is_decimal(c);
  utf8proc_category_t k = category(c);
  return is_identifier_start(c) || only_follows(c) || is_mark(k) || k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_PC || c == 0xB7 || c == 0x387 ||
         (c >= 0x1369 && c <= 0x1371) || c == 0x19DA;
}

int decimal_value(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? static_cast<int>(c - '0') : -1;
  if (!is_decimal(c)) return -1;
  // Decimal digits come in runs of ten from 0 to 9; only the mathematical ones stand in several runs next to each other.
  if (c >= 0x1D7CE && c <= 0x1D7FF) return static_cast<int>((c - 0x1D7CE) % 10);
  int v = 0;
  while (v < 9 && is_decimal(c - static_cast<char32_t>(v) - 1)) ++v;
  return v;
}

std::string to_upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) append_upper(out, next_code_point(text, i));
  return out;
}
std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    char32_t c = next_code_point(text, i);
    append_lower_at(out, text, begin, i, c);
  }
  return out;
}
std::string to_title(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    char32_t c = next_code_point(text, i);
    if (inside) append_lower_at(out, text, begin, i, c);
    else append_title(out, c);
    inside = is_cased(c);
  }
  return out;
}
std::string to_capitalized(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    char32_t c = next_code_point(text, i);
    if (begin == 0) append_title(out, c);
    else append_lower_at(out, text, begin, i, c);
  }
  return out;
}
std::string swap_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    size_t begin = i;
    char32_t c = next_code_point(text, i);
    if (is_upper(c)) append_lower_at(out, text, begin, i, c);
    else if (is_lower(c)) append_upper(out, c);
    else append_utf8(out, c);
  }
  return out;
}
std::string fold_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    char32_t c = next_code_point(text, i);
    if (const CaseMap* m = find_map(kFold, c)) append_map(out, *m);
    else append_lower(out, c);
  }
  return out;
}

std::string_view strip_left(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    size_t at = i;
    if (!is_space(next_code_point(text, at))) break;
    i = at;
  }
  return text.substr(i);
}
std::string_view strip_right(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    size_t at = end;
    if (!is_space(previous_code_point(text, at))) break;
    end = at;
  }
  return text.substr(0, end);
}

namespace {
// The characters to strip; searched in logarithmic time, because a template chooses both texts.
class CodePointSet {
 public:
  explicit CodePointSet(std::string_view set) {
    for (size_t i = 0; i < set.size();) points_ += next_code_point(set, i);
    std::sort(points_.begin(), points_.end());
  }
  bool has(char32_t c) const { return std::binary_search(points_.begin(), points_.end(), c); }

 private:
  std::u32string points_;
};
}  // namespace

std::string_view strip_left(std::string_view text, std::string_view set) {
  CodePointSet stripped(set);
  size_t i = 0;
  while (i < text.size()) {
    size_t at = i;
    if (!stripped.has(next_code_point(text, at))) break;
    i = at;
  }
  return text.substr(i);
}
std::string_view strip_right(std::string_view text, std::string_view set) {
  CodePointSet stripped(set);
  size_t end = text.size();
  while (end > 0) {
    size_t at = end;
    if (!stripped.has(previous_code_point(text, at))) break;
    end = at;
  }
  return text.substr(0, end);
}

}  // namespace mainspring::inline v0::jinja
