// Special tokens written in a text. In: a text. Out: the text cut into raw parts and tokens.
// Longer tokens win over shorter ones wherever they overlap, equal lengths from the left; then white space beside a token may be dropped.
// Special tokens above Trie::kLongest bytes are not looked for.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "llm/tokenizer/trie.h"
#include "llm/tokenizer/vocabulary.h"

namespace mainspring::inline v0 {

/// A token (>= 0), or raw text (token < 0).
struct Fragment {
  int32_t token = -1;
  std::string_view text;
};

class SpecialSplitter {
 public:
  void build(const Vocabulary& vocabulary);
  /// `parse_special`: control and unknown tokens too, not only user-defined ones.
  std::vector<Fragment> split(std::string_view text, bool parse_special) const;

 private:
  struct Claim {
    size_t begin, end;            ///< the token's own bytes
    size_t skip_from, skip_to;    ///< with the white space that goes with it
    int32_t token;
  };
  struct Candidate;
  Candidate longest(std::string_view text, size_t at, size_t limit, bool parse_special) const;
  std::vector<Claim> claims(std::string_view text, bool parse_special) const;

  const Vocabulary* vocabulary_ = nullptr;
  Trie trie_;
  std::vector<uint8_t> strips_right_;  ///< by token; empty when none does
  int32_t strips_left_ = -1;
};

}  // namespace mainspring::inline v0
