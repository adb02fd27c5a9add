#include "llm/tokenizer/wordpiece.h"

#include <utf8proc.h>

#include "llm/tokenizer/char_class.h"
#include "llm/tokenizer/utf8.h"

namespace mainspring::inline v0 {

namespace {

/// First code point of the canonical decomposition. The reference keeps this one alone (its accents would be dropped anyway), and so a
/// Hangul syllable becomes its first consonant; we do the same to give the ids that GGUF files are used with.
uint32_t base_of(uint32_t c) {
  if (c < 0xC0) return c;
  utf8proc_int32_t parts[32];
  int last_class = UTF8PROC_BOUNDCLASS_START;
  const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 32, static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE), &last_class);
  return n > 0 ? static_cast<uint32_t>(parts[0]) : c;
}

bool is_chinese(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||  // sic: the reference tokenizer's own bound
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

}  // namespace

uint32_t lower_case(uint32_t c) {
  if (c < 128) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

WordPiece::WordPiece(const Vocabulary& v) : vocabulary_(&v) {
  std::vector<Trie::Entry> entries;
  for (uint32_t id = 0; id < v.texts.size(); ++id) entries.push_back({v.texts[id], id});
  tokens_.build(std::move(entries));
}

void WordPiece::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  const size_t old = ids.size();
  for (size_t at = 0; at < word.size();) {
    size_t length = 0;
    uint32_t id = kNoSymbol;
    tokens_.match(word, at, [&](size_t n, uint32_t token) {
      length = n;
      id = token;
      return true;
    });
    if (id == kNoSymbol) {
      ids.resize(old);
      break;
    }
    ids.push_back(static_cast<int32_t>(id));
    at += length;
  }
  if (ids.size() == old && vocabulary_->id(Special::unk) >= 0) ids.push_back(vocabulary_->id(Special::unk));
}

void WordPiece::encode(std::string_view text, std::vector<int32_t>& ids) const {
  std::string word(kSpaceMark);  // every word is looked up with U+2581 in front
  const auto finish = [&] {
    if (word.size() > kSpaceMark.size()) encode_word(word, ids);
    word.resize(kSpaceMark.size());
  };
  for (size_t at = 0; at < text.size();) {
    const CodePoint decoded = decode_utf8(text, at);
    at += decoded.bytes;
    const uint32_t c = vocabulary_->strip_accents ? base_of(decoded.value) : decoded.value;
    const CharClass kind = class_of(c);
    if (kind == CharClass::space) {
      finish();
      continue;
    }
    if (c == 0 || c == kReplacement || kind == CharClass::control) continue;
    if (vocabulary_->strip_accents && kind == CharClass::mark) continue;
    const bool alone = kind == CharClass::punctuation || (c < 0x7F && kind == CharClass::symbol) || is_chinese(c);
    if (alone) finish();
    append_utf8(word, vocabulary_->lowercase ? lower_case(c) : c);
    if (alone) finish();
  }
  finish();
}

}  // namespace mainspring::inline v0
