// SentencePiece BPE ("llama"): pieces merge by the score of what they make. In: a text with U+2581 for spaces. Out: ids.
#pragma once

#include <array>
#include <mutex>
#include <vector>

#include "llm/tokenizer/join_filter.h"
#include "llm/tokenizer/merge.h"
#include "llm/tokenizer/vocabulary.h"

namespace mainspring::inline v0 {

class SentencePiece {
 public:
  explicit SentencePiece(const Vocabulary& vocabulary);
  void encode(std::string_view text, MergeScratch& scratch, WordCache& cache, std::vector<int32_t>& ids) const;

 private:
  void build_joins() const;
  void encode_word(std::string_view word, MergeScratch& scratch, std::vector<int32_t>& ids) const;

  const Vocabulary* vocabulary_;
  std::array<int32_t, 256> byte_tokens_{};
  // Made by the first call whose words are remembered: reading every character of a large vocabulary is a tenth of a start,
  // and a short text is one word of the merging loop's heap.
  mutable std::once_flag once_;
  mutable JoinFilter joins_;
};

}  // namespace mainspring::inline v0
