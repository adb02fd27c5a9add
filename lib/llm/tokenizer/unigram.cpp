#include "llm/tokenizer/unigram.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "llm/tokenizer/utf8.h"

namespace mainspring::inline v0 {

Result<Charsmap> Charsmap::create(std::span<const std::byte> blob) {
  Charsmap map;
  if (blob.empty()) return map;
  uint32_t bytes = 0;
  if (blob.size() < sizeof bytes) return corrupt("tokenizer: precompiled_charsmap has {} bytes, expected at least 4", blob.size());
  std::memcpy(&bytes, blob.data(), sizeof bytes);
  if (bytes >= blob.size() - sizeof bytes)
    return corrupt("tokenizer: precompiled_charsmap has {} bytes, its array alone claims {}", blob.size(), bytes);
  map.array_ = blob.data() + sizeof bytes;
  map.units_ = bytes / sizeof(uint32_t);
  const auto rest = blob.subspan(sizeof bytes + bytes);
  map.replacements_ = {reinterpret_cast<const char*>(rest.data()), rest.size()};
  return map;
}

uint32_t Charsmap::unit(size_t i) const {
  uint32_t u;
  std::memcpy(&u, array_ + i * sizeof u, sizeof u);
  return u;
}

Result<void> Charsmap::find(std::string_view text, size_t at, size_t& length, std::string_view& replacement) const {
  length = 0;
  if (units_ == 0) return {};
  // a unit: bits 0-7 the byte that leads here, bit 8 "a value hangs below", bit 9 scales the base in bits 10-31; values have bit 31
  const auto base = [](uint32_t u) { return (u >> 10) << ((u & (1u << 9)) >> 6); };
  const auto outside = [&](size_t node) {
    return corrupt("tokenizer: precompiled_charsmap points to unit {} of {}", node, units_);
  };
  uint32_t value = 0;
  size_t node = base(unit(0));
  for (size_t i = at; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte == 0) break;
    node ^= byte;
    if (node >= units_) return outside(node);
    const uint32_t u = unit(node);
    if ((u & (1u << 31 | 0xFF)) != byte) break;
    node ^= base(u);
    if (u & 1u << 8) {
      if (node >= units_) return outside(node);
      length = i - at + 1;
      value = unit(node) & ~(1u << 31);
    }
  }
  if (length == 0) return {};
  const size_t end = value < replacements_.size() ? replacements_.find('\0', value) : std::string_view::npos;
  if (end == std::string_view::npos) return corrupt("tokenizer: precompiled_charsmap has no text that ends at offset {}", value);
  replacement = replacements_.substr(value, end - value);
  return {};
}

Result<Unigram> Unigram::create(const Metadata& metadata, const Vocabulary& v) {
  Unigram u(v);
  if (const MetaValue* m = metadata.find("tokenizer.ggml.precompiled_charsmap")) {
    if (m->type != MetaValue::Type::array || MetaValue::size_of(m->element) != 1)
      return corrupt("tokenizer: precompiled_charsmap is not an array of bytes");
    MAINSPRING_TRY(u.charsmap_, Charsmap::create(m->raw));
  }
  std::vector<Trie::Entry> tokens, user_defined;
  float lowest = std::numeric_limits<float>::max();
  for (uint32_t id = 0; id < v.texts.size(); ++id) {
    const TokenType type = v.file_type(id);
    if (type == TokenType::normal) lowest = std::min(lowest, v.score(id));
    if (type == TokenType::normal || type == TokenType::user_defined || type == TokenType::unused) tokens.push_back({v.texts[id], id});
    if (type == TokenType::user_defined) user_defined.push_back({v.texts[id], id});
  }
  u.tokens_.build(std::move(tokens));
  u.user_defined_.build(std::move(user_defined));
  constexpr float kPenalty = 10.0f;  // SentencePiece's own
  u.unknown_score_ = lowest - kPenalty;
  return u;
}

Result<std::string_view> Unigram::normalize_prefix(std::string_view text, size_t at, size_t& consumed) const {
  consumed = 0;
  user_defined_.match(text, at, [&](size_t length, uint32_t) {
    consumed = length;
    return true;
  });
  if (consumed > 0) return text.substr(at, consumed);
  std::string_view replacement;
  MAINSPRING_TRY_VOID(charsmap_.find(text, at, consumed, replacement));
  if (consumed > 0) return replacement;
  const CodePoint c = decode_utf8(text, at);
  consumed = c.bytes;
  return c.well_formed ? text.substr(at, c.bytes) : std::string_view("\xEF\xBF\xBD");
}

Result<void> Unigram::normalize(std::string_view text, std::string& out) const {
  const bool prefix = vocabulary_->add_space_prefix, merge = vocabulary_->merge_spaces;
  out.reserve(text.size() + text.size() / 2);
  bool prefixed = false, in_word = false;
  for (size_t at = 0, consumed = 0; at < text.size(); at += consumed) {
    MAINSPRING_TRY(const std::string_view part, normalize_prefix(text, at, consumed));
    for (char c : part) {
      if (c == ' ') {
        in_word = false;
        if (!merge) out += kSpaceMark;
        continue;
      }
      if (!in_word && ((prefix && !prefixed) || merge)) {
        out += kSpaceMark;
        prefixed = true;
      }
      in_word = true;
      out += c;
    }
  }
  return {};
}

Result<void> Unigram::encode(std::string_view text, std::vector<int32_t>& ids) const {
  std::string s;
  MAINSPRING_TRY_VOID(normalize(text, s));
  if (s.empty()) return {};
  struct Best { double score; uint32_t token, begin; };  // the best way to the end of a prefix, and its last token
  const auto unknown = static_cast<uint32_t>(vocabulary_->id(Special::unk));
  std::vector<Best> best(s.size() + 1, Best{-std::numeric_limits<double>::max(), unknown, 0});
  best[0].score = 0;
  for (size_t at = 0; at < s.size();) {
    const size_t character = std::min(utf8_length(s[at]), s.size() - at);
    const double here = best[at].score;
    bool covered = false;
    const auto offer = [&](size_t length, double score, uint32_t token) {
      Best& b = best[at + length];
      if (here + score > b.score) b = {here + score, token, static_cast<uint32_t>(at)};
    };
    tokens_.match(s, at, [&](size_t length, uint32_t token) {
      covered |= length == character;
      offer(length, vocabulary_->file_type(token) == TokenType::user_defined ? 0.0 : double{vocabulary_->score(token)}, token);
      return true;
    });
    if (!covered) offer(character, unknown_score_, unknown);
    at += character;
  }
  const size_t old = ids.size();
  bool after_unknown = false;
  for (size_t end = s.size(); end > 0;) {
    const Best& b = best[end];
    const bool is_unknown = b.token == unknown;
    if (!(is_unknown && after_unknown) && b.token != kNoSymbol) ids.push_back(static_cast<int32_t>(b.token));  // a run of unknowns is one
    after_unknown = is_unknown;
    end = b.begin;
  }
  std::reverse(ids.begin() + static_cast<ptrdiff_t>(old), ids.end());
  return {};
}

}  // namespace mainspring::inline v0
