// The loop from a prompt to text, on a model that talks nonsense in bytes.
#include <gtest/gtest.h>

#include "mainspring/mainspring.h"
#include "support/arch_model.h"

namespace mainspring::inline v0 {
namespace {

struct Fixture : testing::Test {
  Fixture() : bytes(test::text_model().file()), model(*Model::open(std::as_bytes(std::span(bytes)))) {}
  Session session(int64_t context = 64) { return *Session::create(model, {.max_context = context, .threads = 1}); }
  std::string bytes;
  Model model;
};
using Generate = Fixture;
using Stream = Fixture;

GenerateOptions options(int64_t n, uint64_t seed = 1) {
  GenerateOptions o;
  o.max_tokens = n;
  o.ignore_end = true;
  o.sampling.seed = seed;
  o.sampling.temperature = 1.5f;
  return o;
}

TEST_F(Stream, NeverSplitsACharacter) {
  const std::string text = "a\xc3\xbc\xe4\xbd\xa0\xf0\x9f\x98\x80z";
  auto stream = TextStream::create(model);
  ASSERT_TRUE(stream);
  std::vector<std::string> pieces;
  for (const char c : text)
    if (const auto piece = stream->push(static_cast<uint8_t>(c)); !piece.empty()) pieces.emplace_back(piece);
  EXPECT_EQ(pieces, (std::vector<std::string>{"a", "\xc3\xbc", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80", "z"}));
  EXPECT_EQ(stream->finish(), "");
}

TEST_F(Stream, BrokenBytesBecomeReplacements) {
  auto stream = TextStream::create(model);
  ASSERT_TRUE(stream);
  std::string out;
  for (const int byte : {0x61, 0xff, 0x62, 0xe4, 0xbd}) out += stream->push(byte);
  out += stream->finish();
  EXPECT_EQ(out.substr(0, 5), "a\xef\xbf\xbd" "b");
  EXPECT_TRUE(out.ends_with("\xef\xbf\xbd"));
}

TEST_F(Generate, TextIsWhatWasStreamedAndRepeats) {
  Session a = session(), b = session();
  std::string streamed;
  std::vector<int32_t> ids;
  auto r = generate(a, "Hello", options(30), [&](std::string_view piece, int32_t id) {
    streamed += piece;
    if (id >= 0) ids.push_back(id);
    return true;
  });
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->tokens.size(), 30u);
  EXPECT_EQ(r->finish, Finish::max_tokens);
  EXPECT_EQ(r->text, streamed);
  EXPECT_EQ(r->tokens, ids);
  auto again = generate(b, "Hello", options(30));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->tokens, r->tokens);
  Session c = session();
  EXPECT_NE(generate(c, "Hello", options(30, 2))->tokens, r->tokens);
}

TEST_F(Generate, StopsWhereItIsTold) {
  Session s = session();
  int n = 0;
  auto stopped = generate(s, "Hi", options(30), [&](std::string_view, int32_t) { return ++n < 4; });
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->finish, Finish::stopped);
  EXPECT_EQ(stopped->tokens.size(), 4u);

  Session e = session();
  GenerateOptions end = options(30);
  end.ignore_end = false;
  end.sampling.logit_bias = {{257, 1000}};
  auto ended = generate(e, "Hi", end);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->finish, Finish::end_token);
  EXPECT_EQ(ended->tokens, std::vector<int32_t>{257});
  EXPECT_EQ(ended->text, "");

  Session z = session();
  auto none = generate(z, "Hi", options(0));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->tokens.empty());
  EXPECT_EQ(z.position(), 3);
}

TEST_F(Generate, AFullContextEndsIt) {
  Session s = session(10);
  auto r = generate(s, "Hello", options(30));  // BOS and 5 bytes
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->finish, Finish::context_full);
  EXPECT_EQ(r->tokens.size(), 5u);
  Session t = session(4);
  const auto refused = generate(t, "Hello", options(30));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::resource_exhausted);
}

TEST_F(Generate, CancelGivesWhatThereIs) {
  std::atomic<bool> stop{false};
  Session s = session();
  GenerateOptions o = options(30);
  o.cancel = &stop;
  int n = 0;
  auto r = generate(s, "Hello", o, [&](std::string_view, int32_t) {
    if (++n == 3) stop = true;
    return true;
  });
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->finish, Finish::cancelled);
  EXPECT_EQ(r->tokens.size(), 3u);
  Session p = session();
  auto early = generate(p, "Hello", o);
  ASSERT_TRUE(early);
  EXPECT_EQ(early->finish, Finish::cancelled);
  EXPECT_TRUE(early->tokens.empty());
}

TEST_F(Generate, RefusesWhatMakesNoSense) {
  Session s = session();
  EXPECT_EQ(generate(s, std::span<const int32_t>(), options(3)).error().code, Errc::invalid_argument);
  EXPECT_EQ(generate(s, "a", options(-1)).error().code, Errc::invalid_argument);
  GenerateOptions bad = options(3);
  bad.sampling.top_p = 7;
  EXPECT_EQ(generate(s, "a", bad).error().code, Errc::invalid_argument);
  EXPECT_EQ(s.position(), 0) << "nothing was fed";
}

TEST_F(Generate, ChatHasOneBeginning) {
  const ChatMessage messages[] = {{"user", "Hi"}};
  auto ids = tokenize_chat(model, messages);
  ASSERT_TRUE(ids) << ids.error().message;
  EXPECT_EQ(std::count(ids->begin(), ids->end(), 256), 1);
  EXPECT_EQ(ids->front(), 256);
  const auto text = detokenize(model, *ids);
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "[user]Hi\n[assistant]");
}

}  // namespace
}  // namespace mainspring::inline v0
