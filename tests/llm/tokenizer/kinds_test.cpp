// SentencePiece, unigram, WordPiece, RWKV, and models without a vocabulary.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "model_file.h"

namespace {

using namespace mainspring;
using namespace mainspring::tokenizer_test;

std::string byte_token(uint32_t b) {
  char text[8];
  std::snprintf(text, sizeof text, "<0x%02X>", b);
  return text;
}

/// <unk> <s> </s>, 256 bytes, then `words` with their scores.
ModelFile sentencepiece(const std::vector<std::pair<std::string, float>>& words) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> types = {2, 3, 3};
  std::vector<float> scores(3, 0.0f);
  for (uint32_t b = 0; b < 256; ++b) {
    tokens.push_back(byte_token(b));
    types.push_back(6);
    scores.push_back(0);
  }
  for (const auto& [text, score] : words) {
    tokens.push_back(text);
    types.push_back(1);
    scores.push_back(score);
  }
  ModelFile f;
  f.text("tokenizer.ggml.model", "llama").tokens(tokens).types(types).scores(scores);
  return f;
}

TEST(TokenizerSentencePiece, MergesByScoreAndFallsBackOnBytes) {
  ModelFile f = sentencepiece({{"▁", -1}, {"a", -2}, {"b", -3}, {"c", -4}, {"ab", -5}, {"bc", -4.5f}, {"▁a", -7}, {"▁ab", -6}});
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "ab")), (Pieces{"▁ab"}));
  EXPECT_EQ(pieces(*t, encode(*t, "abc")), (Pieces{"▁a", "bc"}));  // "bc" scores above "ab"
  EXPECT_EQ(pieces(*t, encode(*t, "ab a")), (Pieces{"▁ab", "▁a"}));
  EXPECT_EQ(pieces(*t, encode(*t, "é")), (Pieces{"▁", "<0xC3>", "<0xA9>"}));
  EXPECT_EQ(pieces(*t, encode(*t, "\xFF\xC3")), (Pieces{"▁", "<0xFF>", "<0xC3>"}));
  EXPECT_EQ(encode(*t, "", {}), (Ids{1}));
  EXPECT_EQ(encode(*t, ""), Ids{});
}

TEST(TokenizerSentencePiece, TheSpaceInFront) {
  ModelFile f = sentencepiece({{"▁", -1}, {"a", -2}, {"▁a", -3}});
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "a<s>a", kParsed)), (Pieces{"▁a", "<s>", "▁a"}));
  EXPECT_EQ(t->decode(encode(*t, "a a", {}), false), "a a");
  EXPECT_EQ(t->decode(encode(*t, " a"), false), " a");
  EXPECT_EQ(t->decode(Ids{1, *t->find("▁a")}, true), "<s> a");
  const auto bare = f.flag("tokenizer.ggml.add_space_prefix", false).open();
  EXPECT_EQ(pieces(*bare, encode(*bare, "a")), (Pieces{"a"}));
  EXPECT_EQ(bare->decode(encode(*bare, " a"), false), " a");
}

/// Merging over the whole text at once, as the definition says.
Pieces merge_whole(const std::map<std::string, float>& scores, const Pieces& characters) {
  Pieces p = characters;
  for (;;) {
    size_t best = p.size();
    float best_score = 0;
    for (size_t i = 0; i + 1 < p.size(); ++i) {
      const auto it = scores.find(p[i] + p[i + 1]);
      if (it != scores.end() && (best == p.size() || it->second > best_score)) {
        best = i;
        best_score = it->second;
      }
    }
    if (best == p.size()) return p;
    p[best] += p[best + 1];
    p.erase(p.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
}

TEST(TokenizerSentencePiece, CuttingTheTextChangesNothing) {
  std::mt19937 rng(5);
  const Pieces letters = {"▁", "a", "b", "é", "中"};
  for (int round = 0; round < 150; ++round) {
    std::map<std::string, float> scores;
    for (const std::string& l : letters) scores[l] = -50;
    for (int i = 0; i < 15; ++i) {
      std::string w;
      for (size_t n = 2 + rng() % 3; n > 0; --n) w += letters[rng() % letters.size()];
      scores[w] = -static_cast<float>(rng() % 9);  // equal scores too
    }
    std::vector<std::pair<std::string, float>> words(scores.begin(), scores.end());
    ModelFile f = sentencepiece(words);
    const auto t = f.flag("tokenizer.ggml.add_space_prefix", false).open();
    for (size_t size : {1u, 10u, 300u}) {  // the last is long enough to be cut
      Pieces characters;
      std::string text;
      while (characters.size() < size) {
        characters.push_back(letters[rng() % letters.size()]);
        text += characters.back() == "▁" ? " " : characters.back();
      }
      ASSERT_EQ(pieces(*t, encode(*t, text)), merge_whole(scores, characters)) << text;
    }
  }
}

TEST(TokenizerSentencePiece, HostileScores) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  ModelFile f = sentencepiece({{"a", nan}, {"b", nan}, {"ab", nan}, {"ba", inf}, {"aba", -inf}, {"▁", -0.0f}});
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "abababab")), (Pieces{"▁", "aba", "ba", "ba", "b"}));  // NaN comes last of all
}

// a charsmap with one rule: "A" -> "b". Root at unit 0 with base 1: child 1^'A', its value at base 2 from there.
std::vector<uint8_t> charsmap() {
  std::vector<uint32_t> units(256, 0);
  units[0] = 1u << 10;
  const uint32_t a = 1u ^ 'A';
  units[a] = 'A' | 1u << 8 | 2u << 10;
  units[a ^ 2u] = 1u << 31 | 0;  // offset of the replacement
  std::vector<uint8_t> blob(4 + 1024 + 2);
  const uint32_t bytes = 1024;
  std::memcpy(blob.data(), &bytes, 4);
  std::memcpy(blob.data() + 4, units.data(), 1024);
  blob[4 + 1024] = 'b';
  return blob;
}

ModelFile unigram() {
  ModelFile f;
  f.text("tokenizer.ggml.model", "t5").tokens({"<pad>", "</s>", "<unk>", "▁", "a", "b", "ab", "▁a", "▁ab", "[X]"});
  f.types({3, 3, 2, 1, 1, 1, 1, 1, 1, 4}).scores({0, 0, 0, -2, -3, -3, -4, -4, -9, 0}).flag("tokenizer.ggml.add_space_prefix", true);
  return f;
}

TEST(TokenizerUnigram, TheBestSum) {
  ModelFile f = unigram();
  const auto t = f.flag("tokenizer.ggml.remove_extra_whitespaces", true).open();
  EXPECT_EQ(pieces(*t, encode(*t, "ab")), (Pieces{"▁", "ab"}));       // -6 against -7 and -9
  EXPECT_EQ(pieces(*t, encode(*t, "  a   ab ")), (Pieces{"▁a", "▁", "ab"}));
  EXPECT_EQ(pieces(*t, encode(*t, "éüa")), (Pieces{"▁", "<unk>", "a"}));  // a run of unknowns is one token
  EXPECT_EQ(pieces(*t, encode(*t, "a", {})), (Pieces{"▁a", "</s>"}));
  EXPECT_EQ(pieces(*t, encode(*t, "a[X]b")), (Pieces{"▁a", "[X]", "▁", "b"}));  // cut out before anything else
  EXPECT_EQ(encode(*t, "   "), Ids{});
  EXPECT_EQ(t->decode(encode(*t, "a ab"), false), "a ab");
}

TEST(TokenizerUnigram, Charsmap) {
  ModelFile f = unigram();
  const auto t = f.numbers("tokenizer.ggml.precompiled_charsmap", MetaValue::Type::u8, charsmap()).open();
  EXPECT_EQ(pieces(*t, encode(*t, "aA")), pieces(*t, encode(*t, "ab")));
}

TEST(TokenizerUnigram, HostileCharsmaps) {
  const std::vector<uint8_t> good = charsmap();
  for (size_t cut : {1u, 3u, 4u, 100u, 1027u, 1028u}) {
    ModelFile f = unigram();
    EXPECT_FALSE(f.numbers("tokenizer.ggml.precompiled_charsmap", MetaValue::Type::u8, std::vector<uint8_t>(good.begin(), good.begin() + static_cast<ptrdiff_t>(cut))).create()) << cut;
  }
  std::mt19937 rng(9);
  for (int i = 0; i < 300; ++i) {
    std::vector<uint8_t> bad = good;
    for (int k = 0; k < 40; ++k) bad[4 + rng() % (bad.size() - 4)] = static_cast<uint8_t>(rng());
    ModelFile f = unigram();
    const auto t = f.numbers("tokenizer.ggml.precompiled_charsmap", MetaValue::Type::u8, bad).open();
    for (const char* text : {"ABCabc", "AAAA \xFF é"}) {
      const auto r = t->encode(text, {});
      if (!r) {
        EXPECT_EQ(r.error().code, Errc::corrupt_data);
      }
    }
  }
}

TEST(TokenizerWordPiece, WordsAndTheirParts) {
  ModelFile f;
  f.text("tokenizer.ggml.model", "bert").tokens({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁hello", "▁world", "s", "▁,", "▁apfel", "▁中"});
  f.types({3, 3, 3, 3, 1, 1, 1, 1, 1, 1}).number("tokenizer.ggml.unknown_token_id", 1).number("tokenizer.ggml.cls_token_id", 2);
  f.number("tokenizer.ggml.seperator_token_id", 3);
  const auto t = f.open();
  EXPECT_EQ(pieces(*t, encode(*t, "Hello,  worlds", {})), (Pieces{"[CLS]", "▁hello", "▁,", "▁world", "s", "[SEP]"}));
  EXPECT_EQ(pieces(*t, encode(*t, "Äpfel A\u0308pfel")), (Pieces{"▁apfel", "▁apfel"}));
  EXPECT_EQ(pieces(*t, encode(*t, "hello中hello")), (Pieces{"▁hello", "▁中", "▁hello"}));
  EXPECT_EQ(pieces(*t, encode(*t, "worldx hello")), (Pieces{"[UNK]", "▁hello"}));  // all of the word or nothing
  EXPECT_EQ(pieces(*t, encode(*t, "hel\u200blo\xFF hello")), (Pieces{"▁hello", "▁hello"}));
  EXPECT_EQ(t->decode(encode(*t, "Hello, worlds", {}), false), "hello, worlds");
  for (bool special : {false, true}) {
    const Ids ids = encode(*t, "Hello, worlds, hello", {});
    StreamDecoder d(*t, special);
    std::string got;
    for (int32_t id : ids) got += d.push(id);
    EXPECT_EQ(got + std::string(d.finish()), t->decode(ids, special));
  }
}

TEST(TokenizerRwkv, LongestMatchAndEscapes) {
  ModelFile f;
  f.text("tokenizer.ggml.model", "rwkv").tokens({"<s>", "a", "ab", "\\n", "\\x00", "\\\\", "abcd", "\\xe4\\xb8\\xad"});
  const auto t = f.open();
  EXPECT_EQ(encode(*t, std::string_view("aab\n\0\\abc", 9)), (Ids{1, 2, 3, 4, 5, 2}));  // "c" is unknown and dropped
  EXPECT_EQ(t->decode(encode(*t, "ab\n中"), false), "ab\n中");
}

TEST(TokenizerNone, KnowsOnlyTheNumberOfIds) {
  ModelFile f;
  f.text("tokenizer.ggml.model", "none").text("general.architecture", "llama").number("llama.vocab_size", 320);
  const auto t = f.open();
  EXPECT_EQ(t->vocab_size(), 320);
  EXPECT_EQ(t->bos(), -1);
  const auto r = t->encode("a", {});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::unsupported);
  EXPECT_EQ(t->decode(Ids{1, 2, 400, -1}, true), "");
  EXPECT_FALSE(t->is_end_of_generation(0));
}

}  // namespace
