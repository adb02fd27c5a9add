// BYTES -> a GGUF file's metadata and tensors. In: the bytes of the first file and a way to open its siblings. Out: views into them.
// Must not know what a key means to a model, nor how a block format is decoded.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Versions 2 and 3, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "mainspring/result.h"
#include "mainspring/types.h"

namespace mainspring::inline v0 {

struct GgufTensor {
  std::string_view name;             ///< bytes of the file; usually UTF-8, not checked
  DType dtype = DType::f32;
  Shape shape;                       ///< outer to inner: the file's own order reversed. Rank 0 to 4, no extent is 0
  std::span<const std::byte> bytes;  ///< in the source; exactly the size that dtype and shape ask for, aligned for the element
  int source = 0;                    ///< index into GgufFile::sources
};

/// Everything here points into `sources`; keep the GgufFile (or the sources) for as long as the views. Immutable after reading.
struct GgufFile {
  std::vector<std::shared_ptr<ByteSource>> sources;  ///< the first file, then its siblings in order
  Metadata metadata;                                 ///< of the first file, sealed; strings are bytes, not checked to be UTF-8
  std::vector<GgufTensor> tensors;                   ///< in file order; none in a vocabulary-only file
  std::vector<uint32_t> by_name;                     ///< tensors' indices sorted by name
  uint32_t version = 0;
  uint64_t alignment = 0;                            ///< of the first file's tensor data

  /// The tensor with this name, or null. A binary search.
  const GgufTensor* find(std::string_view name) const;
};

/// Opens another file of a split model by its path.
using OpenMore = std::function<Result<std::shared_ptr<ByteSource>>(const std::string& path)>;

/// Reads a GGUF file. A model in several files (`name-00001-of-00003.gguf`) is read from its first one: `open_sibling` is called for
/// each of the others, with the first one's path and the number replaced; it may be empty where no split file is expected.
///
/// Time and memory are proportional to the metadata; tensor data is not touched. At most 2^20 keys, tensors and 2^16 arrays inside
/// arrays, 2^24 strings, arrays nested 4 deep.
/// Errors: corrupt_data (the bytes contradict the format or themselves), unsupported (version 1, big-endian, an unknown tensor type,
/// the limits above), invalid_argument (a split file that is not the first; borrowed bytes at a misaligned address),
/// out_of_memory, and those of open_sibling.
Result<GgufFile> read_gguf(std::shared_ptr<ByteSource> first, const OpenMore& open_sibling = {});

/// Whether the bytes begin like a GGUF file (to choose an importer).
bool looks_like_gguf(std::span<const std::byte> bytes);

}  // namespace mainspring::inline v0
