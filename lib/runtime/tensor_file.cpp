#include "mainspring/tensor_file.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "core/buffer.h"
#include "core/checked.h"
#include "core/error.h"
#include "import/onnx/onnx.h"
#include "ops/tensor.h"

namespace mainspring::inline v0 {
namespace {

struct NpyType {
  std::string_view code;  ///< kind and width, as after the byte order
  DType dtype;
};
constexpr NpyType kNpyTypes[] = {{"f4", DType::f32}, {"f8", DType::f64}, {"f2", DType::f16}, {"i8", DType::i64}, {"i4", DType::i32}, {"i2", DType::i16},  {"i1", DType::i8},
                                 {"u8", DType::u64}, {"u4", DType::u32}, {"u2", DType::u16}, {"u1", DType::u8},  {"b1", DType::boolean}, {"c8", DType::c64}, {"c16", DType::c128}};

/// The text behind 'key': in the header's dictionary.
std::string_view field(std::string_view header, std::string_view key) {
  const size_t at = header.find("'" + std::string(key) + "':");
  if (at == std::string_view::npos) return {};
  header.remove_prefix(at + key.size() + 3);
  while (!header.empty() && header[0] == ' ') header.remove_prefix(1);
  return header;
}

Result<Shape> shape_of(std::string_view text) {
  Shape shape;
  if (text.empty() || text[0] != '(') return corrupt("npy: the header has no shape");
  const size_t end = text.find(')');
  if (end == std::string_view::npos) return corrupt("npy: the shape does not end");
  const char* p = text.data() + 1;
  const char* last = text.data() + end;
  while (p < last) {
    while (p < last && (*p == ' ' || *p == ',')) ++p;
    if (p == last) break;
    int64_t n = 0;
    const auto [next, error] = std::from_chars(p, last, n);
    if (error != std::errc() || n < 0) return corrupt("npy: the shape is {}", text.substr(0, end + 1));
    if (shape.rank() == Shape::kMaxRank) return unsupported("npy: more than {} axes", Shape::kMaxRank);
    shape.push_back(n);
    p = next;
  }
  return shape;
}

void append_utf8(std::string& to, uint32_t c) {
  if (c < 0x80) return to.push_back(static_cast<char>(c));
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  to.push_back(static_cast<char>((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | c >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) to.push_back(static_cast<char>(0x80 | (c >> (6 * i) & 0x3f)));
}

/// Strings of `width` characters of 1 (S) or 4 (U) bytes each, padded with zeros.
Result<Tensor> read_strings(std::span<const std::byte> data, const Shape& shape, size_t width, size_t unit) {
  const auto count = static_cast<size_t>(shape.elements());
  const auto need = checked_mul(count, width * unit);
  if (!need || data.size() < *need) return corrupt("npy: {} strings of {} characters do not fit {} bytes", count, width, data.size());
  std::vector<std::string> texts(count);
  for (size_t i = 0; i < count; ++i)
    for (size_t k = 0; k < width; ++k) {
      uint32_t c = 0;
      std::memcpy(&c, data.data() + (i * width + k) * unit, unit);
      if (c == 0) break;
      if (unit == 1) texts[i].push_back(static_cast<char>(c));
      else append_utf8(texts[i], std::min<uint32_t>(c, 0x10ffff));
    }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return Tensor::copy_strings(system_allocator(), views, shape);
}

Container container_of(const PortInfo& port) {
  if (port.optional) return port.sequence ? Container::optional_sequence : Container::optional_tensor;
  return port.sequence ? Container::sequence : Container::tensor;
}

}  // namespace

Result<Tensor> read_npy(std::span<const std::byte> file) {
  if (file.size() < 10 || std::memcmp(file.data(), "\x93NUMPY", 6) != 0) return corrupt("npy: begins like no .npy file");
  const int version = static_cast<int>(file[6]);
  if (version < 1 || version > 3) return unsupported("npy: version {}, expected 1 to 3", version);
  const size_t fixed = version == 1 ? 10 : 12;
  if (file.size() < fixed) return corrupt("npy: ends within its header");
  uint32_t length = 0;
  std::memcpy(&length, file.data() + 8, version == 1 ? 2 : 4);
  if (file.size() - fixed < length) return corrupt("npy: the header has {} bytes, {} remain", length, file.size() - fixed);
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + fixed, length);
  const std::span<const std::byte> data = file.subspan(fixed + length);
  const std::string_view descr = field(header, "descr");
  if (descr.size() < 4 || descr[0] != '\'') return unsupported("npy: the element type is no plain one");
  const std::string_view type = descr.substr(1, descr.find('\'', 1) - 1);
  MAINSPRING_TRY(Shape shape, shape_of(field(header, "shape")));
  const bool fortran = field(header, "fortran_order").starts_with("True");
  if (type.size() < 3 || type[0] == '>') return unsupported("npy: elements of type {}, expected little-endian numbers", type);
  if (type[1] == 'U' || type[1] == 'S') {
    size_t width = 0;
    std::from_chars(type.data() + 2, type.data() + type.size(), width);
    if (width > (size_t{1} << 24) || fortran) return unsupported("npy: strings of {} characters{}", width, fortran ? " in Fortran order" : "");
    return read_strings(data, shape, width, type[1] == 'U' ? 4 : 1);
  }
  const auto* known = std::find_if(std::begin(kNpyTypes), std::end(kNpyTypes), [&](const NpyType& t) { return t.code == type.substr(1); });
  if (known == std::end(kNpyTypes)) return unsupported("npy: elements of type {}", type);
  auto copied = Tensor::copy_bytes(known->dtype, shape, data.data(), data.size());
  if (!copied) return corrupt("npy: {}", copied.error().message);
  if (!fortran || shape.rank() < 2) return copied;
  MAINSPRING_TRY(Tensor turned, Tensor::copy_bytes(known->dtype, shape, data.data(), data.size()));
  const auto width = static_cast<size_t>(info_of(known->dtype).bytes);
  std::vector<int64_t> index(static_cast<size_t>(shape.rank()), 0);
  for (int64_t i = 0; i < shape.elements(); ++i) {  // i counts in C order
    int64_t from = 0;
    for (int k = shape.rank() - 1; k >= 0; --k) from = from * shape[k] + index[static_cast<size_t>(k)];
    std::memcpy(turned.data() + static_cast<size_t>(i) * width, data.data() + static_cast<size_t>(from) * width, width);
    for (int k = shape.rank() - 1; k >= 0 && ++index[static_cast<size_t>(k)] == shape[k]; --k) index[static_cast<size_t>(k)] = 0;
  }
  return turned;
}

Result<std::vector<std::byte>> write_npy(const Tensor& tensor) {
  if (is_block_format(tensor.dtype())) return unsupported("npy: elements of {}", name_of(tensor.dtype()));
  DType dtype = tensor.dtype();
  if (dtype == DType::bf16 || is_small_float(dtype)) dtype = DType::f32;
  if (dtype == DType::i4 || dtype == DType::i2) dtype = DType::i8;
  if (dtype == DType::u4 || dtype == DType::u2) dtype = DType::u8;
  std::string code;
  std::vector<std::byte> body;
  const auto n = static_cast<size_t>(tensor.elements());
  if (dtype == DType::string) {
    const auto strings = tensor.span<std::string_view>();
    std::vector<std::vector<uint32_t>> points(n);
    size_t width = 1;
    for (size_t i = 0; i < n; ++i) {
      const std::string_view text = strings[i];
      for (size_t k = 0; k < text.size();) {  // broken bytes stand for themselves
        const auto lead = static_cast<uint8_t>(text[k]);
        const size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
        const bool whole = more > 0 && more < text.size() - k;
        uint32_t c = whole ? lead & (0x3fu >> more) : lead;
        for (size_t j = 1; whole && j <= more; ++j) c = c << 6 | (static_cast<uint8_t>(text[k + j]) & 0x3fu);
        points[i].push_back(c);
        k += whole ? more + 1 : 1;
      }
      width = std::max(width, points[i].size());
    }
    code = fmt::format("<U{}", width);
    body.resize(n * width * 4);
    for (size_t i = 0; i < n; ++i)
      if (!points[i].empty()) std::memcpy(body.data() + i * width * 4, points[i].data(), points[i].size() * 4);
  } else {
    const auto* known = std::find_if(std::begin(kNpyTypes), std::end(kNpyTypes), [&](const NpyType& t) { return t.dtype == dtype; });
    code = fmt::format("{}{}", known->code.back() == '1' && known->code.size() == 2 ? '|' : '<', known->code);
    body.resize(n * static_cast<size_t>(info_of(dtype).bytes));
    if (dtype == tensor.dtype() || info_of(dtype).bytes == info_of(tensor.dtype()).bytes) {
      if (!body.empty()) std::memcpy(body.data(), tensor.bytes().data(), body.size());
    } else {
      for (size_t i = 0; i < n; ++i) store(dtype, body.data(), static_cast<int64_t>(i), load(tensor.dtype(), tensor.bytes().data(), static_cast<int64_t>(i)));
    }
  }
  if (is_small_float(tensor.dtype()))
    for (size_t i = 0; i < n; ++i) store(dtype, body.data(), static_cast<int64_t>(i), load(tensor.dtype(), tensor.bytes().data(), static_cast<int64_t>(i)));
  std::string dims;
  for (const int64_t d : tensor.shape().dims()) dims += fmt::format("{}, ", d);
  if (tensor.shape().rank() > 1) dims.resize(dims.size() - 2);
  else if (tensor.shape().rank() == 1) dims.pop_back();
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", code, dims);
  header.append(64 - (10 + header.size() + 1) % 64, ' ');
  header.push_back('\n');
  std::vector<std::byte> file(10 + header.size() + body.size());
  std::memcpy(file.data(), "\x93NUMPY\x01\x00", 8);
  const auto length = static_cast<uint16_t>(header.size());
  std::memcpy(file.data() + 8, &length, 2);
  std::memcpy(file.data() + 10, header.data(), header.size());
  if (!body.empty()) std::memcpy(file.data() + 10 + header.size(), body.data(), body.size());
  return file;
}

Result<Datum> read_pb(std::span<const std::byte> file, const PortInfo& port) { return read_onnx_value(file, container_of(port), system_allocator()); }
Result<std::vector<std::byte>> write_pb(const Datum& value, const PortInfo& port) { return write_onnx_value(value, container_of(port)); }

}  // namespace mainspring::inline v0
