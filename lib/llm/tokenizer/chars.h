// Characters as the hand-written splitters ask about them: which of the classes of char_class.h, as one bit, so that a set is a mask.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "llm/tokenizer/char_class.h"
#include "llm/tokenizer/utf8.h"

namespace mainspring::inline v0 {

using ClassSet = uint16_t;

constexpr ClassSet set_of(CharClass c) { return static_cast<ClassSet>(1u << static_cast<unsigned>(c)); }

inline constexpr ClassSet kMark = set_of(CharClass::mark), kDigit = set_of(CharClass::digit), kSpace = set_of(CharClass::space);
inline constexpr ClassSet kNumber = kDigit | set_of(CharClass::number);
inline constexpr ClassSet kLetters = set_of(CharClass::upper) | set_of(CharClass::lower) | set_of(CharClass::letter);
inline constexpr ClassSet kPunctuation = set_of(CharClass::punctuation);
inline constexpr ClassSet kMarksOfText = kPunctuation | set_of(CharClass::symbol);  ///< \p{P}\p{S}
inline constexpr ClassSet kAnyClass = (1u << (static_cast<unsigned>(CharClass::other) + 1)) - 1;
inline constexpr ClassSet kOther = kAnyClass & ~(kLetters | kNumber | kSpace);      ///< [^\s\p{L}\p{N}]
inline constexpr ClassSet kHan = 1u << 15;                                          ///< beside the class, where it is asked for

/// At the end of a text: no bytes, in no set.
struct Char {
  ClassSet kind = 0;
  uint32_t bytes = 0;
};

inline constexpr std::array<ClassSet, 128> kAsciiSets = [] {
  std::array<ClassSet, 128> t{};
  for (size_t c = 0; c < t.size(); ++c) t[c] = set_of(kAsciiClasses[c]);
  return t;
}();

inline Char char_at(std::string_view s, size_t at) {
  if (at >= s.size()) return {};
  const auto lead = static_cast<uint8_t>(s[at]);
  if (lead < 128) return {kAsciiSets[lead], 1};
  const CodePoint c = decode_utf8(s, at);
  return {set_of(class_of_unicode(c.value)), c.bytes};
}

inline bool is_newline(std::string_view s, size_t at) { return at < s.size() && (s[at] == '\n' || s[at] == '\r'); }

/// End of the run of characters of `set` that begins at `at`; at most `most` characters.
inline size_t run_end(std::string_view s, size_t at, ClassSet set, size_t most = SIZE_MAX) {
  for (; most > 0; --most) {
    const Char c = char_at(s, at);
    if (!(c.kind & set)) break;
    at += c.bytes;
  }
  return at;
}

}  // namespace mainspring::inline v0
