// Text -> words for BPE. In: a name of pretokenizers.inc. Out: the ends of the words of a text.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "llm/tokenizer/splitters.h"
#include "llm/tokenizer/vocabulary.h"

namespace mainspring::inline v0 {

/// What a pre-tokenizer's name says beside how words are cut.
enum PretokenizerFlags : uint32_t {
  plain = 0,
  ignore_merges = 1,   ///< a word that is a token is that token, whatever the merges say
  add_bos = 2,
  no_bos = 4,
  force_bos = 8,
  raw_text = 16,       ///< tokens are UTF-8 and <0xNN> bytes, not GPT-2's byte alphabet
  space_marks = 32,    ///< spaces are written U+2581 before all else
  whole_newlines = 64, ///< like ignore_merges for words of newlines alone
};

class Regex;  ///< a compiled PCRE2 pattern

class Pretokenizer {
 public:
  /// Errors: unsupported (unknown name).
  static Result<Pretokenizer> create(std::string_view name, bool use_fast = true);
  Pretokenizer(Pretokenizer&&) noexcept;
  Pretokenizer& operator=(Pretokenizer&&) noexcept;
  ~Pretokenizer();

  bool has(PretokenizerFlags flag) const { return flags_ & flag; }
  TokenizerDefaults defaults() const;
  /// Ends of the words of canonical UTF-8 `text`, ascending, the last one text.size(). Errors: resource_exhausted (match limits).
  Result<void> split(std::string_view text, std::vector<size_t>& ends) const;

  /// The names of the table (for tests and tools).
  static std::vector<std::string_view> names();

 private:
  struct Stage {
    Splitter fast = nullptr;
    std::unique_ptr<Regex> regex;  ///< null when `fast` is used
  };
  Pretokenizer() = default;
  std::vector<Stage> stages_;
  uint32_t flags_ = 0;
};

}  // namespace mainspring::inline v0
