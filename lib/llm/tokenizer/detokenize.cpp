// Ids -> bytes: pieces, whole texts, streams.
#include "llm/tokenizer/parts.h"
#include "llm/tokenizer/tokenizer.h"
#include "llm/tokenizer/utf8.h"

namespace mainspring::inline v0 {

namespace {

/// A token of a byte-level vocabulary; characters that are no byte of the alphabet stand for themselves.
void append_byte_level(std::string& out, std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    const int byte = c.well_formed ? byte_of_char(c.value) : -1;
    if (byte >= 0) out.push_back(static_cast<char>(byte));
    else out.append(text, at, c.bytes);
    at += c.bytes;
  }
}

/// WordPiece's texts put a space before every word; before these marks there was none.
std::string_view without_space_before_mark(std::string_view text) {
  const bool mark = text.size() > kSpaceMark.size() && std::string_view(".,?!").find(text[kSpaceMark.size()]) != std::string_view::npos;
  return mark && text.substr(0, kSpaceMark.size()) == kSpaceMark ? text.substr(kSpaceMark.size()) : text;
}

/// Whether the first word carries a space that was not in the text.
bool has_phantom_space(const Vocabulary& v) {
  return v.kind == TokenizerKind::wordpiece || (v.add_space_prefix && (v.kind == TokenizerKind::sentencepiece || v.kind == TokenizerKind::unigram));
}

}  // namespace

void TokenizerImpl::append_piece(int32_t id, bool special, std::string& out) const {
  const Vocabulary& v = parts_->vocabulary;
  if (id < 0 || static_cast<size_t>(id) >= v.texts.size()) return;
  const std::string_view text = v.texts[static_cast<size_t>(id)];
  const TokenType type = v.types[static_cast<size_t>(id)];
  if (v.is_special(id)) {
    if (special) out += text;
    return;
  }
  if (v.kind == TokenizerKind::rwkv) return append_unescaped(out, text);
  if (type == TokenType::user_defined) {
    out += text;
  } else if (type == TokenType::byte) {
    if (const int byte = byte_of_text(text); byte >= 0) out.push_back(static_cast<char>(byte));
  } else if (type == TokenType::normal) {
    if (parts_->bpe && !parts_->bpe->raw_text()) append_byte_level(out, text);
    else append_replaced(out, v.kind == TokenizerKind::wordpiece ? without_space_before_mark(text) : text, kSpaceMark, " ");
  }
}

std::string TokenizerImpl::decode(std::span<const int32_t> ids, bool special) const {
  const Vocabulary& v = parts_->vocabulary;
  std::string out;
  bool phantom = has_phantom_space(v);
  for (int32_t id : ids) {
    const size_t old = out.size();
    append_piece(id, special, out);
    if (!phantom || out.size() == old) continue;
    if (old == 0 && out[0] == ' ') out.erase(0, 1);
    phantom = false;
  }
  return out;
}

std::string_view StreamDecoder::push(int32_t id) {
  const size_t old = pending_.size();
  tokenizer_->append_piece(id, special_, pending_);
  if (!begun_ && pending_.size() > old) {
    begun_ = true;
    // decode() knows whether this token loses a leading space
    if (pending_[0] == ' ' && tokenizer_->decode({&id, 1}, special_).size() < pending_.size()) pending_.erase(0, 1);
  }
  ready_.clear();
  size_t at = 0;
  while (at < pending_.size()) {
    const CodePoint c = decode_utf8(pending_, at);
    const bool good = c.well_formed && c.bytes == encoded_length(c.value) && (c.value < 0xD800 || c.value > 0xDFFF);
    if (!good && may_become_character(std::string_view(pending_).substr(at))) break;
    if (good) ready_.append(pending_, at, c.bytes);
    else append_utf8(ready_, kReplacement);
    at += good ? c.bytes : 1;
  }
  pending_.erase(0, at);
  return ready_;
}

std::string_view StreamDecoder::finish() {
  ready_.clear();
  if (!pending_.empty()) append_utf8(ready_, kReplacement);  // the beginning of one character
  pending_.clear();
  begun_ = false;
  return ready_;
}

}  // namespace mainspring::inline v0
