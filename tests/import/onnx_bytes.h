// Builds ONNX models in memory, right and wrong ones, for tests and fuzzing seeds: a small writer of protobuf and the messages that tests want.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onnx_test {

/// A message; fields are appended in the order of the calls.
struct Message {
  std::string data;

  static void varint(uint64_t v, std::string& out) {
    for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
    out += static_cast<char>(v);
  }
  Message& tag(uint32_t field, uint32_t type) {
    varint(uint64_t{field} << 3 | type, data);
    return *this;
  }
  Message& number(uint32_t field, int64_t v) {
    tag(field, 0);
    varint(static_cast<uint64_t>(v), data);
    return *this;
  }
  Message& text(uint32_t field, std::string_view s) {
    tag(field, 2);
    varint(s.size(), data);
    data += s;
    return *this;
  }
  Message& add(uint32_t field, const Message& m) { return text(field, m.data); }
  Message& f32(uint32_t field, float v) {
    tag(field, 5);
    data.append(reinterpret_cast<const char*>(&v), 4);
    return *this;
  }
  Message& packed(uint32_t field, std::span<const int64_t> list) {
    std::string all;
    for (const int64_t v : list) varint(static_cast<uint64_t>(v), all);
    return text(field, all);
  }
  template <class T>
  Message& fixed(uint32_t field, std::span<const T> list) {
    return text(field, {reinterpret_cast<const char*>(list.data()), list.size_bytes()});
  }
};

using Names = std::initializer_list<std::string_view>;
using Ints = std::vector<int64_t>;

enum : int64_t { kF32 = 1, kU8 = 2, kI8 = 3, kI32 = 6, kI64 = 7, kString = 8, kBool = 9, kF16 = 10, kU4 = 21, kI4 = 22, kU2 = 25, kI2 = 26 };

/// A tensor's head; data are added by the caller: raw data is field 9.
inline Message tensor(std::string_view name, int64_t type, const Ints& dims) {
  Message m;
  for (const int64_t d : dims) m.number(1, d);
  return m.number(2, type).text(8, name);
}
template <class T>
Message raw_tensor(std::string_view name, int64_t type, const Ints& dims, const std::vector<T>& elements) {
  return tensor(name, type, dims).fixed(9, std::span<const T>(elements));
}
inline Message ints_tensor(std::string_view name, const Ints& elements) {
  return raw_tensor(name, kI64, {static_cast<int64_t>(elements.size())}, elements);
}

/// Extents: a number, or a name where it is no number, or "" for nothing.
inline Message tensor_type(int64_t type, std::initializer_list<std::string_view> dims) {
  Message shape;
  for (const std::string_view d : dims) {
    Message dim;
    if (!d.empty() && (d[0] == '-' || (d[0] >= '0' && d[0] <= '9'))) dim.number(1, std::stoll(std::string(d)));
    else if (!d.empty()) dim.text(2, d);
    shape.add(1, dim);
  }
  return Message().add(1, Message().number(1, type).add(2, shape));
}
inline Message unranked_type(int64_t type) { return Message().add(1, Message().number(1, type)); }
inline Message info(std::string_view name, const Message& type) { return Message().text(1, name).add(2, type); }

inline Message attr(std::string_view name, int64_t v) { return Message().text(1, name).number(3, v).number(20, 2); }
inline Message attr_f(std::string_view name, float v) { return Message().text(1, name).f32(2, v).number(20, 1); }
inline Message attr_s(std::string_view name, std::string_view v) { return Message().text(1, name).text(4, v).number(20, 3); }
inline Message attr_t(std::string_view name, const Message& t) { return Message().text(1, name).add(5, t).number(20, 4); }
inline Message attr_g(std::string_view name, const Message& g) { return Message().text(1, name).add(6, g).number(20, 5); }
inline Message attr_ints(std::string_view name, const Ints& v) { return Message().text(1, name).packed(8, v).number(20, 7); }
inline Message attr_ref(std::string_view name, std::string_view ref, int64_t type) { return Message().text(1, name).text(21, ref).number(20, type); }

inline Message node(std::string_view op, Names in, Names out, std::initializer_list<Message> attrs = {}, std::string_view domain = "", std::string_view name = "") {
  Message m;
  for (const auto n : in) m.text(1, n);
  for (const auto n : out) m.text(2, n);
  if (!name.empty()) m.text(3, name);
  m.text(4, op);
  for (const Message& a : attrs) m.add(5, a);
  if (!domain.empty()) m.text(7, domain);
  return m;
}

struct Graph {
  std::vector<Message> nodes, initializers, inputs, outputs, infos;
  Message message() const {
    Message g;
    for (const Message& m : nodes) g.add(1, m);
    g.text(2, "g");
    for (const Message& m : initializers) g.add(5, m);
    for (const Message& m : inputs) g.add(11, m);
    for (const Message& m : outputs) g.add(12, m);
    for (const Message& m : infos) g.add(13, m);
    return g;
  }
};

struct Function {
  std::string_view domain, name;
  std::vector<std::string_view> in, out, attributes;
  std::vector<Message> nodes, defaults;
  Message message() const {
    Message f = Message().text(1, name);
    for (const auto n : in) f.text(4, n);
    for (const auto n : out) f.text(5, n);
    for (const auto n : attributes) f.text(6, n);
    for (const Message& m : nodes) f.add(7, m);
    f.add(9, Message().text(1, "").number(2, 28)).text(10, domain);
    for (const Message& m : defaults) f.add(11, m);
    return f;
  }
};

inline std::string model(const Graph& g, int64_t opset = 28, const std::vector<Function>& functions = {}, int64_t ir = 10) {
  Message m = Message().number(1, ir).text(2, "test").text(3, "1.2").number(5, 7).add(7, g.message()).add(8, Message().text(1, "").number(2, opset));
  m.add(14, Message().text(1, "author").text(2, "me"));
  for (const Function& f : functions) m.add(25, f.message());
  return m.data;
}

}  // namespace onnx_test
