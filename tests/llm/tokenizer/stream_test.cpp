#include <gtest/gtest.h>

#include "llm/tokenizer/utf8.h"
#include "model_file.h"

namespace {

using namespace mainspring;
using namespace mainspring::tokenizer_test;

/// Byte tokens 0-255, then "▁a" (256) and <end> (257, control).
ModelFile bytes_file() {
  std::vector<std::string> tokens;
  std::vector<int32_t> types(256, 6);
  for (uint32_t b = 0; b < 256; ++b) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", b);
    tokens.emplace_back(text);
  }
  tokens.push_back("▁a");
  tokens.push_back("<end>");
  types.push_back(1);
  types.push_back(3);
  ModelFile f;
  f.text("tokenizer.ggml.model", "llama").tokens(tokens).types(types).scores(std::vector<float>(tokens.size()));
  return f;
}

std::vector<std::string> stream(const TokenizerImpl& t, std::string_view bytes) {
  StreamDecoder d(t);
  std::vector<std::string> out;
  for (char c : bytes) out.emplace_back(d.push(static_cast<uint8_t>(c)));
  out.emplace_back(d.finish());
  return out;
}
using Parts = std::vector<std::string>;

TEST(TokenizerStream, CharactersComeOutWhole) {
  ModelFile f = bytes_file();
  const auto t = f.open();
  EXPECT_EQ(stream(*t, "a\xC3\xA9"), (Parts{"a", "", "é", ""}));
  EXPECT_EQ(stream(*t, "\xF0\x9F\xA6\x99"), (Parts{"", "", "", "🦙", ""}));
}

TEST(TokenizerStream, BrokenBytesBecomeReplacements) {
  ModelFile f = bytes_file();
  const auto t = f.open();
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(stream(*t, "\xFF"), (Parts{r, ""}));
  EXPECT_EQ(stream(*t, "\xC3z"), (Parts{"", r + "z", ""}));
  EXPECT_EQ(stream(*t, "\xE4\xB8"), (Parts{"", "", r}));
  EXPECT_EQ(stream(*t, "\xE4\xB8q"), (Parts{"", "", r + r + "q", ""}));
  EXPECT_EQ(stream(*t, "\xED\xA0\x80"), (Parts{"", r + r, r, ""}));       // a surrogate
  EXPECT_EQ(stream(*t, "\xC0\x80"), (Parts{r, r, ""}));                   // overlong
  EXPECT_EQ(stream(*t, "\xF4\x90"), (Parts{"", r + r, ""}));              // above U+10FFFF
}

TEST(TokenizerStream, EqualsTheWholeDecodingOfText) {
  ModelFile f = bytes_file();
  const auto t = f.open();
  const std::string text = "héllo 中文 🦙\n";
  for (bool special : {false, true}) {
    Ids ids = {257, 256};  // the control token, then a first word whose space was not in the text
    for (char c : text) ids.push_back(static_cast<uint8_t>(c));
    ids.push_back(257);
    StreamDecoder d(*t, special);
    std::string got;
    for (int32_t id : ids) got += d.push(id);
    got += d.finish();
    EXPECT_EQ(got, t->decode(ids, special));
    EXPECT_EQ(got, special ? "<end> a" + text + "<end>" : "a" + text);
  }
}

TEST(TokenizerUtf8, CanonicalTextIsNotCopied) {
  std::string storage;
  const std::string_view good = "plain ascii, then é 中 🦙";
  EXPECT_EQ(canonical_utf8(good, storage).data(), good.data());
  EXPECT_EQ(canonical_utf8("ab\x80\xC3(", storage), "ab\xEF\xBF\xBD\xEF\xBF\xBD(");
  EXPECT_EQ(canonical_utf8("\xC1\xA1", storage), "a");  // overlong 'a'
}

}  // namespace
