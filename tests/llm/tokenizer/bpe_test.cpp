#include "llm/tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <random>

#include "model_file.h"

namespace {

using namespace mainspring;
using namespace mainspring::tokenizer_test;

/// The 256 bytes in GPT-2's alphabet, then what merges make, then special tokens.
ModelFile byte_level(std::string_view pre, const std::vector<std::string>& merges, const std::vector<std::string>& more = {},
                     const std::vector<int32_t>& more_types = {}) {
  std::vector<std::string> tokens;
  for (uint32_t b = 0; b < 256; ++b) append_utf8(tokens.emplace_back(), char_of_byte(static_cast<uint8_t>(b)));
  for (const std::string& m : merges) {
    const size_t space = m.find(' ', 1);
    tokens.push_back(m.substr(0, space) + m.substr(space + 1));
  }
  std::vector<int32_t> types(tokens.size(), 1);
  tokens.insert(tokens.end(), more.begin(), more.end());
  types.insert(types.end(), more_types.begin(), more_types.end());
  types.resize(tokens.size(), 1);
  ModelFile f;
  f.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", pre).tokens(tokens).types(types);
  f.texts("tokenizer.ggml.merges", merges).number("tokenizer.ggml.bos_token_id", 0).number("tokenizer.ggml.eos_token_id", 1);
  return f;
}

TEST(TokenizerBpe, MergesByRankFromTheLeft) {
  ModelFile f = byte_level("gpt-2", {"a a", "l l", "h e", "he ll", "hell o", "Ġ w", "o r"});
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "hello")), (Pieces{"hello"}));
  EXPECT_EQ(pieces(*t, encode(*t, "aaaaa")), (Pieces{"aa", "aa", "a"}));
  EXPECT_EQ(pieces(*t, encode(*t, "hello word")), (Pieces{"hello", "Ġw", "or", "d"}));
  EXPECT_EQ(pieces(*t, encode(*t, "hel")), (Pieces{"he", "l"}));
  EXPECT_EQ(encode(*t, ""), Ids{});
}

TEST(TokenizerBpe, BytesOfOtherScriptsAndIllFormedText) {
  ModelFile f = byte_level("gpt-2", {});
  const auto t = f.open();
  const std::string text = "h\xC3\xA9 \xE4\xB8\xAD\xF0\x9F\xA6\x99";
  EXPECT_EQ(encode(*t, text).size(), text.size());
  EXPECT_EQ(t->decode(encode(*t, text), false), text);
  // each ill-formed byte is U+FFFD
  EXPECT_EQ(t->decode(encode(*t, "a\xFF\xC3"), false), "a\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(t->decode(encode(*t, "\xF4\x90\x80\x80"), false), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(TokenizerBpe, AWholeWordThatIsATokenNeedsNoMergesWhereTheModelSaysSo) {
  for (const auto& [pre, want] : std::vector<std::pair<std::string, Pieces>>{{"llama-bpe", {"abc"}}, {"gpt-2", {"a", "b", "c"}}}) {
    ModelFile f = byte_level(pre, {}, {"abc"}, {1});
    const auto t = f.open();
    EXPECT_EQ(pieces(*t, encode(*t, "abc")), want) << pre;
  }
}

TEST(TokenizerBpe, AWordAndTheSamePartOfALongerOneAreKeptApart) {
  // "abc" is a token that no merge reaches: the word is that token, the part of a long word is what the merges make of it, in any order
  ModelFile f = byte_level("llama-bpe", {"a b", "b c"}, {"abc"}, {1});
  const auto t = f.open();
  const std::string z(300, 'z');  // long enough for words to be remembered
  Pieces part(300, "z"), word = {"abc", "Ċ"};
  part.insert(part.end(), {"ab", "c"});
  for (bool part_first : {true, false}) {
    Pieces want = part_first ? part : word;
    if (part_first) want.insert(want.end(), {"Ċ", "abc"});
    else want.insert(want.end(), part.begin(), part.end());
    EXPECT_EQ(pieces(*t, encode(*t, part_first ? z + "abc\nabc" : "abc\n" + z + "abc")), want);
  }
}

TEST(TokenizerBpe, MergesOfTextsThatAreNoTokensFallBackOnBytes) {
  // "xy" is in no vocabulary: the merge applies, and then its bytes come out as tokens
  std::vector<std::string> tokens;
  for (uint32_t b = 0; b < 256; ++b) append_utf8(tokens.emplace_back(), char_of_byte(static_cast<uint8_t>(b)));
  tokens.push_back("yz");
  ModelFile f;
  f.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "gpt-2").tokens(tokens).texts("tokenizer.ggml.merges", {"x y", "y z", "qq", "é 中"});
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "xyz")), (Pieces{"x", "y", "z"}));  // not "x", "yz": the merge of rank 0 came first
  EXPECT_EQ(pieces(*t, encode(*t, "yz")), (Pieces{"yz"}));
}

TEST(TokenizerBpe, RawTextWithByteTokens) {  // Gemma 4: U+2581 for spaces, <0xNN> for what is unknown
  std::vector<std::string> tokens = {"<pad>", "<eos>", "<bos>", "▁", "a", "b", "ab", "▁ab", "\n", "\n\n"};
  std::vector<int32_t> types = {3, 3, 3, 1, 1, 1, 1, 1, 1, 1};
  for (uint32_t b = 0; b < 256; ++b) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", b);
    tokens.emplace_back(text);
    types.push_back(6);
  }
  ModelFile f;
  f.text("tokenizer.ggml.model", "gemma4").tokens(tokens).types(types).texts("tokenizer.ggml.merges", {"a b", "▁ ab"});
  f.number("tokenizer.ggml.bos_token_id", 2).flag("tokenizer.ggml.add_bos_token", false);
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "ab ab b\n\n")), (Pieces{"ab", "▁ab", "▁", "b", "\n\n"}));
  EXPECT_EQ(pieces(*t, encode(*t, "é")), (Pieces{"<0xC3>", "<0xA9>"}));
  EXPECT_EQ(t->decode(encode(*t, "ab é ab\n"), false), "ab é ab\n");
  EXPECT_TRUE(t->add_bos());  // these files say false by mistake
  EXPECT_EQ(encode(*t, "a", {}), (Ids{2, 4}));
}

TEST(TokenizerBpe, LongWordsMergeLikeShortOnes) {
  // the row and the heap against a plain loop over strings
  std::mt19937 rng(3);
  for (int round = 0; round < 200; ++round) {
    const std::string letters = "abc";
    std::vector<std::string> known = {"a", "b", "c"}, merges;
    for (int i = 0; i < 12; ++i) {
      const std::string l = known[rng() % known.size()], r = known[rng() % known.size()];
      if (l.size() + r.size() > 8 || std::find(known.begin(), known.end(), l + r) != known.end()) continue;
      merges.push_back(l + " " + r);
      known.push_back(l + r);
    }
    ModelFile f = byte_level("gpt-2", merges);
    const auto t = f.open();
    for (size_t size : {3u, 20u, 39u, 40u, 41u, 150u}) {
      std::string word;
      while (word.size() < size) word += letters[rng() % 3];
      Pieces want;
      for (char c : word) want.push_back(std::string(1, c));
      for (bool again = true; again;) {
        again = false;
        for (const std::string& m : merges) {
          const size_t space = m.find(' ');
          for (size_t i = 0; i + 1 < want.size() && !again; ++i)
            if (want[i] == m.substr(0, space) && want[i + 1] == m.substr(space + 1)) {
              want[i] += want[i + 1];
              want.erase(want.begin() + static_cast<ptrdiff_t>(i) + 1);
              again = true;
            }
          if (again) break;
        }
      }
      ASSERT_EQ(pieces(*t, encode(*t, word)), want) << word;
    }
  }
}

TEST(TokenizerBpe, SpecialTokensInTheText) {
  ModelFile f = byte_level("gpt-2", {}, {"<|im_end|>", "<|im", "  ", "<tool>", "end|>"}, {3, 3, 4, 1, 4});
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "a<|im_end|>b", kParsed)), (Pieces{"a", "<|im_end|>", "b"}));
  EXPECT_EQ(pieces(*t, encode(*t, "<|im_e", kParsed)), (Pieces{"<|im", "_", "e"}));
  // control tokens are text when they are not to be parsed; user-defined ones never are
  EXPECT_EQ(pieces(*t, encode(*t, "<|im_end|>")), (Pieces{"<", "|", "i", "m", "_", "end|>"}));
  EXPECT_EQ(pieces(*t, encode(*t, "a   b")), (Pieces{"a", "  ", "Ġ", "b"}));
  EXPECT_EQ(pieces(*t, encode(*t, "<tool>")).size(), 6u);
  EXPECT_EQ(t->decode(encode(*t, "a<|im_end|>b", kParsed), false), "ab");
  EXPECT_EQ(t->decode(encode(*t, "a<|im_end|>b", kParsed), true), "a<|im_end|>b");
  EXPECT_TRUE(t->is_end_of_generation(*t->find("<|im_end|>")));
  EXPECT_TRUE(t->is_end_of_generation(t->eos()));
  EXPECT_EQ(t->eot(), *t->find("<|im_end|>"));
}

TEST(TokenizerBpe, LongerSpecialTokensWinWhereverTheyOverlap) {
  ModelFile f = byte_level("gpt-2", {}, {"<ab>", "b>cd", ">cdef"}, {3, 3, 3});
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "<ab>cdef", kParsed)), (Pieces{"<", "a", "b", ">cdef"}));
  EXPECT_EQ(pieces(*t, encode(*t, "<ab>cd", kParsed)), (Pieces{"<ab>", "c", "d"}));  // equal lengths: from the left
}

TEST(TokenizerBpe, WellKnownTextsCorrectTheTypesOfTheFile) {
  ModelFile f = byte_level("gpt-2", {}, {"<|eot_id|>", "<|channel|>", "<|return|>", "<|call|>", "<|end|>"}, {1, 3, 3, 3, 3});
  const auto t = f.open();
  EXPECT_EQ(t->type(*t->find("<|eot_id|>")), TokenType::control);
  EXPECT_EQ(t->type(*t->find("<|channel|>")), TokenType::user_defined);
  EXPECT_TRUE(t->is_end_of_generation(*t->find("<|return|>")));
  EXPECT_FALSE(t->is_end_of_generation(*t->find("<|end|>")));  // gpt-oss separates messages with it
  EXPECT_FALSE(t->is_end_of_generation(-1));
}

TEST(TokenizerBpe, WhiteSpaceAfterSpecialTokensOfPhi3) {
  ModelFile f = byte_level("gpt-2", {}, {"<|user|>", "<s>"}, {3, 3});
  f.text("general.name", "My Phi-3 mini");
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "<|user|> \n a", kParsed)), (Pieces{"<|user|>", "a"}));
  EXPECT_EQ(pieces(*t, encode(*t, "<s> a", kParsed)), (Pieces{"<s>", "Ġ", "a"}));
}

TEST(TokenizerBpe, BosAsTheModelSays) {
  ModelFile llama = byte_level("llama-bpe", {});
  EXPECT_EQ(encode(*llama.open(), "a", {}).size(), 2u);  // implied by the pre-tokenizer
  EXPECT_EQ(encode(*llama.flag("tokenizer.ggml.add_bos_token", false).flag("tokenizer.ggml.add_eos_token", true).open(), "a", {}).back(), 1);
  ModelFile glm = byte_level("glm4", {});
  EXPECT_EQ(encode(*glm.open(), "a", {}).size(), 1u);
}

}  // namespace
