// The vocabulary of a model. In: metadata. Out: tokens with text, type and score, their map, special ids, the end-of-generation set.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "llm/tokenizer/string_map.h"
#include "llm/tokenizer/tokenizer.h"

namespace mainspring::inline v0 {

enum class TokenizerKind : uint8_t { none, bpe, sentencepiece, unigram, wordpiece, rwkv };

/// What a kind or a pre-tokenizer implies before the file's own keys are read.
struct TokenizerDefaults {
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;
  bool force_bos = false;  ///< BOS whatever the file says (Gemma 4's files say false by mistake)
  bool no_bos = false;     ///< the default BOS id does not hold (GLM)
};

struct Vocabulary {
  TokenizerKind kind = TokenizerKind::none;
  std::string_view model;
  std::string_view pre = "default";
  int32_t size = 0;
  std::span<const std::string_view> texts;  ///< the metadata's
  std::vector<TokenType> types;
  std::vector<TokenType> file_types;  ///< as the file says; `types` has the corrections by well known texts. Empty when equal
  std::vector<float> scores;          ///< empty: all zero
  StringMap ids;                      ///< text -> id, the last of equal texts; empty tokens are not in it
  std::array<int32_t, kSpecials> special{};
  std::vector<int32_t> end_of_generation;  ///< ascending
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;
  bool merge_spaces = false;  ///< tokenizer.ggml.remove_extra_whitespaces
  bool lowercase = true;
  bool strip_accents = true;
  bool strip_right = false;   ///< Phi-3: special tokens take the white space after them, but for strip_right_except
  std::string_view strip_left;  ///< this token takes the white space before it (masks)

  int32_t id(Special role) const { return special[static_cast<size_t>(role)]; }
  float score(uint32_t token) const { return scores.empty() ? 0.0f : scores[token]; }
  /// The id or -1.
  int32_t find(std::string_view text) const { return static_cast<int32_t>(ids.find(text)); }
  bool is_special(int32_t token) const {
    const TokenType t = types[static_cast<size_t>(token)];
    return t == TokenType::control || t == TokenType::unknown;
  }
  /// Types before corrections, which is what unigram matching goes by.
  TokenType file_type(size_t token) const { return file_types.empty() ? types[token] : file_types[token]; }
};

/// Which kind and which pre-tokenizer; reads nothing else. Errors: not_found, unsupported.
Result<Vocabulary> identify_vocabulary(const Metadata& metadata);

/// Reads everything else. `defaults` come from the kind or the pre-tokenizer.
Result<void> load_vocabulary(const Metadata& metadata, const TokenizerDefaults& defaults, Vocabulary& out);

/// Array of strings under `key`. Errors: not_found, corrupt_data.
Result<std::span<const std::string_view>> string_array(const Metadata& metadata, std::string_view key);

/// The byte of a token written "<0xA5>", or -1.
int byte_of_text(std::string_view text);

}  // namespace mainspring::inline v0
