// What a TokenizerImpl is made of. Internal to the room.
#pragma once

#include <optional>

#include "llm/tokenizer/bpe.h"
#include "llm/tokenizer/rwkv.h"
#include "llm/tokenizer/sentencepiece.h"
#include "llm/tokenizer/special_split.h"
#include "llm/tokenizer/unigram.h"
#include "llm/tokenizer/wordpiece.h"

namespace mainspring::inline v0 {

/// The algorithms point to `vocabulary`: Parts never move.
struct TokenizerImpl::Parts {
  Vocabulary vocabulary;
  SpecialSplitter specials;
  // one of these, as vocabulary.kind says
  std::optional<Bpe> bpe;
  std::optional<SentencePiece> sentencepiece;
  std::optional<Unigram> unigram;
  std::optional<WordPiece> wordpiece;
  std::optional<Rwkv> rwkv;

  Result<void> encode_bpe(std::string_view text, MergeScratch& scratch, WordCache& cache, std::vector<int32_t>& ids) const;
  Result<void> encode_fragments(std::span<const Fragment> fragments, size_t bytes, std::vector<int32_t>& ids) const;
};

}  // namespace mainspring::inline v0
