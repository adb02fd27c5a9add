// Small random models of many architectures, with logits of a reference implementation (tests/golden/arch_zoo.py).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "support/arch_model.h"

namespace mainspring::inline v0::test {

struct ZooTensor {
  const char* name;
  std::vector<int64_t> extents;
  uint64_t key0, key1;  ///< of the generator that makes its values
};
struct ZooModel {
  const char* name;
  const char* arch;
  std::vector<std::pair<const char*, std::vector<double>>> keys;
  std::vector<ZooTensor> tensors;
  std::vector<int32_t> tokens;
  std::vector<double> logits;  ///< of rows 0, 5, 8, every 16th
};

const std::vector<ZooModel>& zoo();
/// By name, "llama-dense"; the test ends when there is none.
const ZooModel& zoo_model(std::string_view name);
/// Its keys and tensors, values filled in.
ArchModel arch_model(const ZooModel& model);
/// Mean squared error of `logits` [tokens, vocabulary] at the rows that are known, over their power.
double zoo_error(const ZooModel& model, const std::vector<float>& logits);

}  // namespace mainspring::inline v0::test
