// Unigram language model ("t5"): the cut of a text with the best sum of scores. In: a text without special tokens. Out: ids.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "llm/tokenizer/trie.h"
#include "llm/tokenizer/vocabulary.h"

namespace mainspring::inline v0 {

/// SentencePiece's precompiled normalisation: a XOR-compressed double array of prefixes, each with a replacement text.
class Charsmap {
 public:
  /// `blob`: 4 bytes of size, the array's units, zero-terminated replacements; empty: nothing is replaced. Errors: corrupt_data.
  static Result<Charsmap> create(std::span<const std::byte> blob);
  /// Longest prefix of `text` from `at` with a replacement; `length` 0: none. Errors: corrupt_data.
  Result<void> find(std::string_view text, size_t at, size_t& length, std::string_view& replacement) const;

 private:
  uint32_t unit(size_t i) const;
  size_t units_ = 0;
  const std::byte* array_ = nullptr;
  std::string_view replacements_;
};

class Unigram {
 public:
  /// Errors: corrupt_data (charsmap).
  static Result<Unigram> create(const Metadata& metadata, const Vocabulary& vocabulary);
  /// Errors: corrupt_data (charsmap).
  Result<void> encode(std::string_view text, std::vector<int32_t>& ids) const;

 private:
  explicit Unigram(const Vocabulary& v) : vocabulary_(&v) {}
  Result<void> normalize(std::string_view text, std::string& out) const;
  Result<std::string_view> normalize_prefix(std::string_view text, size_t at, size_t& consumed) const;

  const Vocabulary* vocabulary_;
  Charsmap charsmap_;
  Trie tokens_;
  Trie user_defined_;
  double unknown_score_ = 0;
};

}  // namespace mainspring::inline v0
