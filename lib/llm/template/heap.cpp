#include "llm/template/heap.h"

#include <algorithm>
#include <cstring>

namespace mainspring::inline v0::jinja {

Error Heap::memory_error() const { return exhausted("values take more than {} bytes", limits_.max_memory_bytes); }
Error Heap::steps_error() const { return exhausted("rendering takes more than {} steps", limits_.max_steps); }
Error Heap::depth_error() const { return exhausted("evaluation is nested deeper than {}", limits_.max_depth); }
Error Heap::call_depth_error() const { return exhausted("calls are nested deeper than {}", limits_.max_call_depth); }
Error TextBuilder::over_error() const { return exhausted("text grows beyond {} bytes", limit_); }

// Chunks double with use, from 16 KiB to 1 MiB, so that a small prompt touches little memory and a large one few chunks.
char* Heap::grow(Region& region, size_t bytes) {
  size_t size = std::clamp<size_t>(used_, size_t{16} << 10, size_t{1} << 20);
  size = std::max(size, bytes);
  chunks_.push_back(std::make_unique<char[]>(size));
  region.next = chunks_.back().get();
  region.end = region.next + size;
  return region.next;
}

void* Heap::allocate(size_t bytes, size_t align) {
  Region& region = align == 1 ? text_ : objects_;
  auto address = reinterpret_cast<uintptr_t>(region.next);
  size_t padding = (align - address % align) % align;
  if (region.next == nullptr || static_cast<size_t>(region.end - region.next) < bytes + padding) {
    grow(region, bytes + align);
    padding = (align - reinterpret_cast<uintptr_t>(region.next) % align) % align;
  }
  char* at = region.next + padding;
  region.next = at + bytes;
  used_ += bytes + padding;
  return at;
}

Result<std::string_view> Heap::copy(std::string_view text) {
  MAINSPRING_TRY_VOID(charge_bytes(text.size()));
  MAINSPRING_TRY(char* p, bytes(text.size()));
  if (!text.empty()) std::memcpy(p, text.data(), text.size());
  return std::string_view(p, text.size());
}

Result<std::string_view> Heap::concat(std::string_view a, std::string_view b) {
  MAINSPRING_TRY_VOID(charge_bytes(b.size()));
  if (b.size() > room()) return memory_error();
  bool last = !a.empty() && a.data() + a.size() == text_.next;
  if (last && static_cast<size_t>(text_.end - text_.next) >= b.size()) {
    if (!b.empty()) std::memcpy(text_.next, b.data(), b.size());
    text_.next += b.size();
    used_ += b.size();
    return std::string_view(a.data(), a.size() + b.size());
  }
  MAINSPRING_TRY_VOID(charge_bytes(a.size()));
  size_t total = a.size() + b.size();
  if (total > room()) return memory_error();
  // Room for as much again, where the text is already long: whoever appends once appends again.
  if (total > 4096 && static_cast<size_t>(text_.end - text_.next) < total) grow(text_, total * 2);
  MAINSPRING_TRY(char* p, bytes(total));
  if (!a.empty()) std::memcpy(p, a.data(), a.size());
  if (!b.empty()) std::memcpy(p + a.size(), b.data(), b.size());
  return std::string_view(p, total);
}

}  // namespace mainspring::inline v0::jinja
