// Which characters can stand beside each other inside a token. In: every text that merging can make. Out: "may these two be joined?"
// Where the answer is no, no merge crosses, so that a text falls into short words that are merged one by one: same result, no long heap.
#pragma once

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "llm/tokenizer/string_map.h"
#include "llm/tokenizer/utf8.h"

namespace mainspring::inline v0 {

/// Bytes of the character at `at`, packed; its length in `bytes`. Cut off by the end of the text like the symbols of the merging loop.
inline uint32_t packed_char(std::string_view s, size_t at, size_t& bytes) {
  if (const auto lead = static_cast<uint8_t>(s[at]); lead < 0x80) return bytes = 1, lead;  // most of them
  bytes = std::min(utf8_length(s[at]), s.size() - at);
  uint32_t c = 0;
  for (size_t i = 0; i < bytes; ++i) c = c << 8 | static_cast<uint8_t>(s[at + i]);
  return c;
}

/// A set of pairs that may say yes too often, never no (a one-hash Bloom filter).
class JoinFilter {
 public:
  /// For `texts` texts: vocabularies have fewer distinct pairs than tokens.
  void reset(size_t texts) { bits_.assign(std::bit_ceil(std::min(texts, size_t{1} << 22) / 8 + 64), 0); }
  /// Allows every pair of neighbours in `text`.
  void add(std::string_view text) {
    size_t bytes = 0;
    for (size_t at = 0, previous = 0; at < text.size(); at += bytes) {
      const uint32_t c = packed_char(text, at, bytes);
      if (at > 0) bits_[slot(previous, c)] |= bit(previous, c);
      previous = c;
    }
  }
  bool joins(uint32_t a, uint32_t b) const { return bits_[slot(a, b)] & bit(a, b); }

  /// Calls each(part) for the parts of `text` between characters that no token joins.
  template <class Each>
  void split(std::string_view text, Each each) const {
    size_t begin = 0, bytes = 0;
    uint32_t previous = 0;
    for (size_t at = 0; at < text.size(); at += bytes) {
      const uint32_t c = packed_char(text, at, bytes);
      if (at > begin && !joins(previous, c)) {
        each(text.substr(begin, at - begin));
        begin = at;
      }
      previous = c;
    }
    if (begin < text.size()) each(text.substr(begin));
  }

 private:
  static uint64_t hash(uint64_t a, uint64_t b) { return mix64(a << 32 | b, 0x9E3779B97F4A7C15u); }
  size_t slot(uint64_t a, uint64_t b) const { return (hash(a, b) >> 6) & (bits_.size() - 1); }
  static uint64_t bit(uint64_t a, uint64_t b) { return uint64_t{1} << (hash(a, b) & 63); }
  std::vector<uint64_t> bits_;
};

/// The same for bytes, where a set of all pairs is small enough to be exact.
class ByteJoins {
 public:
  void add(std::string_view text) {
    for (size_t i = 1; i < text.size(); ++i) pairs_.set(pair(text[i - 1], text[i]));
  }
  template <class Each>
  void split(std::string_view text, Each each) const {
    size_t begin = 0;
    for (size_t at = 1; at < text.size(); ++at) {
      if (pairs_.test(pair(text[at - 1], text[at]))) continue;
      each(text.substr(begin, at - begin));
      begin = at;
    }
    if (begin < text.size()) each(text.substr(begin));
  }

 private:
  static size_t pair(char a, char b) { return size_t{static_cast<uint8_t>(a)} << 8 | static_cast<uint8_t>(b); }
  std::bitset<65536> pairs_;
};

}  // namespace mainspring::inline v0
