// What run, bench and explain share for ONNX graphs: inputs from files or of given shapes.
#pragma once

#include <string>
#include <vector>

#include "common.h"

namespace cli {

struct GraphInputs {
  std::vector<std::string> files, shapes;  ///< NAME=FILE, NAME=1x3x224x224
  void add(CLI::App& verb);
  bool any() const { return !files.empty() || !shapes.empty(); }
  /// A datum for every input: of the files, else zeros of the given shape, else of the graph's own extents (1 for those that may change).
  std::vector<ms::NamedTensor> read(const ms::Model& model, bool zeros) const;
};

/// Peak resident bytes of this process.
int64_t peak_rss_bytes();
void bench_graph(const ms::Model& model, const Common& common, const GraphInputs& inputs, int repeat, double seconds_open, bool exact);
void add_run(CLI::App& app);

}  // namespace cli
