// ONNX's messages as views. In: the bytes of a message. Out: a struct whose texts and parts point into those bytes. Reads one level: sub-graphs,
// tensors' elements and attributes' lists stay bytes until somebody wants them.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "import/onnx/wire.h"
#include "mainspring/ext/graph.h"

namespace mainspring::inline v0::onnx {

using Texts = std::vector<std::pair<std::string_view, std::string_view>>;  ///< StringStringEntryProto

struct TensorProto {
  Bytes message;  ///< for the typed fields: see tensors.cpp
  std::string_view name;
  int64_t data_type = 0;
  std::vector<int64_t> dims;
  Bytes raw;
  bool has_raw = false;
  bool external = false;
  Texts external_data;
};

struct SparseTensorProto {
  TensorProto values, indices;
  std::vector<int64_t> dims;
};

/// A TypeProto flattened: a container and what its tensors are.
struct TypeProto {
  struct Extent {
    std::optional<int64_t> value;
    std::string_view param;
  };
  int64_t elem_type = 0;  ///< 0: not stated
  Container container = Container::tensor;
  std::optional<std::vector<Extent>> dims;
  bool other = false;  ///< a map, an opaque or a deeper type: not one that a graph here can hold
};

struct ValueInfoProto {
  std::string_view name;
  TypeProto type;
};

struct AttributeProto {
  enum Type : int64_t { undefined, f32, integer, text, tensor, graph, floats, ints, texts, tensors, graphs, sparse, sparses, type_proto, type_protos };
  Bytes message;  ///< for the lists
  std::string_view name, ref;
  int64_t type = undefined;
  float f = 0;
  int64_t i = 0;
  std::string_view s;
  Bytes part;  ///< tensor, graph, sparse, type_proto: the message
};

struct NodeProto {
  std::string_view name, op, domain, overload;
  std::vector<std::string_view> in, out;
  std::vector<AttributeProto> attrs;
};

struct GraphProto {
  std::string_view name;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<SparseTensorProto> sparse;
  std::vector<ValueInfoProto> inputs, outputs, infos;
};

struct OpsetProto {
  std::string_view domain;
  int64_t version = 0;
};

struct FunctionProto {
  std::string_view name, domain, overload;
  std::vector<std::string_view> inputs, outputs, attributes;
  std::vector<AttributeProto> defaults;
  std::vector<NodeProto> nodes;
  std::vector<OpsetProto> opsets;
};

struct ModelProto {
  int64_t ir_version = 0, model_version = 0;
  std::string_view producer_name, producer_version, domain, doc;
  std::optional<Bytes> graph;
  std::vector<OpsetProto> opsets;
  std::vector<Bytes> functions;
  Texts properties;
};

// Errors of all: corrupt_data, saying in which message and at which of its bytes.
Result<TensorProto> read_tensor(Bytes message);
Result<SparseTensorProto> read_sparse(Bytes message);
Result<TypeProto> read_type(Bytes message);
Result<GraphProto> read_graph(Bytes message);
Result<FunctionProto> read_function(Bytes message);
Result<ModelProto> read_model(Bytes message);

/// An attribute's lists.
Result<std::vector<double>> floats_of(const AttributeProto& a);
Result<std::vector<int64_t>> ints_of(const AttributeProto& a);
Result<std::vector<std::string>> texts_of(const AttributeProto& a);

}  // namespace mainspring::inline v0::onnx
