// What a Model holds: the file, its graph, its provider, and what its sessions share.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "import/gguf.h"
#include "import/onnx/onnx.h"
#include "mainspring/ext/provider.h"
#include "mainspring/model.h"
#include "plan/plan.h"

namespace mainspring::inline v0 {

struct Model::Impl {
  explicit Impl(const Context& c) : context(c) {}

  Context context;
  std::string path;
  GgufFile file;
  std::unique_ptr<OnnxFile> onnx;  ///< not null: a graph of tensors, not a language model
  std::vector<PortInfo> inputs, outputs;
  std::vector<WeightInfo> weights;
  Graph graph;
  ModelFacts facts;
  bool vocabulary_only = false;
  std::unique_ptr<Provider> provider;

  std::span<const std::shared_ptr<ByteSource>> sources() const { return onnx != nullptr ? onnx->sources : file.sources; }
  const Metadata& metadata() const { return onnx != nullptr ? onnx->metadata : file.metadata; }

  // shared by sessions; each synchronises itself or is guarded by `mutex`
  mutable PanelStore panels;
  mutable std::mutex mutex;
  mutable std::vector<std::weak_ptr<const Plan>> plans;
  mutable std::shared_ptr<const Graph> prepared[2];  ///< after passes, for sessions that are exact or not
  mutable std::shared_ptr<void> text;  ///< what the text layer keeps for this model (tokenizer, template), made there
};

/// The first provider of providers.inc that this machine can run. Errors: invalid_argument (an unknown MAINSPRING_CPU_ISA).
Result<std::unique_ptr<Provider>> make_default_provider(const Context& context);

/// Gives pages of the model's files back.
SourceRelease release_of(const Model::Impl& model);
/// The graph of tensors after the passes that need no extents, shared by sessions.
Result<std::shared_ptr<const Graph>> prepared_tensors(const Model::Impl& model, bool exact);

/// Compiles the model's graph for these options, or finds the plan that another session made. `dry`: sizes only, nothing shared.
Result<std::shared_ptr<const Plan>> compile(const Model::Impl& model, const PlanOptions& options, int64_t max_batch_tokens, int64_t max_output_rows);

}  // namespace mainspring::inline v0
