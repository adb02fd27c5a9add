#include "llm/tokenizer/splitters.h"

namespace mainspring::inline v0 {

namespace {

/// Calls run(begin, end, characters) for the runs of numbers (or of `set`).
template <class Run>
void for_runs(std::string_view s, ClassSet set, Run run) {
  for (size_t at = 0; at < s.size();) {
    size_t end = at, count = 0;
    Char c;
    for (; c = char_at(s, end), c.kind & set; end += c.bytes) ++count;
    if (count) run(at, end, count);
    at = end + c.bytes;
  }
}

/// Runs of numbers cut from the left after `first(run length)` and then every `group` of them; what is between runs is a piece.
template <class First>
void split_numbers(std::string_view s, size_t base, std::vector<size_t>& ends, size_t group, First first) {
  size_t begin = 0;
  for_runs(s, kNumber, [&](size_t at, size_t end, size_t count) {
    if (at > begin) ends.push_back(base + at);
    for (size_t take = first(count); at < end; take = group) {
      at = run_end(s, at, kNumber, take);
      ends.push_back(base + at);
    }
    begin = end;
  });
  if (begin < s.size()) ends.push_back(base + s.size());
}

/// \w of Oniguruma, the engine that the pattern was written for: what Unicode calls alphabetic, marks, digits, connectors, six more of Latin-1.
bool in_word(std::string_view s, size_t at) {
  const Char c = char_at(s, at);
  if (c.kind & (kLetters | kMark | kDigit)) return true;
  if (!(c.kind & (kOther | kNumber))) return false;
  return kCharSet<"_²³¹¼-¾‿⁀⁔︳︴﹍-﹏＿ⅰ-ↈⅠ-Ⅿ〇〡-〩〸-〺ᛮ-ᛰꛦ-ꛯⒶ-ⓩ\U00010140-\U00010174\U00010341\U0001034A\U000103D1-\U000103D5"
                  "\U00012400-\U0001246E\U0001F130-\U0001F149\U0001F150-\U0001F169\U0001F170-\U0001F189">.has(decode_utf8(s, at).value);
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
void split_thousands(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_numbers(s, base, ends, 3, [](size_t count) { return count % 3 ? count % 3 : 3; });
}

void split_word_thousands(std::string_view s, size_t base, std::vector<size_t>& ends) {
  size_t begin = 0;
  for_runs(s, kDigit, [&](size_t at, size_t end, size_t count) {
    if (in_word(s, end)) return;
    if (at > begin) ends.push_back(base + at);
    for (size_t take = count % 3 ? count % 3 : 3; at < end; take = 3) {
      at = run_end(s, at, kDigit, take);
      ends.push_back(base + at);
    }
    begin = end;
  });
  if (begin < s.size()) ends.push_back(base + s.size());
}

void split_ascii_digits_3(std::string_view s, size_t base, std::vector<size_t>& ends) {
  // whole threes only: one or two digits that are left keep together with the text behind them
  const auto digit = [&](size_t i) { return i < s.size() && s[i] >= '0' && s[i] <= '9'; };
  size_t begin = 0;
  for (size_t at = 0; at < s.size();) {
    if (!digit(at) || !digit(at + 1) || !digit(at + 2)) {
      ++at;
      continue;
    }
    if (at > begin) ends.push_back(base + at);
    begin = at += 3;
    ends.push_back(base + at);
  }
  if (begin < s.size()) ends.push_back(base + s.size());
}

void split_thousand_cuts(std::string_view s, size_t base, std::vector<size_t>& ends) {
  // cuts only: what stands before the first cut of a run keeps together with the text before it
  for_runs(s, kDigit, [&](size_t at, size_t end, size_t count) {
    for (at = run_end(s, at, kDigit, count % 3); at < end; at = run_end(s, at, kDigit, 3))
      if (at > 0) ends.push_back(base + at);
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
