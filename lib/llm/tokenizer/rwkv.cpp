#include "llm/tokenizer/rwkv.h"

namespace mainspring::inline v0 {

namespace {

int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

}  // namespace

void append_unescaped(std::string& out, std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    const int high = c == 'x' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
    }
  }
}

Rwkv::Rwkv(const Vocabulary& v) : vocabulary_(&v), texts_(std::make_unique<std::string>()) {
  std::vector<size_t> ends;
  for (std::string_view t : v.texts) {
    append_unescaped(*texts_, t);
    ends.push_back(texts_->size());
  }
  std::vector<Trie::Entry> entries;
  for (uint32_t id = 0; id < ends.size(); ++id) {
    const size_t begin = id ? ends[id - 1] : 0;
    entries.push_back({std::string_view(*texts_).substr(begin, ends[id] - begin), id});
  }
  tokens_.build(std::move(entries));
}

void Rwkv::encode(std::string_view text, std::vector<int32_t>& ids) const {
  for (size_t at = 0; at < text.size();) {
    size_t length = 1;
    int32_t id = vocabulary_->id(Special::unk);
    tokens_.match(text, at, [&](size_t n, uint32_t token) {
      length = n;
      id = static_cast<int32_t>(token);
      return true;
    });
    if (id >= 0) ids.push_back(id);
    at += length;
  }
}

}  // namespace mainspring::inline v0
