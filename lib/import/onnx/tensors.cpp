#include "import/onnx/tensors.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/checked.h"
#include "ops/onnx_dtype.h"

namespace mainspring::inline v0::onnx {
namespace {

constexpr size_t kWorthDropping = size_t{1} << 16;  // a system call for each tensor costs more than small ones are worth

/// Bits that an element takes in raw_data.
uint64_t bits_of(DType t) {
  switch (t) {
    case DType::i4: case DType::u4: case DType::f4e2m1: return 4;
    case DType::i2: case DType::u2: return 2;
    default: return 8 * static_cast<uint64_t>(info_of(t).bytes);
  }
}

size_t alignment_of(DType t) {
  const auto bytes = static_cast<size_t>(info_of(t).bytes);
  return t == DType::c64 || t == DType::c128 ? bytes / 2 : bytes;
}

struct Form {
  DType dtype;
  Shape shape;
  uint64_t elements;
};

Result<Shape> shape_of(std::span<const int64_t> dims, uint64_t& elements) {
  if (dims.size() > static_cast<size_t>(Shape::kMaxRank)) return unsupported("has {} dimensions, at most {} are read", dims.size(), Shape::kMaxRank);
  elements = 1;
  for (const int64_t d : dims) {
    if (d < 0) return corrupt("has a dimension of {}", d);
    const auto n = checked_mul(elements, static_cast<uint64_t>(d));
    if (!n || *n > INT64_MAX) return corrupt("the number of elements overflows 64 bits");
    elements = *n;
  }
  return Shape(dims);
}

Result<Form> form_of(const TensorProto& t) {
  const auto dtype = dtype_of_onnx(t.data_type);
  if (!dtype) return unsupported("has element type {}, which this version doesn't read", t.data_type);
  Form form{*dtype, {}, 0};
  MAINSPRING_TRY(form.shape, shape_of(t.dims, form.elements));
  return form;
}

/// Bytes of raw_data; empty where they overflow.
std::optional<uint64_t> raw_bytes(const Form& f) {
  const auto bits = checked_mul(f.elements, bits_of(f.dtype));
  return bits ? std::optional((*bits + 7) / 8) : std::nullopt;
}

/// Element i of packed bits, as the byte that it takes here.
uint8_t unpack(DType t, uint8_t packed, uint64_t i) {
  const auto bits = static_cast<unsigned>(bits_of(t));
  const auto shift = static_cast<unsigned>(i % (8 / bits)) * bits;
  const auto v = static_cast<uint8_t>(packed >> shift & ((1u << bits) - 1));
  const bool negative = (t == DType::i4 || t == DType::i2) && (v >> (bits - 1)) != 0;
  return negative ? static_cast<uint8_t>(v | 0xff << bits) : v;
}

/// Whether raw bytes are not yet the bytes of a tensor here: packed elements, and booleans that are no 0 or 1.
bool needs_work(DType t, Bytes raw) {
  if (t == DType::boolean) return std::any_of(raw.begin(), raw.end(), [](std::byte b) { return b > std::byte{1}; });
  return bits_of(t) < 8;
}

void fill_from_raw(const Form& f, Bytes raw, std::byte* out) {
  if (bits_of(f.dtype) < 8) {
    const uint64_t per_byte = 8 / bits_of(f.dtype);
    for (uint64_t i = 0; i < f.elements; ++i) out[i] = std::byte{unpack(f.dtype, static_cast<uint8_t>(raw[i / per_byte]), i)};
  } else if (f.dtype == DType::boolean) {
    for (uint64_t i = 0; i < f.elements; ++i) out[i] = std::byte{raw[i] != std::byte{}};
  } else if (!raw.empty()) {
    std::memcpy(out, raw.data(), raw.size());
  }
}

/// The typed field that holds a dtype's elements: numbers that fill `bytes` of the tensor each; packed ones hold `per_number` elements.
struct Typed {
  uint32_t field;
  WireType as;
  size_t bytes;
  uint64_t per_number = 1;
};
Typed typed_of(DType t) {
  switch (t) {
    case DType::f32: case DType::c64: return {4, WireType::fixed32, 4};
    case DType::f64: case DType::c128: return {10, WireType::fixed64, 8};
    case DType::i64: return {7, WireType::varint, 8};
    case DType::u64: return {11, WireType::varint, 8};
    case DType::u32: return {11, WireType::varint, 4};
    default: return {5, WireType::varint, static_cast<size_t>(info_of(t).bytes), bits_of(t) < 8 ? 8 / bits_of(t) : 1};
  }
}

Result<void> fill_typed(const TensorProto& t, const Form& f, const Typed& typed, uint64_t numbers, std::byte* out) {
  uint64_t n = 0;
  MAINSPRING_TRY_VOID(each_number(t.message, typed.field, typed.as, [&](uint64_t v) {
    if (n++ == numbers) return false;
    if (typed.per_number > 1) {
      for (uint64_t i = (n - 1) * typed.per_number; i < std::min(n * typed.per_number, f.elements); ++i) out[i] = std::byte{unpack(f.dtype, static_cast<uint8_t>(v), i)};
      return true;
    }
    if (f.dtype == DType::boolean) v = v != 0;
    std::memcpy(out + (n - 1) * typed.bytes, &v, typed.bytes);  // little-endian
    return true;
  }));
  if (n != numbers) return corrupt("has {} numbers in its data, its shape needs {}", n > numbers ? "more" : fmt::to_string(n), numbers);
  return {};
}

Result<Tensor> decode_typed(const TensorProto& t, const Form& f, Allocator& allocator) {
  const Typed typed = typed_of(f.dtype);
  const auto bytes = checked_mul(f.elements, static_cast<uint64_t>(info_of(f.dtype).bytes));
  // The least that so many elements take in the file: before memory is asked for.
  if (!bytes || f.elements / typed.per_number > t.message.size()) return corrupt("claims {} elements in {} bytes", f.elements, t.message.size());
  const uint64_t numbers = typed.per_number > 1 ? (f.elements + typed.per_number - 1) / typed.per_number : *bytes / typed.bytes;
  MAINSPRING_TRY(Tensor out, Tensor::make(allocator, f.dtype, f.shape));
  MAINSPRING_TRY_VOID(fill_typed(t, f, typed, numbers, out.data()));
  return out;
}

Result<Tensor> decode_strings(const TensorProto& t, const Form& f, Allocator& allocator) {
  std::vector<std::string_view> strings;
  Wire w(t.message);
  while (w.next())
    if (w.is(6, WireType::bytes)) strings.push_back(w.text());
  MAINSPRING_TRY_VOID(w.end("TensorProto"));
  if (strings.size() != f.elements) return corrupt("has {} strings, its shape needs {}", strings.size(), f.elements);
  return Tensor::copy_strings(allocator, strings, f.shape);
}

Result<void> check_raw(const Form& f, Bytes raw) {
  if (f.dtype == DType::string) return corrupt("strings stand in raw data");
  const auto need = raw_bytes(f);
  if (!need || *need != raw.size()) return corrupt("has {} bytes of data, {} elements of {} need {}", raw.size(), f.elements, name_of(f.dtype), need ? fmt::to_string(*need) : "more");
  return {};
}

Result<Tensor> decode_raw(const Form& f, Bytes raw, Allocator& allocator) {
  MAINSPRING_TRY(Tensor out, Tensor::make(allocator, f.dtype, f.shape));
  fill_from_raw(f, raw, out.data());
  return out;
}

Error named(const TensorProto& t, Error e) { return within(fmt::format("tensor '{}'", t.name), std::move(e)); }

Result<Tensor> decode_form(const TensorProto& t, const Form& f, Allocator& allocator) {
  if (t.has_raw) {
    MAINSPRING_TRY_VOID(check_raw(f, t.raw));
    return decode_raw(f, t.raw, allocator);
  }
  return f.dtype == DType::string ? decode_strings(t, f, allocator) : decode_typed(t, f, allocator);
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t n = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
  return wrong == std::errc() && end == text.data() + text.size() ? std::optional(n) : std::nullopt;
}

}  // namespace

Result<Tensor> decode(const TensorProto& t, Allocator& allocator) {
  if (t.external) return named(t, unsupported("its data stand in another file"));
  auto form = form_of(t);
  if (!form) return named(t, std::move(form).error());
  auto out = decode_form(t, *form, allocator);
  if (!out) return named(t, std::move(out).error());
  return out;
}

Result<Loaded> TensorLoader::load(const TensorProto& t) {
  if (!t.external && !t.has_raw) {
    MAINSPRING_TRY(Tensor tensor, decode(t, allocator_));
    return Loaded{std::move(tensor), -1};
  }
  auto out = t.external ? load_external(t) : place(t, t.raw, 0);
  if (!out) return named(t, std::move(out).error());
  return out;
}

/// A view of the file's bytes where an element may stand so; else a copy.
Result<Loaded> TensorLoader::place(const TensorProto& t, Bytes data, int source) {
  MAINSPRING_TRY(const Form f, form_of(t));
  MAINSPRING_TRY_VOID(check_raw(f, data));
  const auto& file = sources_[static_cast<size_t>(source)];
  const bool aligned = reinterpret_cast<uintptr_t>(data.data()) % alignment_of(f.dtype) == 0;
  if (!data.empty() && aligned && !needs_work(f.dtype, data)) {
    auto* elements = const_cast<std::byte*>(data.data());
    return Loaded{Tensor::share(f.dtype, f.shape, elements, std::shared_ptr<void>(file, elements)), source};
  }
  MAINSPRING_TRY(Tensor copy, decode_raw(f, data, allocator_));
  if (data.size() >= kWorthDropping) file->drop(data);
  return Loaded{std::move(copy), -1};
}

Result<Loaded> TensorLoader::load_external(const TensorProto& t) {
  std::string_view location, offset_text = "0";
  std::optional<std::string_view> length_text;
  for (const auto& [key, value] : t.external_data) {
    if (key == "location") location = value;
    else if (key == "offset") offset_text = value;
    else if (key == "length") length_text = value;
  }
  MAINSPRING_TRY(const Form f, form_of(t));
  const auto need = raw_bytes(f);
  const auto offset = number_of(offset_text);
  const auto length = length_text ? number_of(*length_text) : need;
  if (!need || !offset || !length) return corrupt("external data at offset '{}' of length '{}'", offset_text, length_text.value_or(""));
  if (*length == 0 && *need == 0) return place(t, {}, 0);
  MAINSPRING_TRY(const int source, source_of(location));
  const Bytes all = sources_[static_cast<size_t>(source)]->bytes();
  if (*offset > all.size() || *length > all.size() - *offset)
    return corrupt("{} bytes at offset {} of '{}', which has {}", *length, *offset, location, all.size());
  return place(t, all.subspan(static_cast<size_t>(*offset), static_cast<size_t>(*length)), source);
}

Result<int> TensorLoader::source_of(std::string_view location) {
  if (const auto known = external_.find(location); known != external_.end()) return known->second;
  if (!open_ || model_path_.empty()) return unsupported("its data stand in '{}', and a model in memory has no folder", location);
  MAINSPRING_TRY(const std::string path, path_beside(model_path_, location));
  MAINSPRING_TRY(std::shared_ptr<ByteSource> file, open_(path));
  if (!file) return internal_error("the opener of '{}' gave nothing", path);
  sources_.push_back(std::move(file));
  return external_[location] = static_cast<int>(sources_.size()) - 1;
}

Result<Loaded> TensorLoader::load(const SparseTensorProto& t) {
  MAINSPRING_TRY(Loaded values, load(t.values));
  MAINSPRING_TRY(Loaded indices, load(t.indices));
  const auto wrong = [&t](Error e) { return within(fmt::format("sparse tensor '{}'", t.values.name), std::move(e)); };
  uint64_t elements = 0;
  auto shape = shape_of(t.dims, elements);
  if (!shape) return wrong(std::move(shape).error());
  const DType dtype = values.tensor.dtype();
  if (dtype == DType::string) return wrong(unsupported("of strings"));
  const auto size = static_cast<uint64_t>(info_of(dtype).bytes);
  const auto bytes = checked_mul(elements, size);
  if (!bytes) return wrong(corrupt("the number of bytes overflows"));
  if (auto paid = budget_.take(*bytes); !paid) return wrong(std::move(paid).error());
  const auto at = std::as_const(indices.tensor).span<int64_t>();
  const auto n = static_cast<uint64_t>(values.tensor.elements());
  const size_t rank = t.dims.size();
  const bool flat = indices.tensor.shape().rank() == 1;
  if (indices.tensor.dtype() != DType::i64 || values.tensor.shape().rank() != 1 || at.size() != (flat ? n : n * rank))
    return wrong(corrupt("{} values have {} indices of {}", n, at.size(), name_of(indices.tensor.dtype())));
  MAINSPRING_TRY(Tensor dense, Tensor::make(allocator_, dtype, *shape));
  if (*bytes > 0) std::memset(dense.data(), 0, static_cast<size_t>(*bytes));
  for (size_t i = 0; i < n; ++i) {
    uint64_t place = 0;
    for (size_t axis = 0; axis < (flat ? 1 : rank); ++axis) {
      const int64_t index = at[flat ? i : i * rank + axis];
      const uint64_t extent = flat ? elements : static_cast<uint64_t>(t.dims[axis]);
      if (index < 0 || static_cast<uint64_t>(index) >= extent) return wrong(corrupt("index {} of an extent of {}", index, extent));
      place = place * extent + static_cast<uint64_t>(index);
    }
    if (place < elements) std::memcpy(dense.data() + place * size, values.tensor.data() + i * size, size);
  }
  return Loaded{std::move(dense), -1};
}

void put_varint(uint64_t v, std::string& out) {
  for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
  out += static_cast<char>(v);
}

void put_number(uint32_t field, uint64_t v, std::string& out) {
  put_varint(uint64_t{field} << 3, out);
  put_varint(v, out);
}

void put_bytes(uint32_t field, std::string_view bytes, std::string& out) {
  put_varint(uint64_t{field} << 3 | 2, out);
  put_varint(bytes.size(), out);
  out += bytes;
}

Result<void> encode(const Tensor& tensor, std::string& out) {
  const DType dtype = tensor.dtype();
  const int64_t number = onnx_of_dtype(dtype);
  if (number == 0) return unsupported("ONNX has no element type for {}", name_of(dtype));
  for (const int64_t d : tensor.shape().dims()) put_number(1, static_cast<uint64_t>(d), out);
  put_number(2, static_cast<uint64_t>(number), out);
  if (dtype == DType::string) {
    for (const std::string_view s : tensor.span<std::string_view>()) put_bytes(6, s, out);
    return {};
  }
  const Bytes bytes = tensor.bytes();
  const auto bits = static_cast<unsigned>(bits_of(dtype));
  if (bits >= 8) {
    put_bytes(9, text_of(bytes), out);
    return {};
  }
  std::string packed((bytes.size() * bits + 7) / 8, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    const unsigned low = static_cast<unsigned>(bytes[i]) & ((1u << bits) - 1);
    packed[i * bits / 8] = static_cast<char>(static_cast<unsigned char>(packed[i * bits / 8]) | low << (i * bits % 8));
  }
  put_bytes(9, packed, out);
  return {};
}

}  // namespace mainspring::inline v0::onnx
