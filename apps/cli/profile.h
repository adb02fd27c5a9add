// explain --profile: what to run, and the run.
#pragma once

#include "common.h"

namespace cli {

struct ProfileOptions {
  std::string file;  ///< empty: no profile
  int64_t prompt = 128, generate = 16, depth = 0;
  int parallel = 1;
  void add(CLI::App& verb);
};
void profile(const ms::Model& model, const ProfileOptions& options, const Numbers& numbers, bool json);

}  // namespace cli
