// Little-endian reading of untrusted bytes. In: a span and a position. Out: values, or corrupt_data when the bytes end too early.
// Loads are unaligned-safe and independent of the host's byte order. Knows nothing about any file format.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/error.h"

namespace mainspring::inline v0 {

/// The little-endian value at `p`, which may be unaligned.
template <class T>
  requires(std::integral<T> || std::floating_point<T>)
T load_le(const std::byte* p) {
  if constexpr (sizeof(T) == 1) {
    return static_cast<T>(*p);
  } else {
    using U = std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
    U u = 0;  // the compiler turns this loop into one load on little-endian machines
    for (size_t i = 0; i < sizeof(T); ++i) u = static_cast<U>(u | static_cast<U>(static_cast<U>(p[i]) << (8 * i)));
    T value;
    std::memcpy(&value, &u, sizeof value);
    return value;
  }
}

/// A cursor over a span. Every read checks the bounds; after a failure the position is unchanged.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }

  /// False at the end of the bytes. For loops over many small items, where building an Error each time would cost.
  template <class T>
  bool try_read(T& out) {
    if (remaining() < sizeof(T)) return false;
    out = load_le<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return true;
  }
  bool try_take(uint64_t n, std::span<const std::byte>& out) {
    if (n > remaining()) return false;
    out = bytes_.subspan(offset_, static_cast<size_t>(n));
    offset_ += static_cast<size_t>(n);
    return true;
  }

  /// Errors: corrupt_data (the bytes end).
  template <class T>
  Result<T> read() {
    T value{};
    if (!try_read(value)) return ended(sizeof(T));
    return value;
  }
  /// The next n bytes, a view. Errors: corrupt_data.
  Result<std::span<const std::byte>> take(uint64_t n) {
    std::span<const std::byte> out;
    if (!try_take(n, out)) return ended(n);
    return out;
  }
  /// The next n bytes as text (not checked to be UTF-8). Errors: corrupt_data.
  Result<std::string_view> take_text(uint64_t n) {
    MAINSPRING_TRY(auto bytes, take(n));
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  /// Moves to an absolute offset. Errors: corrupt_data (behind the end).
  Result<void> seek(uint64_t offset) {
    if (offset > bytes_.size()) return corrupt("offset {} lies behind the end of {} bytes", offset, bytes_.size());
    offset_ = static_cast<size_t>(offset);
    return {};
  }

  Error ended(uint64_t wanted) const {
    return corrupt("ends too early: {} bytes are wanted at offset {}, {} remain", wanted, offset_, remaining());
  }

 private:
  std::span<const std::byte> bytes_;
  size_t offset_ = 0;
};

}  // namespace mainspring::inline v0
