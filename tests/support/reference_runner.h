// Runs a language model's graph node by node with the operators' references: the truth that passes, plans and kernels are tested against.
// In: a graph (its weights stay alive with the caller) and tokens. Out: logits. Slow on purpose; one sequence, f32 states.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mainspring/ext/graph.h"
#include "mainspring/ext/op.h"

namespace mainspring::inline v0::test {

class ReferenceRunner {
 public:
  /// `positions`: the most a sequence may have.
  explicit ReferenceRunner(const Graph& graph, int64_t positions = 128);
  /// The next tokens of the sequence → logits of all of them, [tokens, vocabulary].
  std::vector<float> run(std::span<const int32_t> tokens);

 private:
  TensorView view_of(ValueId id, std::span<const int64_t> symbols);

  const Graph& graph_;
  int64_t blocks_;
  int32_t position_ = 0;
  std::vector<std::vector<std::byte>> storage_;  // by value; states by their first version
};

}  // namespace mainspring::inline v0::test
