// Patterns that cut a whole text into words: GPT-2's, the family that began with Llama 3's, and DeepSeek V3's.
#include "llm/tokenizer/splitters.h"

namespace mainspring::inline v0 {

namespace {

/// How the patterns of Llama 3's family differ.
enum class Words : uint8_t {
  plain,    ///< \p{L}+
  marked,   ///< [\p{L}\p{M}]+; marks are no signs
  phrases,  ///< (?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+
  cased,    ///< [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ or the first set alone
};
enum class Contractions : uint8_t { none, apart, attached };
enum class Tail : uint8_t { nothing, lines, lines_and_slashes, one_line };  ///< what a run of signs takes with it
struct Pattern {
  size_t digits = 1;
  Words words = Words::plain;
  Contractions contractions = Contractions::apart;
  Tail tail = Tail::lines;
  bool han = false;           ///< runs of Han characters are words, and no others have them
  bool space_powers = false;  ///< spaces come in groups of 512, 256 … 4, 2, 1
};

/// Bytes of an English contraction at `at` ('s 't 're 've 'm 'll 'd), or 0.
size_t contraction(std::string_view s, size_t at, bool any_case) {
  if (at >= s.size() || s[at] != '\'') return 0;
  const auto letter = [&](size_t i) -> char {
    if (at + i >= s.size()) return 0;
    const char c = s[at + i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
  };
  const char a = letter(1), b = letter(2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/// The script Han of Unicode 15 (PCRE2's plain \p{Han} asks for script extensions, to which 、 and 。 belong).
bool is_han(uint32_t c) {
  return kCharSet<"⺀-⺙⺛-⻳⼀-⿕々〇〡-〩〸-〻㐀-䶿一-鿿\uF900-\uFA6D\uFA70-\uFAD9\U00016FE2\U00016FE3\U00016FF0\U00016FF1"
                  "\U00020000-\U0002A6DF\U0002A700-\U0002B739\U0002B740-\U0002B81D\U0002B820-\U0002CEA1\U0002CEB0-\U0002EBE0"
                  "\U0002F800-\U0002FA1D\U00030000-\U0003134A\U00031350-\U000323AF">.has(c);
}

template <Pattern p>
Char read(std::string_view s, size_t at) {
  Char c = char_at(s, at);
  if (p.han && c.bytes > 2 && is_han(decode_utf8(s, at).value)) c.kind = static_cast<ClassSet>(c.kind | kHan);
  return c;
}

/// End of `\s*[\r\n]+|\s+(?!\S)|\s+` (the first only when `lines`) at a white-space character.
template <bool lines>
size_t space_end(std::string_view s, size_t at) {
  size_t end = at, last = at, after_line = 0;
  for (;;) {
    const Char c = char_at(s, end);
    if (!(c.kind & kSpace)) break;
    last = end;
    end += c.bytes;
    if (lines && (s[last] == '\n' || s[last] == '\r')) after_line = end;
  }
  if (after_line) return after_line;
  return end < s.size() && last > at ? last : end;  // before a word the run leaves it its last space
}

/// The same where spaces come in powers of two: appends the ends of all pieces but the last, whose end it returns. Of a run before a word
/// the last space is the word's.
size_t space_powers_end(std::string_view s, size_t at, size_t base, std::vector<size_t>& ends) {
  size_t end = at, count = 0, after_line = 0;
  for (Char c; c = char_at(s, end), c.kind & kSpace; ++count) {
    const bool line = is_newline(s, end);
    end += c.bytes;
    if (line) after_line = end;
  }
  if (after_line) return after_line;
  const size_t keep = end == s.size() ? 0 : 1;
  for (;;) {
    size_t take = 1;
    for (size_t group = 512; group >= 2 && take == 1; group /= 2)
      if (group + keep <= count) take = group;
    at = run_end(s, at, kSpace, take);
    count -= take;
    if (count <= keep) return at;
    ends.push_back(base + at);
  }
}

/// End of a cased word without its prefix at `at`, or 0. Upper case first, then lower case; a run that ends in upper case gives back what
/// only upper case can be, as long as something is left.
template <Pattern p>
size_t cased_end(std::string_view s, size_t at) {
  constexpr ClassSet both = set_of(CharClass::letter) | kMark, upper = set_of(CharClass::upper) | both, lower = set_of(CharClass::lower) | both;
  const auto in = [](Char c, ClassSet set) { return (c.kind & set) && !(c.kind & kHan); };
  size_t end = at, last_both = 0;
  Char c;
  while (c = read<p>(s, end), in(c, upper)) {
    end += c.bytes;
    if (c.kind & both) last_both = end;
  }
  if (in(c, lower)) {
    while (c = read<p>(s, end), in(c, lower)) end += c.bytes;
    return end;
  }
  return last_both ? last_both : end > at ? end : 0;
}

/// `(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+` behind its first letter.
size_t phrase_end(std::string_view s, size_t at) {
  for (;;) {
    at = run_end(s, at, kLetters | kMark);
    if (at >= s.size() || s[at] != ' ' || !(char_at(s, at + 1).kind & kLetters)) return at;
    ++at;
  }
}

/// End of the word that begins with `c` at `at`, or with the character behind it; 0 when there is none.
template <Pattern p>
size_t word_end(std::string_view s, size_t at, Char c) {
  constexpr ClassSet letters = p.words == Words::marked ? kLetters | kMark : kLetters;
  const bool may_lead = !(c.kind & (letters | kNumber)) && !is_newline(s, at);
  if (p.words == Words::cased) {
    size_t end = (c.kind & (kLetters | kMark)) ? cased_end<p>(s, at) : 0;
    if (!end && may_lead) end = cased_end<p>(s, at + c.bytes);
    return end && p.contractions == Contractions::attached ? end + contraction(s, end, true) : end;
  }
  size_t first = at;
  if (!(c.kind & letters)) {
    if (!may_lead) return 0;
    first += c.bytes;
    if (!(char_at(s, first).kind & letters)) return 0;
  }
  return p.words == Words::phrases ? phrase_end(s, first) : run_end(s, first, letters);
}

template <Pattern p>
size_t signs_end(std::string_view s, size_t at) {
  at = run_end(s, at, p.words == Words::marked ? kOther & ~kMark : kOther);
  if (p.tail == Tail::one_line) return at + is_newline(s, at);
  if (p.tail == Tail::nothing) return at;
  while (is_newline(s, at) || (p.tail == Tail::lines_and_slashes && at < s.size() && s[at] == '/')) ++at;
  return at;
}

template <Pattern p>
void split_words(std::string_view s, size_t base, std::vector<size_t>& ends) {
  constexpr ClassSet signs = p.words == Words::marked ? kOther & ~kMark : kOther;
  for (size_t at = 0, end = 0; at < s.size(); ends.push_back(base + end), at = end) {
    const Char c = read<p>(s, at);
    if (p.han && (c.kind & kHan)) {
      end = at;
      for (Char h = c; h.kind & kHan; h = read<p>(s, end)) end += h.bytes;
      continue;
    }
    if (p.contractions == Contractions::apart)
      if (const size_t n = contraction(s, at, true)) {
        end = at + n;
        continue;
      }
    if (c.kind & kNumber) {
      end = run_end(s, at + c.bytes, kNumber, p.digits - 1);
      continue;
    }
    if ((end = word_end<p>(s, at, c))) continue;
    if (c.kind & signs) end = signs_end<p>(s, at);
    else if (s[at] == ' ' && (char_at(s, at + 1).kind & signs)) end = signs_end<p>(s, at + 1);
    else end = p.space_powers ? space_powers_end(s, at, base, ends) : space_end<true>(s, at);
  }
}

/// DeepSeek V3's: a sign takes the ASCII letters behind it; digits and control characters match nothing and stand between.
/// `lines`: signs take line ends with them; else each line end is alone.
template <bool lines>
void split_words_deepseek(std::string_view s, size_t base, std::vector<size_t>& ends) {
  constexpr ClassSet word = kLetters | kMark;
  size_t begin = 0;
  for (size_t at = 0, end = 0; at < s.size(); at = end) {
    const Char c = char_at(s, at), next = char_at(s, at + c.bytes);
    const bool ascii = static_cast<uint8_t>(s[at]) < 128;
    const auto ascii_letter = [&](size_t i) { return i < s.size() && static_cast<uint8_t>(s[i]) < 128 && (kAsciiSets[static_cast<uint8_t>(s[i])] & kLetters); };
    end = at + c.bytes;
    if (ascii && (c.kind & kMarksOfText) && ascii_letter(end)) {
      while (ascii_letter(end)) ++end;
    } else if ((c.kind & word) || ((next.kind & word) && !(c.kind & kMarksOfText) && !is_newline(s, at))) {
      end = run_end(s, end, word);
    } else if ((c.kind & kMarksOfText) || (s[at] == ' ' && (next.kind & kMarksOfText))) {
      end = run_end(s, end, kMarksOfText);
      while (lines && is_newline(s, end)) ++end;
    } else if (c.kind & kSpace) {
      if (lines) end = space_end<true>(s, at);
      else if (!is_newline(s, at)) end = space_end<false>(s, at);
    } else {
      continue;
    }
    if (at > begin) ends.push_back(base + at);
    ends.push_back(base + end);
    begin = end;
  }
  if (begin < s.size()) ends.push_back(base + s.size());
}

}  // namespace

void split_gpt2(std::string_view s, size_t base, std::vector<size_t>& ends) {
  for (size_t at = 0; at < s.size(); ends.push_back(base + at)) {
    if (const size_t n = contraction(s, at, false)) {
      at += n;
      continue;
    }
    const size_t lead = s[at] == ' ' ? 1 : 0;
    const Char c = char_at(s, at + lead);
    constexpr ClassSet sets[] = {kLetters, kNumber, kOther};
    if (c.bytes == 0 || (c.kind & kSpace)) at = space_end<false>(s, at);
    for (ClassSet set : sets)
      if (c.kind & set) at = run_end(s, at + lead + c.bytes, set);
  }
}

#define MAINSPRING_WORDS(name, ...) \
  void split_##name(std::string_view s, size_t base, std::vector<size_t>& ends) { split_words<Pattern{__VA_ARGS__}>(s, base, ends); }
MAINSPRING_WORDS(llama3, .digits = 3)
MAINSPRING_WORDS(jais2, .digits = 3, .space_powers = true)
MAINSPRING_WORDS(minicpm5, .digits = SIZE_MAX)
MAINSPRING_WORDS(qwen2)
MAINSPRING_WORDS(qwen35, .words = Words::marked)
MAINSPRING_WORDS(seed_coder, .tail = Tail::nothing)
MAINSPRING_WORDS(ufakzeka, .contractions = Contractions::none)
MAINSPRING_WORDS(exaone_moe, .words = Words::phrases, .tail = Tail::one_line)
MAINSPRING_WORDS(tekken, .words = Words::cased, .contractions = Contractions::none, .tail = Tail::lines_and_slashes)
MAINSPRING_WORDS(gpt4o, .digits = 3, .words = Words::cased, .contractions = Contractions::attached, .tail = Tail::lines_and_slashes)
MAINSPRING_WORDS(youtu, .words = Words::cased, .contractions = Contractions::attached, .tail = Tail::lines_and_slashes)
MAINSPRING_WORDS(kimi, .digits = 3, .words = Words::cased, .contractions = Contractions::attached, .han = true)
#undef MAINSPRING_WORDS

void split_deepseek_v3(std::string_view s, size_t base, std::vector<size_t>& ends) { split_words_deepseek<true>(s, base, ends); }
void split_spark(std::string_view s, size_t base, std::vector<size_t>& ends) { split_words_deepseek<false>(s, base, ends); }

}  // namespace mainspring::inline v0
