// BPE with merges ("gpt2", "gemma4"). In: a text without special tokens. Out: ids.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "llm/tokenizer/join_filter.h"
#include "llm/tokenizer/merge.h"
#include "llm/tokenizer/pretokenizer.h"
#include "llm/tokenizer/vocabulary.h"

namespace mainspring::inline v0 {

/// GPT-2's byte alphabet: every byte is written as one printable character. Returns the character of a byte.
uint32_t char_of_byte(uint8_t byte);
/// The byte a character stands for, or -1.
int byte_of_char(uint32_t code_point);
/// Appends the bytes of a token written in the byte alphabet; false (nothing appended) when it has other characters.
bool append_byte_text(std::string& out, std::string_view text);

class Bpe {
 public:
  /// Errors: not_found, corrupt_data (merges).
  static Result<Bpe> create(const Metadata& metadata, const Vocabulary& vocabulary, Pretokenizer pretokenizer);
  /// Errors: resource_exhausted.
  Result<void> encode(std::string_view text, MergeScratch& scratch, WordCache& cache, std::vector<int32_t>& ids) const;
  bool raw_text() const { return raw_; }
  bool space_marks() const { return pretokenizer_.has(PretokenizerFlags::space_marks); }

 private:
  struct Rule { uint64_t pair = ~uint64_t{0}; uint32_t rank = kNoRank; uint32_t symbol = kNoSymbol; };
  explicit Bpe(Pretokenizer pretokenizer) : pretokenizer_(std::move(pretokenizer)) {}
  uint32_t intern(std::string_view text);
  void add_symbols(const Vocabulary& vocabulary);
  void add_rules(std::span<const std::string_view> merges);
  void add_byte_rules();
  uint64_t pair_hash(uint64_t pair) const { return mix64(pair ^ rule_seed_, 0x9E3779B97F4A7C15u); }
  size_t rule_slot(uint64_t pair) const;
  Merge find(uint32_t left, uint32_t right) const;
  void encode_word(std::string_view word, MergeScratch& scratch, std::vector<int32_t>& ids) const;
  bool encode_whole(std::string_view word, std::vector<int32_t>& ids) const;
  void append_unknown(std::string_view bytes, std::vector<int32_t>& ids) const;

  Pretokenizer pretokenizer_;
  bool raw_ = false;
  uint32_t tokens_ = 0;                     ///< symbols below are tokens, the others occur in merges only
  StringMap symbols_;                       ///< bytes of a symbol -> symbol; keys live in texts_ or in the metadata
  std::unique_ptr<std::string> texts_;      ///< symbols' bytes, reserved once
  uint32_t next_symbol_ = 0;
  std::vector<Rule> rules_;                 ///< open addressing by pair
  uint64_t rule_seed_ = 0;
  std::vector<uint64_t> pairs_;             ///< a bit for the hash of each pair that has a rule: no bit, no rule
  std::vector<Merge> byte_rules_;           ///< by two bytes, where words begin as bytes
  std::array<uint32_t, 256> byte_symbols_{};
  std::array<std::array<int32_t, 2>, 256> byte_tokens_{};  ///< what a byte without a token becomes; -1: nothing
  JoinFilter joins_;      ///< raw text
  ByteJoins byte_joins_;  ///< bytes
};

}  // namespace mainspring::inline v0
