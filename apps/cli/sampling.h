// The sampler's options on the command line, named as in SamplingParams.
#pragma once

#include "common.h"

namespace cli {

struct Sampling {
  ms::SamplingParams params;
  std::vector<std::string> bias;
  std::vector<std::string> breakers{"\n", ":", "\"", "*"};
  void add(CLI::App& verb);
  /// The parameters, with ids of the model's vocabulary for what was given as text.
  ms::SamplingParams complete(const ms::Model& model) const;
};

const char* name_of(ms::Finish finish);

}  // namespace cli
