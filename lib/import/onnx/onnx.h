// ONNX: bytes → Graph. In: a model's bytes and a way to open the files of external data. Out: a graph of tensor operators with the newest opset's meaning,
// weights as views of the mapped file where alignment lets them. Everything is bounded by the file's size. Knows no operator but for the upgrades.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "mainspring/ext/graph.h"
#include "mainspring/ext/op.h"
#include "mainspring/result.h"
#include "mainspring/tensor.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

struct OnnxFile {
  std::vector<std::shared_ptr<ByteSource>> sources;  ///< the model, then files of external data
  /// The model's properties under their own keys; "onnx.ir_version", "onnx.producer_name", "onnx.producer_version", "onnx.domain", "onnx.model_version",
  /// "onnx.doc_string", "onnx.graph_name", "onnx.opset" (of ai.onnx) and "onnx.domains" (the others). Views into sources[0].
  Metadata metadata;
  /// Inputs and outputs bear the file's names. An input with an initializer is a weight, not an input.
  Graph graph;
};

/// Whether the bytes begin as a ModelProto. Reads a few bytes only.
bool looks_like_onnx(std::span<const std::byte> bytes);

/// Reads a model. `open` gets paths inside the model's folder; `model_path` is empty for a model in memory, which can have no external data.
///
/// A node's operator is ONNX's name, with the domain before it unless it is ai.onnx's ("com.microsoft.QAttention"). Attributes keep their names and types;
/// a TypeProto becomes `dtype` (ONNX's number) and `container` (Container of the named type). Sub-graphs become bodies (If: then, else; FlexAttention: score_mod,
/// prob_mod, with has_score_mod and has_prob_mod set), the values that they capture the node's last `n_captures` operands: all bodies of a node take the same
/// ones in the same order. Model-local functions are inlined.
///
/// Errors: corrupt_data (where and what), unsupported (all operators that are missing, in one message), out_of_memory, io_error.
Result<OnnxFile> read_onnx(std::shared_ptr<ByteSource> source, const std::function<Result<std::shared_ptr<ByteSource>>(const std::string& path)>& open,
                           std::string_view model_path, std::span<const OpDef* const> custom_ops, Allocator& allocator);

/// A value from the bytes of a TensorProto, SequenceProto or OptionalProto, by `container`. Errors: corrupt_data, unsupported, out_of_memory.
Result<Datum> read_onnx_value(std::span<const std::byte> bytes, Container container, Allocator& allocator);
/// The same back; elements stand in raw_data as ONNX packs them. Errors: unsupported (a block format), invalid_argument (no such container).
Result<std::vector<std::byte>> write_onnx_value(const Datum& datum, Container container);

}  // namespace mainspring::inline v0
