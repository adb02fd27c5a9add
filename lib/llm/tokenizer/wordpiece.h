// WordPiece ("bert"). In: a text without special tokens. Out: ids. Words are found by white space, punctuation and Chinese characters,
// then cut greedily from the left into the longest tokens; a word that cannot be cut is the unknown token.
#pragma once

#include <string>
#include <vector>

#include "llm/tokenizer/trie.h"
#include "llm/tokenizer/vocabulary.h"

namespace mainspring::inline v0 {

class WordPiece {
 public:
  explicit WordPiece(const Vocabulary& vocabulary);
  void encode(std::string_view text, std::vector<int32_t>& ids) const;

 private:
  void encode_word(std::string_view word, std::vector<int32_t>& ids) const;
  const Vocabulary* vocabulary_;
  Trie tokens_;
};

/// Lower case by Unicode's simple mapping.
uint32_t lower_case(uint32_t code_point);

}  // namespace mainspring::inline v0
