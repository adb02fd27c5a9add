#include "core/buffer.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>

#include "core/context_impl.h"
#include "core/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace mainspring::inline v0 {
namespace {

#if defined(__linux__)
// From here on a request is a mapping of its own. Big enough that rounding up to a huge page wastes at most a quarter of it.
constexpr size_t kLarge = size_t{8} << 20;
constexpr size_t kHugePage = size_t{2} << 20;

bool is_large(size_t bytes, size_t alignment) { return bytes >= kLarge && alignment <= kHugePage; }

size_t mapped_size(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

// The kernel backs a range with huge pages only where the range is aligned to one, so we map more and give both ends back.
void* map_large(size_t bytes) {
  if (bytes > SIZE_MAX - 2 * kHugePage) return nullptr;
  const size_t size = mapped_size(bytes);
  const size_t whole = size + kHugePage;
  void* raw = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto* begin = static_cast<std::byte*>(raw);
  const size_t head = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  if (head) munmap(begin, head);
  std::byte* data = begin + head;
  if (const size_t tail = whole - head - size) munmap(data + size, tail);
  madvise(data, size, MADV_HUGEPAGE);  // a hint: kernels without it say EINVAL
  return data;
}
#endif

class SystemAllocator final : public Allocator {
 public:
  void* allocate(size_t bytes, size_t alignment) override {
#if defined(__linux__)
    if (is_large(bytes, alignment)) return map_large(bytes);
#endif
    void* p = nullptr;
    return posix_memalign(&p, alignment, bytes) == 0 ? p : nullptr;
  }
  void release(void* memory, size_t bytes, size_t alignment) override {
    (void)bytes, (void)alignment;
#if defined(__linux__)
    if (is_large(bytes, alignment)) {
      munmap(memory, mapped_size(bytes));
      return;
    }
#endif
    std::free(memory);
  }
};

// Never destroyed: a host's static object may hold a Tensor, whose Buffer comes back here after main().
union Eternal {
  SystemAllocator allocator;
  constexpr Eternal() : allocator() {}
  constexpr ~Eternal() {}
};
constinit Eternal eternal;

}  // namespace

Allocator& system_allocator() { return eternal.allocator; }

Result<Buffer> Buffer::create(const Context& context, size_t bytes, std::string_view what, size_t alignment) {
  return create(context.impl()->allocator(), bytes, what, alignment);
}

Result<Buffer> Buffer::create(Allocator& allocator, size_t bytes, std::string_view what, size_t alignment) {
  if (alignment && !std::has_single_bit(alignment)) return invalid("{}: alignment {} is not a power of two", what, alignment);
  Buffer buffer;
  buffer.alignment_ = std::max(alignment, kAlignment);
  if (bytes == 0) return buffer;
  void* memory = allocator.allocate(bytes, buffer.alignment_);
  if (!memory) return out_of_memory("{}: the allocator has no {} bytes", what, bytes);
  buffer.allocator_ = &allocator;
  buffer.data_ = static_cast<std::byte*>(memory);
  buffer.size_ = bytes;
  return buffer;
}

void Buffer::reset() {
  if (data_) allocator_->release(data_, size_, alignment_);
  data_ = nullptr;
  size_ = 0;
}

}  // namespace mainspring::inline v0
