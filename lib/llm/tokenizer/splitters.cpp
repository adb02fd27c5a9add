#include "llm/tokenizer/splitters.h"

#include "llm/tokenizer/char_class.h"
#include "llm/tokenizer/utf8.h"

namespace mainspring::inline v0 {

namespace {

enum class Kind : uint8_t { letter, number, space, other, end };

/// The character at `at`: what the patterns ask about it. `marks`: combining marks count as letters.
struct Char {
  Kind kind = Kind::end;
  uint32_t bytes = 0;
};

template <bool marks>
Char char_at(std::string_view s, size_t at) {
  if (at >= s.size()) return {};
  const auto kind_of = [](CharClass c) {
    if (c == CharClass::letter || (marks && c == CharClass::mark)) return Kind::letter;
    return c == CharClass::number ? Kind::number : c == CharClass::space ? Kind::space : Kind::other;
  };
  const auto lead = static_cast<uint8_t>(s[at]);
  if (lead < 128) return {kind_of(kAsciiClasses[lead]), 1};
  const CodePoint c = decode_utf8(s, at);
  return {kind_of(class_of_unicode(c.value)), c.bytes};
}

/// End of the run of one kind that begins at `at`; at most `most` characters.
template <bool marks>
size_t run_end(std::string_view s, size_t at, Kind kind, size_t most = SIZE_MAX) {
  for (; most > 0; --most) {
    const Char c = char_at<marks>(s, at);
    if (c.kind != kind) break;
    at += c.bytes;
  }
  return at;
}

/// Bytes of an English contraction at `at` ('s 't 're 've 'm 'll 'd), or 0.
size_t contraction(std::string_view s, size_t at, bool any_case) {
  const auto letter = [&](size_t i) -> char {
    if (at + i >= s.size()) return 0;
    const char c = s[at + i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
  };
  const char a = letter(1), b = letter(2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/// End of `\s*[\r\n]+|\s+(?!\S)|\s+` (the first only when `lines`) at a white-space character.
template <bool lines>
size_t space_end(std::string_view s, size_t at) {
  size_t end = at, last = at, after_line = 0;
  for (;;) {
    const Char c = char_at<false>(s, end);
    if (c.kind != Kind::space) break;
    last = end;
    end += c.bytes;
    if (lines && (s[last] == '\n' || s[last] == '\r')) after_line = end;
  }
  if (after_line) return after_line;
  return end < s.size() && last > at ? last : end;  // before a word the run leaves it its last space
}

void split_words_gpt2(std::string_view s, size_t base, std::vector<size_t>& ends) {
  for (size_t at = 0; at < s.size(); ends.push_back(base + at)) {
    if (s[at] == '\'')
      if (const size_t n = contraction(s, at, false)) {
        at += n;
        continue;
      }
    const size_t lead = s[at] == ' ' ? 1 : 0;
    const Char c = char_at<false>(s, at + lead);
    at = c.kind == Kind::space || c.kind == Kind::end ? space_end<false>(s, at) : run_end<false>(s, at + lead + c.bytes, c.kind);
  }
}

/// The family of Llama 3 and Qwen: `digits` numbers a piece; `marks`: combining marks belong to words.
template <size_t digits, bool marks>
void split_words_cased(std::string_view s, size_t base, std::vector<size_t>& ends) {
  for (size_t at = 0; at < s.size(); ends.push_back(base + at)) {
    if (s[at] == '\'')
      if (const size_t n = contraction(s, at, true)) {
        at += n;
        continue;
      }
    const Char c = char_at<marks>(s, at);
    if (c.kind == Kind::letter) {
      at = run_end<marks>(s, at + c.bytes, Kind::letter);
      continue;
    }
    if (c.kind == Kind::number) {
      at = run_end<marks>(s, at + c.bytes, Kind::number, digits - 1);
      continue;
    }
    const Char next = char_at<marks>(s, at + c.bytes);
    if (next.kind == Kind::letter && s[at] != '\r' && s[at] != '\n') {
      at = run_end<marks>(s, at + c.bytes + next.bytes, Kind::letter);
      continue;
    }
    if (c.kind == Kind::other || (s[at] == ' ' && next.kind == Kind::other)) {
      at = run_end<marks>(s, at + c.bytes, Kind::other);
      while (at < s.size() && (s[at] == '\r' || s[at] == '\n')) ++at;
      continue;
    }
    at = space_end<true>(s, at);
  }
}

/// Runs of digits cut from the left after `first(run length)` and then every `group` of them; what is between runs is a piece.
template <bool ascii_only, class First>
void split_numbers(std::string_view s, size_t base, std::vector<size_t>& ends, size_t group, First first) {
  const auto is_digit = [&](size_t at) {
    if (ascii_only) return Char{at < s.size() && s[at] >= '0' && s[at] <= '9' ? Kind::number : Kind::other, 1};
    return char_at<false>(s, at);
  };
  size_t begin = 0;
  for (size_t at = 0; at < s.size();) {
    Char c = is_digit(at);
    if (c.kind != Kind::number) {
      at += c.bytes;
      continue;
    }
    if (at > begin) ends.push_back(base + at);
    size_t count = 0;
    for (size_t i = at; c = is_digit(i), c.kind == Kind::number; i += c.bytes) ++count;
    size_t left = first(count);
    for (; count > 0; --count) {
      at += is_digit(at).bytes;
      if (--left == 0 || count == 1) {
        ends.push_back(base + at);
        left = group;
      }
    }
    begin = at;
  }
  if (begin < s.size()) ends.push_back(base + s.size());
}

size_t whole_groups_last(size_t count) { return count % 3 ? count % 3 : 3; }

}  // namespace

void split_gpt2(std::string_view s, size_t base, std::vector<size_t>& ends) { split_words_gpt2(s, base, ends); }
void split_llama3(std::string_view s, size_t base, std::vector<size_t>& ends) { split_words_cased<3, false>(s, base, ends); }
void split_qwen2(std::string_view s, size_t base, std::vector<size_t>& ends) { split_words_cased<1, false>(s, base, ends); }
void split_qwen35(std::string_view s, size_t base, std::vector<size_t>& ends) { split_words_cased<1, true>(s, base, ends); }

void split_digit(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_numbers<false>(s, base, ends, 1, [](size_t) { return size_t{1}; });
}
void split_digits(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_numbers<false>(s, base, ends, SIZE_MAX, [](size_t) { return SIZE_MAX; });
}
void split_digits_3(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_numbers<false>(s, base, ends, 3, [](size_t) { return size_t{3}; });
}
void split_thousands(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_numbers<false>(s, base, ends, 3, whole_groups_last);
}

void split_ascii_thousands(std::string_view s, size_t base, std::vector<size_t>& ends) {
  const auto digit = [&](size_t i) { return i < s.size() && s[i] >= '0' && s[i] <= '9'; };
  // cuts only: what stands before the first cut of a run keeps together with the text before it
  for (size_t at = 0; at < s.size();) {
    if (!digit(at)) {
      ++at;
      continue;
    }
    size_t end = at;
    while (digit(end)) ++end;
    for (size_t cut = at + (end - at) % 3; cut < end; cut += 3)
      if (cut > 0) ends.push_back(base + cut);
    at = end;
  }
  if (!s.empty()) ends.push_back(base + s.size());
}

void split_newlines(std::string_view s, size_t base, std::vector<size_t>& ends) {
  for (size_t at = 0; at < s.size();) {
    const bool line = s[at] == '\n';
    size_t end = line ? s.find_first_not_of('\n', at) : s.find('\n', at);
    if (end == std::string_view::npos) end = s.size();
    ends.push_back(base + end);
    at = end;
  }
}

}  // namespace mainspring::inline v0
