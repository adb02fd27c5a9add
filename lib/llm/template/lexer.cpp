#include "llm/template/lexer.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "llm/template/unicode.h"

namespace mainspring::inline v0::jinja {

Position position_of(std::string_view source, uint32_t at) {
  std::string_view before = source.substr(0, at);
  Position p;
  p.line = 1 + std::count(before.begin(), before.end(), '\n');
  size_t line_begin = before.rfind('\n');
  p.column = 1 + count_code_points(before.substr(line_begin == std::string_view::npos ? 0 : line_begin + 1));
  return p;
}

Error error_at(std::string_view source, uint32_t at, std::string_view what) {
  Position p = position_of(source, at);
  return invalid("line {}, column {}: {}", p.line, p.column, what);
}

namespace {

std::string normalize_newlines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
      continue;
    }
    out += '\n';
    if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(TokenStream& out) : out_(out), source_(out.source) {}
  Result<void> run();

 private:
  bool at(std::string_view what) const { return source_.substr(pos_, what.size()) == what; }
  Error fail(size_t where, std::string_view what) const { return error_at(source_, static_cast<uint32_t>(where), what); }
  void push(TokenType type, size_t begin, std::string_view text) { out_.tokens.push_back({type, static_cast<uint32_t>(begin), text}); }
  void skip_space() {
    while (pos_ < source_.size()) {
      size_t next = pos_;
      if (!is_space(next_code_point(source_, next))) return;
      pos_ = next;
    }
  }
  // After a tag's end: a '-' mark takes all white space, a plain end of a block or comment takes one newline, a '+' mark takes nothing.
  void after_end(char mark, bool trims_newline) {
    if (mark == '-') skip_space();
    else if (mark != '+' && trims_newline && at("\n")) ++pos_;
  }
  void push_data(size_t begin, size_t end, char mark, bool lstrip, bool line_starting);
  Result<void> comment(size_t begin);
  bool raw_begin(size_t tag, size_t after_mark);
  Result<void> raw(size_t begin);
  Result<void> tag(bool is_block, size_t begin);
  Result<bool> tag_end(bool is_block);
  Result<void> token();
  bool number();
  Result<void> string(char quote);
  Result<void> oper();

  TokenStream& out_;
  std::string_view source_;
  size_t pos_ = 0;
  bool line_starting_ = true;  // whether what was matched last ended a line: lstrip_blocks applies behind it
  std::string brackets_;       // the closing brackets still expected
};

// Text in front of a tag: trimmed by the tag's '-' mark, or, by lstrip_blocks, of the blanks between the line's start and the tag.
void Lexer::push_data(size_t begin, size_t end, char mark, bool lstrip, bool line_starting) {
  std::string_view text = source_.substr(begin, end - begin);
  if (mark == '-') {
    text = strip_right(text);
  } else if (mark != '+' && lstrip) {
    size_t newline = text.rfind('\n');
    size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    if ((line > 0 || line_starting) && strip_left(text.substr(line)).empty()) text = text.substr(0, line);
  }
  if (!text.empty()) push(TokenType::data, begin, text);
}

Result<void> Lexer::run() {
  while (pos_ < source_.size()) {
    size_t begin = pos_;
    size_t tag_at = begin;
    for (;; ++tag_at) {
      tag_at = source_.find('{', tag_at);
      if (tag_at == std::string_view::npos || tag_at + 1 >= source_.size()) {
        push(TokenType::data, begin, source_.substr(begin));
        pos_ = source_.size();
        push(TokenType::end, pos_, {});
        return {};
      }
      char c = source_[tag_at + 1];
      if (c == '%' || c == '{' || c == '#') break;
    }
    char kind = source_[tag_at + 1];
    size_t body = tag_at + 2;
    char mark = body < source_.size() && (source_[body] == '-' || source_[body] == '+') ? source_[body] : ' ';
    if (mark != ' ') ++body;
    push_data(begin, tag_at, mark, kind != '{', line_starting_);
    pos_ = body;
    line_starting_ = false;
    if (kind == '#') {
      MAINSPRING_TRY_VOID(comment(tag_at));
    } else if (kind == '%' && raw_begin(tag_at, body)) {
      MAINSPRING_TRY_VOID(raw(tag_at));
    } else {
      MAINSPRING_TRY_VOID(tag(kind == '%', tag_at));
    }
    line_starting_ = pos_ > 0 && source_[pos_ - 1] == '\n';
  }
  push(TokenType::end, source_.size(), {});
  return {};
}

Result<void> Lexer::comment(size_t begin) {
  if (pos_ >= source_.size()) return {};  // an opening mark and nothing else passes, in Jinja
  size_t end = source_.find("#}", pos_);
  if (end == std::string_view::npos) return fail(begin, "missing end of comment tag");
  char mark = end > pos_ ? source_[end - 1] : ' ';
  pos_ = end + 2;
  after_end(mark, true);
  return {};
}

// `{% raw %}`; leaves the position behind it. Its newline stays: trim_blocks does not reach here in Jinja either.
bool Lexer::raw_begin(size_t, size_t after_mark) {
  pos_ = after_mark;
  skip_space();
  bool is_raw = at("raw");
  if (is_raw) {
    pos_ += 3;
    skip_space();
    if (at("-%}")) {
      pos_ += 3;
      skip_space();
      return true;
    }
    if (at("%}")) {
      pos_ += 2;
      return true;
    }
  }
  pos_ = after_mark;
  return false;
}

Result<void> Lexer::raw(size_t begin) {
  if (pos_ >= source_.size()) return {};
  size_t text_begin = pos_;
  bool line_starting = source_[pos_ - 1] == '\n';
  for (size_t open = source_.find("{%", pos_); open != std::string_view::npos; open = source_.find("{%", open + 1)) {
    pos_ = open + 2;
    char mark = at("-") || at("+") ? source_[pos_] : ' ';
    if (mark != ' ') ++pos_;
    skip_space();
    if (!at("endraw")) continue;
    pos_ += 6;
    skip_space();
    char end_mark = at("-%}") || at("+%}") ? source_[pos_] : ' ';
    if (end_mark != ' ') ++pos_;
    if (!at("%}")) continue;
    pos_ += 2;
    push_data(text_begin, open, mark, true, line_starting);
    after_end(end_mark, true);
    return {};
  }
  return fail(begin, "missing end of raw directive");
}

Result<bool> Lexer::tag_end(bool is_block) {
  if (!brackets_.empty()) return false;
  std::string_view close = is_block ? "%}" : "}}";
  char mark = at("-") || (is_block && at("+")) ? source_[pos_] : ' ';
  if (source_.substr(pos_ + (mark == ' ' ? 0 : 1), 2) != close) return false;
  push(is_block ? TokenType::block_end : TokenType::variable_end, pos_, close);
  pos_ += mark == ' ' ? 2 : 3;
  after_end(mark, is_block);
  return true;
}

Result<void> Lexer::tag(bool is_block, size_t begin) {
  push(is_block ? TokenType::block_begin : TokenType::variable_begin, begin, source_.substr(begin, 2));
  brackets_.clear();
  for (;;) {
    skip_space();
    if (pos_ >= source_.size()) {
      if (!brackets_.empty()) return fail(begin, fmt::format("a tag is not closed: expected '{}'", brackets_.back()));
      return fail(begin, fmt::format("a tag is not closed: expected '{}'", is_block ? "%}" : "}}"));
    }
    MAINSPRING_TRY(bool ended, tag_end(is_block));
    if (ended) return {};
    MAINSPRING_TRY_VOID(token());
  }
}

Result<void> Lexer::token() {
  char c = source_[pos_];
  if (c >= '0' && c <= '9') {
    number();
    return {};
  }
  if (c == '\'' || c == '"') return string(c);
  size_t end = pos_;
  if (is_identifier_start(next_code_point(source_, end))) {
    for (size_t next = end; next < source_.size(); end = next)
      if (!is_identifier_part(next_code_point(source_, next))) break;
    push(TokenType::name, pos_, source_.substr(pos_, end - pos_));
    pos_ = end;
    return {};
  }
  return oper();
}

// Digits with single underscores between them; returns where they end.
size_t digits_end(std::string_view s, size_t i, bool (*is_one)(char)) {
  while (i < s.size() && (is_one(s[i]) || (s[i] == '_' && i + 1 < s.size() && is_one(s[i + 1])))) ++i;
  return i;
}
bool is_dec(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_dec(c) || ((c | 32) >= 'a' && (c | 32) <= 'f'); }
bool is_oct(char c) { return c >= '0' && c <= '7'; }
bool is_bin(char c) { return c == '0' || c == '1'; }
bool is_zero(char c) { return c == '0'; }

// A float where the text is one and no '.' stands before (so that a.0.1 is two items), else an integer.
bool Lexer::number() {
  size_t begin = pos_;
  size_t whole = digits_end(source_, begin, is_dec);
  size_t end = whole;
  bool real = false;
  if (begin == 0 || source_[begin - 1] != '.') {
    if (end + 1 < source_.size() && source_[end] == '.' && is_dec(source_[end + 1])) {
      end = digits_end(source_, end + 1, is_dec);
      real = true;
    }
    size_t e = end;
    if (e < source_.size() && (source_[e] | 32) == 'e') {
      ++e;
      if (e < source_.size() && (source_[e] == '+' || source_[e] == '-')) ++e;
      if (e < source_.size() && is_dec(source_[e])) {
        end = digits_end(source_, e, is_dec);
        real = true;
      }
    }
  }
  if (!real) {
    auto prefixed = [&](char letter, bool (*is_one)(char)) {
      if (source_[begin] != '0' || begin + 2 >= source_.size() || (source_[begin + 1] | 32) != letter) return false;
      size_t first = begin + 2;
      if (source_[first] == '_' && first + 1 < source_.size()) ++first;
      if (!is_one(source_[first])) return false;
      end = digits_end(source_, first, is_one);
      return true;
    };
    bool based = prefixed('x', is_hex) || prefixed('o', is_oct) || prefixed('b', is_bin);
    if (!based) end = source_[begin] == '0' ? digits_end(source_, begin, is_zero) : whole;
  }
  std::string plain(source_.substr(begin, end - begin));
  plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
  push(real ? TokenType::real : TokenType::integer, begin, out_.strings.emplace_back(std::move(plain)));
  pos_ = end;
  return real;
}

Result<void> Lexer::oper() {
  constexpr std::string_view operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                            "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
  for (std::string_view text : operators) {
    if (!at(text)) continue;
    char c = text[0];
    if (text.size() == 1 && (c == '(' || c == '[' || c == '{')) brackets_ += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (text.size() == 1 && (c == ')' || c == ']' || c == '}')) {
      if (brackets_.empty()) return fail(pos_, fmt::format("unexpected '{}'", c));
      if (brackets_.back() != c) return fail(pos_, fmt::format("unexpected '{}', expected '{}'", c, brackets_.back()));
      brackets_.pop_back();
    }
    push(TokenType::op, pos_, source_.substr(pos_, text.size()));
    pos_ += text.size();
    return {};
  }
  size_t end = pos_;
  next_code_point(source_, end);
  return fail(pos_, fmt::format("unexpected character '{}'", source_.substr(pos_, end - pos_)));
}

int hex_value(char c) { return is_dec(c) ? c - '0' : (c | 32) - 'a' + 10; }

// What follows a backslash at body[i]; moves i behind it. nullopt: a malformed or unsupported escape.
bool unescape_one(std::string_view body, size_t& i, std::string& out) {
  auto hex = [&](size_t digits) {
    if (i + 1 + digits > body.size()) return false;
    char32_t c = 0;
    for (size_t k = 0; k < digits; ++k) {
      char h = body[i + 1 + k];
      if (!is_hex(h)) return false;
      c = c << 4 | static_cast<char32_t>(hex_value(h));
    }
    i += 1 + digits;
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return false;
    append_utf8(out, c);
    return true;
  };
  constexpr std::string_view from = "\\'\"abfnrtv", to = "\\'\"\a\b\f\n\r\t\v";
  char c = body[i];
  if (size_t k = from.find(c); k != std::string_view::npos) {
    out += to[k];
    ++i;
    return true;
  }
  if (c == '\n') {
    ++i;
    return true;
  }
  if (is_oct(c)) {
    char32_t v = 0;
    for (int k = 0; k < 3 && i < body.size() && is_oct(body[i]); ++k, ++i) v = v * 8 + static_cast<char32_t>(body[i] - '0');
    append_utf8(out, v);
    return true;
  }
  if (c == 'x') return hex(2);
  if (c == 'u') return hex(4);
  if (c == 'U') return hex(8);
  if (c == 'N') return false;
  out += '\\';  // an unknown escape stays, backslash and all
  if (static_cast<unsigned char>(c) < 0x80) {
    out += c;
    ++i;
    return true;
  }
  // Jinja escapes non-ASCII text before unescaping it, so that a backslash in front of such a character shows its code.
  char32_t wide = next_code_point(body, i);
  out += wide < 0x100     ? fmt::format("x{:02x}", static_cast<uint32_t>(wide))
         : wide < 0x10000 ? fmt::format("u{:04x}", static_cast<uint32_t>(wide))
                          : fmt::format("U{:08x}", static_cast<uint32_t>(wide));
  return true;
}

Result<void> Lexer::string(char quote) {
  size_t begin = pos_, end = pos_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) return fail(begin, "a string is not closed");
  std::string_view body = source_.substr(begin + 1, end - begin - 1);
  pos_ = end + 1;
  if (body.find('\\') == std::string_view::npos) {
    push(TokenType::string, begin, body);
    return {};
  }
  std::string value;
  for (size_t i = 0; i < body.size();) {
    if (body[i] != '\\') {
      value += body[i++];
      continue;
    }
    size_t escape = begin + 1 + i;
    ++i;
    if (!unescape_one(body, i, value)) return fail(escape, fmt::format("cannot decode the escape '\\{}'", body[i]));
  }
  push(TokenType::string, begin, out_.strings.emplace_back(std::move(value)));
  return {};
}

}  // namespace

Result<void> tokenize(std::string_view text, TokenStream& out) {
  constexpr size_t max_bytes = size_t{16} << 20;
  if (text.size() > max_bytes) return exhausted("a template of {} bytes, expected at most {}", text.size(), max_bytes);
  if (!is_valid_utf8(text)) return invalid("a template's text is not valid UTF-8");
  out.source = normalize_newlines(text);
  return Lexer(out).run();
}

}  // namespace mainspring::inline v0::jinja
