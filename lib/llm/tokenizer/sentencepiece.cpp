#include "llm/tokenizer/sentencepiece.h"

#include <bit>
#include <cmath>

#include <fmt/format.h>

namespace mainspring::inline v0 {

namespace {

/// A number below kNoRank that falls as the score rises, equal for equal scores; NaN comes last.
uint32_t rank_of(float score) {
  if (std::isnan(score)) return kNoRank - 1;
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0 and 0 are one score
  const uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return std::min(~rising, kNoRank - 1);
}

}  // namespace

SentencePiece::SentencePiece(const Vocabulary& v) : vocabulary_(&v) {
  for (uint32_t b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    int32_t id = v.find(fmt::format("<0x{:02X}>", b));
    if (id < 0) id = v.find({&byte, 1});
    byte_tokens_[b] = id >= 0 ? id : v.id(Special::unk);
  }
}

void SentencePiece::build_joins() const {
  joins_.reset(vocabulary_->texts.size());
  for (std::string_view text : vocabulary_->texts) joins_.add(text);
}

void SentencePiece::encode_word(std::string_view word, MergeScratch& scratch, std::vector<int32_t>& ids) const {
  scratch.pieces.clear();
  size_t bytes = 0;
  for (size_t at = 0; at < word.size(); at += bytes) {
    bytes = std::min(utf8_length(word[at]), word.size() - at);
    scratch.pieces.push_back({kNoSymbol, static_cast<uint32_t>(at), static_cast<uint32_t>(at + bytes)});
  }
  const auto find = [&](const Piece& l, const Piece& r) -> Merge {
    const uint32_t id = vocabulary_->ids.find(word.substr(l.begin, r.end - l.begin));
    return id == kNoSymbol ? Merge{} : Merge{rank_of(vocabulary_->score(id)), id};
  };
  merge_pieces(scratch, find, find);
  for (const Piece& p : scratch.pieces) {
    const std::string_view text = word.substr(p.begin, p.end - p.begin);
    const uint32_t id = p.symbol == kNoSymbol ? vocabulary_->ids.find(text) : p.symbol;  // merged, or still a single character
    if (id != kNoSymbol) {
      ids.push_back(static_cast<int32_t>(id));
      continue;
    }
    for (char c : text)
      if (const int32_t byte = byte_tokens_[static_cast<uint8_t>(c)]; byte >= 0) ids.push_back(byte);
  }
}

void SentencePiece::encode(std::string_view text, MergeScratch& scratch, WordCache& cache, std::vector<int32_t>& ids) const {
  if (cache.is_off()) return encode_word(text, scratch, ids);
  std::call_once(once_, [this] { build_joins(); });
  joins_.split(text, [&](std::string_view word) {
    const uint64_t hash = hash_text(word, vocabulary_->ids.seed());
    if (cache.repeat(word, false, hash, ids)) return;
    const size_t old = ids.size();
    encode_word(word, scratch, ids);
    cache.remember(word, false, hash, old, ids.size() - old);
  });
}

}  // namespace mainspring::inline v0
