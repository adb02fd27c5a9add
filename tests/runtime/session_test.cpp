// What a Session refuses, and how it says so.
#include <cmath>
#include <cstdlib>

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

TEST(SessionOptions, KeysAndValuesAreKeptInWhatIsAskedFor) {
  const Fixture f;
  const std::vector<int32_t> tokens = ids(100, f.model.vocabulary_size());
  Rows f32_logits;
  size_t f32_bytes = 0;
  for (const DType t : {DType::f32, DType::f16, DType::q8_0}) {
    Session session = open_session(f.model, {.max_context = 100, .max_output_rows = 100, .kv_dtype = t});
    EXPECT_EQ(session.options().kv_dtype, t);
    EXPECT_EQ(session.memory().kv, Session::plan_memory(f.model, {.max_context = 100, .kv_dtype = t})->kv) << name_of(t);
    EXPECT_NE(session.explain().find(std::string(".") + name_of(t)), std::string::npos) << session.explain();
    const Rows logits = feed(session, tokens, {37});
    if (t == DType::f32) {
      f32_logits = logits;
      f32_bytes = session.memory().kv;
      continue;
    }
    EXPECT_LT(session.memory().kv, f32_bytes * (t == DType::f16 ? 51 : 40) / 100) << name_of(t);
    EXPECT_FALSE(same_bits(logits, f32_logits)) << name_of(t);
    double off = 0, size = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      off += std::pow(static_cast<double>(logits[i]) - static_cast<double>(f32_logits[i]), 2);
      size += std::pow(static_cast<double>(f32_logits[i]), 2);
    }
    EXPECT_LT(std::sqrt(off / size), t == DType::f16 ? 0.002 : 0.02) << name_of(t);
  }
  EXPECT_EQ(open_session(f.model, {}).options().kv_dtype, DType::f16);
  EXPECT_EQ(open_session(f.model, {.exact = true}).options().kv_dtype, DType::f32);
  expect_error(Session::create(f.model, {.kv_dtype = DType::bf16}), Errc::invalid_argument, "kv_dtype is bf16, expected f32, f16 or q8_0");
  expect_error(Session::create(f.model, {.exact = true, .kv_dtype = DType::q8_0}), Errc::invalid_argument, "an exact session keeps keys and values in f32");
}

TEST(Passes, KeysRotatedOnTheWayIntoTheirBlockAreTheSameBits) {
  for (const char* name : {"phi3-dense", "gemma3-dense"})
    for (const DType kv : {DType::f16, DType::q8_0}) {
      Rows logits[2];
      for (const bool fused : {false, true}) {
        ASSERT_EQ(setenv("MAINSPRING_PASSES", fused ? "" : "-fuse_rope_store", 1), 0);
        const Fixture f(name);
        unsetenv("MAINSPRING_PASSES");
        Session session = open_session(f.model, {.max_context = 150, .max_output_rows = 150, .threads = 2, .kv_dtype = kv});
        EXPECT_EQ(session.explain().find("rope_kv_store") != std::string::npos, fused) << name;
        logits[fused] = feed(session, ids(150, f.model.vocabulary_size()), {70, 1, 30});
      }
      EXPECT_TRUE(same_bits(logits[0], logits[1])) << name << " " << name_of(kv);
    }
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
