#include "llm/tokenizer/utf8.h"

#include <cstring>

namespace mainspring::inline v0 {

void append_utf8(std::string& out, uint32_t c) {
  const auto put = [&](uint32_t b) { out.push_back(static_cast<char>(b)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | c >> 6);
    return put(0x80 | (c & 0x3F));
  }
  if (c < 0x10000) {
    put(0xE0 | c >> 12);
  } else {
    put(0xF0 | (c >> 18 & 7));
    put(0x80 | (c >> 12 & 0x3F));
  }
  put(0x80 | (c >> 6 & 0x3F));
  put(0x80 | (c & 0x3F));
}

bool may_become_character(std::string_view rest) {
  const auto lead = static_cast<uint8_t>(rest[0]);
  if (lead < 0xC2 || lead > 0xF4 || rest.size() >= utf8_length(rest[0])) return false;
  for (char c : rest.substr(1))
    if ((static_cast<uint8_t>(c) & 0xC0) != 0x80) return false;
  if (rest.size() == 1) return true;
  // second bytes that only overlong forms, surrogates and values above U+10FFFF have
  const auto second = static_cast<uint8_t>(rest[1]);
  return !(lead == 0xE0 && second < 0xA0) && !(lead == 0xED && second > 0x9F) && !(lead == 0xF0 && second < 0x90) && !(lead == 0xF4 && second > 0x8F);
}

namespace {

/// First offset from which the text is not canonical, or its size.
size_t canonical_prefix(std::string_view s) {
  size_t i = 0;
  while (i < s.size()) {
    uint64_t eight = 0;
    while (s.size() - i >= 8 && (std::memcpy(&eight, s.data() + i, 8), (eight & 0x8080808080808080u) == 0)) i += 8;
    if (i == s.size()) break;
    const CodePoint c = decode_utf8(s, i);
    if (!c.well_formed || c.bytes != encoded_length(c.value)) return i;
    i += c.bytes;
  }
  return i;
}

}  // namespace

std::string_view canonical_utf8(std::string_view text, std::string& storage) {
  size_t i = canonical_prefix(text);
  if (i == text.size()) return text;
  storage.assign(text.substr(0, i));
  while (i < text.size()) {
    const CodePoint c = decode_utf8(text, i);
    append_utf8(storage, c.value);
    i += c.bytes;
  }
  return storage;
}

void append_replaced(std::string& out, std::string_view text, std::string_view from, std::string_view to) {
  size_t begin = 0;
  for (size_t at; (at = text.find(from, begin)) != std::string_view::npos; begin = at + from.size()) {
    out.append(text, begin, at - begin);
    out.append(to);
  }
  out.append(text, begin);
}

}  // namespace mainspring::inline v0
