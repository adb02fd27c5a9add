// logits → token (text.h). Pure: a function of logits, parameters, history and position.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "llm/philox.h"
#include "mainspring/text.h"

namespace mainspring::inline v0 {
namespace {

struct Candidate {
  int32_t id;
  float logit;
  double p;
};

/// Falling logit, rising id: one order, so that equal logits draw alike everywhere.
bool before(const Candidate& a, const Candidate& b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }

constexpr uint32_t kDraw = 0, kXtc = 1;

Result<void> check(const SamplingParams& p, int64_t vocabulary) {
  const auto in = [](float v, double low, double high) { return v >= low && v <= high; };  // false for NaN
  struct Range { const char* name; float value; double low, high; };
  const double big = 3e38;
  const Range ranges[] = {{"temperature", p.temperature, 0, big}, {"top_p", p.top_p, 0, 1}, {"min_p", p.min_p, 0, 1}, {"typical_p", p.typical_p, 0, 1},
                          {"top_n_sigma", p.top_n_sigma, 0, big}, {"xtc_probability", p.xtc_probability, 0, 1}, {"xtc_threshold", p.xtc_threshold, 0, 1},
                          {"repetition_penalty", p.repetition_penalty, 1e-6, big}, {"presence_penalty", p.presence_penalty, -big, big},
                          {"frequency_penalty", p.frequency_penalty, -big, big}, {"dry_multiplier", p.dry_multiplier, 0, big}, {"dry_base", p.dry_base, 1, big},
                          {"mirostat_tau", p.mirostat_tau, 0, big}, {"mirostat_eta", p.mirostat_eta, 0, big}};
  for (const Range& r : ranges)
    if (!in(r.value, r.low, r.high)) return invalid("sampling: {} is {}, expected {} to {}", r.name, r.value, r.low, r.high);
  if (p.top_k < 0) return invalid("sampling: top_k is {}, expected at least 0", p.top_k);
  if (p.penalty_last < -1) return invalid("sampling: penalty_last is {}, expected at least -1", p.penalty_last);
  if (p.dry_last < -1) return invalid("sampling: dry_last is {}, expected at least -1", p.dry_last);
  if (p.dry_allowed_length < 1) return invalid("sampling: dry_allowed_length is {}, expected at least 1", p.dry_allowed_length);
  if (p.mirostat != 0 && p.mirostat != 2) return invalid("sampling: mirostat is {}, expected 0 or 2", p.mirostat);
  for (const auto& [id, bias] : p.logit_bias)
    if (id < 0 || id >= vocabulary || !(bias < INFINITY)) return invalid("sampling: logit bias of token {} is {}, expected less than infinity; the vocabulary has 0 to {}", id, bias, vocabulary - 1);
  return {};
}

}  // namespace

struct Sampler::Impl {
  SamplingParams params;
  int64_t vocabulary;
  uint64_t position = 0;
  double mirostat_mu;
  std::vector<float> logits;
  std::vector<Candidate> candidates;
  std::vector<int32_t> history;
  std::vector<int32_t> counts;   // zero between calls
  std::vector<int32_t> reach;    // Z-function of the reversed history (DRY); per vocabulary id: longest match

  size_t window(int32_t last) const { return last < 0 ? history.size() : std::min(history.size(), static_cast<size_t>(last)); }
  void penalise();
  void dry();
  void collect();
  void softmax();
  void keep(size_t n) { candidates.resize(std::max<size_t>(n, 1)); }
  void typical();
  void top_p();
  void xtc();
  int32_t draw();
  int32_t mirostat();
};

void Sampler::Impl::penalise() {
  const size_t n = window(params.penalty_last);
  if (n == 0 || (params.repetition_penalty == 1 && params.presence_penalty == 0 && params.frequency_penalty == 0)) return;
  const std::span<const int32_t> recent = std::span(history).last(n);
  for (int32_t id : recent) ++counts[static_cast<size_t>(id)];
  for (int32_t id : recent) {
    int32_t& count = counts[static_cast<size_t>(id)];
    if (count == 0) continue;
    float& x = logits[static_cast<size_t>(id)];
    x = x > 0 ? x / params.repetition_penalty : x * params.repetition_penalty;
    x -= static_cast<float>(count) * params.frequency_penalty + params.presence_penalty;
    count = 0;
  }
}

/// DRY (p-e-w 2024, text-generation-webui #5677): a token that would lengthen a repetition of the text's end is punished exponentially in its length.
/// Lengths come from the Z-function of the reversed history: one pass, linear.
void Sampler::Impl::dry() {
  const size_t n = window(params.dry_last);
  if (params.dry_multiplier == 0 || n < 2) return;
  const std::span<const int32_t> text = std::span(history).last(n);
  const auto back = [&](size_t i) { return text[n - 1 - i]; };
  size_t barrier = n;
  for (size_t i = 0; i < n && barrier == n; ++i)
    if (std::find(params.dry_breakers.begin(), params.dry_breakers.end(), back(i)) != params.dry_breakers.end()) barrier = i;
  reach.assign(n, 0);
  for (size_t i = 1, left = 0, right = 0; i < n; ++i) {
    size_t z = i < right ? std::min(right - i, static_cast<size_t>(reach[i - left])) : 0;
    while (i + z < n && back(z) == back(i + z)) ++z;
    reach[i] = static_cast<int32_t>(z);
    if (i + z > right) left = i, right = i + z;
  }
  for (size_t i = 1; i < n; ++i) {
    const auto length = static_cast<int32_t>(std::min(static_cast<size_t>(reach[i]), barrier));
    int32_t& longest = counts[static_cast<size_t>(back(i - 1))];
    longest = std::max(longest, length);
  }
  for (size_t i = 1; i < n; ++i) {
    int32_t& longest = counts[static_cast<size_t>(back(i - 1))];
    if (longest >= params.dry_allowed_length)
      logits[static_cast<size_t>(back(i - 1))] -= static_cast<float>(params.dry_multiplier * std::pow(double{params.dry_base}, longest - params.dry_allowed_length));
    longest = 0;
  }
}

/// Candidates by falling logit, after top-nσ and top-k.
void Sampler::Impl::collect() {
  float floor = -INFINITY;
  if (params.top_n_sigma > 0 && params.mirostat == 0) {
    double sum = 0, squares = 0, n = 0;
    float top = -INFINITY;
    for (float x : logits)
      if (std::isfinite(x)) sum += x, squares += double{x} * x, ++n, top = std::max(top, x);
    const double mean = n > 0 ? sum / n : 0;
    if (n > 0) floor = static_cast<float>(top - params.top_n_sigma * std::sqrt(std::max(0.0, squares / n - mean * mean)));
  }
  candidates.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    if (std::isfinite(logits[i]) && logits[i] >= floor) candidates.push_back({static_cast<int32_t>(i), logits[i], 0});
  const size_t k = params.top_k > 0 && params.mirostat == 0 ? static_cast<size_t>(params.top_k) : candidates.size();
  if (k < candidates.size()) {
    std::nth_element(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(k), candidates.end(), before);
    candidates.resize(k);
  }
  std::sort(candidates.begin(), candidates.end(), before);
}

void Sampler::Impl::softmax() {
  double sum = 0;
  for (Candidate& c : candidates) sum += c.p = std::exp(double{c.logit} - candidates[0].logit);
  for (Candidate& c : candidates) c.p /= sum;
}

void Sampler::Impl::typical() {
  if (params.typical_p >= 1) return;
  softmax();
  double entropy = 0;
  for (const Candidate& c : candidates) entropy -= c.p > 0 ? c.p * std::log(c.p) : 0;
  const auto oddness = [entropy](const Candidate& c) { return std::abs(-std::log(std::max(c.p, 1e-300)) - entropy); };
  std::stable_sort(candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) { return oddness(a) < oddness(b); });
  double mass = 0;
  size_t n = 0;
  while (n < candidates.size() && (n == 0 || mass < params.typical_p)) mass += candidates[n++].p;
  keep(n);
  std::sort(candidates.begin(), candidates.end(), before);
}

void Sampler::Impl::top_p() {
  if (params.top_p < 1) {
    softmax();
    double mass = 0;
    size_t n = 0;
    while (n < candidates.size() && (n == 0 || mass < params.top_p)) mass += candidates[n++].p;
    keep(n);
  }
  if (params.min_p > 0) {
    const double floor = double{candidates[0].logit} + std::log(double{params.min_p});
    size_t n = 1;
    while (n < candidates.size() && candidates[n].logit >= floor) ++n;
    keep(n);
  }
}

/// XTC (p-e-w 2024, text-generation-webui #6335): sometimes drops all of the likely tokens but the least likely of them.
void Sampler::Impl::xtc() {
  if (params.xtc_probability <= 0 || params.xtc_threshold > 0.5f || uniform(params.seed, position, kXtc) >= params.xtc_probability) return;
  softmax();
  size_t above = 0;
  while (above < candidates.size() && candidates[above].p >= params.xtc_threshold) ++above;
  if (above >= 2) candidates.erase(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(above - 1));
}

int32_t Sampler::Impl::draw() {
  for (Candidate& c : candidates) c.logit /= params.temperature;
  softmax();
  double left = uniform(params.seed, position, kDraw);
  for (const Candidate& c : candidates)
    if ((left -= c.p) < 0) return c.id;
  return candidates.back().id;
}

int32_t Sampler::Impl::mirostat() {
  for (Candidate& c : candidates) c.logit /= params.temperature;
  softmax();
  size_t n = 0;
  while (n < candidates.size() && (n == 0 || -std::log2(candidates[n].p) <= mirostat_mu)) ++n;
  keep(n);
  softmax();
  double left = uniform(params.seed, position, kDraw);
  const Candidate* chosen = &candidates.back();
  for (const Candidate& c : candidates)
    if ((left -= c.p) < 0) {
      chosen = &c;
      break;
    }
  mirostat_mu -= params.mirostat_eta * (-std::log2(chosen->p) - params.mirostat_tau);
  return chosen->id;
}

Result<Sampler> Sampler::create(int64_t vocabulary, const SamplingParams& params) {
  if (vocabulary < 1 || vocabulary > INT32_MAX) return invalid("sampling: the vocabulary has {} tokens, expected 1 to 2^31-1", vocabulary);
  MAINSPRING_TRY_VOID(check(params, vocabulary));
  auto impl = std::make_unique<Impl>();
  impl->params = params;
  if (params.temperature == 0) impl->params.greedy = true;
  impl->vocabulary = vocabulary;
  impl->mirostat_mu = 2.0 * params.mirostat_tau;
  impl->logits.resize(static_cast<size_t>(vocabulary));
  impl->candidates.reserve(static_cast<size_t>(vocabulary));
  impl->counts.assign(static_cast<size_t>(vocabulary), 0);
  return Sampler(std::move(impl));
}

void Sampler::accept(std::span<const int32_t> tokens) {
  Impl& s = *impl_;
  s.position += tokens.size();
  for (int32_t id : tokens)
    if (id >= 0 && id < s.vocabulary) s.history.push_back(id);
}

int32_t Sampler::sample(std::span<const float> logits) {
  Impl& s = *impl_;
  const size_t n = std::min(logits.size(), s.logits.size());
  std::transform(logits.begin(), logits.begin() + static_cast<std::ptrdiff_t>(n), s.logits.begin(), [](float x) { return std::isfinite(x) ? x : -INFINITY; });
  std::fill(s.logits.begin() + static_cast<std::ptrdiff_t>(n), s.logits.end(), -INFINITY);
  for (const auto& [id, bias] : s.params.logit_bias) s.logits[static_cast<size_t>(id)] += bias;
  s.penalise();
  s.dry();
  int32_t id = -1;
  if (s.params.greedy) {
    id = argmax(s.logits);
  } else {
    s.collect();
    if (s.candidates.empty()) {
      id = argmax(logits);
    } else if (s.params.mirostat == 2) {
      id = s.mirostat();
    } else {
      s.typical();
      s.top_p();
      s.xtc();
      id = s.draw();
    }
  }
  accept(std::span(&id, 1));
  return id;
}

namespace {

/// The largest of x[0, n) that is a number; -inf where there is none. In lanes: a compiler may not reorder the comparisons of one running maximum.
float largest(const float* x, size_t n) {
  constexpr size_t kLanes = 16;
  float m[kLanes];
  std::fill(std::begin(m), std::end(m), -INFINITY);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (size_t j = 0; j < kLanes; ++j) m[j] = x[i + j] > m[j] ? x[i + j] : m[j];
  for (; i < n; ++i) m[0] = x[i] > m[0] ? x[i] : m[0];
  return *std::max_element(std::begin(m), std::end(m));
}

}  // namespace

// One comparison after the other takes 2 ns an element, half a millisecond for a vocabulary of 262144. So: which stretch, then where in it.
int32_t argmax(std::span<const float> logits) {
  constexpr size_t kStretch = 2048;
  size_t at = 0;  // the first -inf, where nothing is greater
  float best = -INFINITY;
  for (size_t i = 0; i < logits.size(); i += kStretch) {
    const float here = largest(logits.data() + i, std::min(kStretch, logits.size() - i));
    if (here > best) best = here, at = i;
  }
  const auto found = std::find(logits.begin() + static_cast<std::ptrdiff_t>(at), logits.end(), best);
  return found == logits.end() ? 0 : static_cast<int32_t>(found - logits.begin());
}

Sampler::Sampler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;
Sampler::~Sampler() = default;

}  // namespace mainspring::inline v0
