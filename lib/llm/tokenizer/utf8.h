// UTF-8 as the tokenizers read it. In: any bytes. Out: code points, or well-formed bytes.
// Ill-formed bytes never fail: each one reads as U+FFFD. Overlong forms and surrogates are accepted on input (they are only non-canonical).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainspring::inline v0 {

inline constexpr uint32_t kReplacement = 0xFFFD;
/// U+2581, which SentencePiece vocabularies write for a space.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

/// Bytes of a sequence by its first byte alone; continuation and other bytes that begin nothing count 1.
constexpr size_t utf8_length(char lead) {
  const auto b = static_cast<uint8_t>(lead);
  return b < 0xC0 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

struct CodePoint {
  uint32_t value = kReplacement;
  uint32_t bytes = 1;   ///< consumed, at least 1
  bool well_formed = false;
};

/// The code point at `at` (< s.size()).
inline CodePoint decode_utf8(std::string_view s, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(s[at + i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC0 || lead >= 0xF8) return {};
  const size_t n = utf8_length(s[at]);
  if (s.size() - at < n) return {};
  uint32_t value = lead & (0x7Fu >> n);
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  if (value > 0x10FFFF) return {};
  return {value, static_cast<uint32_t>(n), true};
}

/// Whether bytes to come could make `rest` begin with a character: it is a lead byte and too few continuation bytes.
bool may_become_character(std::string_view rest);

constexpr size_t encoded_length(uint32_t code_point) {
  return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

/// Appends a code point (<= 0x10FFFF).
void append_utf8(std::string& out, uint32_t code_point);

/// `text` itself when it is canonical UTF-8, else a copy in `storage` with U+FFFD for each ill-formed byte.
std::string_view canonical_utf8(std::string_view text, std::string& storage);

/// Replaces every `from` by `to` while appending `text` to `out`.
void append_replaced(std::string& out, std::string_view text, std::string_view from, std::string_view to);

}  // namespace mainspring::inline v0
