// What the tests of the ONNX importer share: reading a model from memory, finding values and nodes by name.
#pragma once

#include <gtest/gtest.h>

#include "core/buffer.h"
#include "import/onnx/onnx.h"
#include "tests/import/onnx_bytes.h"

namespace onnx_test {

using namespace mainspring;

inline std::span<const std::byte> bytes_of(std::string_view s) { return {reinterpret_cast<const std::byte*>(s.data()), s.size()}; }

inline Result<OnnxFile> read(std::string_view bytes, std::span<const OpDef* const> ops = {}) {
  return read_onnx(ByteSource::borrow(bytes_of(bytes)), {}, "", ops, system_allocator());
}

/// The error of a model that must be refused.
inline Error refused(std::string_view bytes, std::span<const OpDef* const> ops = {}) {
  auto file = read(bytes, ops);
  EXPECT_FALSE(file);
  return file ? Error{} : file.error();
}

inline const Value* value(const mainspring::Graph& g, std::string_view name) {
  for (const Value& v : g.values)
    if (v.name == name) return &v;
  return nullptr;
}
inline const Value& value(const mainspring::Graph& g, ValueId id) { return g.values[static_cast<size_t>(id)]; }

template <class T>
std::vector<T> elements(const Value& v) {
  std::vector<T> out(v.bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), v.bytes.data(), out.size() * sizeof(T));
  return out;
}

inline bool has_text(const Error& e, std::string_view part) { return e.message.find(part) != std::string::npos; }

/// x [N, 3] → nodes → y.
inline Graph chain(std::vector<Message> nodes, std::vector<Message> initializers = {}, std::string_view y = "y") {
  Graph g;
  g.nodes = std::move(nodes);
  g.initializers = std::move(initializers);
  g.inputs = {info("x", tensor_type(kF32, {"N", "3"}))};
  g.outputs = {info(y, unranked_type(kF32))};
  return g;
}

// Operators of the tests' own: what the importer does must not hang on what the library's do.
inline Result<std::vector<ValueInfo>> same_as_first(const OpCall& c) {
  std::vector<ValueInfo> out(static_cast<size_t>(c.n_out), c.in.empty() ? ValueInfo{} : c.in[0]);
  for (ValueInfo& v : out) v.value = nullptr, v.present = true;
  return out;
}
inline Result<std::vector<ValueInfo>> knows_nothing(const OpCall& c) {
  ValueInfo v;
  v.ranked = false;
  return std::vector<ValueInfo>(static_cast<size_t>(c.n_out), v);
}
inline Result<std::vector<ValueInfo>> refuses(const OpCall&) { return Error{Errc::invalid_argument, "no such thing"}; }

inline constexpr OpDef own_op(const char* name, Result<std::vector<ValueInfo>> (*infer)(const OpCall&)) {
  return OpDef{.name = name, .min_in = 0, .max_in = kVariadic, .n_out = kVariadic, .infer = infer};
}
inline constexpr OpDef kSame = own_op("test.Same", same_as_first), kDark = own_op("test.Dark", knows_nothing), kWrong = own_op("test.Wrong", refuses);
inline constexpr const OpDef* kOwn[] = {&kSame, &kDark, &kWrong};

inline Message same(Names in, Names out, std::string_view name = "") { return node("Same", in, out, {}, "test", name); }

}  // namespace onnx_test
