// A model file, opened: immutable weights, metadata and the graph. Cheap to copy; safe from any thread.
//
//   MAINSPRING_TRY(Model model, Model::open("SmolLM2-135M-Instruct.Q4_1.gguf"));
//
// Weights stay mapped from the file (or are read through the Context's Reader) and are never written.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "mainspring/context.h"
#include "mainspring/export.h"
#include "mainspring/result.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

struct Graph;
struct OpDef;

struct ModelOptions {
  const Context* context = nullptr;  ///< null: a default context of the Model's own
  std::span<const OpDef* const> ops{};  ///< operators of the host's own (ext/op.h) for ONNX files; they must outlive the Model
  bool vocabulary_only = false;      ///< only metadata, tokenizer and chat template: also for files whose architecture is not supported
};

/// One weight tensor of the file, for tools that list them.
struct WeightInfo {
  std::string_view name;
  DType dtype;
  Shape shape;
  size_t bytes;
};

/// An input or output of a graph.
struct PortInfo {
  std::string name;
  DType dtype;
  bool sequence = false, optional = false;  ///< of tensors of that dtype
  bool ranked = true;                       ///< false: any rank
  std::vector<std::string> dims;            ///< an extent's number, its name where it may change, or "?"
  std::vector<int64_t> extents;             ///< the same: -1 where it may change
};

class MAINSPRING_API Model {
 public:
  /// Opens a GGUF file (v2, v3; split files by the name of their first part) or an ONNX file (IR 3 to 14, opsets 1 to 28; external data in its
  /// folder). Weights are not read until a Session is made.
  /// Errors: not_found, io_error, corrupt_data (what contradicts what), unsupported (names the architecture, key, tensor or type, or all operators),
  /// out_of_memory.
  static Result<Model> open(std::string_view path, const ModelOptions& options = {});
  /// The same from memory; `bytes` must outlive the Model and every Session of it. Split files cannot be opened so.
  static Result<Model> open(std::span<const std::byte> bytes, const ModelOptions& options = {});

  /// All key/values of the file. Views live as long as the Model.
  const Metadata& metadata() const&;
  /// `general.architecture`.
  std::string_view architecture() const&;
  /// Rows of the token embedding (0 for a file without one).
  int64_t vocabulary_size() const;
  /// Positions that the model was made for (0: not stated).
  int64_t context_length() const;
  /// True when a step changes memory that cannot be rewound token by token (Mamba, gated delta rule).
  bool is_recurrent() const;
  std::span<const WeightInfo> weights() const&;
  /// Of an ONNX graph; empty for a language model.
  std::span<const PortInfo> inputs() const&;
  std::span<const PortInfo> outputs() const&;
  /// A graph of tensors, for Session::run; else a language model, for Session::step.
  bool is_graph() const;
  /// The graph that the importer built (ext/graph.h). Empty with `vocabulary_only`.
  const Graph& graph() const&;
  const Context& context() const&;

  struct Impl;  ///< internal
  const std::shared_ptr<const Impl>& impl() const { return impl_; }
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace mainspring::inline v0
