#include "llm/tokenizer/pretokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "llm/tokenizer/char_class.h"
#include "llm/tokenizer/utf8.h"

namespace {

using namespace mainspring;

std::vector<std::string> words(const Pretokenizer& p, std::string_view text) {
  std::vector<size_t> ends;
  EXPECT_TRUE(p.split(text, ends));
  std::vector<std::string> out;
  size_t begin = 0;
  for (size_t end : ends) {
    out.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

std::vector<std::string> words(std::string_view name, std::string_view text) {
  auto p = Pretokenizer::create(name);
  EXPECT_TRUE(p) << name;
  return p ? words(*p, text) : std::vector<std::string>{};
}
using Words = std::vector<std::string>;

TEST(TokenizerWords, KnownCuts) {
  EXPECT_EQ(words("gpt-2", "I'm  22 years, ok!?\n\n x"), (Words{"I", "'m", " ", " 22", " years", ",", " ok", "!?", "\n\n", " x"}));
  EXPECT_EQ(words("smollm", "a 123"), (Words{"a", " ", "1", "2", "3"}));
  EXPECT_EQ(words("llama-bpe", "I'M 12345\n\n  x"), (Words{"I", "'M", " ", "123", "45", "\n\n", " ", " x"}));
  EXPECT_EQ(words("qwen2", "(hi) 12"), (Words{"(hi", ")", " ", "1", "2"}));
  EXPECT_EQ(words("tekken", "camelCase ABCdef"), (Words{"camel", "Case", " ABCdef"}));
  EXPECT_EQ(words("gpt-4o", "we'll"), (Words{"we'll"}));
  EXPECT_EQ(words("deepseek-llm", "a b  \n"), (Words{"a", " b", "  ", "\n"}));
  EXPECT_EQ(words("superbpe", "x 1234567"), (Words{"x ", "1", "234", "567"}));
  EXPECT_EQ(words("superbpe", "٣٤٥٦"), (Words{"٣", "٤٥٦"}));
  EXPECT_EQ(words("afmoe", "1234567"), (Words{"1", "234", "567"}));
  EXPECT_EQ(words("tiny_aya", "1234567 1234567x 1234_ 1234½"), (Words{"1", "234", "567", " ", "123", "456", "7", "x", " ", "123", "4", "_", " ", "123", "4½"}));
  EXPECT_EQ(words("gemma4", "a b\n\nc"), (Words{"a b", "\n\n", "c"}));
  EXPECT_EQ(words("kimi-k2", "中文abc"), (Words{"中文", "abc"}));
  EXPECT_EQ(words("kimi-k2", "中文、中"), (Words{"中文", "、", "中"}));  // of the script itself, not of its extensions
  EXPECT_EQ(words("bloom", "a, b"), (Words{"a", ",", " b"}));
}

TEST(TokenizerWords, EveryNameCompilesAndLosesNothing) {
  const std::string text = "Hello, WORLD's 1234 ½ é\u0301 中文。 \u3000한국어\r\n\n\t <sentinel:1> IMGIMGABZ  ";
  EXPECT_GE(Pretokenizer::names().size(), 90u);
  for (std::string_view name : Pretokenizer::names()) {
    std::string joined;
    for (const std::string& w : words(name, text)) {
      EXPECT_FALSE(w.empty()) << name;
      joined += w;
    }
    EXPECT_EQ(joined, text) << name;
  }
  EXPECT_TRUE(words("gpt-2", "").empty());
}

TEST(TokenizerWords, AnUnknownNameIsNamed) {
  const auto p = Pretokenizer::create("nobody-knows");
  ASSERT_FALSE(p);
  EXPECT_EQ(p.error().code, Errc::unsupported);
  EXPECT_NE(p.error().message.find("nobody-knows"), std::string::npos);
}

/// Characters of every class that any pattern tells apart.
const std::vector<std::string>& alphabet() {
  static const std::vector<std::string> a = {"a", "S", "s", "t", "l", "L", "e", "r", "v", "'", " ", " ", "\t", "\n", "\r", "\u00a0", "\u3000", "\u0085", "\u2028",
      "\u180e", "1", "2", "٣", "½", "Ⅷ", "é", "ǅ", "ʰ", "中", "가", "\u0301", "\u0903", ".", "-", "$", "+", "`", "€", "\u200d", "\x7f", "\x1f", "🦙", "\ue000", "\U000e0080"};
  return a;
}

/// Characters at the edges of the sets that some patterns write out.
const std::vector<std::string>& edges() {
  static const std::vector<std::string> a = {"〇", "々", "〡", "⺀", "㐀", "豈", "龥", "鿿", "぀", "ゟ", "ヿ", "ㄅ", "ㄱ", "퟿", "ࠀ", "เ", "က", "ꩠ", "ᄀ", "！", "～", "‘", "…", "、", "。",
      "，", "。", "۔", "،", "(", ")", "|", "?", ",", "A", "Z", "ß", "İ", "ʓ", "ʕ", "Ａ", "𐐀", "𞤀", "\u20dd", "\U00020000", "\U00016ff0", "/", "'LL", "'Re", "  ", "   ", "    ", "0", "٣٤"};
  return a;
}

TEST(TokenizerWords, HandWrittenSplittersEqualTheirRegexes) {
  std::mt19937 rng(11);
  for (std::string_view name : Pretokenizer::names()) {
    auto fast = Pretokenizer::create(name, true), regex = Pretokenizer::create(name, false);
    ASSERT_TRUE(fast && regex);
    for (int i = 0; i < 800; ++i) {
      std::string text;
      for (size_t n = rng() % 14; n > 0; --n) {
        const auto& from = rng() % 3 ? alphabet() : edges();
        text += from[rng() % from.size()];
      }
      ASSERT_EQ(words(*fast, text), words(*regex, text)) << name << " '" << text << "'";
    }
  }
}

TEST(TokenizerWords, SpacesInPowersOfTwo) {
  auto fast = Pretokenizer::create("jais-2", true), regex = Pretokenizer::create("jais-2", false);
  ASSERT_TRUE(fast && regex);
  for (size_t n : {1u, 2u, 3u, 4u, 5u, 7u, 8u, 31u, 33u, 511u, 512u, 513u, 514u, 1500u})
    for (const char* behind : {"", "a", "!", "\n", "7", "\na"}) {
      const std::string text = "x" + std::string(n, ' ') + behind;
      ASSERT_EQ(words(*fast, text), words(*regex, text)) << n << behind;
    }
}

TEST(TokenizerWords, ClassesEqualTheRegexEngines) {
  // Every character in three contexts. The two libraries may follow different versions of Unicode, so: the plane that hardly grows any more
  std::string text;
  for (uint32_t c = 0; c < 0x10000; ++c) {
    if ((c >= 0xD800 && c < 0xE000) || c == 0x0CF3 || c == 0x0ECE) continue;  // new in Unicode 15
    for (const char* before : {"a", "! ", "A"}) {
      text += before;
      append_utf8(text, c);
    }
  }
  for (std::string_view name : {"qwen35", "default", "deepseek-llm", "deepseek-coder", "deepseek-v3", "gpt-4o", "kimi-k2", "exaone-moe", "bloom", "youtu", "afmoe"}) {
    auto fast = Pretokenizer::create(name, true), regex = Pretokenizer::create(name, false);
    ASSERT_TRUE(fast && regex);
    EXPECT_TRUE(words(*fast, text) == words(*regex, text)) << name;
  }
}

TEST(TokenizerWords, HostileTextsAreCutInLinearTime) {
  const std::vector<std::string> units = {"a", " ", "\n", "7", "!", "中", "A", "\u0301", " \n", "'s", "<sentinel:1", "a\u0301 "};
  for (std::string_view name : {"llama-bpe", "tekken", "gpt-4o", "deepseek-llm", "deepseek-v3", "tiny_aya", "superbpe", "exaone-moe", "kimi-k2", "chameleon", "jais-2", "default"})
    for (const std::string& unit : units) {
      std::string text;
      while (text.size() < 20000) text += unit;
      text += " 5x";
      std::string joined;
      for (const std::string& w : words(name, text)) joined += w;
      ASSERT_TRUE(joined == text) << name << " " << unit;
    }
}

}  // namespace
