// The host's memory in tests: counts bytes and calls, fails the call it is told to; and what the program took from operator new.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "mainspring/context.h"

namespace mainspring::inline v0::test {

/// Calls of operator new so far, in the whole program (memory_test.cpp replaces it).
long calls_of_new();

/// Counts, and fails allocation number `fail_at` (from 1; 0: none).
struct FaultAllocator final : Allocator {
  void* allocate(size_t bytes, size_t alignment) override {
    if (++calls == fail_at) return nullptr;
    live += static_cast<long>(bytes);
    most = std::max(most, live.load());
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  void release(void* memory, size_t bytes, size_t) override {
    live -= static_cast<long>(bytes);
    std::free(memory);
  }
  std::atomic<long> calls{0}, live{0};
  long fail_at = 0, most = 0;
};

}  // namespace mainspring::inline v0::test
