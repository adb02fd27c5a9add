// Metadata that contradicts itself: an Error, or a tokenizer that works on what is there. Never a crash.
#include <gtest/gtest.h>

#include <random>

#include "model_file.h"

namespace {

using namespace mainspring;
using namespace mainspring::tokenizer_test;

Errc code_of(ModelFile& f) {
  const auto r = f.create();
  EXPECT_FALSE(r);
  return r ? Errc::internal : r.error().code;
}

TEST(TokenizerHostile, MissingAndMistypedKeys) {
  ModelFile nothing;
  EXPECT_EQ(code_of(nothing), Errc::not_found);
  ModelFile model;
  model.text("tokenizer.ggml.model", "llama");
  EXPECT_EQ(code_of(model), Errc::not_found);
  ModelFile unknown;
  EXPECT_EQ(code_of(unknown.text("tokenizer.ggml.model", "mystery")), Errc::unsupported);
  ModelFile number;
  EXPECT_EQ(code_of(number.number("tokenizer.ggml.model", 3)), Errc::unsupported);
  ModelFile scalar;
  EXPECT_EQ(code_of(scalar.text("tokenizer.ggml.model", "llama").text("tokenizer.ggml.tokens", "a")), Errc::corrupt_data);
  ModelFile empty;
  EXPECT_EQ(code_of(empty.text("tokenizer.ggml.model", "llama").tokens({})), Errc::corrupt_data);
  ModelFile merges;
  EXPECT_EQ(code_of(merges.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "gpt-2").tokens({"a"})), Errc::not_found);
  ModelFile pre;
  EXPECT_EQ(code_of(pre.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "zzz").tokens({"a"})), Errc::unsupported);
}

TEST(TokenizerHostile, ArraysTooShort) {
  ModelFile types;
  EXPECT_EQ(code_of(types.text("tokenizer.ggml.model", "llama").tokens({"a", "b"}).types({1})), Errc::corrupt_data);
  ModelFile scores;
  EXPECT_EQ(code_of(scores.text("tokenizer.ggml.model", "llama").tokens({"a", "b"}).scores({1})), Errc::corrupt_data);
  // a count that the bytes do not hold
  ModelFile count;
  MetaValue v;
  v.type = MetaValue::Type::array;
  v.element = MetaValue::Type::i32;
  v.count = uint64_t{1} << 60;
  EXPECT_EQ(code_of(count.text("tokenizer.ggml.model", "llama").tokens({"a", "b"}).set("tokenizer.ggml.token_type", v)), Errc::corrupt_data);
}

TEST(TokenizerHostile, IdsOutOfRangeAndOddTypesAreLeftOut) {
  ModelFile f;
  f.text("tokenizer.ggml.model", "llama").tokens({"", "a", "a", ""}).types({77, -5, 1, 0});
  f.number("tokenizer.ggml.bos_token_id", 900).number("tokenizer.ggml.eos_token_id", -7).number("tokenizer.ggml.unknown_token_id", int64_t{1} << 40);
  const auto t = f.open();
  EXPECT_EQ(t->bos(), 1);  // the kind's default, as it is in range
  EXPECT_EQ(t->eos(), 2);
  EXPECT_EQ(encode(*t, "a").back(), 2);
  EXPECT_EQ(t->text(99), "");
  EXPECT_EQ(t->text(-1), "");
  EXPECT_EQ(t->type(99), TokenType::unused);
  ModelFile one;
  EXPECT_EQ(one.text("tokenizer.ggml.model", "llama").tokens({"x"}).open()->bos(), -1);
}

TEST(TokenizerHostile, RandomVocabularies) {
  std::mt19937 rng(21);
  const std::vector<std::string> parts = {"a", "b", "Ġ", "▁", " ", "<", ">", "|", "\xFF", "\xE2\x96", "é", "中", "<0x41>", "<0x", "", "\\x4", "\\", "</s>", "<|im_end|>", std::string(1, '\0')};
  const auto random_text = [&] {
    std::string s;
    for (size_t n = rng() % 4; n > 0; --n) s += parts[rng() % parts.size()];
    return s;
  };
  const std::vector<std::string> models = {"llama", "gpt2", "t5", "bert", "rwkv", "gemma4", "whitespace"};
  const std::vector<std::string> pres = {"gpt-2", "llama-bpe", "default", "gemma4", "whitespace", "tekken"};
  for (int round = 0; round < 600; ++round) {
    ModelFile f;
    std::vector<std::string> tokens, merges;
    std::vector<int32_t> types;
    std::vector<float> scores;
    for (size_t n = 1 + rng() % 30; n > 0; --n) {
      tokens.push_back(random_text());
      types.push_back(static_cast<int32_t>(rng() % 8));
      scores.push_back(static_cast<float>(rng() % 7) - 3);
      merges.push_back(random_text() + (rng() % 4 ? " " : "") + random_text());
    }
    f.text("tokenizer.ggml.model", models[rng() % models.size()]).text("tokenizer.ggml.pre", pres[rng() % pres.size()]).tokens(tokens);
    f.types(types).scores(scores).texts("tokenizer.ggml.merges", merges).text("general.name", rng() % 2 ? "phi-3" : "x");
    f.flag("tokenizer.ggml.add_space_prefix", rng() % 2).flag("tokenizer.ggml.remove_extra_whitespaces", rng() % 2);
    for (const char* key : {"bos", "eos", "unknown", "seperator", "eot"})
      if (rng() % 2) f.number(std::string("tokenizer.ggml.") + key + "_token_id", static_cast<int32_t>(rng() % 40) - 3);
    const auto t = f.create();
    ASSERT_TRUE(t) << t.error().message;
    for (int i = 0; i < 8; ++i) {
      std::string text;
      for (size_t n = rng() % 60; n > 0; --n) text += parts[rng() % parts.size()];
      const Ids ids = encode(**t, text, {.add_special = rng() % 2 == 0, .parse_special = rng() % 2 == 0});
      for (int32_t id : ids) {
        ASSERT_GE(id, 0);
        ASSERT_LT(id, (*t)->vocab_size());
      }
      (*t)->decode(ids, true);
    }
  }
}

TEST(TokenizerHostile, NestedSpecialTokensInALongRun) {
  // 31 nested tokens at each of 20 000 places: memory stays in proportion to the text
  std::vector<std::string> tokens = {"x"};
  std::vector<int32_t> types = {1};
  for (size_t n = 1; n < 32; ++n) {
    tokens.emplace_back(n, '\n');
    types.push_back(4);
  }
  ModelFile f;
  const auto t = f.text("tokenizer.ggml.model", "llama").tokens(tokens).types(types).open();
  const Ids ids = encode(*t, std::string(20000, '\n'));
  EXPECT_EQ(ids.size(), 20000u / 31 + 1);
  EXPECT_EQ(ids.front(), 31);
  EXPECT_EQ(ids.back(), static_cast<int32_t>(20000 % 31));
}

}  // namespace
