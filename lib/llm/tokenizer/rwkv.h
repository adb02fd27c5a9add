// RWKV's tokenizer ("rwkv"): the longest token at each place. In: any bytes. Out: ids. Tokens are written with escapes (\n, \x00).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "llm/tokenizer/trie.h"
#include "llm/tokenizer/vocabulary.h"

namespace mainspring::inline v0 {

class Rwkv {
 public:
  explicit Rwkv(const Vocabulary& vocabulary);
  void encode(std::string_view text, std::vector<int32_t>& ids) const;

 private:
  const Vocabulary* vocabulary_;
  std::unique_ptr<std::string> texts_;  ///< unescaped; the trie is built from it
  Trie tokens_;
};

/// Appends the bytes of a token written with escapes.
void append_unescaped(std::string& out, std::string_view text);

}  // namespace mainspring::inline v0
