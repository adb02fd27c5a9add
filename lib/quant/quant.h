// Block formats. In: bytes of a weight row as they stand in a file. Out: f32, and back. Scalar and obvious: this is the truth that every
// kernel is tested against. Knows nothing of tensors, files or threads. All functions are pure and may run on any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "mainspring/types.h"

namespace mainspring::inline v0 {

struct BlockFormat {
  DType dtype;
  int32_t gguf_type;  ///< tensor type number in a GGUF file
  const char* name;   ///< as name_of(dtype)
  int block;          ///< elements in a block, 1 for f32, f16, bf16
  int bytes;          ///< size of a block
  /// Reads n_elements / block whole blocks at any address and writes n_elements floats. n_elements is a multiple of block, at least 0
  /// (a remainder is not written). Total: every bit pattern decodes, to a non-finite value where the stored scale is not finite.
  /// All products are exact in f32 (the f16 scale, a small integer scale and the level have at most 24 significant bits together); only
  /// adding a min or an offset rounds, once. So any order, FMA or not, gives the same bits.
  void (*decode)(const void* blocks, int64_t n_elements, float* out);
  /// Writes n / block blocks at any address, choosing scales that keep the squared error small. False, and the output is unspecified, when
  /// n is not a multiple of block, a value is not finite, or a scale does not fit in f16. Null where the format has no encoder.
  bool (*encode)(const float* in, int64_t n, void* blocks);
};

/// The format of a weight dtype: every block format that stands in a file, and f32, f16, bf16 (decode and encode convert). Null otherwise.
const BlockFormat* format_of(DType dtype);

/// DType of a GGUF tensor type number; empty for removed, unknown and run-time-only types.
std::optional<DType> dtype_of_gguf(uint32_t ggml_type);

}  // namespace mainspring::inline v0
