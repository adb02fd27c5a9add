#include "llm/tokenizer/splitters.h"

namespace mainspring::inline v0 {

namespace {

constexpr bool is_ascii_digit(uint32_t c) { return c >= '0' && c <= '9'; }

/// Runs of digits cut from the left after `first(run length)` and then every `group` of them; what is between runs is a piece.
template <class First>
void split_numbers(std::string_view s, size_t base, std::vector<size_t>& ends, size_t group, First first) {
  size_t begin = 0;
  for (size_t at = 0; at < s.size();) {
    Char c = char_at(s, at);
    if (!(c.kind & kNumber)) {
      at += c.bytes;
      continue;
    }
    if (at > begin) ends.push_back(base + at);
    size_t count = 0;
    for (size_t i = at; c = char_at(s, i), c.kind & kNumber; i += c.bytes) ++count;
    size_t left = first(count);
    for (; count > 0; --count) {
      at += char_at(s, at).bytes;
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

/// Calls run(begin, end) for the runs of ASCII digits.
template <class Run>
void for_ascii_digits(std::string_view s, Run run) {
  for (size_t at = 0; at < s.size();) {
    size_t end = at;
    while (end < s.size() && is_ascii_digit(static_cast<uint8_t>(s[end]))) ++end;
    if (end > at) run(at, end);
    at = end + 1;
  }
}

/// A character of punctuation, or one of ASCII's symbols (but for the backtick, unless `backtick`).
template <bool backtick>
bool is_sign(uint32_t c) {
  if (c < 128) return (kAsciiSets[c] & kMarksOfText) && (backtick || c != '`');
  return class_of_unicode(c) == CharClass::punctuation;
}

}  // namespace

void split_digit(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_numbers(s, base, ends, 1, [](size_t) { return size_t{1}; });
}
void split_digits(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_numbers(s, base, ends, SIZE_MAX, [](size_t) { return SIZE_MAX; });
}
void split_digits_3(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_numbers(s, base, ends, 3, [](size_t) { return size_t{3}; });
}
void split_thousands(std::string_view s, size_t base, std::vector<size_t>& ends) { split_numbers(s, base, ends, 3, whole_groups_last); }

void split_ascii_digits_3(std::string_view s, size_t base, std::vector<size_t>& ends) {
  // whole threes only: one or two digits that are left keep together with the text behind them
  size_t begin = 0;
  for_ascii_digits(s, [&](size_t at, size_t end) {
    for (; end - at >= 3; at = begin) {
      if (at > begin) ends.push_back(base + at);
      begin = at + 3;
      ends.push_back(base + begin);
    }
  });
  if (begin < s.size()) ends.push_back(base + s.size());
}

void split_ascii_thousands(std::string_view s, size_t base, std::vector<size_t>& ends) {
  // cuts only: what stands before the first cut of a run keeps together with the text before it
  for_ascii_digits(s, [&](size_t at, size_t end) {
    for (size_t cut = at + (end - at) % 3; cut < end; cut += 3)
      if (cut > 0) ends.push_back(base + cut);
  });
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

void split_line_ends(std::string_view s, size_t base, std::vector<size_t>& ends) {
  for (size_t at = 0; at < s.size();) {
    size_t end = s.find_first_of("\r\n", at);
    if (end == at) ++end;
    if (end == std::string_view::npos) end = s.size();
    ends.push_back(base + end);
    at = end;
  }
}

void split_last_spaces(std::string_view s, size_t base, std::vector<size_t>& ends) {
  size_t begin = s.size();
  for (size_t at = s.size(); at > 0;) {
    do --at;
    while (at > 0 && (static_cast<uint8_t>(s[at]) & 0xC0) == 0x80);
    if (!(char_at(s, at).kind & kSpace)) break;
    begin = at;
  }
  if (begin > 0) ends.push_back(base + begin);
  if (begin < s.size()) ends.push_back(base + s.size());
}

void split_punctuation(std::string_view s, size_t base, std::vector<size_t>& ends) { split_runs<Lead::nothing>(s, base, ends, is_sign<false>); }
void split_punctuation_backtick(std::string_view s, size_t base, std::vector<size_t>& ends) { split_runs<Lead::nothing>(s, base, ends, is_sign<true>); }

void split_spaced_letters(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_runs<Lead::white_space>(s, base, ends, [](uint32_t c) { return (set_of(class_of(c)) & kLetters) != 0; });
}
void split_spaced_punctuation(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_runs<Lead::white_space>(s, base, ends, [](uint32_t c) { return class_of(c) == CharClass::punctuation; });
}

void split_bloom(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_runs<Lead::space>(s, base, ends, [](uint32_t c) { return class_of(c) != CharClass::space && !kCharSet<"(|.,!?…。，、।۔،)">.has(c); });
}

}  // namespace mainspring::inline v0
