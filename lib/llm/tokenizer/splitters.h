// Hand-written twins of the pre-tokenizer regexes, several times faster. In: well-formed UTF-8. Out: the ends of the pieces.
// The regex beside each in pretokenizers.inc is the truth; tests compare the two on every class of character.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "llm/tokenizer/char_set.h"
#include "llm/tokenizer/chars.h"

namespace mainspring::inline v0 {

/// Appends base + end for every piece of `text`, in order; the last end is the text's.
using Splitter = void (*)(std::string_view text, size_t base, std::vector<size_t>& ends);

// Words (word_splitters.cpp): the patterns that cut a whole text, each named after the model that came with it.
void split_gpt2(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_llama3(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_jais2(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_minicpm5(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_qwen2(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_qwen35(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_seed_coder(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_ufakzeka(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_exaone_moe(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_tekken(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_gpt4o(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_youtu(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_kimi(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_deepseek_v3(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_spark(std::string_view text, size_t base, std::vector<size_t>& ends);

// Parts (splitters.cpp): numbers, lines, punctuation. What stands between two of them is a piece.
void split_digit(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_digits(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_digits_3(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_thousands(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_word_thousands(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_ascii_digits_3(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_thousand_cuts(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_newlines(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_line_ends(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_last_spaces(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_punctuation(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_punctuation_backtick(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_spaced_letters(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_spaced_punctuation(std::string_view text, size_t base, std::vector<size_t>& ends);
void split_bloom(std::string_view text, size_t base, std::vector<size_t>& ends);

/// What may stand in front of a run and goes with it.
enum class Lead : uint8_t { nothing, space, white_space };

/// Runs of the characters `in(kind, code point)` accepts, with one character of `lead` before them.
template <Lead lead, class In>
void split_runs(std::string_view s, size_t base, std::vector<size_t>& ends, In in) {
  const auto read = [&](size_t at, Char& c) {
    if (at >= s.size()) return c = {}, false;
    const auto first = static_cast<uint8_t>(s[at]);
    if (first < 128) return c = {kAsciiSets[first], 1}, in(first);
    const CodePoint p = decode_utf8(s, at);
    if (lead == Lead::white_space) c.kind = set_of(class_of_unicode(p.value));
    c.bytes = p.bytes;
    return in(p.value);
  };
  size_t begin = 0;
  Char c, next;
  bool inside = read(0, c);
  for (size_t at = 0; at < s.size();) {
    const bool next_inside = read(at + c.bytes, next);
    const bool leads = lead != Lead::nothing && (lead == Lead::space ? s[at] == ' ' : (c.kind & kSpace) != 0);
    if (!inside && !(leads && next_inside)) {
      at += c.bytes;
      c = next;
      inside = next_inside;
      continue;
    }
    if (at > begin) ends.push_back(base + at);
    at += c.bytes;
    c = next;
    for (inside = next_inside; inside; inside = read(at, c)) at += c.bytes;
    ends.push_back(base + at);
    begin = at;
  }
  if (begin < s.size()) ends.push_back(base + s.size());
}

/// Runs of the characters of a set.
template <SetText set>
void split_set(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_runs<Lead::nothing>(s, base, ends, [](uint32_t c) { return kCharSet<set>.has(c); });
}
/// The same with a white space before them.
template <SetText set>
void split_spaced_set(std::string_view s, size_t base, std::vector<size_t>& ends) {
  split_runs<Lead::white_space>(s, base, ends, [](uint32_t c) { return kCharSet<set>.has(c); });
}

}  // namespace mainspring::inline v0
