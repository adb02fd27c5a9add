#include "import/onnx/onnx.h"

#include <algorithm>

#include "core/error.h"
#include "import/onnx/importer.h"

namespace mainspring::inline v0 {
namespace {

using namespace onnx;

constexpr int64_t kOldestIr = 3, kNewestIr = 14;

/// The wire type of a ModelProto's field, as far as ONNX knows the number.
bool fits_model(uint32_t field, WireType type) {
  switch (field) {
    case 1: case 5: return type == WireType::varint;
    case 2: case 3: case 4: case 6: case 7: case 8: case 14: case 20: case 25: case 26: return type == WireType::bytes;
    default: return false;
  }
}

MetaValue text(std::string_view t) {
  MetaValue v;
  v.type = MetaValue::Type::string;
  v.text = t;
  return v;
}
MetaValue number(int64_t n) {
  MetaValue v;
  v.type = MetaValue::Type::i64;
  v.bits = static_cast<uint64_t>(n);
  return v;
}

/// Metadata: the file's own keys, then ours where the file has none of that name.
Result<Metadata> metadata_of(const ModelProto& model, std::string_view graph_name) {
  Metadata m;
  for (const auto& [key, value] : model.properties) m.add(key, text(value));
  const auto add = [&](std::string_view key, MetaValue value) {
    if (std::none_of(model.properties.begin(), model.properties.end(), [key](const auto& p) { return p.first == key; })) m.add(key, std::move(value));
  };
  const auto add_text = [&](std::string_view key, std::string_view t) {
    if (!t.empty()) add(key, text(t));
  };
  add("onnx.ir_version", number(model.ir_version));
  add_text("onnx.producer_name", model.producer_name);
  add_text("onnx.producer_version", model.producer_version);
  add_text("onnx.domain", model.domain);
  add("onnx.model_version", number(model.model_version));
  add_text("onnx.doc_string", model.doc);
  add_text("onnx.graph_name", graph_name);
  MetaValue domains;
  domains.type = MetaValue::Type::array;
  domains.element = MetaValue::Type::string;
  for (const OpsetProto& o : model.opsets)
    if (!domain_of(o.domain).empty()) domains.strings.push_back(o.domain);
  domains.count = domains.strings.size();
  add("onnx.opset", number(opset_of(model.opsets, 1)));
  if (domains.count > 0) add("onnx.domains", std::move(domains));
  std::string_view twice;
  if (!m.seal(&twice)) return corrupt("metadata '{}' stands twice", shown(twice));
  return m;
}

Result<OnnxFile> read(std::shared_ptr<ByteSource> source, const OpenFile& open, std::string_view model_path, std::span<const OpDef* const> custom_ops, Allocator& allocator) {
  MAINSPRING_TRY(const ModelProto model, read_model(source->bytes()));
  if (model.ir_version < kOldestIr || model.ir_version > kNewestIr)
    return unsupported("IR version {}, {} to {} are read", model.ir_version, kOldestIr, kNewestIr);
  if (!model.graph) return corrupt("has no graph");
  OnnxFile file;
  Budget budget(source->bytes().size());
  file.sources.push_back(std::move(source));
  TensorLoader loader(file.sources, open, model_path, allocator, budget);
  Importer importer(loader, budget, custom_ops);
  std::string_view graph_name;
  MAINSPRING_TRY(file.graph, importer.run(model, graph_name));
  MAINSPRING_TRY(file.metadata, metadata_of(model, graph_name));
  return file;
}

}  // namespace

bool looks_like_onnx(std::span<const std::byte> bytes) {
  // The fields of a ModelProto may stand in any order; the first few must be its own, and one of them must be one that a model has to have.
  constexpr int kLook = 8;
  bool telling = false;
  int n = 0;
  for (Wire w(bytes); n < kLook && w.next(); ++n) {
    if (!fits_model(w.field(), w.type())) return false;
    if (w.field() == 1 && (w.integer() < 1 || w.integer() > 1000)) return false;
    telling = telling || w.field() == 1 || w.field() == 7;
  }
  return telling && n >= 2;
}

Result<OnnxFile> read_onnx(std::shared_ptr<ByteSource> source, const std::function<Result<std::shared_ptr<ByteSource>>(const std::string& path)>& open,
                           std::string_view model_path, std::span<const OpDef* const> custom_ops, Allocator& allocator) {
  if (!source) return invalid("onnx: no file was given");
  const std::string where = fmt::format("onnx '{}'", source->path());
  auto file = read(std::move(source), open, model_path, custom_ops, allocator);
  if (!file) return within(where, std::move(file).error());
  return file;
}

}  // namespace mainspring::inline v0
