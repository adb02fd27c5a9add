// Builds GGUF files in memory, right and wrong ones, for tests and fuzzing seeds.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "mainspring/types.h"

namespace gguf_test {

using mainspring::MetaValue;

/// Bytes with little-endian appends.
struct Bytes {
  std::string data;

  template <class T>
  Bytes& put(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    data.append(raw, sizeof value);
    return *this;
  }
  Bytes& text(std::string_view s) {
    put(uint64_t{s.size()});
    data += s;
    return *this;
  }
  Bytes& type(MetaValue::Type t) { return put(static_cast<uint32_t>(t)); }
  Bytes& append(const Bytes& o) {
    data += o.data;
    return *this;
  }
};

/// A file: the counts in the header are those of what was added, unless a test overrides them.
struct FileBuilder {
  uint32_t version = 3;
  uint64_t alignment = 32;
  Bytes keys, infos;
  std::string data;
  uint64_t n_keys = 0, n_tensors = 0;

  Bytes& key(std::string_view name, MetaValue::Type t) {
    ++n_keys;
    return keys.text(name).type(t);
  }
  template <class T>
  FileBuilder& scalar(std::string_view name, MetaValue::Type t, T value) {
    key(name, t).put(value);
    return *this;
  }
  FileBuilder& u32(std::string_view name, uint32_t v) { return scalar(name, MetaValue::Type::u32, v); }
  FileBuilder& u16(std::string_view name, uint16_t v) { return scalar(name, MetaValue::Type::u16, v); }
  FileBuilder& i32(std::string_view name, int32_t v) { return scalar(name, MetaValue::Type::i32, v); }
  FileBuilder& string(std::string_view name, std::string_view v) {
    key(name, MetaValue::Type::string).text(v);
    return *this;
  }
  FileBuilder& strings(std::string_view name, const std::vector<std::string>& v) {
    key(name, MetaValue::Type::array).type(MetaValue::Type::string).put(uint64_t{v.size()});
    for (const std::string& s : v) keys.text(s);
    return *this;
  }
  /// `extents` in the file's order: the inner one first.
  FileBuilder& info(std::string_view name, const std::vector<int64_t>& extents, uint32_t type, uint64_t offset) {
    ++n_tensors;
    infos.text(name).put(static_cast<uint32_t>(extents.size()));
    for (int64_t e : extents) infos.put(e);
    infos.put(type).put(offset);
    return *this;
  }
  /// A tensor whose bytes are `fill` repeated, at the next aligned offset.
  FileBuilder& tensor(std::string_view name, const std::vector<int64_t>& extents, uint32_t type, size_t bytes, char fill) {
    data.resize((data.size() + alignment - 1) / alignment * alignment);
    info(name, extents, type, data.size());
    data.append(bytes, fill);
    return *this;
  }
  std::string bytes() const {
    Bytes out;
    out.data = "GGUF";
    out.put(version).put(n_tensors).put(n_keys).append(keys).append(infos);
    if (!data.empty()) out.data.resize((out.data.size() + alignment - 1) / alignment * alignment);
    out.data += data;
    return out.data;
  }
};

/// A file with a bit of everything: each scalar type, arrays, arrays of arrays, four tensors.
inline FileBuilder sample() {
  using T = MetaValue::Type;
  FileBuilder f;
  f.scalar("a.u8", T::u8, uint8_t{200}).scalar("a.i8", T::i8, int8_t{-3}).scalar("a.u16", T::u16, uint16_t{60000}).scalar("a.i16", T::i16, int16_t{-300});
  f.scalar("a.u32", T::u32, uint32_t{4000000000u}).scalar("a.i32", T::i32, int32_t{-70000}).scalar("a.u64", T::u64, ~uint64_t{0}).scalar("a.i64", T::i64, INT64_MIN);
  f.scalar("a.f32", T::f32, 0.5f).scalar("a.f64", T::f64, -1e300).scalar("a.bool", T::boolean, uint8_t{1});
  f.string("a.string", "gr\xc3\xbc\xc3\x9f dich").string("a.bytes", std::string_view("\xff\x00\xfe", 3)).string("a.empty", "");
  f.strings("tokens", {"<s>", "", "hello", "\xe2\x96\x81world"});
  f.key("scores", T::array).type(T::f32).put(uint64_t{3}).put(1.0f).put(-2.0f).put(0.25f);
  f.key("none", T::array).type(T::i16).put(uint64_t{0});
  f.key("nested", T::array).type(T::array).put(uint64_t{2}).type(T::i8).put(uint64_t{2}).put(int8_t{1}).put(int8_t{-1}).type(T::string).put(uint64_t{1}).text("x");
  f.tensor("w.f32", {3, 2}, 0, 24, 1).tensor("w.q4_0", {64, 2}, 2, 72, 2).tensor("w.f16", {5}, 1, 10, 3).tensor("w.scalar", {}, 0, 4, 4);
  return f;
}

/// The bytes of a string in memory at an aligned address, which outlives the source.
inline std::shared_ptr<mainspring::ByteSource> source_of(const std::string& bytes, std::string_view name = "memory") {
  return mainspring::ByteSource::borrow(std::as_bytes(std::span<const char>(bytes.data(), bytes.size())), name);
}

}  // namespace gguf_test
