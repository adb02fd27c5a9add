// Hostile GGUF files. In: any bytes, as one file, or as several joined by a length before each (the parts of a split model).
// Checks what read_gguf promises: every view lies inside its source and has the size that its type and shape ask for.
// Then opens a Session of the first part and makes a step, in 64 MiB.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/file.h"
#include "import/gguf.h"
#include "tests/fuzz/limits.h"

using namespace mainspring;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

volatile uint8_t sink;  // keeps the reads of the views

void touch(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  sink = static_cast<uint8_t>(bytes.front());
  sink = static_cast<uint8_t>(bytes.back());
}
void touch(std::string_view text) { touch(std::as_bytes(std::span<const char>(text.data(), text.size()))); }

void check(const MetaValue& v, int depth) {
  require(depth < 8);
  touch(v.text);
  touch(v.raw);
  for (std::string_view s : v.strings) touch(s);
  for (const MetaValue& inner : v.nested) check(inner, depth + 1);
  if (v.type != MetaValue::Type::array) return;
  if (v.element == MetaValue::Type::string) require(v.strings.size() == v.count);
  else if (v.element == MetaValue::Type::array) require(v.nested.size() == v.count);
  else require(v.raw.size() == v.count * MetaValue::size_of(v.element));
  if (v.count) touch(v.at(v.count - 1).text);
}

void check(const GgufFile& file) {
  for (const auto& e : file.metadata.entries()) {
    require(file.metadata.find(e.key) == &e.value);
    check(e.value, 0);
  }
  for (const GgufTensor& t : file.tensors) {
    require(file.find(t.name) == &t);
    require(t.source >= 0 && static_cast<size_t>(t.source) < file.sources.size());
    const auto all = file.sources[static_cast<size_t>(t.source)]->bytes();
    require(t.bytes.data() >= all.data() && t.bytes.size() <= static_cast<size_t>(all.data() + all.size() - t.bytes.data()));
    const DTypeInfo info = info_of(t.dtype);
    require(static_cast<size_t>(t.shape.elements() / info.block * info.bytes) == t.bytes.size());
    touch(t.bytes);
  }
}

// Each part in memory of its own: a sanitizer sees where it ends, and it is aligned as a mapping is.
std::vector<std::vector<std::byte>> split(std::span<const std::byte> bytes) {
  std::vector<std::vector<std::byte>> parts;
  if (looks_like_gguf(bytes) || bytes.size() < 2) {
    parts.emplace_back(bytes.begin(), bytes.end());
    return parts;
  }
  while (bytes.size() >= 2 && parts.size() < 4) {
    const size_t n = std::min<size_t>(static_cast<size_t>(bytes[0]) | static_cast<size_t>(bytes[1]) << 8, bytes.size() - 2);
    parts.emplace_back(bytes.begin() + 2, bytes.begin() + 2 + static_cast<std::ptrdiff_t>(n));
    bytes = bytes.subspan(2 + n);
  }
  return parts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parts = split({reinterpret_cast<const std::byte*>(data), size});
  size_t opened = 0;
  const auto open_next = [&](const std::string& path) -> Result<std::shared_ptr<ByteSource>> {
    if (++opened >= parts.size()) return Error{Errc::not_found, path};
    return ByteSource::borrow(parts[opened], path);
  };
  // The name of the first part carries the count that the test's split files use.
  if (auto file = read_gguf(ByteSource::borrow(parts[0], "m-00001-of-00003.gguf"), open_next)) check(*file);
  fuzz::open_and_use(parts[0]);
  return 0;
}
