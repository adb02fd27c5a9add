#include "plan/choices.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/buffer.h"
#include "core/log.h"

namespace mainspring::inline v0 {
namespace {

constexpr double kMargin = 1.05;  // less is noise, and not worth panels that the table's first could not share with an earlier start
constexpr int kLeastRounds = 3, kMostRounds = 16;  // the first warms caches and clocks up

}  // namespace

int fastest(std::span<const int64_t> ns, int kernels, int loads) {
  const auto time = [&](int kernel, int load) { return static_cast<double>(ns[static_cast<size_t>(kernel * loads + load)]); };
  int best = 0;
  double best_gain = 1;
  for (int i = 1; i < kernels; ++i) {
    bool faster = false, slower = false;
    double gain = 1;
    for (int load = 0; load < loads; ++load) {
      faster |= time(0, load) > kMargin * time(i, load);
      slower |= time(i, load) > kMargin * time(0, load);
      gain *= time(0, load) / time(i, load);
    }
    if (!faster || slower || gain <= best_gain) continue;
    best = i;
    best_gain = gain;
  }
  return best;
}

MeasuredChoices::MeasuredChoices(const Context& context, std::string machine, Clock clock) : context_(context), machine_(std::move(machine)), clock_(clock) {}

Choices::Choice MeasuredChoices::choose(const Question& question) {
  const std::lock_guard lock(mutex_);
  const std::string key = machine_ + " | " + question.key;
  const auto all = static_cast<size_t>(question.kernels) * static_cast<size_t>(question.loads);
  auto it = answers_.find(key);
  if (it == answers_.end() || (it->second.size() != all && !it->second.empty())) {
    std::vector<int64_t> ns;
    if (spent_ns_ < kAllNs && !measure(question, &ns)) return {};
    it = answers_.insert_or_assign(key, std::move(ns)).first;
    news_ = true;
  }
  if (it->second.empty()) return {};
  return {fastest(it->second, question.kernels, question.loads), it->second};
}

/// Kernels take turns, and of each the least time counts: what disturbs only adds. False where there is no memory for it.
bool MeasuredChoices::measure(const Question& question, std::vector<int64_t>* least) {
  const int64_t begin = clock_();
  auto memory = Buffer::create(context_, question.memory, "measuring kernels");
  if (!memory) return false;
  least->assign(static_cast<size_t>(question.kernels) * static_cast<size_t>(question.loads), std::numeric_limits<int64_t>::max());
  std::memset(memory->data(), static_cast<int>(question.fill), memory->size());
  for (int load = 0; load < question.loads; ++load) {
    const int64_t until = begin + kQuestionNs * (load + 1) / question.loads;
    int64_t now = clock_();
    for (int round = 0; round < kMostRounds && (round < kLeastRounds || now < until); ++round) {
      for (int kernel = 0; kernel < question.kernels; ++kernel) {
        const int64_t before = clock_();
        question.run(question.user, kernel, load, memory->data());
        now = clock_();
        int64_t& ns = (*least)[static_cast<size_t>(kernel * question.loads + load)];
        ns = std::min(ns, std::max<int64_t>(1, now - before));
      }
    }
  }
  const int64_t took = clock_() - begin;
  spent_ns_ += took;
  ++measured_;
  log(context_, Level::debug, "plan: measured {} in {} us", question.key, took / 1000);
  return true;
}

void MeasuredChoices::add(Answers answers) {
  const std::lock_guard lock(mutex_);
  answers_.merge(std::move(answers));
}

MeasuredChoices::Answers MeasuredChoices::answers() const {
  const std::lock_guard lock(mutex_);
  return answers_;
}

bool MeasuredChoices::take_news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, false);
}

int MeasuredChoices::measured() const {
  const std::lock_guard lock(mutex_);
  return measured_;
}

}  // namespace mainspring::inline v0
