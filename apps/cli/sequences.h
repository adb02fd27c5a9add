// What bench and explain --profile share: tokens fed to sequences side by side, and the roof to compare with.
#pragma once

#include <chrono>
#include <vector>

#include "common.h"
#include "roof/roof.h"

namespace cli {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

/// The same work for every sequence; ids go round the vocabulary so that no two positions are alike. Ctrl-C cancels.
class Sequences {
 public:
  /// At most `most` tokens (at least 1) will be fed to a sequence in one call.
  Sequences(ms::Session& session, int parallel, int64_t most);
  void clear();
  /// Appends n tokens to each sequence in one call; seconds that it took.
  double feed(int64_t n, ms::Logits logits);
  /// Appends n tokens one by one, each the likeliest after the one before; seconds that it took.
  double decode(int64_t n);

 private:
  ms::Session& session_;
  int parallel_;
  ms::StepOptions step_;
  std::vector<int32_t> ids_;
};

/// Of the instruction set that the kernels may use: MAINSPRING_CPU_ISA caps them, so it caps their roof.
mainspring::roof::Roof roof_of_kernels(int threads);

}  // namespace cli
