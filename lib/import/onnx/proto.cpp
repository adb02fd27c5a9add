#include "import/onnx/proto.h"

namespace mainspring::inline v0::onnx {
namespace {

constexpr WireType kNumber = WireType::varint, kBytes = WireType::bytes;

// An empty message takes two bytes in the file and two hundred here.
constexpr size_t kMaxParts = size_t{1} << 20;

/// Reads a part of a message into `out`, with the part's name before an error.
template <class T>
Result<void> part(T& out, std::string_view name, Result<T> read) {
  if (!read) return within(name, std::move(read).error());
  out = *std::move(read);
  return {};
}
template <class T>
Result<void> append(std::vector<T>& out, std::string_view name, Result<T> read) {
  if (!read) return within(fmt::format("{} {}", name, out.size()), std::move(read).error());
  if (out.size() == kMaxParts) return unsupported("more than {} parts named {}", kMaxParts, name);
  out.push_back(*std::move(read));
  return {};
}

Result<std::vector<int64_t>> numbers(Bytes message, uint32_t field) {
  std::vector<int64_t> out;
  MAINSPRING_TRY_VOID(each_number(message, field, kNumber, [&out](uint64_t v) {
    out.push_back(static_cast<int64_t>(v));
    return true;
  }));
  return out;
}

Result<std::pair<std::string_view, std::string_view>> read_entry(Bytes message) {
  std::pair<std::string_view, std::string_view> entry;
  Wire w(message);
  while (w.next()) {
    if (w.is(1, kBytes)) entry.first = w.text();
    else if (w.is(2, kBytes)) entry.second = w.text();
  }
  MAINSPRING_TRY_VOID(w.end("StringStringEntryProto"));
  return entry;
}

Result<AttributeProto> read_attribute(Bytes message) {
  AttributeProto a;
  a.message = message;
  int64_t seen = AttributeProto::undefined;  // what is there, for files that don't say the type
  Wire w(message);
  while (w.next()) {
    const uint32_t f = w.field();
    if (w.is(1, kBytes)) a.name = w.text();
    else if (w.is(21, kBytes)) a.ref = w.text();
    else if (w.is(20, kNumber)) a.type = w.integer();
    else if (w.is(2, WireType::fixed32)) a.f = w.f32(), seen = AttributeProto::f32;
    else if (w.is(3, kNumber)) a.i = w.integer(), seen = AttributeProto::integer;
    else if (w.is(4, kBytes)) a.s = w.text(), seen = AttributeProto::text;
    else if (w.is(5, kBytes)) a.part = w.bytes(), seen = AttributeProto::tensor;
    else if (w.is(6, kBytes)) a.part = w.bytes(), seen = AttributeProto::graph;
    else if (w.is(22, kBytes)) a.part = w.bytes(), seen = AttributeProto::sparse;
    else if (w.is(14, kBytes)) a.part = w.bytes(), seen = AttributeProto::type_proto;
    else if (f == 7) seen = AttributeProto::floats;
    else if (f == 8) seen = AttributeProto::ints;
    else if (w.is(9, kBytes)) seen = AttributeProto::texts;
  }
  MAINSPRING_TRY_VOID(w.end("AttributeProto"));
  if (a.type == AttributeProto::undefined) a.type = seen;
  return a;
}

Result<NodeProto> read_node(Bytes message) {
  NodeProto n;
  Wire w(message);
  while (w.next()) {
    if (w.type() != kBytes) continue;
    switch (w.field()) {
      case 1: n.in.push_back(w.text()); break;
      case 2: n.out.push_back(w.text()); break;
      case 3: n.name = w.text(); break;
      case 4: n.op = w.text(); break;
      case 5: MAINSPRING_TRY_VOID(append(n.attrs, "attribute", read_attribute(w.bytes()))); break;
      case 7: n.domain = w.text(); break;
      case 8: n.overload = w.text(); break;
      default: break;
    }
  }
  MAINSPRING_TRY_VOID(w.end("NodeProto"));
  return n;
}

Result<TypeProto::Extent> read_extent(Bytes message) {
  TypeProto::Extent e;
  Wire w(message);
  while (w.next()) {
    if (w.is(1, kNumber)) e.value = w.integer();
    else if (w.is(2, kBytes)) e.param = w.text();
  }
  MAINSPRING_TRY_VOID(w.end("TensorShapeProto.Dimension"));
  return e;
}

/// TypeProto.Tensor and TypeProto.SparseTensor: an element type and a shape.
Result<void> read_tensor_type(Bytes message, TypeProto& type) {
  Wire w(message);
  while (w.next()) {
    if (w.is(1, kNumber)) type.elem_type = w.integer();
    if (!w.is(2, kBytes)) continue;
    type.dims.emplace();
    Wire shape(w.bytes());
    while (shape.next())
      if (shape.is(1, kBytes)) MAINSPRING_TRY_VOID(append(*type.dims, "dim", read_extent(shape.bytes())));
    MAINSPRING_TRY_VOID(shape.end("TensorShapeProto"));
  }
  return w.end("TypeProto.Tensor");
}

Result<ValueInfoProto> read_info(Bytes message) {
  ValueInfoProto v;
  Wire w(message);
  while (w.next()) {
    if (w.is(1, kBytes)) v.name = w.text();
    else if (w.is(2, kBytes)) MAINSPRING_TRY_VOID(part(v.type, "type", read_type(w.bytes())));
  }
  MAINSPRING_TRY_VOID(w.end("ValueInfoProto"));
  return v;
}

Result<OpsetProto> read_opset(Bytes message) {
  OpsetProto o;
  Wire w(message);
  while (w.next()) {
    if (w.is(1, kBytes)) o.domain = w.text();
    else if (w.is(2, kNumber)) o.version = w.integer();
  }
  MAINSPRING_TRY_VOID(w.end("OperatorSetIdProto"));
  return o;
}

}  // namespace

Result<TensorProto> read_tensor(Bytes message) {
  TensorProto t;
  t.message = message;
  bool has_dims = false;
  Wire w(message);
  while (w.next()) {
    if (w.field() == 1) has_dims = true;
    else if (w.is(2, kNumber)) t.data_type = w.integer();
    else if (w.is(8, kBytes)) t.name = w.text();
    else if (w.is(9, kBytes)) t.raw = w.bytes(), t.has_raw = true;
    else if (w.is(14, kNumber)) t.external = w.number() == 1;
    else if (w.is(13, kBytes)) MAINSPRING_TRY_VOID(append(t.external_data, "external_data", read_entry(w.bytes())));
  }
  MAINSPRING_TRY_VOID(w.end("TensorProto"));
  if (has_dims) MAINSPRING_TRY_VOID(part(t.dims, "dims", numbers(message, 1)));
  return t;
}

Result<SparseTensorProto> read_sparse(Bytes message) {
  SparseTensorProto s;
  Wire w(message);
  while (w.next()) {
    if (w.is(1, kBytes)) MAINSPRING_TRY_VOID(part(s.values, "values", read_tensor(w.bytes())));
    else if (w.is(2, kBytes)) MAINSPRING_TRY_VOID(part(s.indices, "indices", read_tensor(w.bytes())));
  }
  MAINSPRING_TRY_VOID(w.end("SparseTensorProto"));
  MAINSPRING_TRY(s.dims, numbers(message, 3));
  return s;
}

Result<TypeProto> read_type(Bytes message) {
  constexpr int kMaxDepth = 3;  // optional, sequence, tensor
  TypeProto type;
  for (int depth = 0;; ++depth) {
    Bytes inner;
    bool sequence = false, optional = false;
    Wire w(message);
    while (w.next()) {
      if (w.type() != kBytes) continue;
      const uint32_t f = w.field();
      if (f == 1 || f == 8) MAINSPRING_TRY_VOID(read_tensor_type(w.bytes(), type));
      else if (f == 4) sequence = true, inner = w.bytes();
      else if (f == 9) optional = true, inner = w.bytes();
      else if (f == 5 || f == 7) type.other = true;
    }
    MAINSPRING_TRY_VOID(w.end("TypeProto"));
    if (!sequence && !optional) return type;
    if (depth == kMaxDepth || type.container == Container::sequence || type.container == Container::optional_sequence || (optional && depth > 0)) {
      type.other = true;
      return type;
    }
    if (optional) type.container = Container::optional_tensor;
    else type.container = type.container == Container::optional_tensor ? Container::optional_sequence : Container::sequence;
    Wire element(inner);
    message = {};
    while (element.next())
      if (element.is(1, kBytes)) message = element.bytes();
    MAINSPRING_TRY_VOID(element.end("TypeProto.Sequence"));
  }
}

Result<GraphProto> read_graph(Bytes message) {
  GraphProto g;
  Wire w(message);
  while (w.next()) {
    if (w.type() != kBytes) continue;
    switch (w.field()) {
      case 1: MAINSPRING_TRY_VOID(append(g.nodes, "node", read_node(w.bytes()))); break;
      case 2: g.name = w.text(); break;
      case 5: MAINSPRING_TRY_VOID(append(g.initializers, "initializer", read_tensor(w.bytes()))); break;
      case 11: MAINSPRING_TRY_VOID(append(g.inputs, "input", read_info(w.bytes()))); break;
      case 12: MAINSPRING_TRY_VOID(append(g.outputs, "output", read_info(w.bytes()))); break;
      case 13: MAINSPRING_TRY_VOID(append(g.infos, "value_info", read_info(w.bytes()))); break;
      case 15: MAINSPRING_TRY_VOID(append(g.sparse, "sparse_initializer", read_sparse(w.bytes()))); break;
      default: break;
    }
  }
  MAINSPRING_TRY_VOID(w.end("GraphProto"));
  return g;
}

Result<FunctionProto> read_function(Bytes message) {
  FunctionProto f;
  Wire w(message);
  while (w.next()) {
    if (w.type() != kBytes) continue;
    switch (w.field()) {
      case 1: f.name = w.text(); break;
      case 4: f.inputs.push_back(w.text()); break;
      case 5: f.outputs.push_back(w.text()); break;
      case 6: f.attributes.push_back(w.text()); break;
      case 7: MAINSPRING_TRY_VOID(append(f.nodes, "node", read_node(w.bytes()))); break;
      case 9: MAINSPRING_TRY_VOID(append(f.opsets, "opset_import", read_opset(w.bytes()))); break;
      case 10: f.domain = w.text(); break;
      case 11: MAINSPRING_TRY_VOID(append(f.defaults, "attribute_proto", read_attribute(w.bytes()))); break;
      case 13: f.overload = w.text(); break;
      default: break;
    }
  }
  MAINSPRING_TRY_VOID(w.end("FunctionProto"));
  return f;
}

Result<ModelProto> read_model(Bytes message) {
  ModelProto m;
  Wire w(message);
  while (w.next()) {
    switch (w.field()) {
      case 1: if (w.type() == kNumber) m.ir_version = w.integer(); break;
      case 5: if (w.type() == kNumber) m.model_version = w.integer(); break;
      case 2: if (w.type() == kBytes) m.producer_name = w.text(); break;
      case 3: if (w.type() == kBytes) m.producer_version = w.text(); break;
      case 4: if (w.type() == kBytes) m.domain = w.text(); break;
      case 6: if (w.type() == kBytes) m.doc = w.text(); break;
      case 7: if (w.type() == kBytes) m.graph = w.bytes(); break;
      case 8: if (w.type() == kBytes) MAINSPRING_TRY_VOID(append(m.opsets, "opset_import", read_opset(w.bytes()))); break;
      case 14: if (w.type() == kBytes) MAINSPRING_TRY_VOID(append(m.properties, "metadata_props", read_entry(w.bytes()))); break;
      case 25: if (w.type() == kBytes) m.functions.push_back(w.bytes()); break;
      default: break;
    }
  }
  MAINSPRING_TRY_VOID(w.end("ModelProto"));
  return m;
}

Result<std::vector<double>> floats_of(const AttributeProto& a) {
  std::vector<double> out;
  MAINSPRING_TRY_VOID(each_number(a.message, 7, WireType::fixed32, [&out](uint64_t bits) {
    out.push_back(static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits))));
    return true;
  }));
  return out;
}

Result<std::vector<int64_t>> ints_of(const AttributeProto& a) { return numbers(a.message, 8); }

Result<std::vector<std::string>> texts_of(const AttributeProto& a) {
  std::vector<std::string> out;
  Wire w(a.message);
  while (w.next())
    if (w.is(9, kBytes)) out.emplace_back(w.text());
  MAINSPRING_TRY_VOID(w.end("AttributeProto"));
  return out;
}

}  // namespace mainspring::inline v0::onnx
