// A model's metadata written by hand: what a GGUF file would hold, with storage of its own.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llm/tokenizer/tokenizer.h"

namespace mainspring::tokenizer_test {

class ModelFile {
 public:
  ModelFile& set(std::string_view key, MetaValue value) {
    entries_.push_back({std::string(key), std::move(value)});
    return *this;
  }
  ModelFile& text(std::string_view key, std::string_view value) {
    MetaValue v;
    v.type = MetaValue::Type::string;
    v.text = strings_.emplace_back(value);
    return set(key, v);
  }
  ModelFile& number(std::string_view key, int64_t value) {
    MetaValue v;
    v.type = MetaValue::Type::i64;
    v.bits = static_cast<uint64_t>(value);
    return set(key, v);
  }
  ModelFile& flag(std::string_view key, bool value) {
    MetaValue v;
    v.type = MetaValue::Type::boolean;
    v.bits = value;
    return set(key, v);
  }
  ModelFile& texts(std::string_view key, const std::vector<std::string>& values) {
    MetaValue v;
    v.type = MetaValue::Type::array;
    v.element = MetaValue::Type::string;
    v.count = values.size();
    for (const std::string& s : values) v.strings.push_back(strings_.emplace_back(s));
    return set(key, v);
  }
  template <class T>
  ModelFile& numbers(std::string_view key, MetaValue::Type element, const std::vector<T>& values) {
    auto& bytes = arrays_.emplace_back(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    MetaValue v;
    v.type = MetaValue::Type::array;
    v.element = element;
    v.count = values.size();
    v.raw = bytes;
    return set(key, v);
  }
  ModelFile& types(const std::vector<int32_t>& values) { return numbers("tokenizer.ggml.token_type", MetaValue::Type::i32, values); }
  ModelFile& scores(const std::vector<float>& values) { return numbers("tokenizer.ggml.scores", MetaValue::Type::f32, values); }
  ModelFile& tokens(const std::vector<std::string>& values) { return texts("tokenizer.ggml.tokens", values); }

  const Metadata& metadata() {
    metadata_ = Metadata{};
    for (const auto& [key, value] : entries_) metadata_.add(key, value);
    metadata_.seal();
    return metadata_;
  }
  Result<std::unique_ptr<TokenizerImpl>> create() { return TokenizerImpl::create(metadata()); }
  /// The tokenizer of a file that is meant to be good.
  std::unique_ptr<TokenizerImpl> open() {
    auto r = create();
    EXPECT_TRUE(r) << (r ? "" : r.error().message);
    return r ? *std::move(r) : nullptr;
  }

 private:
  struct Entry { std::string key; MetaValue value; };
  std::deque<std::string> strings_;
  std::deque<std::vector<std::byte>> arrays_;
  std::deque<Entry> entries_;
  Metadata metadata_;
};

using Ids = std::vector<int32_t>;

inline constexpr TokenizerImpl::EncodeOptions kPlain{.add_special = false, .parse_special = false};
inline constexpr TokenizerImpl::EncodeOptions kParsed{.add_special = false, .parse_special = true};

inline Ids encode(const TokenizerImpl& t, std::string_view text, TokenizerImpl::EncodeOptions options = kPlain) {
  auto r = t.encode(text, options);
  EXPECT_TRUE(r) << (r ? "" : r.error().message);
  return r ? *std::move(r) : Ids{};
}

/// Texts of ids, for failures that can be read.
inline std::vector<std::string> pieces(const TokenizerImpl& t, const Ids& ids) {
  std::vector<std::string> out;
  for (int32_t id : ids) out.emplace_back(t.text(id));
  return out;
}
using Pieces = std::vector<std::string>;

}  // namespace mainspring::tokenizer_test
