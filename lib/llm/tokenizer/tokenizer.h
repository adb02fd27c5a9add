// Text <-> token ids. In: a model's metadata (tokenizer.ggml.*). Out: a TokenizerImpl that encodes and decodes as the model was trained.
//
//   MAINSPRING_TRY(auto tokenizer, TokenizerImpl::create(metadata));
//   MAINSPRING_TRY(std::vector<int32_t> ids, tokenizer->encode("The capital of France is", {}));
//   std::string text = tokenizer->decode(ids, /*special=*/false);
//
// Kinds by tokenizer.ggml.model: "gpt2" and "gemma4" (BPE with merges), "llama" (SentencePiece BPE), "t5" (unigram), "bert" (WordPiece),
// "rwkv" (greedy longest match), "none"/"no_vocab" (ids only). Files: vocabulary (tokens, special ids), special_split (special tokens in a
// text), pretokenizer (words), merge (the merging of BPE), then one file a kind, and detokenize.
//
// Thread-safety: immutable after create(); every call keeps its scratch to itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mainspring/result.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

enum class TokenType : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// Tokens with a role. fim_*: fill in the middle.
enum class Special : uint8_t {
  bos, eos, eot, eom, unk, sep, pad, mask,
  fim_prefix, fim_suffix, fim_middle, fim_pad, fim_repository, fim_separator,
};
inline constexpr int kSpecials = static_cast<int>(Special::fim_separator) + 1;

class TokenizerImpl {
 public:
  /// Longest text of one encode() call, in bytes.
  static constexpr size_t kMaxText = size_t{1} << 30;

  /// Keeps views into the metadata and its bytes: the Model outlives the tokenizer.
  /// Errors: not_found (no tokenizer or no tokens), unsupported (a model or pre-tokenizer this build does not know, by name), corrupt_data.
  static Result<std::unique_ptr<TokenizerImpl>> create(const Metadata& metadata);
  ~TokenizerImpl();
  TokenizerImpl(const TokenizerImpl&) = delete;
  TokenizerImpl& operator=(const TokenizerImpl&) = delete;

  struct EncodeOptions {
    bool add_special = true;    ///< BOS, EOS, CLS, SEP as the model says
    bool parse_special = true;  ///< control tokens written in the text become those tokens (user-defined tokens always do)
  };
  /// Any bytes are accepted; ill-formed UTF-8 becomes U+FFFD (byte-level BPE, WordPiece, unigram) or byte tokens (SentencePiece).
  /// Errors: unsupported (no vocabulary), invalid_argument (text above kMaxText), corrupt_data (charsmap), resource_exhausted (a regex gave up).
  Result<std::vector<int32_t>> encode(std::string_view utf8, const EncodeOptions& options) const;

  /// Appends the bytes a token stands for; possibly a part of a UTF-8 character. Control and unknown tokens only when `special`.
  /// Ids outside the vocabulary, unused and padding tokens append nothing.
  void append_piece(int32_t id, bool special, std::string& out) const;
  /// The text of a whole sequence: the pieces one after another, without the space that encode() puts in front of the first word.
  std::string decode(std::span<const int32_t> ids, bool special) const;

  int32_t vocab_size() const;
  /// A token as it is written in the vocabulary ("Ġthe", "▁the", "<|im_end|>"); empty outside it.
  std::string_view text(int32_t id) const;
  TokenType type(int32_t id) const;
  /// The id of a token by its text in the vocabulary.
  std::optional<int32_t> find(std::string_view text) const;
  /// The id of a role, or -1.
  int32_t id(Special role) const;
  int32_t bos() const { return id(Special::bos); }
  int32_t eos() const { return id(Special::eos); }
  int32_t eot() const { return id(Special::eot); }
  /// Tokens after which a model has finished its turn: eos, eot, eom and the well known texts of the same meaning.
  bool is_end_of_generation(int32_t id) const;
  std::span<const int32_t> end_of_generation() const;  ///< ascending
  bool add_bos() const;
  bool add_eos() const;
  std::string_view model() const;  ///< tokenizer.ggml.model
  std::string_view pre() const;    ///< name of the pre-tokenizer; "default" when the file names none

 private:
  struct Parts;
  explicit TokenizerImpl(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// Turns a stream of tokens into text that never breaks a UTF-8 character. One sequence, one thread at a time.
class StreamDecoder {
 public:
  /// `tokenizer` outlives the decoder. The first word's leading space is dropped exactly where decode() drops it.
  explicit StreamDecoder(const TokenizerImpl& tokenizer, bool special = false) : tokenizer_(&tokenizer), special_(special) {}
  /// Adds a token; returns the characters that are complete now, bytes that can begin no character as U+FFFD.
  /// The view is valid until the next call.
  std::string_view push(int32_t id);
  /// What is left: an unfinished character comes out as U+FFFD. The decoder is then as new.
  std::string_view finish();

 private:
  const TokenizerImpl* tokenizer_;
  bool special_;
  bool begun_ = false;
  std::string pending_;  ///< at most three bytes of an unfinished character between calls
  std::string ready_;
};

}  // namespace mainspring::inline v0
