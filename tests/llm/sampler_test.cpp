// Each sampler alone against its formula worked out here, the order of the chain, the generator, and what is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "llm/philox.h"
#include "mainspring/text.h"

namespace mainspring::inline v0 {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
using Probabilities = std::vector<double>;

/// Everything off, temperature 1: draws from the softmax.
SamplingParams plain() {
  SamplingParams p;
  p.temperature = 1;
  p.top_k = 0;
  p.top_p = 1;
  p.min_p = 0;
  p.seed = 42;
  return p;
}

std::vector<float> logits_of(const Probabilities& p) {
  std::vector<float> out;
  for (const double x : p) out.push_back(static_cast<float>(std::log(x)));
  return out;
}

/// What is left of p when only these ids may be drawn.
Probabilities only(Probabilities p, std::initializer_list<size_t> ids) {
  Probabilities out(p.size(), 0);
  double sum = 0;
  for (const size_t i : ids) sum += p[i];
  for (const size_t i : ids) out[i] = p[i] / sum;
  return out;
}

/// Chi-square of n draws at positions 0, 1, 2, … against `want`; ids that cannot come must not.
void expect_draws(const SamplingParams& params, const Probabilities& p, const Probabilities& want, int n = 20000) {
  auto sampler = Sampler::create(static_cast<int64_t>(p.size()), params);
  ASSERT_TRUE(sampler) << sampler.error().message;
  const auto logits = logits_of(p);
  std::vector<int> got(p.size());
  for (int i = 0; i < n; ++i) ++got[static_cast<size_t>(sampler->sample(logits))];
  double chi = 0;
  int freedom = -1;
  for (size_t i = 0; i < p.size(); ++i) {
    if (want[i] == 0) {
      EXPECT_EQ(got[i], 0) << "id " << i;
      continue;
    }
    const double e = want[i] * n;
    chi += (got[i] - e) * (got[i] - e) / e;
    ++freedom;
  }
  EXPECT_LT(chi, freedom + 5 * std::sqrt(2.0 * std::max(freedom, 1))) << "chi-square with " << freedom << " degrees of freedom";
}

const Probabilities kP{0.4, 0.25, 0.15, 0.1, 0.06, 0.04};

TEST(Philox, GivesThePublishedNumbers) {  // known answers of Random123's philox4x32-10
  using A = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (A{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (A{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}), (A{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Sampler, DrawsFromTheSoftmax) { expect_draws(plain(), kP, kP); }

TEST(Sampler, Temperature) {
  SamplingParams p = plain();
  p.temperature = 0.5f;
  Probabilities want;
  double sum = 0;
  for (const double x : kP) want.push_back(x * x), sum += x * x;
  for (double& x : want) x /= sum;
  expect_draws(p, kP, want);
}

TEST(Sampler, TopK) {
  SamplingParams p = plain();
  p.top_k = 2;
  expect_draws(p, kP, only(kP, {0, 1}));
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
  SamplingParams p = plain();
  p.top_p = 0.7f;  // 0.4 + 0.25 = 0.65 falls short
  expect_draws(p, kP, only(kP, {0, 1, 2}));
}

TEST(Sampler, MinPIsAShareOfTheLargest) {
  SamplingParams p = plain();
  p.min_p = 0.3f;  // 0.12
  expect_draws(p, kP, only(kP, {0, 1, 2}));
}

TEST(Sampler, TypicalTakesWhatIsNearTheEntropy) {
  SamplingParams p = plain();
  p.typical_p = 0.35f;
  double entropy = 0;
  for (const double x : kP) entropy -= x * std::log(x);
  std::vector<size_t> order(kP.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return std::abs(-std::log(kP[a]) - entropy) < std::abs(-std::log(kP[b]) - entropy); });
  Probabilities want(kP.size(), 0);
  double mass = 0;
  for (size_t i = 0; mass < 0.35; ++i) want[order[i]] = kP[order[i]], mass += kP[order[i]];
  ASSERT_EQ(want[0], 0) << "the most likely token is not typical here";
  for (double& x : want) x /= mass;
  expect_draws(p, kP, want);
}

TEST(Sampler, TopNSigmaCutsBelowTheLargestLogit) {
  SamplingParams p = plain();
  p.top_n_sigma = 1;
  const auto logits = logits_of(kP);
  double mean = 0, square = 0;
  for (const float x : logits) mean += static_cast<double>(x) / 6, square += static_cast<double>(x) * static_cast<double>(x) / 6;
  const double floor = static_cast<double>(logits[0]) - std::sqrt(square - mean * mean);
  Probabilities want(6, 0);
  double sum = 0;
  for (size_t i = 0; i < 6; ++i)
    if (static_cast<double>(logits[i]) >= floor) want[i] = kP[i], sum += kP[i];
  ASSERT_GT(want[1], 0);
  ASSERT_EQ(want[3], 0);
  for (double& x : want) x /= sum;
  expect_draws(p, kP, want);
}

TEST(Sampler, XtcDropsAllButTheLeastOfTheLikely) {
  SamplingParams p = plain();
  p.xtc_threshold = 0.14f;
  p.xtc_probability = 1;
  expect_draws(p, kP, only(kP, {2, 3, 4, 5}));
  p.xtc_probability = 0.5f;
  Probabilities want = only(kP, {2, 3, 4, 5});
  for (size_t i = 0; i < 6; ++i) want[i] = (want[i] + kP[i]) / 2;
  expect_draws(p, kP, want);
  p.xtc_threshold = 0.3f;  // one likely token: nothing to drop
  p.xtc_probability = 1;
  expect_draws(p, kP, kP);
}

TEST(Sampler, MirostatHoldsTheSurprise) {
  SamplingParams p = plain();
  p.mirostat = 2;
  p.mirostat_tau = 2;
  p.mirostat_eta = 0.1f;
  Probabilities wide(200);
  double sum = 0;
  for (size_t i = 0; i < wide.size(); ++i) sum += wide[i] = 1.0 / static_cast<double>(i + 1);
  for (double& x : wide) x /= sum;
  auto sampler = Sampler::create(200, p);
  ASSERT_TRUE(sampler);
  const auto logits = logits_of(wide);
  std::map<int32_t, int> got;
  for (int i = 0; i < 5000; ++i) ++got[sampler->sample(logits)];
  // the mean surprise, among what was kept, is tau: what was kept is the head whose own entropy is about 2 bits
  double surprise = 0, head = 0;
  for (const auto& [id, n] : got) head += n > 5 ? wide[static_cast<size_t>(id)] : 0;
  for (const auto& [id, n] : got) surprise += n / 5000.0 * -std::log2(wide[static_cast<size_t>(id)] / head);
  EXPECT_NEAR(surprise, 2, 0.35);
  EXPECT_LT(got.size(), 60u);
}

TEST(Sampler, Penalties) {
  const std::vector<float> logits{2.0f, 1.9f, -1.0f, 1.0f};
  const auto greedy_after = [&](auto&& set, std::vector<int32_t> history) {
    SamplingParams p;
    p.greedy = true;
    set(p);
    auto sampler = Sampler::create(4, p);
    EXPECT_TRUE(sampler);
    sampler->accept(history);
    return sampler->sample(logits);
  };
  const auto repetition = [](SamplingParams& p) { p.repetition_penalty = 1.5f; };
  EXPECT_EQ(greedy_after(repetition, {}), 0);
  EXPECT_EQ(greedy_after(repetition, {0}), 1);
  EXPECT_EQ(greedy_after(repetition, {0, 1}), 0);
  EXPECT_EQ(greedy_after(repetition, {0, 0, 0, 1}), 0) << "counted once";
  EXPECT_EQ(greedy_after([](SamplingParams& p) { p.frequency_penalty = 0.2f; }, {0, 1, 1}), 0);
  EXPECT_EQ(greedy_after([](SamplingParams& p) { p.frequency_penalty = 0.2f; }, {0, 0, 0, 1, 1}), 1);
  EXPECT_EQ(greedy_after([](SamplingParams& p) { p.presence_penalty = 1.2f; }, {0, 0, 1}), 3);
  EXPECT_EQ(greedy_after([](SamplingParams& p) { p.presence_penalty = 1.2f, p.penalty_last = 2; }, {0, 1, 2}), 0) << "0 is out of sight";
  EXPECT_EQ(greedy_after([](SamplingParams& p) { p.presence_penalty = 1.2f, p.penalty_last = -1; }, {0, 1, 2}), 3);
  EXPECT_EQ(greedy_after([](SamplingParams& p) { p.presence_penalty = 9, p.penalty_last = 0; }, {0}), 0);
  EXPECT_EQ(greedy_after([](SamplingParams& p) { p.logit_bias = {{0, -0.2f}, {2, 2.5f}}; }, {}), 1);
  EXPECT_EQ(greedy_after([](SamplingParams& p) { p.logit_bias = {{0, -kInf}, {1, -kInf}}; }, {}), 3);
}

TEST(Sampler, DryPunishesWhatWouldLengthenARepetition) {
  const std::vector<float> logits{0, 0, 3, 2, 0, 0};
  const auto next = [&](std::vector<int32_t> history, auto&& set) {
    SamplingParams p;
    p.greedy = true;
    p.dry_multiplier = 0.9f;
    p.dry_base = 2;
    p.dry_allowed_length = 2;
    set(p);
    auto sampler = Sampler::create(6, p);
    EXPECT_TRUE(sampler);
    sampler->accept(history);
    return sampler->sample(logits);
  };
  const auto nothing = [](SamplingParams&) {};
  EXPECT_EQ(next({0, 1, 2, 4, 0, 1}, nothing), 2) << "a match of 2 costs 0.9 x 2^0, less than the lead of 1";
  EXPECT_EQ(next({5, 0, 1, 2, 4, 5, 0, 1}, nothing), 3) << "a match of 3 costs 1.8";
  EXPECT_EQ(next({5, 0, 1, 2, 4, 5, 0, 1}, [](SamplingParams& p) { p.dry_breakers = {0}; }), 2) << "a breaker ends the match";
  EXPECT_EQ(next({5, 0, 1, 2, 4, 5, 0, 1}, [](SamplingParams& p) { p.dry_last = 4; }), 2);
  EXPECT_EQ(next({5, 0, 1, 2, 4, 5, 0, 1}, [](SamplingParams& p) { p.dry_allowed_length = 4; }), 2);
}

TEST(Sampler, SeedAndPositionDecideNotTheCalls) {
  const auto logits = logits_of(kP);
  SamplingParams p = plain();
  auto straight = Sampler::create(6, p), joined = Sampler::create(6, p);
  std::vector<int32_t> drawn;
  for (int i = 0; i < 50; ++i) drawn.push_back(straight->sample(logits));
  joined->accept(std::span(drawn).first(20));
  for (size_t i = 20; i < 50; ++i) EXPECT_EQ(joined->sample(logits), drawn[i]);
  p.seed = 43;
  auto other = Sampler::create(6, p);
  int same = 0;
  for (size_t i = 0; i < 50; ++i) same += other->sample(logits) == drawn[i];
  EXPECT_LT(same, 40);
}

TEST(Sampler, TopKComesBeforeTopP) {
  SamplingParams p = plain();
  p.top_k = 3;     // 0.5, 0.3125, 0.1875 of what is left
  p.top_p = 0.8f;  // of the three, two; of all six it would be three
  expect_draws(p, kP, only(kP, {0, 1}));
}

TEST(Sampler, TiesAndBrokenNumbers) {
  SamplingParams greedy;
  greedy.greedy = true;
  for (const SamplingParams& params : {greedy, plain()}) {
    auto s = Sampler::create(4, params);
    ASSERT_TRUE(s);
    EXPECT_EQ(s->sample(std::vector<float>{-kInf, kNan, 1, kInf}), 2) << "what is not finite counts as minus infinity";
    const int32_t id = s->sample(std::vector<float>{kNan, kNan, kNan, kNan});
    EXPECT_TRUE(id >= 0 && id < 4);
    EXPECT_EQ(s->sample(std::vector<float>{-kInf, -kInf, -kInf, -kInf}), 0);
  }
  auto s = Sampler::create(3, greedy);
  EXPECT_EQ(s->sample(std::vector<float>{1, 5, 5}), 1) << "the smallest id among equals";
  SamplingParams zero = plain();
  zero.temperature = 0;
  auto z = Sampler::create(3, zero);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(z->sample(std::vector<float>{1, 1.01f, 1}), 1);
  SamplingParams none = plain();
  none.top_p = 0;
  none.typical_p = 0;
  auto n = Sampler::create(3, none);
  ASSERT_TRUE(n);
  EXPECT_GE(n->sample(std::vector<float>{1, 2, 3}), 0) << "one candidate is always left";
}

TEST(Sampler, RefusalsNameTheParameter) {
  const auto refused = [](auto&& set, std::string_view name) {
    SamplingParams p;
    set(p);
    const auto r = Sampler::create(10, p);
    ASSERT_FALSE(r) << name;
    EXPECT_EQ(r.error().code, Errc::invalid_argument);
    EXPECT_NE(r.error().message.find(name), std::string::npos) << r.error().message;
  };
  refused([](SamplingParams& p) { p.temperature = -1; }, "temperature is -1");
  refused([](SamplingParams& p) { p.temperature = kNan; }, "temperature");
  refused([](SamplingParams& p) { p.top_k = -1; }, "top_k");
  refused([](SamplingParams& p) { p.top_p = 1.5f; }, "top_p is 1.5");
  refused([](SamplingParams& p) { p.min_p = -0.1f; }, "min_p");
  refused([](SamplingParams& p) { p.typical_p = 2; }, "typical_p");
  refused([](SamplingParams& p) { p.top_n_sigma = -1; }, "top_n_sigma");
  refused([](SamplingParams& p) { p.xtc_probability = 2; }, "xtc_probability");
  refused([](SamplingParams& p) { p.repetition_penalty = 0; }, "repetition_penalty");
  refused([](SamplingParams& p) { p.penalty_last = -2; }, "penalty_last");
  refused([](SamplingParams& p) { p.dry_base = 0.5f; }, "dry_base");
  refused([](SamplingParams& p) { p.dry_allowed_length = 0; }, "dry_allowed_length");
  refused([](SamplingParams& p) { p.mirostat = 1; }, "mirostat is 1");
  refused([](SamplingParams& p) { p.logit_bias = {{10, 1}}; }, "token 10");
  refused([](SamplingParams& p) { p.logit_bias = {{1, kInf}}; }, "token 1");
  EXPECT_FALSE(Sampler::create(0, {}));
}

TEST(Argmax, TheFirstOfTheLargestNumbers) {
  EXPECT_EQ(argmax(std::vector<float>{3}), 0);
  EXPECT_EQ(argmax(std::vector<float>{1, 5, 5, 2}), 1);
  EXPECT_EQ(argmax(std::vector<float>{kNan, kNan, -2, -1}), 3);
  EXPECT_EQ(argmax(std::vector<float>{kNan, -kInf, -kInf}), 1);
  EXPECT_EQ(argmax(std::vector<float>{kNan, kNan}), 0);
  EXPECT_EQ(argmax(std::vector<float>{-kInf, kInf, kNan, kInf}), 1);
  for (const size_t n : {size_t{15}, size_t{16}, size_t{17}, size_t{2048}, size_t{2049}, size_t{5000}})
    for (size_t at = 0; at < n; at += n / 7 + 1) {
      std::vector<float> logits(n, -7.0f);
      logits[at] = -6.5f;
      EXPECT_EQ(argmax(logits), static_cast<int32_t>(at)) << n;
      logits.back() = -6.5f;
      EXPECT_EQ(argmax(logits), static_cast<int32_t>(at)) << "the first of equals, " << n;
    }
}

}  // namespace
}  // namespace mainspring::inline v0
