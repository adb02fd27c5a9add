// What a Session refuses, and how it says so.
#include "runtime/runner.h"

namespace mainspring::inline v0::test {
namespace {

struct Fixture {
  explicit Fixture(const char* name = "phi3-dense") : bytes(arch_model(zoo_model(name)).file()), model(open_file(bytes)) {}
  std::string bytes;
  Model model;
};

void expect_error(const Result<Session>& r, Errc code, std::string_view part) {
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, code);
  EXPECT_NE(r.error().message.find(part), std::string::npos) << r.error().message;
}
void expect_error(const Result<StepResult>& r, Errc code, std::string_view part) {
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, code);
  EXPECT_NE(r.error().message.find(part), std::string::npos) << r.error().message;
}

TEST(SessionOptions, OutOfRangeIsNamed) {
  const Fixture f;
  expect_error(Session::create(f.model, {.max_context = -1}), Errc::invalid_argument, "max_context is -1");
  expect_error(Session::create(f.model, {.max_context = int64_t{1} << 60}), Errc::invalid_argument, "max_context");
  expect_error(Session::create(f.model, {.max_sequences = 0}), Errc::invalid_argument, "max_sequences is 0");
  expect_error(Session::create(f.model, {.max_batch_tokens = 0}), Errc::invalid_argument, "max_batch_tokens is 0");
  expect_error(Session::create(f.model, {.max_output_rows = -1}), Errc::invalid_argument, "max_output_rows is -1");
  expect_error(Session::create(f.model, {.threads = 5000}), Errc::invalid_argument, "threads is 5000");
}

TEST(SessionOptions, ATableOfPositionsBoundsTheContext) {
  const Fixture f("gpt2-dense");
  int64_t rows = 0;
  for (const WeightInfo& w : f.model.weights())
    if (w.name == "position_embd.weight") rows = w.shape[0];
  ASSERT_GT(rows, 0);
  expect_error(Session::create(f.model, {.max_context = rows + 1}), Errc::invalid_argument, "the model's table of positions has");
  Session session = open_session(f.model, {});
  EXPECT_LE(session.options().max_context, rows);
  Session whole = open_session(f.model, {.max_context = rows});
  EXPECT_TRUE(whole.step(ids(static_cast<size_t>(rows), f.model.vocabulary_size())));
  expect_error(whole.step(ids(1, f.model.vocabulary_size())), Errc::resource_exhausted, "max_context is");
}

TEST(Step, RefusesBeforeAnythingChanges) {
  const Fixture f;
  Session session = open_session(f.model, {.max_context = 32, .max_sequences = 2});
  const std::vector<int32_t> good = ids(8, f.model.vocabulary_size()), bad{1, static_cast<int32_t>(f.model.vocabulary_size())}, negative{-1}, many = ids(33, 64);
  ASSERT_TRUE(session.step(good));
  expect_error(session.step(bad), Errc::invalid_argument, "token 1 of item 0");
  expect_error(session.step(negative), Errc::invalid_argument, "is -1");
  expect_error(session.step(std::span<const int32_t>()), Errc::invalid_argument, "no tokens");
  expect_error(session.step(std::span<const StepItem>()), Errc::invalid_argument, "no items");
  expect_error(session.step(good, 2), Errc::invalid_argument, "sequence 2");
  expect_error(session.step(good, -1), Errc::invalid_argument, "sequence -1");
  expect_error(session.step(many, 1), Errc::resource_exhausted, "max_context is 32");
  const StepItem twice[] = {{0, good, Logits::last}, {0, good, Logits::last}};
  expect_error(session.step(twice), Errc::invalid_argument, "twice");
  const StepItem rows{0, good, Logits::all};
  expect_error(session.step(std::span(&rows, 1)), Errc::resource_exhausted, "max_output_rows is 2");
  EXPECT_EQ(session.position(0), 8);
  EXPECT_EQ(session.position(1), 0);
  EXPECT_EQ(session.truncate(0, 9).error().code, Errc::invalid_argument);
  EXPECT_EQ(session.truncate(0, -1).error().code, Errc::invalid_argument);
  EXPECT_EQ(session.truncate(7, 0).error().code, Errc::invalid_argument);
  EXPECT_TRUE(session.step(good));
}

TEST(Explain, NamesEachKernel) {
  const Fixture f;
  Session session = open_session(f.model, {.max_context = 32});
  EXPECT_NE(session.explain().find("attention"), std::string::npos);
  const std::string json = session.explain(true);
  EXPECT_EQ(json.front(), '[');
  EXPECT_NE(json.find("\"kernel\":"), std::string::npos);
}

}  // namespace
}  // namespace mainspring::inline v0::test
