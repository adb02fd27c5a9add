// Protobuf's wire format, read without trust. In: the bytes of one message. Out: its fields, one after the other, as views. Knows no message.
// Nothing here calls itself: messages inside messages are views that the caller opens, groups are skipped with a bounded stack.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/bytes.h"

namespace mainspring::inline v0::onnx {

using Bytes = std::span<const std::byte>;

enum class WireType : uint8_t { varint, fixed64, bytes, group, end_group, fixed32 };

inline std::string_view text_of(Bytes b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

/// A varint at `at`, which moves behind it. False at the end of the bytes and for more than 64 bits.
inline bool read_varint(Bytes bytes, size_t& at, uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; at < bytes.size() && shift < 64; shift += 7) {
    const auto byte = static_cast<uint64_t>(bytes[at++]);
    out |= (byte & 0x7f) << shift;
    if (byte < 0x80) return shift < 63 || byte <= 1;
  }
  return false;
}

/// A cursor over the fields of a message. A field of an unexpected number or wire type is to be passed over.
class Wire {
 public:
  explicit Wire(Bytes message) : message_(message) {}

  /// Reads the next field. False at the end of the message and where it is malformed: see end().
  bool next() {
    if (wrong_ != nullptr || at_ == message_.size()) return false;
    begin_ = at_;
    uint64_t tag = 0;
    if (!read_varint(message_, at_, tag)) return fail("a field's number is cut off");
    if (tag >> 3 == 0 || tag >> 3 > kMaxField) return fail("a field has no valid number");
    field_ = static_cast<uint32_t>(tag >> 3);
    type_ = static_cast<WireType>(tag & 7);
    return value();
  }
  uint32_t field() const { return field_; }
  WireType type() const { return type_; }
  bool is(uint32_t field, WireType type) const { return field_ == field && type_ == type; }

  // The value of the field that stands here, by its wire type.
  Bytes bytes() const { return bytes_; }
  std::string_view text() const { return text_of(bytes_); }
  uint64_t number() const { return number_; }
  int64_t integer() const { return static_cast<int64_t>(number_); }
  float f32() const { return std::bit_cast<float>(static_cast<uint32_t>(number_)); }

  /// After the loop. Errors: corrupt_data when the message was malformed.
  Result<void> end(std::string_view message) const {
    if (wrong_ == nullptr) return {};
    return corrupt("{}: {}, at byte {} of {}", message, wrong_, begin_, message_.size());
  }

 private:
  static constexpr uint64_t kMaxField = (1u << 29) - 1;
  static constexpr int kMaxGroups = 32;  // nobody has written groups for twenty years

  bool fail(const char* what) {
    wrong_ = what;
    return false;
  }
  bool value() {
    switch (type_) {
      case WireType::varint: return read_varint(message_, at_, number_) || fail("a number is cut off or too long");
      case WireType::fixed64: return fixed(8);
      case WireType::fixed32: return fixed(4);
      case WireType::bytes: {
        uint64_t size = 0;
        if (!read_varint(message_, at_, size)) return fail("a length is cut off");
        if (size > message_.size() - at_) return fail("a length reaches behind the end of its message");
        bytes_ = message_.subspan(at_, static_cast<size_t>(size));
        at_ += static_cast<size_t>(size);
        return true;
      }
      case WireType::group: return skip_group();
      default: return fail("a field has no valid wire type");
    }
  }
  bool fixed(size_t n) {
    if (message_.size() - at_ < n) return fail("a number is cut off");
    number_ = n == 8 ? load_le<uint64_t>(message_.data() + at_) : load_le<uint32_t>(message_.data() + at_);
    at_ += n;
    return true;
  }
  bool skip_group() {
    uint64_t open[kMaxGroups] = {field_};
    for (int depth = 1; depth > 0;) {
      uint64_t tag = 0;
      if (!read_varint(message_, at_, tag)) return fail("a group is cut off");
      const auto type = static_cast<WireType>(tag & 7);
      if (type == WireType::end_group) {
        if (open[--depth] != tag >> 3) return fail("a group ends that did not begin");
      } else if (type == WireType::group) {
        if (depth == kMaxGroups) return fail("groups are nested too deep");
        open[depth++] = tag >> 3;
      } else {
        type_ = type;
        if (!value()) return false;
      }
    }
    type_ = WireType::group;
    return true;
  }

  Bytes message_, bytes_;
  size_t at_ = 0, begin_ = 0;
  uint64_t number_ = 0;
  const char* wrong_ = nullptr;
  uint32_t field_ = 0;
  WireType type_ = WireType::varint;
};

/// Calls f(bits) for each element of a repeated field of numbers, packed or one by one; f says whether to go on. `as`: how one element is written.
/// Errors: corrupt_data.
template <class F>
Result<void> each_number(Bytes message, uint32_t field, WireType as, F f) {
  Wire w(message);
  while (w.next()) {
    if (w.is(field, as)) {
      if (!f(w.number())) return {};
      continue;
    }
    if (!w.is(field, WireType::bytes)) continue;
    const Bytes packed = w.bytes();
    const size_t size = as == WireType::fixed32 ? 4 : 8;
    if (as != WireType::varint && packed.size() % size != 0) return corrupt("field {} has {} bytes, expected a multiple of {}", field, packed.size(), size);
    for (size_t at = 0; at < packed.size();) {
      uint64_t bits = 0;
      if (as == WireType::varint) {
        if (!read_varint(packed, at, bits)) return corrupt("field {}: a number is cut off or too long", field);
      } else {
        bits = size == 4 ? load_le<uint32_t>(packed.data() + at) : load_le<uint64_t>(packed.data() + at);
        at += size;
      }
      if (!f(bits)) return {};
    }
  }
  return w.end("a repeated field");
}

}  // namespace mainspring::inline v0::onnx
