// Which of several kernels is fastest on this machine. In: a provider's question while it binds. Out: the answer, measured once and kept by the plan cache.
// Only kernels that give the same bits are ever asked about, so an answer changes no result. Must not know kernels, nor files.
#pragma once

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "mainspring/context.h"
#include "mainspring/ext/provider.h"

namespace mainspring::inline v0 {

/// The kernel to take by times [kernels, loads]: the first, unless another is more than 5 % faster at some load and at no load as much slower. Of several such
/// the one with the greatest product of gains.
int fastest(std::span<const int64_t> ns, int kernels, int loads);

/// Of one Model. Thread-safe: who asks while another measures waits.
class MeasuredChoices final : public Choices {
 public:
  /// By question. No times: the budget was spent before its turn, which stands too. Asked again it could be answered otherwise, and then a start
  /// that should map panels would pack them.
  using Answers = std::map<std::string, std::vector<int64_t>>;
  /// Monotonic, in ns.
  using Clock = int64_t (*)();

  static constexpr int64_t kQuestionNs = 1'000'000, kAllNs = 20'000'000;

  /// `machine`: what times depend on besides the questions. Answers of other machines are kept and not taken.
  MeasuredChoices(const Context& context, std::string machine, Clock clock);

  Choice choose(const Question& question) override;

  void add(Answers answers);
  Answers answers() const;
  /// Whether there are answers that came by no add(), and forgets that. Those who keep them ask.
  bool take_news();
  /// Questions that were measured here.
  int measured() const;

 private:
  bool measure(const Question& question, std::vector<int64_t>* least);

  Context context_;
  const std::string machine_;
  const Clock clock_;
  mutable std::mutex mutex_;
  Answers answers_;
  int64_t spent_ns_ = 0;
  int measured_ = 0;
  bool news_ = false;
};

}  // namespace mainspring::inline v0
