#include "import/gguf.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <new>
#include <numeric>
#include <optional>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "quant/quant.h"

namespace mainspring::inline v0 {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint32_t kMaxRank = 4;  // GGML_MAX_DIMS

// Far above any real file (2^10 keys, 2^16 tensors, 2^20 strings). They bound the tables of a sparse file that is large and says nothing.
constexpr uint64_t kMaxKeys = 1 << 20;
constexpr uint64_t kMaxTensors = 1 << 20;
constexpr uint64_t kMaxStrings = 1 << 24;
constexpr uint64_t kMaxNestedArrays = 1 << 16;
constexpr int kMaxArrayDepth = 4;

// The least bytes that one item takes in the file: what bounds a claimed count before anything is allocated.
constexpr uint64_t kLeastKey = 8 + 4 + 1;            // an empty key, a type, one byte
constexpr uint64_t kLeastTensor = 8 + 4 + 4 + 8;     // an empty name, rank 0, a type, an offset
constexpr uint64_t kLeastString = 8, kLeastArray = 12;

// Asks for the memory before the container does: without exceptions, a vector that gets none would end the process.
template <class T>
Result<void> reserve(std::vector<T>& vector, uint64_t n, std::string_view what) {
  const auto bytes = checked_mul<uint64_t>(n, sizeof(T));
  void* probe = bytes && *bytes <= PTRDIFF_MAX ? ::operator new(static_cast<size_t>(*bytes), std::nothrow) : nullptr;
  if (!probe) return out_of_memory("no memory for {} {}", n, what);
  ::operator delete(probe);
  vector.reserve(static_cast<size_t>(n));
  return {};
}

/// One file of the model.
struct Part {
  uint32_t version = 0;
  uint64_t alignment = kDefaultAlignment;
  Metadata metadata;
  std::vector<GgufTensor> tensors;
};

class PartReader {
 public:
  PartReader(std::span<const std::byte> bytes, int source) : bytes_(bytes), in_(bytes), source_(source) {}

  Result<Part> read() {
    MAINSPRING_TRY_VOID(read_header());
    MAINSPRING_TRY_VOID(read_metadata());
    MAINSPRING_TRY_VOID(read_alignment());
    MAINSPRING_TRY_VOID(read_tensors());
    return std::move(part_);
  }

 private:
  Result<void> read_header();
  Result<void> read_metadata();
  Result<void> read_alignment();
  Result<void> read_tensors();

  Result<MetaValue::Type> read_type();
  Result<std::string_view> read_text();
  Result<MetaValue> read_value(MetaValue::Type type);
  Result<MetaValue> read_array(int depth);
  Result<void> read_strings(MetaValue& array);
  Result<void> read_nested(MetaValue& array, int depth);

  Result<GgufTensor> read_tensor();
  Result<void> read_shape(GgufTensor& tensor);
  Result<void> place(GgufTensor& tensor, uint64_t offset, uint64_t data);

  std::span<const std::byte> bytes_;
  ByteReader in_;
  int source_;
  Part part_;
  uint64_t n_tensors_ = 0, n_keys_ = 0;
  uint64_t strings_ = 0, arrays_ = 0;   // in the entire file, against the limits
  std::vector<uint64_t> offsets_;       // of the tensors' bytes in the data section
};

Result<void> PartReader::read_header() {
  if (!looks_like_gguf(bytes_)) return corrupt("the file doesn't begin with 'GGUF'");
  MAINSPRING_TRY_VOID(in_.seek(kMagic.size()));
  MAINSPRING_TRY(const uint32_t version, in_.read<uint32_t>());
  if (version != 0 && (version & 0xffff) == 0) return unsupported("big-endian file (version reads {:#x}), expected little-endian", version);
  if (version == 1) return unsupported("version 1, expected 2 or 3");
  if (version == 0) return corrupt("version 0, expected 2 or 3");
  if (version > 3) return unsupported("version {}, expected 2 or 3", version);
  part_.version = version;
  MAINSPRING_TRY(n_tensors_, in_.read<uint64_t>());
  MAINSPRING_TRY(n_keys_, in_.read<uint64_t>());
  if (n_keys_ > in_.remaining() / kLeastKey) return corrupt("{} metadata keys are claimed, the file has {} more bytes", n_keys_, in_.remaining());
  if (n_tensors_ > in_.remaining() / kLeastTensor) return corrupt("{} tensors are claimed, the file has {} more bytes", n_tensors_, in_.remaining());
  if (n_keys_ > kMaxKeys) return unsupported("{} metadata keys, at most {} are read", n_keys_, kMaxKeys);
  if (n_tensors_ > kMaxTensors) return unsupported("{} tensors, at most {} are read", n_tensors_, kMaxTensors);
  return {};
}

Result<std::string_view> PartReader::read_text() {
  MAINSPRING_TRY(const uint64_t length, in_.read<uint64_t>());
  return in_.take_text(length);
}

Result<MetaValue::Type> PartReader::read_type() {
  MAINSPRING_TRY(const uint32_t number, in_.read<uint32_t>());
  if (number > static_cast<uint32_t>(MetaValue::Type::f64)) return corrupt("value type {}, expected 0 to 12", number);
  return static_cast<MetaValue::Type>(number);
}

Result<MetaValue> PartReader::read_value(MetaValue::Type type) {
  if (type == MetaValue::Type::array) return read_array(1);
  if (type == MetaValue::Type::string) {
    MetaValue value;
    value.type = type;
    MAINSPRING_TRY(value.text, read_text());
    return value;
  }
  // MetaValue::at knows how a scalar's bytes become a value: a scalar is read as element 0 of an array of one.
  MetaValue one;
  one.element = type;
  MAINSPRING_TRY(one.raw, in_.take(MetaValue::size_of(type)));
  return one.at(0);
}

Result<MetaValue> PartReader::read_array(int depth) {
  if (depth > kMaxArrayDepth) return unsupported("arrays are nested more than {} deep", kMaxArrayDepth);
  MetaValue array;
  array.type = MetaValue::Type::array;
  MAINSPRING_TRY(array.element, read_type());
  MAINSPRING_TRY(array.count, in_.read<uint64_t>());
  if (array.element == MetaValue::Type::string) {
    MAINSPRING_TRY_VOID(read_strings(array));
  } else if (array.element == MetaValue::Type::array) {
    MAINSPRING_TRY_VOID(read_nested(array, depth));
  } else {
    const auto size = checked_mul<uint64_t>(array.count, MetaValue::size_of(array.element));
    if (!size || *size > in_.remaining()) return corrupt("an array claims {} elements, the file has {} more bytes", array.count, in_.remaining());
    MAINSPRING_TRY(array.raw, in_.take(*size));
  }
  return array;
}

Result<void> PartReader::read_strings(MetaValue& array) {
  if (array.count > in_.remaining() / kLeastString)
    return corrupt("an array claims {} strings, the file has {} more bytes", array.count, in_.remaining());
  strings_ += array.count;  // both are below 2^61
  if (strings_ > kMaxStrings) return unsupported("{} strings in the metadata's arrays, at most {} are read", strings_, kMaxStrings);
  MAINSPRING_TRY_VOID(reserve(array.strings, array.count, "strings"));
  for (uint64_t i = 0; i < array.count; ++i) {
    uint64_t length = 0;
    std::span<const std::byte> text;
    if (!in_.try_read(length)) return in_.ended(sizeof length);
    if (!in_.try_take(length, text)) return within(fmt::format("string {} of {}", i, array.count), in_.ended(length));
    array.strings.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
  }
  return {};
}

Result<void> PartReader::read_nested(MetaValue& array, int depth) {
  if (array.count > in_.remaining() / kLeastArray)
    return corrupt("an array claims {} arrays, the file has {} more bytes", array.count, in_.remaining());
  arrays_ += array.count;
  if (arrays_ > kMaxNestedArrays) return unsupported("{} arrays inside arrays, at most {} are read", arrays_, kMaxNestedArrays);
  MAINSPRING_TRY_VOID(reserve(array.nested, array.count, "arrays"));
  for (uint64_t i = 0; i < array.count; ++i) {
    MAINSPRING_TRY(MetaValue inner, read_array(depth + 1));
    array.nested.push_back(std::move(inner));
  }
  return {};
}

Result<void> PartReader::read_metadata() {
  for (uint64_t i = 0; i < n_keys_; ++i) {
    auto key = read_text();
    if (!key) return within(fmt::format("metadata key {} of {}", i, n_keys_), std::move(key).error());
    if (key->empty()) return corrupt("metadata key {} of {} is empty", i, n_keys_);
    const std::string where = fmt::format("metadata '{}'", shown(*key));
    auto type = read_type();
    if (!type) return within(where, std::move(type).error());
    auto value = read_value(*type);
    if (!value) return within(where, std::move(value).error());
    part_.metadata.add(*key, *std::move(value));
  }
  std::string_view twice;
  if (!part_.metadata.seal(&twice)) return corrupt("metadata '{}' stands twice", shown(twice));
  return {};
}

Result<void> PartReader::read_alignment() {
  const MetaValue* value = part_.metadata.find("general.alignment");
  if (!value) return {};
  const auto alignment = value->as_int();
  if (value->type == MetaValue::Type::boolean || !alignment) return corrupt("general.alignment is not an integer");
  if (*alignment <= 0 || *alignment > UINT32_MAX || !std::has_single_bit(static_cast<uint64_t>(*alignment)))
    return corrupt("general.alignment is {}, expected a power of two", *alignment);
  part_.alignment = static_cast<uint64_t>(*alignment);
  return {};
}

Result<void> PartReader::read_tensors() {
  if (n_tensors_ > in_.remaining() / kLeastTensor)
    return corrupt("{} tensors are claimed, {} bytes remain behind the metadata", n_tensors_, in_.remaining());
  MAINSPRING_TRY_VOID(reserve(part_.tensors, n_tensors_, "tensors"));
  MAINSPRING_TRY_VOID(reserve(offsets_, n_tensors_, "tensors"));
  for (uint64_t i = 0; i < n_tensors_; ++i) {
    auto tensor = read_tensor();
    if (!tensor) return within(fmt::format("tensor {} of {}", i, n_tensors_), std::move(tensor).error());
    part_.tensors.push_back(*tensor);
  }
  if (n_tensors_ == 0) return {};  // such a file has no data section, and no padding either
  const uint64_t data = (uint64_t{in_.offset()} + part_.alignment - 1) / part_.alignment * part_.alignment;  // alignment < 2^32: no overflow
  for (uint64_t i = 0; i < n_tensors_; ++i) MAINSPRING_TRY_VOID(place(part_.tensors[i], offsets_[i], data));
  return {};
}

Result<GgufTensor> PartReader::read_tensor() {
  GgufTensor tensor;
  tensor.source = source_;
  MAINSPRING_TRY(tensor.name, read_text());
  if (tensor.name.empty()) return corrupt("the name is empty");
  auto shape = read_shape(tensor);
  if (!shape) return within(fmt::format("'{}'", shown(tensor.name)), std::move(shape).error());
  MAINSPRING_TRY(const uint64_t offset, in_.read<uint64_t>());
  offsets_.push_back(offset);
  return tensor;
}

// The rank, the extents (the file has the inner one first) and the element type.
Result<void> PartReader::read_shape(GgufTensor& tensor) {
  MAINSPRING_TRY(const uint32_t rank, in_.read<uint32_t>());
  if (rank > kMaxRank) return corrupt("has {} dimensions, at most {} are possible", rank, kMaxRank);
  int64_t extents[kMaxRank] = {};
  int64_t elements = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    MAINSPRING_TRY(extents[i], in_.read<int64_t>());
    if (extents[i] <= 0) return corrupt("dimension {} is {}, expected at least 1", i, extents[i]);
    const auto product = checked_mul(elements, extents[i]);
    if (!product) return corrupt("the number of elements overflows 64 bits at dimension {} of {}", i, extents[i]);
    elements = *product;
  }
  for (uint32_t i = rank; i > 0; --i) tensor.shape.push_back(extents[i - 1]);
  MAINSPRING_TRY(const uint32_t number, in_.read<uint32_t>());
  const std::optional<DType> dtype = dtype_of_gguf(number);
  if (!dtype) return unsupported("has tensor type {}, which this version doesn't read", number);
  tensor.dtype = *dtype;
  const DTypeInfo info = info_of(*dtype);
  if (tensor.shape.back() % info.block != 0)
    return corrupt("has rows of {} elements, {} needs a multiple of {}", tensor.shape.back(), info.name, info.block);
  return {};
}

// Alignment that the element type's loads want: scalars their size; block formats hold f16 fields unless a block's size is odd.
size_t element_alignment(DTypeInfo info) {
  if (info.block == 1) return static_cast<size_t>(info.bytes);
  return info.bytes % 2 == 0 ? 2 : 1;
}

Result<void> PartReader::place(GgufTensor& tensor, uint64_t offset, uint64_t data) {
  const DTypeInfo info = info_of(tensor.dtype);
  const auto blocks = static_cast<uint64_t>(tensor.shape.elements() / info.block);
  const auto size = checked_mul(blocks, static_cast<uint64_t>(info.bytes));
  const auto begin = checked_add(data, offset);
  const auto end = size && begin ? checked_add(*begin, *size) : std::nullopt;
  if (offset % part_.alignment != 0)
    return corrupt("tensor '{}' is at offset {}, expected a multiple of the alignment {}", shown(tensor.name), offset, part_.alignment);
  if (!end || *end > bytes_.size())
    return corrupt("tensor '{}' has {} elements of {} at offset {} of the data, which begins at {}: behind the end of {} bytes", shown(tensor.name),
                   tensor.shape.elements(), info.name, offset, data, bytes_.size());
  const size_t wanted = element_alignment(info);
  if (*begin % wanted != 0)
    return corrupt("tensor '{}' of {} is at byte {}, expected a multiple of {}", shown(tensor.name), info.name, *begin, wanted);
  tensor.bytes = bytes_.subspan(static_cast<size_t>(*begin), static_cast<size_t>(*size));
  if (reinterpret_cast<uintptr_t>(tensor.bytes.data()) % wanted != 0)
    return invalid("tensor '{}' of {} isn't aligned to {} bytes in memory: lend the file's bytes at an aligned address", shown(tensor.name), info.name, wanted);
  return {};
}

// ---- files in several parts ---------------------------------------------------------------------------------------------------

std::string split_suffix(int64_t number, int64_t count) { return fmt::format("-{:05}-of-{:05}.gguf", number, count); }

// An integer of the metadata; empty where the key is missing. Errors: corrupt_data (not an integer).
Result<std::optional<int64_t>> integer(const Metadata& metadata, std::string_view key) {
  const MetaValue* value = metadata.find(key);
  if (!value) return std::optional<int64_t>();
  if (!value->as_int()) return corrupt("{} is not an integer", key);
  return value->as_int();
}

Result<Part> read_part(const ByteSource& source, int index) {
  auto part = PartReader(source.bytes(), index).read();
  if (!part) return within(fmt::format("gguf '{}'", source.path()), std::move(part).error());
  return part;
}

// Reads part `index` of `count` and appends its tensors.
Result<void> append_part(GgufFile& file, const std::string& path, int index, int64_t count, const OpenMore& open_sibling) {
  MAINSPRING_TRY(std::shared_ptr<ByteSource> source, open_sibling(path));
  if (!source) return internal_error("gguf: the opener of '{}' gave nothing", path);
  MAINSPRING_TRY(Part part, read_part(*source, index));
  MAINSPRING_TRY(const auto number, integer(part.metadata, "split.no"));
  MAINSPRING_TRY(const auto of, integer(part.metadata, "split.count"));
  if (number != index) return corrupt("gguf '{}': split.no is {}, expected {}", path, number ? fmt::to_string(*number) : "missing", index);
  if (of && *of != count) return corrupt("gguf '{}': split.count is {}, the first file says {}", path, *of, count);
  if (file.tensors.size() + part.tensors.size() > kMaxTensors) return unsupported("gguf '{}': more than {} tensors", path, kMaxTensors);
  MAINSPRING_TRY_VOID(reserve(file.tensors, file.tensors.size() + part.tensors.size(), "tensors"));
  file.tensors.insert(file.tensors.end(), part.tensors.begin(), part.tensors.end());
  file.sources.push_back(std::move(source));
  return {};
}

Result<void> append_siblings(GgufFile& file, const OpenMore& open_sibling) {
  MAINSPRING_TRY(const auto count, integer(file.metadata, "split.count"));
  if (!count || *count == 0 || *count == 1) return {};
  const std::string first = file.sources[0]->path();
  if (*count < 0 || *count > 65535) return corrupt("gguf '{}': split.count is {}, expected 1 to 65535", first, *count);
  MAINSPRING_TRY(const auto number, integer(file.metadata, "split.no"));
  if (!number) return corrupt("gguf '{}': split.count is {} and split.no is missing", first, *count);
  if (*number != 0) return invalid("gguf '{}': is part {} of {}, open the first one", first, *number + 1, *count);
  const std::string suffix = split_suffix(1, *count);
  if (first.size() <= suffix.size() || !first.ends_with(suffix))
    return invalid("gguf '{}': is the first of {} files, so its name must end in '{}'", first, *count, suffix);
  if (!open_sibling) return invalid("gguf '{}': is the first of {} files, and no way to open the others was given", first, *count);
  const std::string prefix = first.substr(0, first.size() - suffix.size());
  for (int i = 1; i < *count; ++i) MAINSPRING_TRY_VOID(append_part(file, prefix + split_suffix(i + 1, *count), i, *count, open_sibling));
  MAINSPRING_TRY(const auto total, integer(file.metadata, "split.tensors.count"));
  if (total && *total != static_cast<int64_t>(file.tensors.size()))
    return corrupt("gguf '{}': split.tensors.count is {}, the {} files have {} tensors", first, *total, *count, file.tensors.size());
  return {};
}

Result<void> index_names(GgufFile& file) {
  MAINSPRING_TRY_VOID(reserve(file.by_name, file.tensors.size(), "tensor names"));
  file.by_name.resize(file.tensors.size());
  std::iota(file.by_name.begin(), file.by_name.end(), uint32_t{0});
  const auto name = [&file](uint32_t i) { return file.tensors[i].name; };
  std::sort(file.by_name.begin(), file.by_name.end(), [&](uint32_t a, uint32_t b) { return name(a) < name(b); });
  const auto twice = std::adjacent_find(file.by_name.begin(), file.by_name.end(), [&](uint32_t a, uint32_t b) { return name(a) == name(b); });
  if (twice != file.by_name.end()) return corrupt("gguf '{}': tensor '{}' stands twice", file.sources[0]->path(), shown(name(*twice)));
  return {};
}

}  // namespace

bool looks_like_gguf(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto at = std::lower_bound(by_name.begin(), by_name.end(), name, [this](uint32_t i, std::string_view n) { return tensors[i].name < n; });
  return at != by_name.end() && tensors[*at].name == name ? &tensors[*at] : nullptr;
}

Result<GgufFile> read_gguf(std::shared_ptr<ByteSource> first, const OpenMore& open_sibling) {
  if (!first) return invalid("gguf: no file was given");
  MAINSPRING_TRY(Part part, read_part(*first, 0));
  GgufFile file;
  file.sources.push_back(std::move(first));
  file.metadata = std::move(part.metadata);
  file.tensors = std::move(part.tensors);
  file.version = part.version;
  file.alignment = part.alignment;
  MAINSPRING_TRY_VOID(append_siblings(file, open_sibling));
  MAINSPRING_TRY_VOID(index_names(file));
  return file;
}

}  // namespace mainspring::inline v0
