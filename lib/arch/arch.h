// CONFIG → GRAPH. In: a file's metadata and weight tensors. Out: the graph of its architecture, or an error that names what is not honoured.
// Must not know file formats, kernels or sessions.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include "mainspring/ext/graph.h"
#include "mainspring/result.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

/// A weight of the file, as the importer found it.
struct WeightTensor {
  std::string_view name;
  DType dtype = DType::f32;
  Shape shape;                       ///< outer to inner
  std::span<const std::byte> bytes;  ///< row-major
  int source = -1;
};
using FindWeight = std::function<const WeightTensor*(std::string_view name)>;

/// Facts about a model that its graph does not hold.
struct ModelFacts {
  int64_t vocabulary = 0;
  int64_t context_length = 0;  ///< what the model was trained with
  int64_t max_positions = 0;   ///< no position may reach this (learned position embeddings); 0: any may
  bool recurrent = false;      ///< has state that cannot be rewound token by token
};

/// The convention between architectures and the runtime: names of a language model's symbols, inputs and output.
///   tokens i32 [n_tokens], positions i32 [n_tokens], output_rows i32 [n_outputs]  →  logits f32 [n_outputs, vocabulary]
/// KV states are [n_blocks, heads, …] f16 (a session may choose another dtype), recurrent states [n_sequences, …] f32.
struct LlmSymbols {
  static constexpr SymbolId n_tokens = 0, n_outputs = 1, n_blocks = 2, n_sequences = 3;
};
struct LlmInputs {
  static constexpr int tokens = 0, positions = 1, output_rows = 2;  // indices into Graph::inputs
};

/// Builds the graph of `general.architecture`. Every weight of the file must be used by it and every key of the architecture must be honoured,
/// inert or neutral. Errors: unsupported (the architecture, key or tensor), corrupt_data (a missing key or tensor, a wrong shape).
Result<Graph> build_graph(const Metadata& metadata, const FindWeight& find, std::span<const std::string_view> weight_names, ModelFacts* facts);

}  // namespace mainspring::inline v0
