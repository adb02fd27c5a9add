#include "sequences.h"

#include <cstdlib>

namespace cli {

Sequences::Sequences(ms::Session& session, int parallel, int64_t most) : session_(session), parallel_(parallel), step_{.cancel = &interrupted()} {
  const int64_t vocabulary = session.model().vocabulary_size();
  for (int64_t i = 0; i < most; ++i) ids_.push_back(static_cast<int32_t>((i * 7919 + 17) % vocabulary));
}

void Sequences::clear() {
  for (int s = 0; s < parallel_; ++s) must(session_.truncate(s, 0));
}

double Sequences::feed(int64_t n, ms::Logits logits) {
  if (n == 0) return 0;
  std::vector<ms::StepItem> items;
  for (int s = 0; s < parallel_; ++s) items.push_back({s, std::span(ids_).first(static_cast<size_t>(n)), logits});
  const auto begin = Clock::now();
  must(session_.step(items, step_));
  return seconds_since(begin);
}

double Sequences::decode(int64_t n) {
  std::vector<int32_t> next(static_cast<size_t>(parallel_), ids_[0]);
  std::vector<ms::StepItem> items;
  for (int s = 0; s < parallel_; ++s) items.push_back({s, std::span(next).subspan(static_cast<size_t>(s), 1), ms::Logits::last});
  const auto begin = Clock::now();
  for (int64_t i = 0; i < n; ++i) {
    const ms::StepResult r = must(session_.step(items, step_));
    for (int s = 0; s < parallel_; ++s) next[static_cast<size_t>(s)] = ms::argmax(r.row(s));
  }
  return seconds_since(begin);
}

mainspring::roof::Roof roof_of_kernels(int threads) {
  const char* isa = std::getenv("MAINSPRING_CPU_ISA");
  return mainspring::roof::measure(threads, 0.3, isa ? isa : "");
}

}  // namespace cli
