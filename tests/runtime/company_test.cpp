// Bits do not depend on company (design §2): a row's logits are the same for any threads, chunks, neighbours and rewinds.
#include <algorithm>
#include <cmath>

#include "runtime/runner.h"

namespace mainspring::inline v0::test {
namespace {

constexpr size_t kTokens = 150;  // three KV blocks, the last one not full

struct Case {
  const char* model;
  DType matrices;
  bool exact;
  const char* isa;  // "" is the machine's best
  std::optional<DType> kv = {};
};
std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  std::string s = std::string(info.param.model) + "_" + name_of(info.param.matrices) + (info.param.exact ? "_exact" : "") + (*info.param.isa ? "_" : "") + info.param.isa +
                  (info.param.kv ? std::string("_kv_") + name_of(*info.param.kv) : "");
  std::replace(s.begin(), s.end(), '-', '_');
  return s;
}

class Company : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    bytes_ = arch_model(zoo_model(GetParam().model)).file(GetParam().matrices);
    model_.emplace(open_file(bytes_, {.cpu_isa = GetParam().isa}));
    tokens_ = ids(kTokens, model_->vocabulary_size());
    Session session = make({});
    want_ = feed(session, tokens_);
    ASSERT_EQ(want_.size(), kTokens * static_cast<size_t>(model_->vocabulary_size()));
    ASSERT_TRUE(std::all_of(want_.begin(), want_.end(), [](float x) { return std::isfinite(x); }));
  }
  Session make(SessionOptions o) {
    o.max_context = 200;
    o.max_output_rows = 512;
    o.exact = GetParam().exact;
    o.kv_dtype = GetParam().kv;
    if (o.threads == 0) o.threads = 1;
    return open_session(*model_, o);
  }
  size_t vocabulary() const { return static_cast<size_t>(model_->vocabulary_size()); }

  std::string bytes_;
  std::optional<Model> model_;
  std::vector<int32_t> tokens_;
  Rows want_;
};

TEST_P(Company, ThreadsDoNotMatter) {
  for (int threads : {2, 3, 7}) {
    Session session = make({.threads = threads});
    EXPECT_TRUE(same_bits(feed(session, tokens_), want_)) << threads << " threads";
  }
}

TEST_P(Company, ChunksDoNotMatter) {
  for (const auto& chunks : std::vector<std::vector<size_t>>{{1}, {63, 1, 2, 5, 31}, {64}, {100, 3}}) {
    Session session = make({.threads = 2});
    EXPECT_TRUE(same_bits(feed(session, tokens_, chunks), want_)) << "chunks from " << chunks[0];
  }
  for (int rows : {1, 5, 64}) {
    Session session = make({.max_batch_tokens = rows});
    EXPECT_TRUE(same_bits(feed(session, tokens_), want_)) << "passes of " << rows;
  }
}

TEST_P(Company, NeighboursDoNotMatter) {
  Session session = make({.max_sequences = 4, .max_batch_tokens = 48, .threads = 2});
  const std::vector<int32_t> other = ids(190, model_->vocabulary_size(), 77);
  feed(session, std::span(other).first(33), {9}, 0);
  Rows got;
  for (size_t at = 0, turn = 0; at < kTokens; ++turn) {
    const size_t n = std::min<size_t>(1 + turn * 7 % 40, kTokens - at), m = 1 + turn % 3;
    const size_t held0 = static_cast<size_t>(session.position(0)), held3 = static_cast<size_t>(session.position(3));
    std::vector<StepItem> items{{3, std::span(other).subspan(held3, 2 * m), Logits::last}, {2, std::span(tokens_).subspan(at, n), Logits::all}};
    if (held0 + m <= other.size() && turn % 2 == 0) items.push_back({0, std::span(other).subspan(held0, m), Logits::none});
    auto r = session.step(items);
    ASSERT_TRUE(r) << r.error().message;
    ASSERT_EQ(r->rows, static_cast<int64_t>(n) + 1);
    got.insert(got.end(), r->logits + r->vocabulary, r->logits + r->rows * r->vocabulary);
    at += n;
  }
  EXPECT_TRUE(same_bits(got, want_));
}

TEST_P(Company, RewindAndReplayIsAStraightRun) {
  Session session = make({});
  feed(session, std::span(tokens_).first(70), {11});
  const std::vector<int32_t> wrong = ids(60, model_->vocabulary_size(), 5);
  feed(session, wrong, {60});
  const size_t keep = model_->is_recurrent() ? 0 : 67;
  ASSERT_TRUE(session.truncate(0, static_cast<int64_t>(keep)));
  const Rows tail = feed(session, std::span(tokens_).subspan(keep), {4, 50});
  EXPECT_TRUE(same_bits(tail, Rows(want_.begin() + static_cast<std::ptrdiff_t>(keep * vocabulary()), want_.end())));
  if (model_->is_recurrent()) {
    const auto partly = session.truncate(0, 5);
    ASSERT_FALSE(partly);
    EXPECT_EQ(partly.error().code, Errc::unsupported);
  }
}

TEST_P(Company, LastIsTheLastOfAll) {
  Session session = make({.max_batch_tokens = 40});
  auto r = session.step(tokens_);
  ASSERT_TRUE(r) << r.error().message;
  ASSERT_EQ(r->rows, 1);
  EXPECT_TRUE(same_bits(Rows(r->logits, r->logits + vocabulary()), Rows(want_.end() - static_cast<std::ptrdiff_t>(vocabulary()), want_.end())));
}

INSTANTIATE_TEST_SUITE_P(Models, Company,
                         testing::Values(Case{"gemma3-dense", DType::q4_k, false, ""}, Case{"gemma3-dense", DType::f16, false, "avx2"}, Case{"phi3-dense", DType::q4_0, false, ""},
                                         Case{"phi3-dense", DType::q8_0, false, "avx2"}, Case{"olmo2-dense", DType::q6_k, false, ""}, Case{"olmo2-dense", DType::q5_k, true, ""},
                                         Case{"gpt2-dense", DType::bf16, false, ""}, Case{"gpt-oss-moe", DType::mxfp4, false, ""}, Case{"qwen2moe-moe", DType::q4_1, false, ""},
                                         Case{"qwen2moe-moe", DType::f32, true, "scalar"}, Case{"deepseek2-moe", DType::q8_0, false, ""}, Case{"mamba2-dense", DType::q5_1, false, ""},
                                         Case{"mamba2-dense", DType::f32, true, "avx2"}, Case{"qwen35-dense", DType::q4_0, false, ""}, Case{"qwen35-dense", DType::q3_k, false, "avx2"},
                                         Case{"gemma3-dense", DType::q4_k, false, "", DType::q8_0}, Case{"phi3-dense", DType::q8_0, false, "avx2", DType::q8_0},
                                         Case{"gpt-oss-moe", DType::mxfp4, false, "scalar", DType::q8_0}, Case{"gemma3-dense", DType::tq2_0, false, ""},
                                         Case{"gemma3-dense", DType::tq1_0, false, "avx2"}, Case{"qwen2moe-moe", DType::q1_0, false, "avx2"},
                                         Case{"phi3-dense", DType::q1_0, false, "scalar"}),
                         name_of_case);

TEST(Golden, EveryModelThroughASessionGivesTheReferencesLogits) {
  for (const ZooModel& m : zoo()) {
    const std::string bytes = arch_model(m).file();
    const Model model = open_file(bytes);
    for (const char* isa : {"", "avx2"}) {
      const Model capped = open_file(bytes, {.cpu_isa = isa});
      Session session = open_session(capped, {.max_context = 64, .max_output_rows = 64, .threads = 2, .exact = true});
      EXPECT_LT(zoo_error(m, feed(session, m.tokens, {5})), 1e-6) << m.name << " " << isa;
    }
  }
}

}  // namespace
}  // namespace mainspring::inline v0::test
