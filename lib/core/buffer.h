// Owned memory of any size. In: the context's Allocator. Out: aligned bytes, released with the object.
// Whatever a file or an option sizes (weights, panels, arenas, KV) lives in a Buffer, so that running out is a value.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "mainspring/context.h"
#include "mainspring/result.h"

namespace mainspring::inline v0 {

/// The system's memory: what a Context uses when the host names no allocator. Stateless; valid for ever; thread-safe.
/// Large requests are whole mappings with a huge-page hint (they come zeroed and go back to the system at once).
Allocator& system_allocator();

/// Move-only bytes. Uninitialised, whatever the allocator gave. A Buffer may outlive the Context, but not the host's Allocator.
class Buffer {
 public:
  static constexpr size_t kAlignment = 64;  // a cache line and a zmm register

  Buffer() = default;
  /// `what` names the purpose in the error's text ("kv cache"). Zero bytes give an empty Buffer and ask nobody.
  /// `alignment` is a power of two; less than 64 counts as 64. Errors: out_of_memory.
  static Result<Buffer> create(const Context& context, size_t bytes, std::string_view what, size_t alignment = kAlignment);
  static Result<Buffer> create(Allocator& allocator, size_t bytes, std::string_view what, size_t alignment = kAlignment);

  Buffer(Buffer&& o) noexcept
      : allocator_(o.allocator_), data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)), alignment_(o.alignment_) {}
  Buffer& operator=(Buffer&& o) noexcept {
    if (this == &o) return *this;
    reset();
    allocator_ = o.allocator_;
    data_ = std::exchange(o.data_, nullptr);
    size_ = std::exchange(o.size_, 0);
    alignment_ = o.alignment_;
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { reset(); }

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// The bytes as elements of T (trivial types only; the count is rounded down).
  template <class T>
  std::span<T> as() {
    static_assert(std::is_trivially_copyable_v<T>);
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }
  template <class T>
  std::span<const T> as() const {
    static_assert(std::is_trivially_copyable_v<T>);
    return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
  }
  /// Gives the memory back now.
  void reset();

 private:
  Allocator* allocator_ = nullptr;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t alignment_ = kAlignment;
};

}  // namespace mainspring::inline v0
