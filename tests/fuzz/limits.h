// What every fuzz target holds the library to: large memory comes from here and ends at 64 MiB.
#pragma once

#include <cstdlib>

#include "mainspring/mainspring.h"

namespace fuzz {

struct LimitedAllocator final : mainspring::Allocator {
  void* allocate(size_t bytes, size_t alignment) override {
    if (bytes > kLimit - live) return nullptr;
    live += bytes;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  void release(void* memory, size_t bytes, size_t) override {
    live -= bytes;
    std::free(memory);
  }
  static constexpr size_t kLimit = size_t{64} << 20;
  size_t live = 0;
};

/// Opens, compiles, steps, tokenizes; what is refused is refused. True when it came to logits. Ends the process when a promise is broken.
inline bool open_and_use(std::span<const std::byte> bytes, std::string_view text = "a\xff<s>\xe4\xbd\xa0 ") {
  using namespace mainspring;
  LimitedAllocator allocator;
  bool stepped = false;
  {
    const Context context({.threads = 1, .allocator = &allocator});
    if (auto vocabulary = Model::open(bytes, {.context = &context, .vocabulary_only = true})) {
      if (auto ids = tokenize(*vocabulary, text)) {
        const auto info = token_info(*vocabulary);
        for (const int32_t id : *ids)
          if (!info || id < 0 || id >= info->vocabulary) std::abort();
        if (!detokenize(*vocabulary, *ids, true)) std::abort();
      }
      const ChatMessage hello{"user", "Hi"};
      (void)render_chat(*vocabulary, std::span(&hello, 1)).has_value();
    }
    if (auto model = Model::open(bytes, {.context = &context})) {
      if (auto session = Session::create(*model, {.max_context = 8, .max_batch_tokens = 4})) {
        const int32_t ids[] = {0, 0, 0};
        if (auto r = session->step(ids)) stepped = r->rows == 1;
      }
    }
  }
  if (allocator.live != 0) std::abort();
  return stepped;
}

}  // namespace fuzz
