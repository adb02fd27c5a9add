// Everything a render makes lives here and dies with it: one bump arena, so that reference cycles neither leak nor need counting.
// In: requests for memory and work. Out: memory, or resource_exhausted once a limit is passed. Knows no values beyond their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "llm/template/template.h"

namespace mainspring::inline v0::jinja {

class Heap {
 public:
  explicit Heap(const RenderLimits& limits) : limits_(limits) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  [[nodiscard]] const RenderLimits& limits() const { return limits_; }

  /// Counts work. Small objects may overshoot the memory limit by what is made between two charges.
  Result<void> charge(int64_t steps = 1) {
    steps_ += steps;
    if (steps_ > limits_.max_steps) return steps_error();
    if (used_ > limits_.max_memory_bytes) return memory_error();
    return {};
  }
  /// Counts the making of so many bytes of text.
  Result<void> charge_bytes(size_t bytes) { return charge(1 + static_cast<int64_t>(bytes / 64)); }

  /// A small object; never fails. Its destructor is never run.
  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }
  /// `n` value-initialised elements.
  template <class T>
  Result<T*> array(size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (n > room() / sizeof(T)) return memory_error();
    T* p = static_cast<T*>(allocate(n * sizeof(T), alignof(T)));
    for (size_t i = 0; i < n; ++i) new (p + i) T();
    return p;
  }
  /// `n` bytes for text, not initialised.
  Result<char*> bytes(size_t n) {
    if (n > room()) return memory_error();
    return static_cast<char*>(allocate(n, 1));
  }
  Result<std::string_view> copy(std::string_view text);
  /// a + b. Where `a` was the last text made, `b` is put behind it in place, so that building a text piece by piece stays linear.
  Result<std::string_view> concat(std::string_view a, std::string_view b);

  /// Bytes left before the memory limit.
  [[nodiscard]] size_t room() const { return used_ < limits_.max_memory_bytes ? limits_.max_memory_bytes - used_ : 0; }
  // Apart from their callers, because a formatted message takes half a KiB of stack, and the callers recurse.
  Error memory_error() const;
  Error steps_error() const;
  Error depth_error() const;
  Error call_depth_error() const;

 private:
  struct Region {
    char* next = nullptr;
    char* end = nullptr;
  };
  void* allocate(size_t bytes, size_t align);
  char* grow(Region& region, size_t bytes);

  RenderLimits limits_;
  int64_t steps_ = 0;
  size_t used_ = 0;
  Region objects_, text_;
  std::vector<std::unique_ptr<char[]>> chunks_;
};

/// Text under construction, which stops growing at its limit; `over()` tells, and finishing then fails.
class TextBuilder {
 public:
  TextBuilder(Heap& heap, size_t limit) : heap_(&heap), limit_(limit) {}
  explicit TextBuilder(Heap& heap) : TextBuilder(heap, heap.room()) {}

  void append(std::string_view text) {
    if (text.size() > limit_ - text_.size()) over_ = true;
    else text_.append(text);
  }
  void append(char c) { append(std::string_view(&c, 1)); }
  void fill(char c, int64_t n) {
    if (n <= 0) return;
    if (static_cast<uint64_t>(n) > limit_ - text_.size()) over_ = true;
    else text_.append(static_cast<size_t>(n), c);
  }
  void repeat(std::string_view text, int64_t n) {
    for (; n > 0 && !over_; --n) append(text);
  }
  [[nodiscard]] bool over() const { return over_; }
  [[nodiscard]] size_t size() const { return text_.size(); }
  [[nodiscard]] std::string_view view() const { return text_; }
  [[nodiscard]] std::string& text() { return text_; }
  [[nodiscard]] Heap& heap() const { return *heap_; }
  /// Namespaces whose repr is being written: the only values that can hold themselves.
  std::vector<const void*>& open_objects() { return open_objects_; }
  [[nodiscard]] Error over_error() const;

 private:
  Heap* heap_;
  size_t limit_;
  std::string text_;
  std::vector<const void*> open_objects_;
  bool over_ = false;
};

}  // namespace mainspring::inline v0::jinja
