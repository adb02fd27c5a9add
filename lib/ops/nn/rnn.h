// One layer of a recurrent network in double: RNN, GRU, LSTM, and the LSTM of com.microsoft whose matrices are int8.
#pragma once

#include <vector>

#include "ops/nn/numbers.h"

namespace mainspring::inline v0 {

enum class RnnKind : uint8_t { rnn, gru, lstm };
constexpr int64_t gates_of(RnnKind k) { return k == RnnKind::rnn ? 1 : k == RnnKind::gru ? 3 : 4; }

/// Extents of y, y_h and y_c. `transposed`: w is [directions, input, gates × hidden], r [directions, hidden, gates × hidden] (com.microsoft).
Result<std::vector<ValueInfo>> infer_rnn(const char* op, const OpCall& c, RnnKind kind, bool transposed);

/// Weights, by direction: w[d][k × (gates × hidden) + n], r the same of hidden values: one input's weights lie together.
struct RnnWeights {
  std::vector<double> w, r;
  bool rows_to_u8 = false;  ///< what is multiplied with them goes through dynamic_u8 first
};
/// Runs the layer. Operands beside the weights come from a.in; attributes from a.attrs.
void run_rnn(const OpArgs& a, RnnKind kind, const RnnWeights& weights);

}  // namespace mainspring::inline v0
